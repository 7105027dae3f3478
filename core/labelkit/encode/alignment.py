"""Tokenize words into subwords and align labels with them, by word ids alone: positions are never counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.pairs import NO_PAIR, split_pair
from labelkit.encode.windows import Ints, Subwords, WindowBounds, drop_long_words, split_into_windows
from labelkit.errors import LabelkitError
from labelkit.models.tokenizer import (
    ContentTokenizer,
    SpecialTokens,
    blank_ids,
    needs_leading_space,
    separator_of,
    special_tokens_of,
)
from labelkit.records import Coverage, Example, TextPair
from labelkit.records.heads import IGNORE_INDEX

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: what the tokenizer gets of a text: the text, its parts, or a pair of texts
TextSurface = str | tuple[str, ...] | TextPair
#: special tokens, and subwords of words that another window owns
NO_WORD = -1
#: the cache of tokenized words: about how many words it holds, and how many characters a cached word has at most
WORD_CACHE_SIZE, MAX_CACHED_WORD = 1 << 16, 32


@dataclass(frozen=True, slots=True)
class Window:
    """One input of the encoder: some subwords of an example, with special tokens around them.

    :param ids: subword ids, special tokens included, int32 of shape (n,).
    :param words: the word that each subword belongs to, or :data:`NO_WORD`, int32 of shape (n,).
    :param example: the position of its example.
    :param weight: its share of a text, for kind ``text``: the weights of the windows of a text sum to one.
    :param shared: pairs of a word and the word of the window in whose first subword it begins, too, int32 of shape
        (n, 2); None for none.
    :param second: the position of the first subword of the second text, of a pair of texts; else :data:`NO_PAIR`.
    """

    ids: Ints
    words: Ints
    example: int
    weight: float = 1.0
    shared: Ints | None = None
    second: int = NO_PAIR

    @property
    def first(self) -> Ints:
        """Return the position of the first subword of each word that the window owns."""
        return np.flatnonzero(first_subword_mask(self.words)).astype(np.int32)


@dataclass(frozen=True, slots=True)
class EncodedExamples:
    """The windows of some examples, in order, and the coverage of each example."""

    windows: list[Window]
    coverage: list[Coverage]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How examples become windows: the tokenizer, the window length and the stride.

    :param content: tokenizes words and texts, and makes no special tokens of them.
    :param max_length: subwords in a window, special tokens included.
    :param stride: subwords that neighbouring windows share.
    :param leading_space: put a space before each word but the first.
    :param blank_ids: ids of subwords that are only the space before a word.
    :param separator: ids between two parts of a text.
    :param pad_id: the id that pads batches.
    :param pad_left: pad on the left.
    :param input_names: names of the inputs that the tokenizer makes for the model.
    :param word_cache: word → ids of its subwords.
    """

    content: ContentTokenizer = field(repr=False, compare=False)
    special_tokens: SpecialTokens
    max_length: int
    stride: int
    leading_space: bool = False
    blank_ids: tuple[int, ...] = ()
    separator: tuple[int, ...] = ()
    pad_id: int = 0
    pad_left: bool = False
    input_names: tuple[str, ...] = ()
    word_cache: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int) -> Encoding:
        """Return the encoding of ``tokenizer``.

        :raises LabelkitError: a window has only room for special tokens.
        """
        special = special_tokens_of(tokenizer)
        if max_length - special.size < 1:
            raise LabelkitError(
                f"max length {max_length} leaves no room beside the special tokens",
                hint=f"use at least {special.size + 8}",
            )
        return cls(
            ContentTokenizer.of(tokenizer),
            special,
            max_length,
            stride,
            leading_space=needs_leading_space(tokenizer),
            blank_ids=blank_ids(tokenizer),
            separator=separator_of(tokenizer),
            pad_id=tokenizer.pad_token_id or 0,
            pad_left=tokenizer.padding_side == "left",
            input_names=tuple(tokenizer.model_input_names),
        )

    @property
    def capacity(self) -> int:
        """Return how many subwords fit in a window beside the special tokens."""
        return self.max_length - self.special_tokens.size

    @property
    def pair_capacity(self) -> int:
        """Return how many subwords of a pair of texts fit in a window beside the special tokens.

        :raises LabelkitError: there is not room for a subword of each.
        """
        room = self.max_length - self.special_tokens.pair.size
        if room < 2:
            raise LabelkitError(
                f"max length {self.max_length} leaves no room for a pair of texts",
                hint=f"use at least {self.special_tokens.pair.size + 16}",
            )
        return room

    def window(self, subwords: Subwords, bounds: WindowBounds, example: int) -> Window:
        """Return the window within ``bounds``, with special tokens around it."""
        prefix, suffix = self.special_tokens.prefix, self.special_tokens.suffix
        first, stop = len(prefix), len(prefix) + bounds.stop - bounds.start
        ids = np.empty(stop + len(suffix), np.int32)
        ids[:first], ids[stop:] = prefix, suffix
        ids[first:stop] = subwords.ids[bounds.start : bounds.stop]
        words = np.full(len(ids), NO_WORD, np.int32)
        shift = first - bounds.start
        words[bounds.own_start + shift : bounds.own_stop + shift] = subwords.words[bounds.own_start : bounds.own_stop]
        return Window(ids, words, example)

    def pair_window(self, first: Ints, second: Ints, example: int, weight: float) -> Window:
        """Return the window of a part of each text of a pair, with special tokens around and between them."""
        pair = self.special_tokens.pair
        ids = np.concatenate([pair.prefix, first, pair.middle, second, pair.suffix]).astype(np.int32)
        start = len(pair.prefix) + len(first) + len(pair.middle)
        words = np.full(len(ids), NO_WORD, np.int32)
        words[len(pair.prefix) : len(pair.prefix) + len(first)] = 0
        words[start : start + len(second)] = 0
        return Window(ids, words, example, weight, second=start)


