"""Words to sub-tokens and back, by ``word_ids`` only: positions are never counted, so nothing can shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.windows import Ints, Subwords, WindowBounds, drop_long_words, split_into_windows
from labelkit.errors import LabelkitError
from labelkit.models.tokenizer import SpecialTokens, blank_ids, spaced, special_tokens_of
from labelkit.records import Coverage, Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORE_INDEX = -100
#: sub-tokens that belong to no word, or to a word that another window answers for
NO_WORD = -1
#: words whose sub-tokens are remembered, about, and how many characters such a word has at most
WORD_CACHE_SIZE, SHORT = 1 << 16, 32


@dataclass(frozen=True, slots=True)
class Window:
    """What the encoder reads at once.

    :param ids: sub-token ids with the special ones around them, int32 of shape (n,).
    :param words: for each of them the word it answers for, or :data:`NO_WORD`, int32 of shape (n,).
    :param example: which example it comes from, by position.
    :param weight: its share of a text, for kind ``text``: the windows of a text weigh one together.
    """

    ids: Ints
    words: Ints
    example: int
    weight: float = 1.0

    @property
    def first(self) -> Ints:
        """Return the positions of the first sub-token of each word that the window answers for."""
        return np.flatnonzero(first_subword_mask(self.words)).astype(np.int32)


@dataclass(frozen=True, slots=True)
class EncodedExamples:
    """The windows of some examples, in order, and how each example was covered."""

    windows: list[Window]
    coverage: list[Coverage]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How examples become windows.

    :param max_length: sub-tokens in a window, special ones included.
    :param overlap: sub-tokens that neighbouring windows share.
    :param spaced: words but the first are given to the tokenizer with a space before them.
    :param blanks: ids of sub-tokens that are nothing but the space before a word.
    :param ends: ids that mark the end of a text and must not come out of the text itself.
    :param known: the sub-tokens of words that were seen before.
    """

    tokenizer: PreTrainedTokenizerBase
    special_tokens: SpecialTokens
    max_length: int
    overlap: int
    spaced: bool = False
    blanks: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    known: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, max_length: int, overlap: int) -> Encoding:
        """Return an encoding for ``tokenizer``.

        :raises LabelkitError: nothing but special tokens would fit in a window.
        """
        special_tokens = special_tokens_of(tokenizer)
        if max_length - special_tokens.size < 1:
            raise LabelkitError(
                f"a window of {max_length} sub-tokens holds no word", hint=f"use at least {special_tokens.size + 8}"
            )
        # some models find the end of a text by its mark, and refuse a batch with more marks in one text than in another
        ends = special_tokens.suffix if tokenizer.split_special_tokens and tokenizer.unk_token_id is not None else ()
        return cls(tokenizer, special_tokens, max_length, overlap, spaced(tokenizer), blank_ids(tokenizer), ends)

    @property
    def capacity(self) -> int:
        """Return how many sub-tokens of the text fit in a window."""
        return self.max_length - self.special_tokens.size


