"""The formats of annotation tools: what they read, what they write, and where each keeps what."""
