"""Everything labelkit raises on purpose: one tree, one line to show, one hint on what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Self


class LabelkitError(Exception):
    """A mistake or a mishap that has a plain explanation.

    :param message: what went wrong and where, one line without a final full stop.
    :param hint: what to do about it, one line; shown under the message.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def at(self, place: object) -> Self:
        """Return the same error with ``place``, for example ``FILE:LINE``, before its message."""
        return type(self)(f"{place}: {self.message}", hint=self.hint)


class PlanError(LabelkitError):
    """A run cannot start as asked; :attr:`misses` holds every reason, not only the first."""

    def __init__(self, misses: Sequence[LabelkitError]) -> None:
        first = misses[0]
        message = first.message if len(misses) == 1 else f"{len(misses)} things stop this run"
        super().__init__(message, hint=first.hint if len(misses) == 1 else None)
        self.misses = tuple(misses)


class CatalogError(LabelkitError):
    """A plugin, or a name that a plugin should have supplied, cannot be used."""


class UnknownNameError(CatalogError):
    """A name that nobody supplies; the hint suggests the nearest ones."""


class DataError(LabelkitError):
    """Labelled data that cannot be read as it stands."""


class ModelError(LabelkitError):
    """A model reference, tokenizer or checkpoint that cannot be used."""


class TrainingError(LabelkitError):
    """Training that cannot go on as planned: going on from its last state would end the same way."""


class NetworkError(LabelkitError):
    """Something on the Hugging Face Hub was needed and could not be reached."""


class RegistryError(LabelkitError):
    """The registry cannot be opened, read or written."""


class SeveralRunsError(RegistryError):
    """A reference that means several runs.

    :param candidates: id → one line about that run, some of them.
    :param more: there are others.
    """

    def __init__(self, message: str, candidates: Mapping[str, str], *, more: bool = False, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.candidates = dict(candidates)
        self.more = more

    def __str__(self) -> str:
        return f"{self.message}: {', '.join(self.candidates)}{' …' * self.more} ({self.hint})"


class StorageError(LabelkitError):
    """The disk refused: full, read-only, or not permitted."""


def explanation(error: BaseException) -> str:
    """Return what an error says, on one line, with its kind."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # an error of a plugin's own class may fail to say what it is
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the entries of ``known`` closest to ``name``, or else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(names)}" if names else "none is available"
