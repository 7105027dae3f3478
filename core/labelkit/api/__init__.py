"""The commands as functions, for programs and notebooks; their public names are those of ``labelkit``."""
