"""Which columns of a file of words are read: those that ``--columns`` names, or those whose contents fit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from labelkit.errors import DataError, nearest
from labelkit.formats.column_profiles import CONTENTS, ColumnKind, ColumnProfile
from labelkit.records import Assumption, LoadContext

#: what may stand where words are expected, or labels, and never is
_NO_WORDS: Collection[ColumnKind] = ("running", "sentence", "constant", "tags", "O")
_NO_LABELS: Collection[ColumnKind] = ("running", "sentence", "space")
_WANTED: Mapping[str, tuple[ColumnKind, ...]] = {
    "spans": ("tags", "brackets", "types", "O"),
    "plain": ("plain",),
    "any": ("tags", "brackets", "types", "O", "plain"),
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD_NAMES = _names("word words token tokens form text surface")
_LABEL_NAMES = _names("""
    tag tags label labels ner ner_tag ner_tags ner-tag ne pos pos_tag pos_tags pos-tag upos xpos chunk chunks chunk_tag
    chunk_tags chunk_tagger iob iob_tag bio bio_tag bio_tags entity entities entity_type slot slots gold named_entity
    category class target
""")
_SENTENCE_NAMES = _names("sentence# sentence_# sentence sentence_id sentence_idx sent_id sent_idx sent")
_OTHER_NAMES = _SENTENCE_NAMES | _names("""
    id index idx no # number doc doc_id document document_id lemma lemmas stem shape start end begin offset language
    lang source
