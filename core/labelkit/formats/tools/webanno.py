"""WebAnno TSV 3, which WebAnno and INCEpTION export: a word per line, an annotation layer's features in columns.

Annotations of several words share a number in brackets (``PER[1]``); those of a part of a word have lines of their own
(``1-2.1``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from labelkit.errors import DataError
from labelkit.formats.examples import free_name
from labelkit.formats.record_limit import limited_sentences
from labelkit.formats.tools.webanno_parts import CUT, EMPTY, WordPart, align_parts, count_parts
from labelkit.labels.brackets import outer_spans
from labelkit.labels.schemes import SpanTuple, tags_of
from labelkit.labels.span_tagger import plain_labels
from labelkit.labels.spans import OVERLAPS, offsets_of
from labelkit.labels.tag_styles import DEFAULT_TYPE
from labelkit.records import Example, Format, LoadContext, Place

_FIRST_FEATURE = 3  # after number, offsets and word
_WORD = re.compile(r"(\d+)-(\d+)(\.\d+)?")
_VALUE = re.compile(r"(.*?)(?:\[(\d+)\])?", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PLAIN_LAYERS = ("pos", "upos", "xpos")


@dataclass(frozen=True, kw_only=True, slots=True)
class Feature:
    """A feature of an annotation layer.

    :param layer: the short name of the layer, e.g. ``NamedEntity``.
    :param column: its column, from 0.
    """

    layer: str
    name: str
    column: int

    def __str__(self) -> str:
        return f"{self.layer}.{self.name}"


@dataclass(slots=True)
class _Sentence:
    """A sentence as parsed: its text, and the columns and the line of each word."""

    text: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    parts: list[WordPart] = field(default_factory=list)


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the sentences of a WebAnno file with the spans of one feature as tags, or as plain labels of words.

    ``ctx.columns`` maps a layer to a feature: ``value`` or ``NamedEntity.value``. Without it, the feature that fits the
    layer's name is read, or the first one.

    :raises DataError: the file is invalid, an annotation covers part of a word, or annotations overlap; names file and
        line.
    """
    lines = limited_sentences(path, ctx.lines(path), ctx.settings.max_record)
    features, rest = _read_features(lines)
    chosen = _choose(features, ctx, path)
    for number, sentence in enumerate(_sentences(rest, path, ctx), start=1):
        try:
            example = _example(sentence, str(number), chosen, path, ctx)
            yield replace(example, extra=_kept(sentence, features, chosen, ctx)) if ctx.policy.keep_columns else example
        except DataError as error:
            ctx.policy.skip_record(error)


FORMAT = Format(
    name="webanno-tsv",
    kinds=("token",),
    suffixes=(),
    read=read,
    summary="WebAnno TSV 3 of WebAnno and INCEpTION: spans of one feature",
)


def _read_features(lines: Iterator[tuple[int, str]]) -> tuple[list[Feature], Iterator[tuple[int, str]]]:
    """Return the features of spans that the head of a file names, and the lines after it."""
    features: list[Feature] = []
    column = _FIRST_FEATURE
    for _, line in lines:
        if not line.strip():
            break
        kind, _, declared = line.partition("=")
        if not kind.startswith("#T_"):
            continue
        name, *own = declared.strip().split("|")
        layer = name.rpartition(".")[2]
        for feature in own or ([""] if kind == "#T_SP" else []):
            if kind == "#T_SP" and not feature.startswith("ROLE_"):
                features.append(Feature(layer=layer, name=feature, column=column))
            column += 2 if feature.startswith("ROLE_") else 1
        column += kind == "#T_RL"  # the word at the other end of the relation
    return features, lines


def _choose(features: Sequence[Feature], ctx: LoadContext, path: Path) -> dict[str, Feature]:
    """Return layer → the feature to read; nothing where labels are ignored.

    :raises DataError: there is no such feature, or none at all.
    """
    known = ", ".join(map(str, features)) or "none"
    given = {layer: name for layer, name in ctx.columns.items() if layer != "tokens"}
    chosen = {}
    for layer, name in given.items():
        found = [one for one in features if name in (one.name, one.layer, str(one))]
        if not found:
            raise DataError(f"{path}: no feature '{name}' for '{layer}'", hint=f"the features are {known}")
        chosen[layer] = found[0]
    if ctx.policy.labels == "ignored" and features and not ctx.policy.keep_columns:
        ctx.policy.assume(
            f"the annotations of {path.name} are not kept ({known})",
            "labelkit data convert writes them into a file of their own",
        )
    if given or ctx.policy.labels == "ignored":
        return chosen
    if not features:
        raise DataError(f"{path}: there are no annotations of spans", hint="export a layer of spans")
    layer = ctx.layer or "labels"
    best = max(features, key=lambda one: (_fit(one, layer), -one.column))
    others = [str(one) for one in features if one is not best and one.name != "identifier"]
    more = f", not from {', '.join(others)}" if others else ""
    ctx.policy.assume(f"'{layer}' is read from the feature {best}{more}", f"--columns {layer}=… names another one")
    return {layer: best}


def _fit(feature: Feature, layer: str) -> int:
    """Return how well a feature fits a layer by its names."""
    wanted = "pos" if layer in _PLAIN_LAYERS else "namedentity|ner|entity" if layer in ("ner", "labels") else layer
    names = 2 * (re.search(wanted, feature.layer, re.IGNORECASE) is not None)
    return names + (feature.name.lower() in ("value", "posvalue", "label", "")) - 4 * (feature.name == "identifier")


