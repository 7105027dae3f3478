"""Reading labelled data: formats, schemes, sources, corpora."""
