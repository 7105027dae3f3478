"""Scores at word level."""
