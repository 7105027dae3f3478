"""Splitting raw text: into words, sentences and documents."""
