"""Training: a run from its plan to a recorded checkpoint, with ``transformers.Trainer``, guards and resumption."""
