"""Labelling text with a trained model."""
