"""The names of splits, and what files and folders commonly call them."""

from __future__ import annotations

SPLITS = ("train", "validation", "test")
SPLIT_ALIASES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "devel": "validation",
    "testa": "validation",
    "test": "test",
    "testb": "test",
}


def split_called(name: str) -> str | None:
    """Return the split that goes by ``name``; None where it is none of ours.

    >>> split_called("dev")
    'validation'
    """
    return SPLIT_ALIASES.get(name.lower())
