"""Checks of what words and labels look like where a wrong column was read, or a column that is not filled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from shlex import quote

from labelkit.checks.common import Splits, labelled
from labelkit.checks.findings import Case, CaseCollector, Finding, excerpt
from labelkit.data.scheme_conversion import is_tag, place_of
from labelkit.data.unknown_labels import PLAIN_LAYERS
from labelkit.labels.unknown import UNKNOWN
from labelkit.records import Example

#: fewer words than this may begin alike by chance
_ALIKE = 20
#: a split of one example with more words than this probably lacks borders of sentences
_LONG = 200
#: the one letter that byte-level tokenizers write for a blank
_BLANK_LETTER = "Ġ"
#: labels that often stand for: not filled
_UNFILLED = ("_", "-", "--", "?", "*")


def words(splits: Splits, limit: int) -> Iterator[Finding]:
    """Yield words that are running numbers, words that all begin alike, and a split that is one sentence."""
    for split, examples in splits.items():
        yield from _running_numbers(split, examples, limit)
        yield from _common_prefix(split, examples)
        long = CaseCollector(limit)
        if len(examples) == 1 and len(examples[0].words or ()) > _LONG:
            long.add(place_of(examples[0]), excerpt(" ".join((examples[0].words or ())[:20])))
        message = f"sentence of more than {_LONG} words is all there is"
        advice = "separate sentences by blank lines, or the split is learned and scored as a single example"
        yield from long.findings("columns", "warning", split, message, advice, total=len(examples))


def labels(splits: Splits, layer: str, limit: int) -> Iterator[Finding]:
    """Yield labels that stand for an empty field, and plain labels that are tags of spans."""
    for split, examples in splits.items():
        unfilled, tags, marked = CaseCollector(limit), CaseCollector(limit), 0
        for example, values in labelled(examples, layer):
            if example.words is None:
                return
            for word, label in enumerate(values):
                if label == UNKNOWN or (label in _UNFILLED and example.words[word] != label):
                    unfilled.add(place_of(example, word), f"{example.words[word]}: {label}")
                elif layer in PLAIN_LAYERS and label != "O":
                    marked += 1
                    if is_tag(label):
                        tags.add(place_of(example, word), label)
        message = "words have no label, or one that often means: not filled"
        advice = "fill it; unknown ones are ignored in loss and scores, and --set data.unknown_label=… names others"
        yield from unfilled.findings("columns", "warning", split, message, advice, layer=layer)
        if 2 * tags.count > marked:
            message = f"labels of '{layer}' are tags of spans: probably another column holds its labels"
            advice = f"choose the column: --columns {layer}=…"
            yield from tags.findings("columns", "error", split, message, advice, total=marked, layer=layer)


def _running_numbers(split: str, examples: Sequence[Example], limit: int) -> Iterator[Finding]:
    cases, several = CaseCollector(limit), 0
    for example in examples:
        found = example.words or ()
        if len(found) < 2:
            continue
        several += 1
        if found[0] in ("0", "1") and all(word == str(int(found[0]) + index) for index, word in enumerate(found)):
            cases.add(place_of(example), " ".join(found[:10]))
    if cases.count and 2 * cases.count > several:
        message = "sentences consist of running numbers: they are not the column of the words"
        advice = "choose the column of the words: --columns tokens=1,…"
        yield from cases.findings("columns", "error", split, message, advice, total=several)


def _common_prefix(split: str, examples: Sequence[Example]) -> Iterator[Finding]:
    """Yield a finding where all words begin with the same characters, or with the same mark such as ``▁``."""
    prefix: str | None = None
    count, different = 0, set[str]()
    for example in examples:
        for word in example.words or ():
            prefix = word if prefix is None else _shared(prefix, word)
            count += 1
            if not prefix or (len(prefix) == 1 and prefix.isalnum() and prefix != _BLANK_LETTER):
                return
            if len(different) < _ALIKE:
                different.add(word)
    if prefix is None or count < _ALIKE or len(different) < 3:
        return
    case = Case(place=place_of(examples[0]), text=" ".join((examples[0].words or ())[:5]))
    yield Finding(
        check="columns",
        severity="warning",
        split=split,
        count=count,
        examples=(case,),
        message=f"words all begin with '{prefix}', which is hardly a part of them",
        advice=f"remove it; of column files --set data.word_prefix={quote(prefix)} leaves it out",
    )


def _shared(one: str, other: str) -> str:
    """Return the characters with which both begin."""
    if other.startswith(one):
        return one
    return one[: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))]
