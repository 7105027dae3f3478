"""Which columns of a CoNLL-U file hold the labels, tags of entities in MISC included."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labelkit.errors import DataError, nearest
from labelkit.labels.tag_styles import find_form
from labelkit.records import LoadContext

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
Rows = Iterable[Sequence[str]]
"""The ten columns of some words, and those that CoNLL-U Plus adds."""

_MISC = COLUMNS.index("misc")

#: keys in MISC by which tools write tags of entities
_KEYS = ("NER", "NE", "NERTAG", "NER_TAG", "NAMEDENTITY", "ENTITYTAG", "BIO", "IOB", "BIOES", "NAME")
_SPAN_LAYERS = ("ner", "chunk")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConlluColumn:
    """Where the labels of a layer are.

    :param index: the column, from 0.
    :param key: the key in MISC; None for the column as a whole.
    :param without: the label of words without the key; None if they are not labelled.
    """

    index: int
    key: str | None = None
    without: str | None = "O"

    def values(self, rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
        """Return the value of each word.

        :raises DataError: a word has no label; names no file.
        """
        if self.key is None:
            return tuple([sys.intern(row[self.index]) for row in rows])
        found = []
        for row in rows:
            value = misc_fields(row[self.index]).get(self.key, self.without)
            if value is None:
                raise DataError(f"the word '{row[1]}' has no {self.key}= in MISC", hint=f"write {self.key}=O outside")
            if value.startswith("(") or value.endswith(")"):
                raise DataError(
                    f"{self.key}={value} in MISC marks entities by brackets, which are not read",
                    hint="write a tag for each word, such as NER=B-PER",
                )
            found.append(sys.intern(value))
        return tuple(found)


def all_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the ten columns of CoNLL-U, and those of ``names`` that only CoNLL-U Plus has.

    >>> all_columns(["id", "form", "ner"])[9:]
    ('misc', 'ner')
    """
    return (*COLUMNS, *(name for name in names if name not in COLUMNS))


def misc_fields(misc: str) -> dict[str, str]:
    """Return key → value of the column MISC.

    >>> misc_fields("NER=S-PER|SpaceAfter=No")
    {'NER': 'S-PER', 'SpaceAfter': 'No'}
    """
    pairs = (field.partition("=") for field in misc.split("|") if "=" in field)
    return {key: value for key, _, value in pairs}


def find_conllu_columns(
    sample: Sequence[Sequence[str]], ctx: LoadContext, path: object, more: Sequence[str] = ()
) -> dict[str, ConlluColumn]:
    """Return layer (or ``tokens``) → its column, and note what was assumed.

    ``ctx.columns`` names columns, or keys in MISC as ``misc:NER``. Without it, a layer with the name of a column is
    read from there, one of spans from MISC or a UPOS that holds tags, and any other from UPOS.

    :param sample: the columns of the first words.
    :param more: names of the columns in the file, among them those that CoNLL-U Plus adds.
    :raises DataError: the name of a column is unknown, or the labels of the layer are nowhere.
    """
    names, known = {"tokens": "form", **ctx.columns}, all_columns(more)
    if len(names) > 1 or ctx.policy.labels == "ignored":
        return {layer: _named_column(layer, name, sample, known) for layer, name in names.items()}
    layer = ctx.layer or "pos"
    found = {"tokens": _named_column("tokens", names["tokens"], sample, known)}
    if layer in known:
        return {**found, layer: ConlluColumn(index=known.index(layer))}
    if added := next((name for name in known[len(COLUMNS) :] if _fits(layer, name)), None):
        ctx.policy.assume(
            f"'{layer}' is read from the column {added.upper()}", f"--columns {layer}=… names another one"
        )
        return {**found, layer: ConlluColumn(index=known.index(added))}
    upos = ConlluColumn(index=COLUMNS.index("upos"))
    spans = ctx.settings.plain_labels is not True and (layer in _SPAN_LAYERS or ctx.settings.train_scheme is not None)
    if not sample or (spans and _are_tags(row[upos.index] for row in sample)):
        return {**found, layer: upos}
    column = _column_in_misc(layer, sample) if spans else upos
    if column is None:
        keys = ", ".join(sorted({key for row in sample for key in misc_fields(row[_MISC])})) or "none"
        raise DataError(
            f"{path}: no labels of '{layer}': UPOS holds no tags, and MISC no key such as NER= (its keys: {keys})",
            hint=f"say where they are: --columns {layer}=misc:KEY, or {layer}={known[-1] if more else 'xpos'}",
        )
    _check_filled(sample, column, layer, path)
    if column.key is not None:
        outside = "" if column.without is None else ", words without it are O"
        ctx.policy.assume(
            f"'{layer}' is read from {column.key}= in MISC{outside}", f"--columns {layer}=… names another column"
        )
    return {**found, layer: column}


