"""What the columns of a file of words hold, judged by its first sentences: words, tags, running numbers, …"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from labelkit.labels.brackets import are_brackets
from labelkit.labels.tag_styles import find_form, outside_label

Rows = Sequence[Sequence[str]]
"""The columns of each line of a sentence."""

ColumnKind = Literal[
    "running", "sentence", "constant", "space", "number", "brackets", "tags", "types", "O", "plain", "words"
]
#: kind of a column → what it holds, for messages
CONTENTS: Mapping[ColumnKind, str] = {
    "running": "running numbers",
    "sentence": "the number or name of the sentence",
    "constant": "one and the same value",
    "space": "marks of white space",
    "number": "numbers",
    "brackets": "spans in brackets",
    "tags": "tags",
    "types": "types of spans without prefix",
    "O": "O alone",
    "plain": "plain labels",
    "words": "words",
}
#: types of phrases, by which tags of chunks differ from those of entities
_PHRASES = frozenset(("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "VC", "PC"))
_SPACES = (
    frozenset("+-"),
    frozenset(("_", "SpaceAfter=No")),
    frozenset(("_", "SpaceAfter=No", "SpaceAfter=Yes")),
    frozenset(("true", "false")),
    frozenset(("True", "False")),
    frozenset(("TRUE", "FALSE")),
    frozenset(("space", "nospace")),
)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
#: tags of parts of speech: in capitals, or a punctuation mark
_CAPITALS = re.compile(r"[A-Z][A-Z0-9$+|=.-]*|[.,:;!?'\"`()$#]{1,5}|-[LR]RB-")
_RANGE = re.compile(r"\d+[-.]\d+")  # multi-word tokens and empty nodes of CoNLL-U
_NUMBERED_WORD = re.compile(r"\d+-\d+")
_MOST_LABELS = 100
_STEADY = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnProfile:
    """What a column holds.

    :param examples: three different values, those of spans first.
    :param values: the different values.
    :param types: the types of spans, of tags; else empty.
    :param steady: it never changes within a sentence of several words, and there are at least three of these.
    :param upper: the share of values in capitals or punctuation, as tags of parts of speech are.
    """

    number: int
    kind: ColumnKind
    examples: tuple[str, ...]
    values: frozenset[str]
    types: frozenset[str] = frozenset()
    steady: bool = False
    upper: float = 0.0

    @property
    def phrases(self) -> bool:
        """Return whether the types of tags are those of phrases (chunks)."""
        return bool(self.types) and len(self.types & _PHRASES) >= len(self.types) / 2

    @property
    def numbered(self) -> bool:
        """Return whether the values may be numbers of labels."""
        return self.kind == "number" and len(self.values) <= _MOST_LABELS and all(map(str.isdecimal, self.values))

    def shares_types(self, other: ColumnProfile) -> bool:
        """Return whether two columns of tags have mostly the same types."""
        return 2 * len(self.types & other.types) >= len(self.types | other.types) > 0

    def __str__(self) -> str:
        return f"column {self.number} ({', '.join(self.examples)})"


def profile_columns(sentences: Sequence[Rows]) -> list[ColumnProfile]:
    """Return what each column of some sentences holds; all lines have equally many columns."""
    width = len(sentences[0][0]) if sentences else 0
    return [_profile(number, [[row[number] for row in rows] for rows in sentences]) for number in range(width)]


def _profile(number: int, sentences: Sequence[Sequence[str]]) -> ColumnProfile:
    counts = Counter(value for values in sentences for value in values)
    kind, types = _kind_and_types(sentences, counts)
    first = [value for value in counts if value != "O"][:3]
    shown = (*first, "O")[:3] if "O" in counts else tuple(first)
    upper = sum(times for value, times in counts.items() if _CAPITALS.fullmatch(value)) / counts.total()
    several = [set(values) for values in sentences if len(values) > 1]
    return ColumnProfile(
        number=number,
        kind=kind,
        examples=shown,
        values=frozenset(counts),
        types=types,
        steady=len(several) >= _STEADY and all(len(values) == 1 for values in several),
        upper=upper,
    )


def _kind_and_types(sentences: Sequence[Sequence[str]], counts: Counter[str]) -> tuple[ColumnKind, frozenset[str]]:
    """Return the kind of a column, and the types of its tags."""
    values = set(counts)
    if _is_running(sentences):
        return "running", frozenset()
    if values <= {"O", "o"}:
        return "O", frozenset()
    if len(values) > 1 and any(values <= marks for marks in _SPACES):
        return "space", frozenset()
    if len(values) == 1 and counts.total() > 1 and not values & {"O", "o"}:
        return "constant", frozenset()
    if are_brackets(values):
        return "brackets", frozenset()
    if _is_sentence(sentences):
        return "sentence", frozenset()
    if all(map(_NUMBER.fullmatch, values)):
        return "number", frozenset()
    return _label_kind(counts)


def _label_kind(counts: Counter[str]) -> tuple[ColumnKind, frozenset[str]]:
    outside = outside_label(counts)
    marked = {label: times for label, times in counts.items() if label not in ("O", outside)}
    form = find_form(marked)
    if form is not None and (form != "bare" or "O" in counts or outside == "o"):
        return "tags", frozenset(re.sub(r"^[A-Za-z][-_:.|/=]|[-_:.|/=][A-Za-z]$", "", label) for label in marked)
    if counts.get("O", 0) >= max(counts.values()) and len(counts) <= _MOST_LABELS:
        return "types", frozenset(marked)
    few = len(counts) <= _MOST_LABELS and (len(counts) <= counts.total() / 3 or counts.total() < 30)
    return ("plain" if few else "words"), frozenset()


def _is_running(sentences: Iterable[Sequence[str]]) -> bool:
    """Return whether the values count the words of each sentence, or of all, from 0 or 1 on."""
    values = [value for values in sentences for value in values]
    if all(map(_NUMBERED_WORD.fullmatch, values)):  # sentence and word, as in older files of WebAnno
        values = [value.partition("-")[2] for value in values]
    values = [value for value in values if not _RANGE.fullmatch(value)]
    if len(values) < 2 or not all(map(str.isdecimal, values)):
        return False
    steps = [(int(before), int(after)) for before, after in pairwise(values)]
    first = int(values[0])
    counted = sum(after == before + 1 for before, after in steps)
    return first < 2 and 3 * counted >= len(steps) and all(after in (before + 1, first) for before, after in steps)


def _is_sentence(sentences: Sequence[Sequence[str]]) -> bool:
    """Return whether the values name the sentence: the same on all of its words, and others on other sentences."""
    names = [values[0] for values in sentences if len(values) > 1]
    constant = all(len(set(values)) == 1 for values in sentences)
    return constant and len(set(names)) > 1 and all(any(mark.isdigit() for mark in name) for name in names)
