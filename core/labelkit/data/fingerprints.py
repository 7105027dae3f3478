"""Hashes of the content of examples, by which splits are compared whatever their labels and their order."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence

from labelkit.records import Example


def fingerprints(examples: Iterable[Example]) -> Sequence[bytes]:
    """Return a hash of the words (or the text) of each example, whatever its labels."""
    contents = (example.text if example.words is None else example.words for example in examples)
    return [
        hashlib.blake2b(
            json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass"), digest_size=16
        ).digest()
        for content in contents
    ]


def content_key(example: Example) -> bytes:
    """Return a hash of the content of an example, the same for a text and for its words, however they are spaced."""
    content = (example.text or "") if example.words is None else "".join(example.words)
    return hashlib.blake2b("".join(content.split()).encode("utf-8", "surrogatepass"), digest_size=12).digest()


def same_examples(some: Sequence[Example], others: Sequence[Example]) -> bool:
    """Return whether two splits hold the same examples, each as often, in any order."""
    return len(some) == len(others) and Counter(fingerprints(some)) == Counter(fingerprints(others))
