"""A run as one page of HTML: what is known of it is gathered, turned into what the page shows, and laid out."""
