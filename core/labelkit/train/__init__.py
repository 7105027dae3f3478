"""Training: the plan's settings wired into ``transformers.Trainer``, with selection and checkpoints of our own."""