def first_subword_mask(words: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a mask of the first subword of each word, for the ``words`` of one window or of several as rows.

    >>> first_subword_mask(np.array([4, 4, 5, -1])).tolist()
    [True, False, True, False]
    """
    before = np.full((*words.shape[:-1], 1), NO_WORD, words.dtype)
    previous = np.concatenate((before, words[..., :-1]), axis=-1)
    starts: NDArray[np.bool_] = (words != NO_WORD) & (words != previous)
    return starts


def surfaces_of(examples: Sequence[Example]) -> list[tuple[str, ...]]:
    """Return the words that the tokenizer gets: the surface where a preprocessor set one, else the words."""
    return [tuple(example.surface or example.words or ()) for example in examples]


def texts_of(examples: Sequence[Example]) -> list[TextSurface]:
    """Return the texts that the tokenizer gets, for kind ``text``; parts where a preprocessor made some of a text."""
    return [_surface_of(example) for example in examples]


def _surface_of(example: Example) -> TextSurface:
    if example.pair is not None:
        return TextPair(*(example.surface or (example.text or "", example.pair)))
    surface = example.text or "" if example.surface is None else example.surface
    return surface if isinstance(surface, str) else tuple(surface)


def tokenize(
    content: ContentTokenizer,
    sequences: Sequence[Sequence[str]],
    *,
    leading_space: bool = False,
    word_cache: dict[str, tuple[int, ...]] | None = None,
) -> list[Subwords]:
    """Return the subwords of each sequence of words, without special tokens and untruncated.

    The subwords of a word do not depend on its neighbours, so each distinct word is tokenized once.

    :param content: of the tokenizer.
    :param leading_space: put a space before each word but the first, as in running text.
    :param word_cache: subword ids of known words; it grows, and is cleared above :data:`WORD_CACHE_SIZE` words.
    """
    if leading_space:
        sequences = [add_leading_spaces(words) for words in sequences]
    cache = {} if word_cache is None else word_cache
    distinct = {word for words in sequences for word in words}
    ids = {word: cache[word] for word in distinct if word in cache}
    new = [word for word in distinct if word not in ids]
    encodings = encode_batch(content, [[word] for word in new], is_pretokenized=True)
    ids.update({word: tuple(item.ids) for word, item in zip(new, encodings, strict=True)})
    if len(cache) > WORD_CACHE_SIZE:
        cache.clear()
    cache.update({word: ids[word] for word in new if len(word) <= MAX_CACHED_WORD})
    return [_concatenate([ids[word] for word in words]) for words in sequences]


def _concatenate(words: Sequence[tuple[int, ...]]) -> Subwords:
    ids = np.array(list(chain.from_iterable(words)), np.int32)
    return Subwords(ids, np.repeat(np.arange(len(words), dtype=np.int32), list(map(len, words))))


def add_leading_spaces(words: Sequence[str]) -> list[str]:
    """Return the words with a space before each but the first; blank words are unchanged, to add no subword."""
    spaced: list[str] = []
    begun = False
    for word in words:
        blank = not word.strip()
        spaced.append(f" {word}" if begun and not blank and not word[0].isspace() else word)
        begun = begun or not blank
    return spaced


def encode_batch(content: ContentTokenizer, inputs: list[Any], *, is_pretokenized: bool) -> list[Any]:
    """Return the subwords of texts, or of sequences of words; lone surrogates are replaced."""
    try:
        return content.encode_batch(inputs, is_pretokenized=is_pretokenized)
    except TypeError:  # a lone surrogate, which JSON can hold, is no text to it
        return content.encode_batch([_replace_surrogates(each) for each in inputs], is_pretokenized=is_pretokenized)


def _replace_surrogates(text: Any) -> Any:
    if isinstance(text, str):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return [_replace_surrogates(word) for word in text]


def encode(encoding: Encoding, sequences: Sequence[Sequence[str]]) -> EncodedExamples:
    """Split each sequence of words into windows; nothing is truncated."""
    windows: list[Window] = []
    coverage: list[Coverage] = []
    tokenized = tokenize(
        encoding.content, sequences, leading_space=encoding.leading_space, word_cache=encoding.word_cache
    )
    for index, subwords in enumerate(tokenized):
        kept, too_long = drop_long_words(subwords, encoding.capacity)
        bounds = split_into_windows(kept.words, encoding.capacity, encoding.stride)
        labelled = _skip_blanks(kept, encoding.blank_ids)
        windows.extend(encoding.window(labelled, each, index) for each in bounds)
        total = len(sequences[index])
        # word ids ascend, so that the number of words is one more than the number of changes
        fallback = total - (1 + int(np.count_nonzero(np.diff(kept.words))) if len(kept.words) else 0)
        counts = {"fallback": fallback, "no_subtokens": fallback - too_long, "too_long": too_long}
        coverage.append(Coverage(words=total, windows=len(bounds), **counts))
    return EncodedExamples(windows, coverage)


def encode_texts(encoding: Encoding, texts: Sequence[TextSurface]) -> EncodedExamples:
    """Split each text into windows, at any subword; a text is word 0 of its windows, and a blank text has none.

    Of a pair of texts each window reads a part of both, see :func:`labelkit.encode.pairs.split_pair`.

    :raises LabelkitError: a text has parts, and the tokenizer has no separator; or no window has room for a pair.
    """
    windows: list[Window] = []
    coverage: list[Coverage] = []
    for index, found in enumerate(_ids_of_texts(encoding, texts)):
        made = list(_windows_of(encoding, found, index))
        windows.extend(made)
        blank = 0 if made else 1
        coverage.append(Coverage(words=1, windows=len(made), fallback=blank, no_subtokens=blank))
    return EncodedExamples(windows, coverage)


def _windows_of(encoding: Encoding, found: Ints | tuple[Ints, Ints], index: int) -> Iterator[Window]:
    """Yield the windows of a text, or of a pair of texts."""
    if isinstance(found, tuple):
        first, second = found
        room = encoding.pair_capacity if len(first) or len(second) else 0
        for one, other, weight in split_pair(len(first), len(second), room, encoding.stride):
            parts = first[one.start : one.stop], second[other.start : other.stop]
            yield encoding.pair_window(*parts, index, weight)
        return
    size = len(found)
    subwords = Subwords(found, np.zeros(size, np.int32))
    for each in split_into_windows(np.arange(size, dtype=np.int32), encoding.capacity, encoding.stride):
        weight = (each.own_stop - each.own_start) / size
        yield replace(encoding.window(subwords, each, index), weight=weight)


def _ids_of_texts(encoding: Encoding, texts: Sequence[TextSurface]) -> Iterator[Ints | tuple[Ints, Ints]]:
    """Yield the subword ids of each text, with the separator between its parts; those of both texts of a pair."""
    parts = [_parts_of(text) for text in texts]
    separator = encoding.separator
    if not separator and any(isinstance(text, tuple) and len(text) > 1 for text in texts):
        raise LabelkitError(
            "the tokenizer has no separator to put between the parts of a text", hint="choose another --model"
        )
    encoded = iter(encode_batch(encoding.content, list(chain.from_iterable(parts)), is_pretokenized=False))
    for text, each in zip(texts, parts, strict=True):
        found = [next(encoded).ids for _ in each]
        if isinstance(text, TextPair):
            yield np.array(found[0], np.int32), np.array(found[1], np.int32)
            continue
        joined = [*chain.from_iterable((*separator, *ids) for ids in found)][len(separator) :] if any(found) else []
        yield np.array(joined, np.int32)


def _parts_of(text: TextSurface) -> tuple[str, ...]:
    if isinstance(text, TextPair):
        return text.text, text.pair
    return (text,) if isinstance(text, str) else text


def _skip_blanks(subwords: Subwords, blank_ids: Sequence[int]) -> Subwords:
    """Return the subwords with the mere space before a word belonging to no word.

    A tokenizer may split a word into ``▁ 1990``. In running text the space is between the words, and a decoder has not
    read the word there, so that the word is labelled on the subword after it.
    """
    if not blank_ids or not len(subwords.ids):
        return subwords
    starts = first_subword_mask(subwords.words)
    continues = np.append(~starts[1:], False)
    blank = starts & continues & np.isin(subwords.ids, blank_ids)
    return Subwords(subwords.ids, np.where(blank, NO_WORD, subwords.words))


def align_labels(window: Window, label_ids: Sequence[int] | Ints, *, label_all_tokens: bool) -> Ints:
    """Return a label id for each subword of ``window``, :data:`IGNORE_INDEX` where none is learned.

    :param label_ids: the label ids of the example, one per word.
    :param label_all_tokens: label each subword of a word, not only its first one.
    """
    labels = np.full(len(window.ids), IGNORE_INDEX, np.int32)
    labelled = np.flatnonzero(window.words != NO_WORD) if label_all_tokens else window.first
    labels[labelled] = np.asarray(label_ids, np.int32)[window.words[labelled]]
    return labels
