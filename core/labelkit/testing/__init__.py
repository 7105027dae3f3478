"""The contract checks for plugins."""