""")
_EMPTY = frozenset(("_", "-", "--", "*"))
_MOSTLY = 0.5
_PLAIN_LAYERS = ("pos", "upos", "xpos")
_PHRASE_LAYERS = ("chunk", "chunks")
#: how the line of a file with two columns begins, where there was nothing to choose
ONLY_COLUMNS = "two columns: "


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenColumns:
    """The columns of a file that are read, counted from 0.

    :param words: the column of the words.
    :param layers: layer → its column.
    :param assumed: what was assumed, with how to say otherwise.
    """

    words: int
    layers: Mapping[str, int] = field(default_factory=dict)
    assumed: tuple[Assumption, ...] = ()


def header_of(rows: Sequence[Sequence[str]], ctx: LoadContext) -> tuple[str, ...]:
    """Return the names of the columns if the first row holds them; none if it is a word like the others.

    :param rows: the first rows of the file.
    """
    if not rows or ctx.settings.header is False:
        return ()
    first = tuple(name.strip() for name in rows[0])
    if ctx.settings.header:
        return first
    names = [_plain_name(name) for name in first]
    if not set(names) & _WORD_NAMES or not set(names) & _LABEL_NAMES:
        return ()
    known = _WORD_NAMES | _LABEL_NAMES | _OTHER_NAMES
    if sum(name in known for name in names) < len(names) / 2:
        return ()
    labels = [index for index, name in enumerate(names) if name in _LABEL_NAMES]
    repeated = any(row[index] == first[index] for row in rows[1:] for index in labels if index < len(row))
    return () if repeated else first


def is_sentence_name(name: str) -> bool:
    """Return whether a column of this name tells sentences apart."""
    return _plain_name(name) in (
        "sentence#",
        "sentence_#",
        "sentence",
        "sentence_id",
        "sentence_idx",
        "sent_id",
        "sent",
    )


def choose_columns(
    profiles: Sequence[ColumnProfile], header: Sequence[str], ctx: LoadContext, place: str
) -> ChosenColumns:
    """Return the columns to read.

    :param profiles: what the columns hold.
    :param header: their names, where the file gives them.
    :param place: of the first line, for messages.
    :raises DataError: a column of ``--columns`` does not exist, or no column fits; names ``place``.
    """
    given = {name: column_number(name, value, len(profiles), header, place) for name, value in ctx.columns.items()}
    assumed: list[Assumption] = []
    words = given.pop("tokens", None)
    if words is None:
        words = _choose_words(profiles, header, taken=set(given.values()))
    elif profiles and profiles[words].kind in ("running", "sentence"):
        read = f"the words are read from {profiles[words]}, which holds {CONTENTS[profiles[words].kind]}"
        assumed.append(Assumption(read, "--columns tokens=… names another column"))
    if clash := [name for name, number in given.items() if number == words]:
        raise DataError(
            f"{place}: 'tokens' and '{clash[0]}' are both read from column {words}",
            hint=f"say where each is: --columns tokens=…,{clash[0]}=…",
        )
    if given or ctx.policy.labels == "ignored" or len(profiles) < 2:
        odd = [
            Assumption(
                f"'{name}' is read from {profiles[at]}, which holds {CONTENTS[profiles[at].kind]}",
                f"--columns {name}=… names another column",
            )
            for name, at in given.items()
            if profiles[at].kind in _NO_LABELS
        ]
        if "tokens" not in ctx.columns and words:
            assumed.append(Assumption(f"the words are in {profiles[words]}", "--columns tokens=… says otherwise"))
        return ChosenColumns(words=words, layers=given, assumed=(*assumed, *odd))
    layer = ctx.layer or "labels"
    others = [profile for profile in profiles if profile.number != words]
    chosen, why = _choose_labels(others, header, layer, ctx)
    if len(others) > 1 and (chosen.kind in _NO_LABELS or chosen.values <= _EMPTY):
        held = "; ".join(f"{profile} holds {CONTENTS[profile.kind]}" for profile in others)
        raise DataError(
            f"{place}: no column holds labels of '{layer}': {held}", hint=f"choose one: --columns {layer}=…"
        )
    unread = [str(profile.number) for profile in others if profile is not chosen]
    said = "columns: " if unread else ONLY_COLUMNS
    said += f"words in {profiles[words]}, '{layer}' in {chosen}"
    said += f"; other columns: {', '.join(unread)}" if unread else ""
    said += f"; {why}" if why else ""
    assumed.append(Assumption(said, f"--columns tokens={words},{layer}={chosen.number} says otherwise"))
    return ChosenColumns(words=words, layers={layer: chosen.number}, assumed=tuple(assumed))


def column_number(role: str, value: str, width: int, header: Sequence[str], place: str) -> int:
    """Return the column that ``--columns`` names, counted from 0.

    :param value: a number, negative ones from the end, or a name of the header.
    :raises DataError: there is no such column; names ``place``.
    """
    if value in header:
        return list(header).index(value)
    if not re.fullmatch(r"-?[0-9]{1,9}", value):
        if header:
            raise DataError(f"{place}: no column '{value}' for '{role}'", hint=nearest(value, header))
        raise DataError(
            f"CoNLL columns are numbers, not names: {role}={value}",
            hint="count from 0, or from the end with -1: --columns tokens=0,ner=3",
        )
    if not -width <= int(value) < width:
        have = "1 column" if width == 1 else f"{width} columns"
        raise DataError(
            f"{place}: no column {value} for '{role}', the line has {have}",
            hint=f"columns count from 0 to {width - 1}, or from the end with -1",
        )
    return int(value) % width


def _choose_words(profiles: Sequence[ColumnProfile], header: Sequence[str], taken: Collection[int]) -> int:
    """Return the column of the words: the first one that holds neither numbers nor tags."""
    named = [index for index, name in enumerate(header) if _plain_name(name) in _WORD_NAMES]
    if named:
        return named[0]
    numbers = bool(profiles) and profiles[0].kind == "number" and any(map(_may_be_words, profiles))
    if not profiles or not (profiles[0].kind in _NO_WORDS or profiles[0].steady or numbers):
        return 0
    first = profiles[0].kind
    others = [one for one in profiles[1:] if one.kind in ("words", "plain") and one.number not in taken]
    if first == "constant":  # of another kind only beside numbers, as in CoNLL-2012
        others = others if any(one.kind == "running" for one in profiles) else []
    if first in ("tags", "O"):
        others = others if len(profiles) == 2 and others else []
    if numbers:  # such as offsets; words may be numbers, too
        others = [one for one in others if _may_be_words(one)]
    return others[0].number if others else 0


def _may_be_words(profile: ColumnProfile) -> bool:
    """Return whether a column holds words, or so few of them that they could be labels, but not tags of words."""
    return profile.kind == "words" or (profile.kind == "plain" and profile.upper < _MOSTLY)


def _choose_labels(
    others: Sequence[ColumnProfile], header: Sequence[str], layer: str, ctx: LoadContext
) -> tuple[ColumnProfile, str]:
    """Return the column of the labels, and why: the last one unless another one fits better.

    :param others: the columns that do not hold the words.
    """
    last = others[-1]
    named = [
        one for one in others if header and _plain_name(header[one.number]) in (layer, f"{layer}_tag", f"{layer}_tags")
    ]
    if named:
        return named[0], ""
    wanted = "plain" if ctx.settings.plain_labels or layer in _PLAIN_LAYERS else "any"
    if ctx.settings.train_scheme or layer in ("ner", *_PHRASE_LAYERS):
        wanted = "spans"
    fitting = [one for one in others if one.kind in _WANTED[wanted] or (one is last and one.numbered)]
    if not fitting:
        return last, ""
    chosen = max(fitting, key=lambda one: _fit(one, wanted, layer, last))
    same = [one for one in fitting if one is not chosen and one.kind == "tags" and one.shares_types(chosen)]
    why = "" if chosen is last else f"column {last.number} ({', '.join(last.examples)}) holds {_contents(last, wanted)}"
    if chosen.kind == "tags" and same and min(one.number for one in same) < chosen.number:
        same, chosen = [*same, chosen], min(same, key=lambda one: one.number)
    twins = [str(one.number) for one in same if one is not chosen]
    if twins:
        return chosen, f"column {', '.join(twins)} has tags of the same types (predicted, or nested?)"
    rivals = [str(one) for one in fitting if one is not chosen and one.kind in ("tags", "brackets", "plain", "types")]
    return chosen, "; ".join(filter(None, (why, f"others that could be meant: {', '.join(rivals)}" if rivals else "")))


def _fit(profile: ColumnProfile, wanted: str, layer: str, last: ColumnProfile) -> tuple[float, ...]:
    """Return how well a column fits, to be compared: the last one wins among equals."""
    order = ("number", "O", "types", "brackets", "tags") if wanted == "spans" else ()
    rank = order.index(profile.kind) if profile.kind in order else 0
    if profile.kind == "tags" and profile.phrases != (layer in _PHRASE_LAYERS) and wanted == "spans":
        rank = -1  # tags of phrases where entities are wanted, and the other way round
    if wanted == "plain":
        return (round(profile.upper), profile is last, -profile.number)
    if wanted == "any":
        return (profile is last, profile.number)
    return (rank, profile is last, profile.number)


def _contents(profile: ColumnProfile, wanted: str) -> str:
    return "tags of spans" if wanted == "plain" and profile.kind == "tags" else CONTENTS[profile.kind]


def _plain_name(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip().lower()).removeprefix("#_")
