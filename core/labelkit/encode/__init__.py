"""Encoding: words to subwords, windows, aligned labels, padded batches, and their cache."""