def _named_column(layer: str, name: str, sample: Rows, known: Sequence[str]) -> ConlluColumn:
    """Return the column that the user named.

    :raises DataError: there is none of this name.
    """
    if name.lower() in known[len(COLUMNS) :]:
        return ConlluColumn(index=known.index(name.lower()))
    base, _, key = name.partition(":")
    if base.lower() not in COLUMNS or (key and base.lower() != "misc"):
        raise DataError(
            f"CoNLL-U has no column '{name}' for '{layer}'",
            hint=f"{nearest(base.lower(), known)}; for example --columns tokens=form,{layer}=upos",
        )
    if key:
        return _keyed_column(key, sample)
    in_misc = _column_in_misc(layer, sample) if base.lower() == "misc" else None
    return in_misc or ConlluColumn(index=COLUMNS.index(base.lower()))


def _column_in_misc(layer: str, sample: Rows) -> ConlluColumn | None:
    """Return the key in MISC that holds the tags of a layer; None without one."""
    counts = Counter(key for row in sample for key in misc_fields(row[_MISC]))
    wanted = _wanted_keys(layer)
    keys = sorted((key for key in counts if key.upper() in wanted), key=lambda key: wanted.index(key.upper()))
    return _keyed_column(keys[0], sample) if keys else None


def _wanted_keys(layer: str) -> tuple[str, ...]:
    return (layer.upper(), f"{layer.upper()}_TAG", *(_KEYS if layer != "chunk" else ()))


def _fits(layer: str, name: str) -> bool:
    """Return whether a column that CoNLL-U Plus adds holds a layer, by the part of its name after the colon."""
    return layer in _SPAN_LAYERS and name.rpartition(":")[2].upper() in _wanted_keys(layer)


def _keyed_column(key: str, sample: Rows) -> ConlluColumn:
    values = {misc_fields(row[_MISC]).get(key) for row in sample}
    return ConlluColumn(index=_MISC, key=key, without=None if "O" in values else "O")


def _are_tags(values: Iterable[str]) -> bool:
    counts = Counter(values)
    marked = {label: times for label, times in counts.items() if label != "O"}
    return not marked or ("O" in counts and "_" not in counts) or find_form(marked) not in (None, "bare")


def _check_filled(sample: Rows, column: ConlluColumn, layer: str, path: object) -> None:
    """Raise :class:`~labelkit.errors.DataError` if a column is empty (``_``) throughout."""
    if column.key is not None or any(row[column.index] != "_" for row in sample):
        return
    named = [
        name for name in ("upos", "xpos", "feats", "deprel") if any(row[COLUMNS.index(name)] != "_" for row in sample)
    ]
    hint = (
        f"columns that are filled: {', '.join(named)}; choose one: --columns {layer}=…"
        if named
        else ("fill it, or read another file")
    )
    raise DataError(f"{path}: the column {COLUMNS[column.index].upper()} is not filled, all words have '_'", hint=hint)
