"""Checks of the encoder's input: words without subword tokens, and examples that need several windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from labelkit.checks.common import Splits, noun_of
from labelkit.checks.findings import CaseCollector, Finding, excerpt
from labelkit.data.scheme_conversion import place_of
from labelkit.encode.alignment import Encoding, encode, encode_texts, surfaces_of, texts_of, tokenize
from labelkit.records import Example
from labelkit.records.contents import shown_content

_CHUNK = 500  # examples tokenized at once


@dataclass(slots=True)
class SplitCoverage:
    """How the encoder covers the examples of one split.

    :param noun: ``words`` for examples that are encoded word by word, or ``texts``.
    :param windows: examples that need several windows.
    :param unseen: words, or texts, without subword tokens.
    :param too_long: words with more subword tokens than a window holds.
    """

    split: str
    noun: str
    examples: int
    windows: CaseCollector
    unseen: CaseCollector
    too_long: CaseCollector
    words: int = 0

    def add(self, chunk: Sequence[Example], encoding: Encoding) -> None:
        """Encode some examples and collect their cases."""
        texts = self.noun == "texts"
        encoded = encode_texts(encoding, texts_of(chunk)) if texts else encode(encoding, surfaces_of(chunk))
        for example, coverage in zip(chunk, encoded.coverage, strict=True):
            self.words += coverage.words
            if coverage.windows > 1:
                self.windows.add(place_of(example), f"{coverage.windows} windows: {excerpt(shown_content(example))}")
            if coverage.no_subtokens or coverage.too_long:
                self._add_words(example, encoding)

    def _add_words(self, example: Example, encoding: Encoding) -> None:
        """Collect the words of an example that have no subword tokens, or too many."""
        if example.words is None:
            self.unseen.add(place_of(example), excerpt(shown_content(example)) or "blank")
            return
        (subwords,) = tokenize(encoding.content, [example.words], leading_space=encoding.leading_space)
        counts = np.bincount(subwords.words, minlength=len(example.words))
        for index, (word, count) in enumerate(zip(example.words, counts.tolist(), strict=True)):
            if count == 0:
                code_points = " ".join(f"U+{ord(character):04X}" for character in word[:8])
                self.unseen.add(place_of(example, index), f"{word} ({code_points})" if word else "an empty word")
            elif count > encoding.capacity:
                self.too_long.add(place_of(example, index), f"{count:,} subword tokens: {excerpt(word)}")


def measure_coverage(
    splits: Splits, encoding: Encoding, limit: int, progress: Callable[[str, int], object]
) -> list[SplitCoverage]:
    """Encode every example as training does, without truncation.

    :param progress: called with a split and the number of its examples that are done.
    """
    found = []
    for split, examples in splits.items():
        cases = CaseCollector(limit), CaseCollector(limit), CaseCollector(limit)
        coverage = SplitCoverage(split, noun_of(examples), len(examples), *cases)
        rest, done = iter(examples), 0
        while chunk := list(islice(rest, _CHUNK)):
            coverage.add(chunk, encoding)
            done += len(chunk)
            progress(split, done)
        found.append(coverage)
    return found


def subtokens(found: Sequence[SplitCoverage]) -> Iterator[Finding]:
    """Yield words and texts without subword tokens, and words with more than a window holds."""
    advice = "remove them, or choose another --model: nothing is learned from them"
    for one in found:
        message = f"{one.noun} have no subword tokens: the encoder does not see them"
        yield from one.unseen.findings("subtokens", "warning", one.split, message, advice, total=one.words)
        message = f"{one.noun} have more subword tokens than the encoder reads at once"
        yield from one.too_long.findings("subtokens", "warning", one.split, message, advice, total=one.words)


def windows(found: Sequence[SplitCoverage], max_length: int) -> Iterator[Finding]:
    """Yield the examples that are longer than the encoder's maximum length."""
    message = f"examples have more than the {max_length} subword tokens that the encoder reads at once"
    advice = "nothing is truncated: they are read in overlapping windows, which takes longer"
    for one in found:
        yield from one.windows.findings("windows", "note", one.split, message, advice, total=one.examples)
