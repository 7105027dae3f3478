"""Tokenize texts as they are, and find the first subword of each of their words by its place in the text.

So do ``transformers.pipeline`` and most scripts that train models on texts: the subwords of a word may depend on what
stands around it, and one subword may hold several words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.alignment import (
    NO_WORD,
    EncodedExamples,
    Encoding,
    Window,
    encode_batch,
    first_subword_mask,
)
from labelkit.encode.windows import Ints, Subwords, WindowBounds, drop_long_words, split_into_windows
from labelkit.labels.spans import joined_offsets, offsets_of
from labelkit.records import Coverage, Example
from labelkit.records.examples import Offsets

if TYPE_CHECKING:
    from tokenizers import Encoding as TokenEncoding

TextWithWords = tuple[str, Offsets]


def texts_with_words(examples: Sequence[Example]) -> list[TextWithWords]:
    """Return the text of each example and the places of its words; words without a text are joined by spaces.

    Where a preprocessor set a surface, its words are joined.
    """
    return [_text_with_words(example) for example in examples]


def _text_with_words(example: Example) -> TextWithWords:
    words = tuple(example.surface or example.words or ())
    if example.surface is None and example.text is not None:
        offsets = example.offsets or offsets_of(words, example.text)
        if offsets is not None:
            return example.text, offsets
    return " ".join(words), joined_offsets(words)


def encode_running(encoding: Encoding, texts: Sequence[TextWithWords]) -> EncodedExamples:
    """Split each text into windows at word boundaries; nothing is truncated."""
    windows: list[Window] = []
    coverage: list[Coverage] = []
    tokenized = encode_batch(encoding.content, [text for text, _ in texts], is_pretokenized=False)
    for index, ((_, offsets), found) in enumerate(zip(texts, tokenized, strict=True)):
        ids, words, shared = align(found, offsets)
        missing = len(offsets) - _covered(words, shared)
        groups = np.maximum(words, 0)  # subwords before the first word belong to its window
        kept, too_long = drop_long_words(Subwords(ids, groups), encoding.capacity)
        words = words[np.isin(groups, kept.words)] if too_long else words
        fallback = len(offsets) - _covered(words, shared)
        bounds = split_into_windows(kept.words, encoding.capacity, encoding.stride) if fallback < len(offsets) else []
        windows.extend(_window(encoding, Subwords(kept.ids, words), each, index, shared) for each in bounds)
        counts = {"fallback": fallback, "no_subtokens": missing, "too_long": fallback - missing}
        coverage.append(Coverage(words=len(offsets), windows=len(bounds), **counts))
    return EncodedExamples(windows, coverage)


def _covered(words: Ints, shared: Ints) -> int:
    """Return how many words begin in one of the subwords."""
    own = np.unique(words[words != NO_WORD])
    return len(own) + int(np.isin(shared[:, 1], own).sum())


def align(found: TokenEncoding, offsets: Offsets) -> tuple[Ints, Ints, Ints]:
    """Return the ids of the subwords of a text, the word of each, and words that share the subword of another one.

    A subword belongs to the first of the words that begin in it, else to the word before: so each word has its first
    subword, and what follows it.

    A subword ``▁`` before the first word of a text has the place of that word's first character, so that the word
    begins in it: ``transformers.pipeline`` labels the word there, and so do models that were trained elsewhere. Between
    words it has the place of the space, where no word begins.

    :param offsets: of the words in the text.
    :returns: ids and words, int32 of shape (subwords,), with :data:`NO_WORD` before the first word; and pairs of a word
        and the word before it in whose subword it begins, too, int32 of shape (n, 2).
    """
    ids = np.array(found.ids, np.int32)
    places = np.array(found.offsets, np.int64).reshape(-1, 2)
    borders = np.array(offsets, np.int64).reshape(-1, 2)
    first = np.searchsorted(borders[:, 1], places[:, 0], side="right")
    last = np.searchsorted(borders[:, 0], places[:, 1], side="left") - 1
    filled = (places[:, 0] < places[:, 1]) & (first <= last)
    before = np.concatenate(([-1], np.maximum.accumulate(np.where(filled, last, -1))))[:-1].astype(np.int64)
    begins = np.maximum(first, before + 1)
    starts = filled & (begins <= last)
    words = np.maximum.accumulate(np.where(starts, begins, NO_WORD)) if len(ids) else np.zeros(0, np.int64)
    several = np.flatnonzero(starts & (last > begins))
    pairs = [(word, begins[at]) for at in several for word in range(int(begins[at]) + 1, int(last[at]) + 1)]
    return ids, words.astype(np.int32), np.array(pairs, np.int32).reshape(-1, 2)


def _window(encoding: Encoding, subwords: Subwords, bounds: WindowBounds, example: int, shared: Ints) -> Window:
    window = encoding.window(subwords, bounds, example)
    if not len(shared):
        return window
    mine: NDArray[np.bool_] = np.isin(shared[:, 1], window.words[first_subword_mask(window.words)])
    return replace(window, shared=shared[mine])
