"""Publish checkpoints and data sets on the Hugging Face Hub, each with its card."""
