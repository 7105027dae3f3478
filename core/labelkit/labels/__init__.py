"""Label notations: tagging schemes, and spans on raw text as tags of words."""
