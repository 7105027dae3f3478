"""What a check is, what it finds, and how it says that something is broken or cannot be looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from labelkit.errors import DataError
from labelkit.records import Example, LoadContext
from labelkit.testing.network import unplugged

Status = Literal["ok", "failed", "expected", "not applicable"]


class Broken(AssertionError):  # noqa: N818  (shown by pytest as the failure itself)
    """The plugin breaks its contract.

    :param why: what is wrong, one line or a few.
    :param change: what to do about it.
    """

    def __init__(self, why: str, change: str) -> None:
        super().__init__(f"{why}: {change}")
        self.why = why
        self.change = change


class NotApplicableError(Exception):
    """A check cannot say anything; the message says why."""


class BlockedError(NotApplicableError):
    """A check that this one builds on has failed."""


class DataAbsentError(DataError, NotApplicableError):
    """The folder that a source asked for is not there, so nothing can be said about the source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one check asks of one thing that a plugin yields.

    :param name: unique among the questions about that kind of thing, e.g. ``order``.
    :param asks: what holds when the check passes, one line for the docs.
    :param ask: called with the thing; returns if all is well.
    :param needs: questions about the same thing that must have passed, or this one would only repeat their failure.
    :param unless: called with the thing; why the question does not apply to it, or an empty text.
    """

    name: str
    asks: str
    ask: Callable[[Any], None]
    needs: tuple[str, ...] = ()
    unless: Callable[[Any], str] = lambda thing: ""


@dataclass(slots=True)
class Asked:
    """The questions about one thing, each asked once.

    :param prefix: what their checks' names begin with, e.g. ``metric-exact``.
    """

    prefix: str
    thing: Any
    questions: tuple[Question, ...]
    _answers: dict[str, Exception | None] = field(default_factory=dict)

    def ask(self, name: str) -> None:
        """Ask, or give the answer that was found before.

        :raises Broken: it is not well.
        :raises NotApplicableError: the question does not apply, or one that it needs failed.
        """
        __tracebackhide__ = True
        if name not in self._answers:
            self._answers[name] = self._answer(name)
        if (error := self._answers[name]) is not None:
            raise error

    def _answer(self, name: str) -> Exception | None:
        question = next(each for each in self.questions if each.name == name)
        try:
            self._apply(question)
            question.ask(self.thing)
        except Exception as error:
            return error
        return None

    def _apply(self, question: Question) -> None:
        if reason := question.unless(self.thing):
            raise NotApplicableError(reason)
        for need in question.needs:
            try:
                self.ask(need)
            except (DataAbsentError, BlockedError):
                raise
            except NotApplicableError:
                continue
            except Exception as error:
                raise BlockedError(f"{self.prefix}-{need} fails") from error


@dataclass(frozen=True, slots=True)
class Check:
    """One named question about a plugin; calling it asks.

    :param name: unique for a plugin and readable, e.g. ``task-ner-examples``.
    :param inapplicable: why it does not apply, known before it is asked; else empty.
    """

    name: str
    ask: Callable[[], None]
    inapplicable: str = ""

    def __call__(self) -> None:
        """Return if all is well.

        :raises Broken: it is not.
        :raises NotApplicableError: it does not apply; a :class:`DataAbsentError` where it needs data that is not there.
        """
        __tracebackhide__ = True
        self.ask()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a check found.

    :param status: ``expected`` for a failure that was declared.
    :param why: what is wrong, or why it does not apply or is expected; empty when all is well.
    :param change: what to do about a failure.
    """

    check: str
    status: Status
    why: str = ""
    change: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is something to do."""
        return self.status == "failed"

    @property
    def reason(self) -> str:
        """Why and what to do, in one text."""
        return f"{self.why}: {self.change}" if self.change else self.why


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


# -- saying that something is broken ----------------------------------------------------------------------------------


def require(fine: object, why: str, change: str) -> None:
    """Raise :class:`Broken` unless ``fine``."""
    __tracebackhide__ = True
    if not fine:
        raise Broken(why, change)


def require_none(faults: Iterable[str], change: str) -> None:
    """Raise :class:`Broken` with all ``faults`` where there are any; many are cut short."""
    __tracebackhide__ = True
    found = [fault for fault in faults if fault]
    if found:
        more = [f"… and {len(found) - 10} more"] if len(found) > 10 else []
        raise Broken("\n  ".join(found[:10] + more), change)


@contextlib.contextmanager
def calling(what: str, change: str, *, may: type[Exception] = NotApplicableError) -> Iterator[None]:
    """Turn whatever a plugin's function raises into :class:`Broken`.

    :param what: the function, for the message.
    :param may: what it may raise.
    """
    __tracebackhide__ = True
    try:
        yield
    except (Broken, NotApplicableError, KeyboardInterrupt, GeneratorExit, may):
        raise
    except BaseException as error:  # sys.exit() too
        raise Broken(f"{what} fails with {plainly(error)}", change) from error


@contextlib.contextmanager
def calling_offline(what: str, change: str, *, may: type[Exception] = NotApplicableError) -> Iterator[None]:
    """Do as :func:`calling`, and let nothing reach for the network: that is :class:`Broken` even where it is caught."""
    __tracebackhide__ = True
    hosts: list[str] = []
    try:
        with calling(what, change, may=may), unplugged(hosts):
            yield
    finally:
        if hosts:
            raise Broken(
                f"{what} reaches for the network ({hosts[0]})",
                "take what is installed, lies in ctx.cache or in a folder; a source or an encoder for which that is "
                "not enough raises labelkit.errors.NetworkError when ctx.offline is set",
            )


def plainly(error: BaseException) -> str:
    """Return an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


