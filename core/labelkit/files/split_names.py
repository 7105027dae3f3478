"""The names of splits, and the names that files and folders commonly give them."""

from __future__ import annotations

SPLITS = ("train", "validation", "test")
SPLIT_ALIASES = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "testa": "validation",
    "test": "test",
    "testb": "test",
    "testing": "test",
    "tst": "test",
}


def canonical_split(name: str) -> str | None:
    """Return the split that ``name`` is a name of; None for any other name.

    >>> canonical_split("dev")
    'validation'
    """
    return SPLIT_ALIASES.get(name.lower())
