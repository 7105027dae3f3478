"""Random labelled documents with everything that breaks offsets: emoji, right-to-left text, marks, odd spaces."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labelkit.data.convert import to_labelled
from labelkit.files.output import new_output
from labelkit.formats.builtin import FORMATS
from labelkit.labels.notation import word_spans
from labelkit.labels.schemes import tags_of
from labelkit.records import Example, Format, Labelled, Scheme
from labelkit.text.splitters import words as split_words
from reading_contexts import reading

BY_NAME: dict[str, Format] = {known.name: known for known in FORMATS}
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # three people, joined into one emoji
GRIN = "\U0001f600"
PIECES = (
    "Ada", "Lovelace", "don't", "U.S.", "14-6", "Zoë", "Zoe\u0308", GRIN, FAMILY, "\U0001f1e9\U0001f1ea", "👍🏽",
    "שלום", "(עולם)", "مرحبا", "بكم.", "東京", "ไทย", "\U00020bb7野家", "a\u200bb", "\u202eabc\u202c",
    "x\x00y", "\x1b[1m", "<b>&amp;", '"\\', "\ufeffQ", "ﬀ", "[bold]", "𝒜", "q\u0301\u0323",
)  # fmt: skip
GAPS = (" ",) * 8 + ("", "", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2028", " \n ", "\u3000", "\r", "\x0c", "\x85")
TYPES = ("PER", "LOC", "creative-work", "ÖRT", "1")
TAGS = ("NOUN", "VERB", "-LRB-", "$", "ὄνομα", "PRP$")
SCHEMES: tuple[Scheme, ...] = ("IOB2", "BIOES", "IOB1", "BILOU")


def words_in_text(rng: random.Random) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a text and where its words stand."""
    text, offsets = rng.choice(("", "", "", " ", "\n", "\ufeff")), []
    for _ in range(rng.randint(1, 12)):
        word = rng.choice(PIECES)
        offsets.append((len(text), len(text) + len(word)))
        text += word + rng.choice(GAPS)
    return (text if rng.random() < 0.3 else text[: offsets[-1][1]]), tuple(offsets)


def random_spans(rng: random.Random, length: int) -> Iterator[tuple[int, int, str]]:
    """Yield spans of words in order, many of them touching one of their own type."""
    first = 0
    while first < length:
        stop = min(length, first + rng.randint(1, 3))
        if rng.random() < 0.5:
            yield first, stop, rng.choice(TYPES[:2] if rng.random() < 0.7 else TYPES)
        first = stop


def token_documents(seed: int, count: int, *, split: bool = False) -> list[Example]:
    """Return documents with words anywhere in their text, tagged in some scheme or with plain labels.

    :param split: with the words that the splitter finds, in IOB2, as what a tool with nothing but spans can give back.
    """
    rng = random.Random(seed)
    found = []
    for number in range(1, count + 1):
        text, offsets = words_in_text(rng)
        offsets = split_words(text) if split else offsets
        words = tuple(text[start:end] for start, end in offsets)
        scheme = "IOB2" if split else rng.choice((*SCHEMES, None))
        labels = tuple(rng.choice(TAGS) for _ in words)
        if scheme is not None:
            labels = tags_of(random_spans(rng, len(words)), len(words), scheme)
        extra = {} if split else {"url": rng.choice(PIECES), "n": [number, None, 0.5]}
        id_ = str(number) if split else f"{rng.choice(PIECES)}-{number}"
        found.append(Example(id=id_, words=words, text=text, offsets=offsets, labels={"labels": labels}, extra=extra))
    return found


def text_documents(seed: int, count: int) -> list[Example]:
    """Return classified texts."""
    rng = random.Random(seed)
    return [
        Example(
            id=f"t-{number}",
            text=words_in_text(rng)[0],
            labels={"label": rng.choice((*TYPES, "two words", FAMILY))},
            extra={"url": rng.choice(PIECES)},
        )
        for number in range(1, count + 1)
    ]


def there_and_back(folder: Path, records: Sequence[Labelled | Example], name: str, **options: Any) -> list[Example]:
    """Write records in a format and read them again."""
    path = folder / f"a{(BY_NAME[name].suffixes or ('.json',))[0]}"
    write(path, records, name)
    kind = "text" if records and records[0].words is None else "token"
    return read(path, name, **{"kind": kind, **options})


def write(path: Path, records: Sequence[Labelled | Example], name: str) -> Path:
    """Write records in a format."""
    writer = BY_NAME[name].write
    assert writer is not None
    with new_output(path, force=True) as output:
        writer((to_labelled(one) if isinstance(one, Example) else one for one in records), output)
    return path


def read(path: Path, name: str, columns: dict[str, str] | None = None, **how: Any) -> list[Example]:
    """Read a file in a format."""
    reader = BY_NAME[name].read
    assert reader is not None
    return list(reader(path, reading(**how, columns=columns or {})))


def spans_in(example: Example) -> list[tuple[str, str, int]]:
    """Return ``(surface, label, start)`` of the spans of the example's one layer."""
    labels = next(iter(example.labels.values()))
    assert not isinstance(labels, str)
    text, offsets = example.text or "", example.offsets or ()
    return [
        (text[offsets[first][0] : offsets[stop - 1][1]], label, offsets[first][0])
        for first, stop, label in word_spans(labels)
    ]