# -- examples ---------------------------------------------------------------------------------------------------------


def layer_fault(example: Example, layer: str, kind: str) -> str:
    """Return what is wrong with one layer of a well-formed example, or an empty text."""
    labels = example.labels.get(layer)
    if labels is None:
        return f"example {example.id} has no layer '{layer}'; put its labels there, labels={{'{layer}': …}}"
    if kind == "text":
        wrong = not isinstance(labels, str)
        return f"example {example.id}: labels of '{layer}' must be one str, not {labels!r}" if wrong else ""
    words = len(example.words or ())
    if not isinstance(labels, tuple):
        return f"example {example.id}: labels of '{layer}' are {labels!r:.60}; give a tuple of str, one label per word"
    if len(labels) != words:
        return f"example {example.id}: {words} words have {len(labels)} labels of '{layer}'; give one label per word"
    odd = [label for label in labels if not isinstance(label, str)]
    return f"example {example.id}: label {odd[0]!r:.60} of '{layer}' is no str; give its name" if odd else ""


def example_fault(example: object, kind: str) -> str:
    """Return why ``example`` is not a well-formed example of ``kind``, or an empty text."""
    if not isinstance(example, Example):
        return f"{example!r:.60} is a {type(example).__name__}; yield labelkit.Example records"
    if not isinstance(example.id, str):
        return f"id {example.id!r:.60} of an example is no str; write id='…'"
    if not isinstance(example.labels, Mapping) or not isinstance(example.extra, Mapping):
        return f"example {example.id}: labels= and extra= must be dicts"
    if kind == "token":
        return _words_fault(example) or _offsets_fault(example)
    return "" if isinstance(example.text, str) else f"example {example.id} has no text; kind 'text' needs text='…'"


def _words_fault(example: Example) -> str:
    words: object = example.words
    if not isinstance(words, tuple) or not words:
        return f"example {example.id} has no words; kind 'token' needs words=(…), a tuple of str"
    odd = [word for word in words if not isinstance(word, str)]
    return f"example {example.id}: word {odd[0]!r:.60} is no str; write it as text" if odd else ""


def _offsets_fault(example: Example) -> str:
    """Words may stand within each other, as the parts of a contraction do; they have to be in the text."""
    if example.offsets is None:
        return ""
    text, end = example.text, 0
    pairs = [pair for pair in example.offsets if isinstance(pair, tuple | list) and len(pair) == 2]
    if not isinstance(text, str) or len(pairs) != len(example.words or ()):
        return f"example {example.id}: offsets= need the text= that they refer to, and one pair for each word"
    for word, (start, stop) in zip(example.words or (), pairs, strict=True):
        if not 0 <= start <= stop <= len(text) or stop < end:
            return f"example {example.id}: word {word!r:.60} cannot stand at text[{start}:{stop}]; correct offsets="
        end = stop
    return ""
