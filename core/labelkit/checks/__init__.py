"""Checks of labelled data before it is trained on: ``labelkit data check``."""
