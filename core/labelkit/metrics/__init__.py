"""Pure scores at word or text level, their confidence intervals and significance tests."""
