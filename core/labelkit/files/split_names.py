"""The names of splits, and the names that files and folders commonly give them."""

from __future__ import annotations

SPLITS = ("train", "validation", "test")
#: how the note begins that a split of training or selection holds the examples of test, in any order
SAME_AS_TEST = "test and {} are the same "
SPLIT_ALIASES = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "trainset": "train",
    "traindata": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "validate": "validation",
    "validset": "validation",
    "valset": "validation",
    "devset": "validation",
    "tune": "validation",
    "tuning": "validation",
    "testa": "validation",
    "test": "test",
    "testb": "test",
    "testing": "test",
    "tst": "test",
    "testset": "test",
    "testdata": "test",
}
#: patterns of names that mean test to some, validation to others
UNCLEAR_SPLITS = (
    r"eval(?:uation|uate|set)?",
    r"held[-_]?out",
    r"hold[-_]?out",
    r"devtest",
    r"blind",
    r"unseen",
    r"challenge",
    r"final",
)


def canonical_split(name: str) -> str | None:
    """Return the split that ``name`` is a name of; None for any other name.

    >>> canonical_split("dev")
    'validation'
    """
    return SPLIT_ALIASES.get(name.lower())
