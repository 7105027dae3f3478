"""What a check is, and how it says that something is broken or cannot be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labelkit.errors import DataError
from labelkit.records import Example, LoadContext


class Broken(AssertionError):  # noqa: N818  (shown by pytest as the failure itself)
    """The plugin breaks its contract; the message says what to change."""


class DataAbsentError(DataError):
    """The folder that a source asked for is not there, so nothing can be said about the source."""


@dataclass(frozen=True, slots=True)
class Check:
    """One named question about a plugin; calling it asks.

    :param name: unique for a plugin and readable, e.g. ``task-ner-examples``.
    """

    name: str
    ask: Callable[[], None]

    def __call__(self) -> None:
        """Return if all is well.

        :raises Broken: it is not.
        :raises DataAbsentError: it needs data that is not there.
        """
        __tracebackhide__ = True
        self.ask()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found.

    :param reason: what to change, or why it was skipped; empty when it passed.
    """

    check: str
    status: Literal["passed", "failed", "skipped"]
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether all is well."""
        return self.status == "passed"

    @property
    def skipped(self) -> bool:
        """Whether data that it needs is absent."""
        return self.status == "skipped"


class WatchedContext(LoadContext):
    """A :class:`~labelkit.records.LoadContext` that tells data that is absent from data that is wrong."""

    __slots__ = ()

    def folder(self, name: str) -> Path:
        """Return the folder of a corpus.

        :raises DataAbsentError: there is none.
        """
        try:
            return super().folder(name)
        except DataError as error:
            raise DataAbsentError(f"data absent: {error.message}", hint=error.hint) from error


def require(fine: object, message: str) -> None:
    """Raise :class:`Broken` with ``message`` unless ``fine``."""
    __tracebackhide__ = True
    if not fine:
        raise Broken(message)


def require_none(faults: Iterable[str]) -> None:
    """Raise :class:`Broken` with all ``faults`` where there are any; many are cut short."""
    __tracebackhide__ = True
    found = list(faults)
    if found:
        more = f"\n  … and {len(found) - 10} more" if len(found) > 10 else ""
        raise Broken("\n  ".join(found[:10]) + more)


def plainly(error: BaseException) -> str:
    """Return an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def layer_fault(example: Example, layer: str, kind: str) -> str:
    """Return what is wrong with one layer of an example, or an empty text."""
    labels = example.labels.get(layer)
    if labels is None:
        return f"example {example.id} has no layer '{layer}': put its labels there, labels={{'{layer}': …}}"
    if kind == "text":
        wrong = not isinstance(labels, str)
        return f"example {example.id}: labels of '{layer}' must be one str, not {labels!r}" if wrong else ""
    words = len(example.words or ())
    if isinstance(labels, str) or len(labels) != words:
        count = 1 if isinstance(labels, str) else len(labels)
        return f"example {example.id}: {words} words have {count} labels of '{layer}': give one label per word"
    return ""


def kind_fault(example: object, kind: str) -> str:
    """Return why ``example`` is not an example of ``kind``, or an empty text."""
    if not isinstance(example, Example):
        return f"{example!r} is a {type(example).__name__}: yield labelkit.Example records"
    if kind == "token":
        fine = isinstance(example.words, tuple) and bool(example.words)
        return "" if fine else f"example {example.id} has no words: kind 'token' needs words=(…), a tuple of str"
    return "" if isinstance(example.text, str) else f"example {example.id} has no text: kind 'text' needs text='…'"
