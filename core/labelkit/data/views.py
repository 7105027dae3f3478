"""Lazy sequences of examples: each example is made when it is accessed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import overload

from labelkit.records import Example


class LazyExamples(Sequence[Example]):
    """A sequence that makes each example when it is accessed; slices are lists."""

    @abstractmethod
    def one(self, index: int) -> Example:
        """Return the example at ``index``, which is in range."""

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self.one(position) for position in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.one(index % len(self))


class MappedExamples(LazyExamples):
    """The examples of another sequence, each changed by a function."""

    def __init__(self, base: Sequence[Example], change: Callable[[Example], Example]) -> None:
        self._base, self._change = base, change

    def __len__(self) -> int:
        return len(self._base)

    def one(self, index: int) -> Example:
        """Return the example at ``index``, which is in range."""
        return self._change(self._base[index])

    def __iter__(self) -> Iterator[Example]:
        return map(self._change, self._base)


class SelectedExamples(LazyExamples):
    """Some examples of another sequence, by their positions."""

    def __init__(self, base: Sequence[Example], positions: Sequence[int]) -> None:
        self._base, self._positions = base, positions

    def __len__(self) -> int:
        return len(self._positions)

    def one(self, index: int) -> Example:
        """Return the example at ``index``, which is in range."""
        return self._base[self._positions[index]]

    def __iter__(self) -> Iterator[Example]:
        return (self._base[position] for position in self._positions)


class JoinedExamples(LazyExamples):
    """The examples of one sequence, and behind them those of another."""

    def __init__(self, first: Sequence[Example], second: Sequence[Example]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def one(self, index: int) -> Example:
        """Return the example at ``index``, which is in range."""
        size = len(self._first)
        return self._first[index] if index < size else self._second[index - size]

    def __iter__(self) -> Iterator[Example]:
        return chain(self._first, self._second)


def map_examples(examples: Sequence[Example], change: Callable[[Example], Example]) -> Sequence[Example]:
    """Return the examples changed by a function: a list for a list, and else a lazy sequence."""
    return [change(example) for example in examples] if isinstance(examples, list) else MappedExamples(examples, change)


def select_examples(examples: Sequence[Example], positions: Sequence[int]) -> Sequence[Example]:
    """Return the examples at ``positions``: a list for a list, and else a lazy sequence."""
    if isinstance(examples, list):
        return [examples[position] for position in positions]
    return SelectedExamples(examples, positions)
