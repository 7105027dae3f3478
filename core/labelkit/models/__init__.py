"""Encoders, tokenizers and checkpoints: find them, verify them, load them."""
