"""Serve trained labellers over HTTP, and to annotation tools."""
