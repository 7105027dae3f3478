"""Workflows around scores: evaluation, significance of differences, error analysis, label errors, cross-validation."""
