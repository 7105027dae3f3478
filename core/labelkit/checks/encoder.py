"""Checks of how an encoder takes the data: what it sees nothing of, and what it must read in several windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from labelkit.checks.common import Splits, content_of
from labelkit.checks.findings import Cases, Finding, excerpt
from labelkit.data.scheme_conversion import place_of
from labelkit.encode.alignment import Encoding, encode, encode_texts, surfaces_of, texts_of, tokenize
from labelkit.records import Coverage, Example

_CHUNK = 500  # examples tokenized at once

Tell = Callable[[str, int], object]
"""Told a split and how many of its examples are done."""


@dataclass(frozen=True, slots=True)
class Covered:
    """How an encoder takes one split.

    :param noun: what is read word by word, or as a whole: ``words`` or ``texts``.
    :param windows: examples that are cut into several windows.
    :param unseen: words, or texts, without sub-tokens.
    :param too_long: words that have more sub-tokens than a window.
    """

    split: str
    noun: str
    examples: int
    words: int
    windows: Cases
    unseen: Cases
    too_long: Cases


def covered(splits: Splits, encoding: Encoding, limit: int, tell: Tell = lambda split, done: None) -> list[Covered]:
    """Tokenize every example as training does, without truncation."""
    found = []
    for split, examples in splits.items():
        cases = Cases(limit), Cases(limit), Cases(limit)
        words = done = 0
        noun = "texts" if any(example.words is None for example in examples[:1]) else "words"
        rest = iter(examples)
        while chunk := list(islice(rest, _CHUNK)):
            words += _look_at(chunk, encoding, *cases)
            done += len(chunk)
            tell(split, done)
        found.append(Covered(split, noun, len(examples), words, *cases))
    return found


def subtokens(found: Sequence[Covered]) -> Iterator[Finding]:
    """Yield words and texts that mean nothing to the encoder, or more than it can read."""
    for one in found:
        for cases, message in (
            (one.unseen, "get no sub-token: the encoder sees nothing there"),
            (one.too_long, "have more sub-tokens than the encoder reads at once"),
        ):
            if cases.count:
                yield Finding(
                    check="subtokens",
                    severity="warning",
                    split=one.split,
                    count=cases.count,
                    total=one.words,
                    examples=cases.kept,
                    message=f"{one.noun} {message}",
                    advice="take them out, or choose another --model: nothing is learned from them",
                )


def windows(found: Sequence[Covered], max_length: int) -> Iterator[Finding]:
    """Yield the share of examples that are cut into windows."""
    for one in found:
        if one.windows.count:
            yield Finding(
                check="windows",
                severity="note",
                split=one.split,
                count=one.windows.count,
                total=one.examples,
                examples=one.windows.kept,
                message=f"examples have more than the {max_length} sub-tokens that the encoder reads at once",
                advice="nothing is cut off: they are read in overlapping windows, which takes longer",
            )


def _look_at(chunk: list[Example], encoding: Encoding, windows_: Cases, unseen: Cases, too_long: Cases) -> int:
    """Count what there is to tell of some examples, and return how many words (or texts) they have."""
    texts = chunk[0].words is None
    encoded = encode_texts(encoding, texts_of(chunk)) if texts else encode(encoding, surfaces_of(chunk))
    for example, coverage in zip(chunk, encoded.coverage, strict=True):
        if coverage.windows > 1:
            windows_.add(place_of(example), f"{coverage.windows} windows: {excerpt(content_of(example))}")
        if coverage.no_subtokens or coverage.too_long:
            _words_of(example, coverage, encoding, unseen, too_long)
    return sum(coverage.words for coverage in encoded.coverage)


def _words_of(example: Example, coverage: Coverage, encoding: Encoding, unseen: Cases, too_long: Cases) -> None:
    """Add the words of an example that have no sub-tokens, or too many."""
    if example.words is None:
        unseen.add(place_of(example), excerpt(content_of(example)) or "blank")
        return
    (pieces,) = tokenize(encoding.tokenizer, [example.words], spaced=encoding.spaced)
    counts = np.bincount(pieces.words, minlength=len(example.words))
    for word, count in enumerate(counts.tolist()):
        if count == 0:
            unseen.add(place_of(example, word), _spelled(example.words[word]))
        elif count > encoding.capacity:
            too_long.add(place_of(example, word), f"{count:,} sub-tokens: {excerpt(example.words[word])}")


def _spelled(word: str) -> str:
    return f"{word} ({' '.join(f'U+{ord(character):04X}' for character in word[:8])})" if word else "an empty word"
