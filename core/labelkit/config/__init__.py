"""The configuration of a run: recipes and environment, merged with options into a plan of validated settings."""