def _sentences(lines: Iterable[tuple[int, str]], path: Path, ctx: LoadContext) -> Iterator[_Sentence]:
    sentence, invalid = _Sentence(), False
    for number, line in (*lines, (0, "")):
        if line.startswith("#Text=") and not sentence.rows:
            sentence.text.append(line.removeprefix("#Text="))
        elif line.strip() and not (line.startswith("#") and not sentence.rows):
            fields = line.split("\t")
            match = _WORD.fullmatch(fields[0])
            if match is None or len(fields) < _FIRST_FEATURE or (match[3] and not sentence.rows):
                error = DataError(f"{path}:{number}: invalid line of a word", hint="it begins with 1-1, offsets, word")
                if not invalid:
                    ctx.policy.skip_record(error)
                invalid = True
            elif match[3]:
                sentence.parts.append(WordPart(max(len(sentence.rows) - 1, 0), number, fields))
            else:
                sentence.rows.append(fields)
                sentence.lines.append(number)
        elif not line.strip():
            if sentence.rows and not invalid:
                yield sentence
            sentence, invalid = _Sentence(), False


def _example(sentence: _Sentence, number: str, chosen: dict[str, Feature], path: Path, ctx: LoadContext) -> Example:
    words = tuple([_unescaped(row[2]) for row in sentence.rows])
    text = _unescaped("\n".join(sentence.text)) if sentence.text else None
    place = Place(file=str(path), line=sentence.lines[0], word_lines=tuple(sentence.lines))
    labels = {}
    for layer, feature in chosen.items():
        cells = _cells(sentence, feature, path, ctx)
        spans = _spans(cells, ctx.settings.default_type or feature.layer or DEFAULT_TYPE)
        if layer in _PLAIN_LAYERS or ctx.settings.plain_labels:
            labels[layer] = plain_labels(spans, len(words))
            if "" in labels[layer]:
                line = sentence.lines[labels[layer].index("")]
                raise DataError(f"{path}:{line}: the word has no {feature}", hint="annotate it, or leave it out")
        else:
            labels[layer] = tags_of(_without_overlaps(spans, place, ctx), len(words), "IOB2")
    offsets = None if text is None else offsets_of(words, text)
    return Example(id=number, words=words, text=text if offsets else None, labels=labels, offsets=offsets, place=place)


def _kept(
    sentence: _Sentence, features: Sequence[Feature], chosen: Mapping[str, Feature], ctx: LoadContext
) -> dict[str, list[str]]:
    """Return the cells of each feature that is not read, by its name; annotations of parts of words are counted."""
    ignored, kept = ctx.policy.labels == "ignored", {}
    for feature in features:
        if feature in chosen.values():
            continue
        cells = [row[feature.column] if feature.column < len(row) else "_" for row in sentence.rows]
        kept[free_name(str(feature), ()) if ignored else str(feature)] = cells
        lost = sum(part.cell(feature.column) not in EMPTY for part in sentence.parts)
        ctx.policy.counts.update({f"annotations of parts of words in {feature} were not kept": lost} if lost else {})
    return kept


def _cells(sentence: _Sentence, feature: Feature, path: Path, ctx: LoadContext) -> list[str]:
    """Return the annotations of each word, those of parts of words as ``data.align_spans`` says, which are counted.

    :raises DataError: it says nothing, and an annotation covers part of a word; names file and line.
    """
    cells = [row[feature.column] if feature.column < len(row) else "_" for row in sentence.rows]
    parts, mode = [part for part in sentence.parts if part.cell(feature.column) not in EMPTY], ctx.settings.align_spans
    if not parts:
        return cells
    if mode == "error":
        message = f"{path}:{parts[0].line}: an annotation covers part of a word, '{_unescaped(parts[0].row[2])}'"
        raise DataError(
            message, hint="annotate whole words, or --set data.align_spans=expand, contract or drop does it for all"
        )
    counts = count_parts(cells, parts, feature.column, mode)
    ctx.policy.counts.update(counts)
    word = _unescaped(sentence.rows[parts[0].word][2])
    ctx.policy.assume(
        f"annotations of parts of words were changed (the first: {path}:{parts[0].line} "
        f"'{_unescaped(parts[0].row[2])}' of '{word}')",
        f"data.align_spans={mode} does that, --set data.align_spans=error refuses them",
    )
    return align_parts(cells, parts, feature.column, mode)


def _spans(cells: Sequence[str], without_value: str) -> list[SpanTuple]:
    """Return the spans of a feature, in order; those without a value are of the type ``without_value``."""
    ends: dict[str, int] = {}
    spans: list[tuple[int, int, str]] = []
    for index, cell in enumerate(cells):
        for part in CUT.split(cell) if cell not in ("_", "") else ():
            match = _VALUE.fullmatch(part)
            assert match is not None  # everything matches
            value = _unescaped(match[1]) if match[1] not in ("*", "_", "") else without_value
            known = ends.get(match[2] or "")
            if known is not None and spans[known][1] == index:
                spans[known] = (spans[known][0], index + 1, value)
                continue
            if match[2]:
                ends[match[2]] = len(spans)
            spans.append((index, index + 1, value))
    return sorted(spans, key=lambda span: (span[0], -span[1]))


def _without_overlaps(spans: Sequence[SpanTuple], place: Place, ctx: LoadContext) -> list[SpanTuple]:
    kept = outer_spans(spans)
    if len(kept) < len(spans):
        if not ctx.settings.drop_overlaps:
            raise DataError(
                f"{place}: annotations are nested or overlap, words have one tag",
                hint="--set data.drop_overlaps=true keeps the outer ones, and counts the others",
            )
        ctx.policy.counts[OVERLAPS] += len(spans) - len(kept)
    return kept


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), text)