def first_subword_mask(words: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where each word starts in the ``words`` of a window, or of several as rows.

    >>> first_subword_mask(np.array([4, 4, 5, -1])).tolist()
    [True, False, True, False]
    """
    before = np.full((*words.shape[:-1], 1), NO_WORD, words.dtype)
    previous = np.concatenate((before, words[..., :-1]), axis=-1)
    starts: NDArray[np.bool_] = (words != NO_WORD) & (words != previous)
    return starts


def surfaces_of(examples: Sequence[Example]) -> list[tuple[str, ...]]:
    """Return what the tokenizer sees of each example: its surface where a preprocessor set one, else its words."""
    return [tuple(example.surface or example.words or ()) for example in examples]


def texts_of(examples: Sequence[Example]) -> list[str]:
    """Return what the tokenizer sees of each example of kind ``text``."""
    return [example.surface if isinstance(example.surface, str) else example.text or "" for example in examples]


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    surfaces: Sequence[Sequence[str]],
    *,
    spaced: bool = False,
    known: dict[str, tuple[int, ...]] | None = None,
) -> list[Subwords]:
    """Return the sub-tokens of each sequence of words, without special tokens and uncut.

    What a word becomes does not depend on the words around it, so each is tokenized once.

    :param spaced: put a space before each word but the first, as in running text.
    :param known: sub-tokens of words seen before; it grows, and begins anew at :data:`WORD_CACHE_SIZE` words.
    """
    sequences = [_with_spaces(surface) if spaced else surface for surface in surfaces]
    found = _pieces_of(tokenizer, {word for words in sequences for word in words}, {} if known is None else known)
    return [_joined([found[word] for word in words]) for words in sequences]


def _pieces_of(
    tokenizer: PreTrainedTokenizerBase, words: set[str], known: dict[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    found = {word: known[word] for word in words if word in known}
    new = [word for word in words if word not in found]
    made = _encode_batch(tokenizer, [[word] for word in new], is_pretokenized=True)
    found.update({word: tuple(item.ids) for word, item in zip(new, made, strict=True)})
    if len(known) > WORD_CACHE_SIZE:
        known.clear()
    known.update({word: found[word] for word in new if len(word) <= SHORT})
    return found


def _joined(pieces: Sequence[tuple[int, ...]]) -> Subwords:
    ids = np.array(list(chain.from_iterable(pieces)), np.int32)
    return Subwords(ids, np.repeat(np.arange(len(pieces), dtype=np.int32), list(map(len, pieces))))


def _with_spaces(words: Sequence[str]) -> list[str]:
    """Return the words with a space before each but the first; what is blank stays as it is, to become nothing new."""
    found: list[str] = []
    begun = False
    for word in words:
        blank = not word.strip()
        found.append(f" {word}" if begun and not blank and not word[0].isspace() else word)
        begun = begun or not blank
    return found


def _encode_batch(tokenizer: PreTrainedTokenizerBase, inputs: list[Any], *, is_pretokenized: bool) -> list[Any]:
    options: dict[str, Any] = {"is_pretokenized": is_pretokenized, "add_special_tokens": False}
    try:
        return list(tokenizer.backend_tokenizer.encode_batch(inputs, **options))
    except TypeError:  # half a surrogate pair, which JSON can smuggle in, is no text to it
        return list(tokenizer.backend_tokenizer.encode_batch([_repaired(each) for each in inputs], **options))


def _repaired(text: Any) -> Any:
    if isinstance(text, str):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return [_repaired(word) for word in text]


def encode(encoding: Encoding, surfaces: Sequence[Sequence[str]]) -> EncodedExamples:
    """Cut each sequence of words into windows; nothing is truncated."""
    windows: list[Window] = []
    coverage: list[Coverage] = []
    found = tokenize(encoding.tokenizer, surfaces, spaced=encoding.spaced, known=encoding.known)
    for index, pieces in enumerate(found):
        kept, too_long = drop_long_words(pieces, encoding.capacity)
        cuts = split_into_windows(kept.words, encoding.capacity, encoding.overlap)
        answering = _without_blanks(kept, encoding.blanks)
        windows.extend(_window(encoding.special_tokens, answering, piece, index) for piece in cuts)
        coverage.append(_coverage(len(surfaces[index]), pieces, kept, too_long, len(cuts)))
    return EncodedExamples(windows, coverage)


def encode_texts(encoding: Encoding, texts: Sequence[str]) -> EncodedExamples:
    """Cut each text into windows that may part anywhere; a text is word 0 of its windows, blank text has none."""
    windows: list[Window] = []
    coverage: list[Coverage] = []
    for index, item in enumerate(_encode_batch(encoding.tokenizer, list(texts), is_pretokenized=False)):
        size = len(item.ids)
        ids = np.array(item.ids, np.int32)
        ids[np.isin(ids, encoding.ends)] = encoding.tokenizer.unk_token_id or 0
        pieces = Subwords(ids, np.arange(size, dtype=np.int32))
        cuts = split_into_windows(pieces.words, encoding.capacity, encoding.overlap)
        whole = Subwords(pieces.ids, np.zeros(size, np.int32))
        for piece in cuts:
            weight = (piece.own_stop - piece.own_start) / size
            windows.append(replace(_window(encoding.special_tokens, whole, piece, index), weight=weight))
        empty = 0 if cuts else 1
        coverage.append(Coverage(words=1, windows=len(cuts), fallback=empty, no_subtokens=empty))
    return EncodedExamples(windows, coverage)


def _without_blanks(pieces: Subwords, blanks: Sequence[int]) -> Subwords:
    """Return the pieces so that no word is answered for by the mere space before it.

    A tokenizer may make ``▁ 1990`` of a word: in running text the space is between the words, and an encoder that
    reads only to the left has not seen the word there.
    """
    if not blanks or not len(pieces.ids):
        return pieces
    starts = first_subword_mask(pieces.words)
    goes_on = np.append(~starts[1:], False)
    return Subwords(pieces.ids, np.where(starts & goes_on & np.isin(pieces.ids, blanks), NO_WORD, pieces.words))


def _window(special_tokens: SpecialTokens, pieces: Subwords, piece: WindowBounds, example: int) -> Window:
    first, stop = len(special_tokens.prefix), len(special_tokens.prefix) + piece.stop - piece.start
    ids = np.empty(stop + len(special_tokens.suffix), np.int32)
    ids[:first], ids[stop:] = special_tokens.prefix, special_tokens.suffix
    ids[first:stop] = pieces.ids[piece.start : piece.stop]
    words = np.full(len(ids), NO_WORD, np.int32)
    shift = first - piece.start
    words[piece.own_start + shift : piece.own_stop + shift] = pieces.words[piece.own_start : piece.own_stop]
    return Window(ids, words, example)


def _coverage(words: int, pieces: Subwords, kept: Subwords, too_long: int, windows: int) -> Coverage:
    seen = 1 + int(np.count_nonzero(np.diff(kept.words))) if len(kept.words) else 0  # they ascend
    return Coverage(
        words=words,
        windows=windows,
        fallback=words - seen,
        no_subtokens=words - seen - too_long,
        too_long=too_long,
    )


def align_labels(window: Window, label_ids: Sequence[int] | Ints, *, every: bool) -> Ints:
    """Return a label id for each sub-token of ``window``, :data:`IGNORE_INDEX` where none is learned.

    :param label_ids: the example's labels, one id per word.
    :param every: label all sub-tokens of a word with the word's label, not only the first.
    """
    labels = np.full(len(window.ids), IGNORE_INDEX, np.int32)
    where = np.flatnonzero(window.words != NO_WORD) if every else window.first
    labels[where] = np.asarray(label_ids, np.int32)[window.words[where]]
    return labels
