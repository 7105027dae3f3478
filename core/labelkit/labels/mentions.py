"""The mentions of a training split as hashes: small enough to keep in a checkpoint, and no text to read."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from labelkit.labels.schemes import spans_of
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example, Schema


class MentionHashes:
    """A container of mentions by the hashes of their words: ``("New", "York") in mentions``.

    A hash has 64 bits, so that one of ten million mentions is taken for another one with a probability below 1e-5.

    :param hashes: sorted and unique, uint64 of shape (mentions,).
    """

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        self._hashes = hashes

    @classmethod
    def of(cls, mentions: Iterable[tuple[str, ...]]) -> MentionHashes:
        """Return the hashes of ``mentions``, which may repeat."""
        return cls(np.unique(np.fromiter((_hash(words) for words in mentions), np.uint64)))

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, words: object) -> bool:
        if not isinstance(words, tuple):
            return False
        wanted = np.uint64(_hash(words))
        place = int(np.searchsorted(self._hashes, wanted))
        return place < len(self._hashes) and bool(self._hashes[place] == wanted)

    def to_bytes(self) -> bytes:
        """Return the content of a ``.npy`` file."""
        stream = io.BytesIO()
        np.save(stream, self._hashes.astype("<u8"), allow_pickle=False)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> MentionHashes:
        """Return the mentions of :meth:`to_bytes`.

        :raises ValueError: the content is another.
        """
        hashes = np.load(io.BytesIO(content), allow_pickle=False)
        if hashes.dtype != np.dtype("<u8") or hashes.ndim != 1:
            raise ValueError(f"mentions are not {hashes.dtype} of shape {hashes.shape}")
        return cls(hashes.astype(np.uint64))


def _hash(words: tuple[str, ...]) -> int:
    content = "".join(f"{len(word)}:{word}" for word in words).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


def mentions_of(examples: Iterable[Example], layer: str, schema: Schema) -> Iterator[tuple[str, ...]]:
    """Yield the words of each mention in labelled sentences: of each span, or each word where labels are plain."""
    for example in examples:
        words, labels = example.words or (), example.labels[layer]
        if schema.scheme is None:
            yield from ((word,) for word, label in zip(words, labels, strict=True) if label != UNKNOWN)
        elif not isinstance(labels, str):
            yield from (words[start:stop] for start, stop, _ in spans_of(labels, schema.scheme))
