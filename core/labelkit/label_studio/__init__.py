"""Asks a Label Studio server for annotations and sends it tasks; its label configs, and what people corrected."""
