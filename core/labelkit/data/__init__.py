"""Labelled data: references, sources, Hub datasets, corpora, conversion and statistics."""
