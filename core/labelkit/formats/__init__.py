"""File formats: each reads labelled examples, writes labelled records, or both."""
