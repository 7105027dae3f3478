"""Hashes of the content of examples, by which splits are compared whatever their labels and their order."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from labelkit.records import Example


def fingerprints(examples: Iterable[Example]) -> Sequence[bytes]:
    """Return a hash of the words, the text or the pair of texts of each example, whatever its labels."""
    contents = (json.dumps(content_of(example), ensure_ascii=False, allow_nan=False) for example in examples)
    return [hashlib.blake2b(one.encode("utf-8", "surrogatepass"), digest_size=16).digest() for one in contents]


def content_of(example: Example) -> str | tuple[str, ...] | Mapping[str, str | None] | None:
    """Return what is labelled of an example, for hashes: its words, its text, or both texts of a pair."""
    if example.words is not None:
        return example.words
    return example.text if example.pair is None else {"text": example.text, "pair": example.pair}


def content_key(example: Example) -> bytes:
    """Return a hash of the content of an example, the same for a text and for its words, however they are spaced."""
    content = (example.text or "") if example.words is None else "".join(example.words)
    dense = "".join(content.split())
    if example.pair is not None:
        dense = f"{dense} {''.join(example.pair.split())}"
    return hashlib.blake2b(dense.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def same_examples(some: Sequence[Example], others: Sequence[Example]) -> bool:
    """Return whether two splits hold the same examples, each as often, in any order."""
    return len(some) == len(others) and Counter(fingerprints(some)) == Counter(fingerprints(others))
