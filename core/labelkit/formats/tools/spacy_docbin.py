"""spaCy's DocBin (``.spacy``), read and written through spaCy itself: entities, tags or categories.

Words are tokens; white space that is more than one space between two of them is a token of its own, as spaCy makes it,
so that ``doc.text`` is the text. What spaCy has no place for lies in ``doc.user_data["labelkit"]``, as JSON.
A DocBin is read and written whole: it does not fit a stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import DataError
from labelkit.files.reading import open_bytes, reading_errors
from labelkit.formats.tools.reading import Found, aside_of, kind_wanted, left_out, read_each, unlabelled_wanted
from labelkit.formats.tools.writing import ASIDE, Marked, beside, json_bytes, marked, misfit
from labelkit.labels.spans import Offsets, TextSpan
from labelkit.records import Example, Format, Labelled, LoadContext, Output
from labelkit.text.splitters import words as split_words

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

UNLABELLED = "documents without categories were left out"
_ATTRIBUTES = ("ORTH", "SPACY", "TAG", "ENT_IOB", "ENT_TYPE")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the documents of a DocBin; the line of one is its number in the file.

    :raises DataError: spaCy is not installed, or it is no DocBin.
    """
    return read_each(path, ctx, enumerate(_docs(path), start=1), lambda _, doc: _found(doc, ctx))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a document per record.

    :raises DataError: spaCy is not installed, or it cannot hold a record.
    """
    tokens = _spacy()
    from spacy.vocab import Vocab

    vocab = Vocab()
    box = tokens.DocBin(attrs=_ATTRIBUTES, store_user_data=True)
    for labelled in records:
        box.add(_doc(labelled, vocab))
    output.stream.write(box.to_bytes())


FORMAT = Format(
    name="spacy",
    kinds=("token", "text"),
    suffixes=(".spacy",),
    needs_file=True,
    read=read,
    write=write,
    summary="spaCy's DocBin: entities, tags or categories; needs labelkit[spacy]",
)


def _spacy() -> Any:
    """Return ``spacy.tokens``.

    :raises DataError: spaCy is not installed.
    """
    try:
        import spacy.tokens
    except ImportError as error:
        raise DataError(
            f"spaCy is needed for .spacy files, and cannot be imported: {error}",
            hint="install it: pip install 'labelkit[spacy]'",
        ) from error
    return spacy.tokens


# -- writing ----------------------------------------------------------------------------------------------------------


def _doc(labelled: Labelled, vocab: Vocab) -> Doc:
    """Return the document of a record.

    :raises DataError: spaCy cannot hold its text.
    """
    held = None if labelled.words is None else marked(labelled)
    offsets = split_words(labelled.text) if held is None else held.offsets
    pieces, spaces, numbers = _pieces(labelled.text, offsets)
    try:
        doc: Doc = _spacy().Doc(vocab, words=pieces, spaces=spaces)
    except ValueError as error:  # half a surrogate pair
        raise DataError(
            f"record '{labelled.id}': spaCy cannot hold its text: {error}",
            hint="another format can hold it, e.g. --to jsonl",
        ) from error
    if doc.text != labelled.text:
        raise DataError(
            f"record '{labelled.id}': spaCy cannot hold its text as it is",
            hint="another format can hold it, e.g. --to jsonl",
        )
    if held is None:
        # the chosen class comes first, so that it is still the chosen one when another scores the same
        doc.cats = {str(labelled.label): 1.0 if labelled.score is None else labelled.score}
        doc.cats |= {name: score for name, score in (labelled.scores or {}).items() if name != labelled.label}
    elif held.notation == "plain":
        _set_tags(doc, held, numbers, labelled)
    else:
        _set_entities(doc, held, labelled)
    aside = {**beside(labelled, held), "extra": dict(labelled.extra)}
    if held is not None and any(span.score is not None for span in held.spans):
        aside["scores"] = [span.score for span in held.spans]
    doc.user_data[ASIDE] = json_bytes(aside, labelled).decode()
    return doc


def _pieces(text: str, offsets: Offsets) -> tuple[list[str], list[bool], dict[tuple[int, int], int]]:
    """Return the tokens that make up a text, whether a space follows each, and the token of each place of a word."""
    pieces: list[str] = []
    spaces: list[bool] = []
    numbers: dict[tuple[int, int], int] = {}
    cursor = 0
    for start, end in (*offsets, (len(text), len(text))):
        between = text[cursor:start]
        if between.startswith(" ") and pieces and not spaces[-1]:
            spaces[-1], between = True, between[1:]
        if between:
            pieces.append(between)
            spaces.append(False)
        if max(start, cursor) < end:  # words may share a place, or be empty
            numbers[(start, end)] = len(pieces)
            pieces.append(text[max(start, cursor) : end])
            spaces.append(False)
        cursor = max(cursor, end)
    return pieces, spaces, numbers


def _set_tags(doc: Doc, held: Marked, numbers: dict[tuple[int, int], int], labelled: Labelled) -> None:
    for span in held.spans:
        if (span.start, span.end) not in numbers:
            raise misfit(labelled, span, "is no word")
        doc[numbers[(span.start, span.end)]].tag_ = span.label


def _set_entities(doc: Doc, held: Marked, labelled: Labelled) -> None:
    found = []
    for span in held.spans:
        entity = doc.char_span(span.start, span.end, label=span.label)
        if entity is None:
            raise misfit(labelled, span, "cuts a word")
        found.append(entity)
    doc.set_ents(found, default="outside")


# -- reading ----------------------------------------------------------------------------------------------------------


def _docs(path: Path) -> Iterator[Doc]:
    tokens = _spacy()
    from spacy.vocab import Vocab

    with reading_errors(path), open_bytes(path) as stream:
        content = stream.read()
    try:
        box = tokens.DocBin(store_user_data=True).from_bytes(content)
    except Exception as error:  # zlib, msgpack and spaCy each have their own
        raise DataError(
            f"{path} is no DocBin: {' '.join(str(error).split())[:150]}",
            hint="write it with spaCy's DocBin.to_disk, or convert it with spacy convert",
        ) from error
    yield from box.get_docs(Vocab())


def _found(doc: Doc, ctx: LoadContext) -> Found | None:
    text = doc.text
    aside = _aside(doc.user_data.get(ASIDE))
    extra = aside_of(aside.get("extra"))
    words = tuple((token.idx, token.idx + len(token.text)) for token in doc if not token.text.isspace())
    entities, tags = doc.has_annotation("ENT_IOB"), doc.has_annotation("TAG")
    plain = bool(ctx.settings.plain_labels) or aside.get("scheme") == "plain"
    common: dict[str, Any] = {"text": text, "aside": aside, "extra": extra}
    common["words"] = (tuple([text[start:end] for start, end in words]), words)
    if unlabelled_wanted(ctx):
        return Found(**common)
    if kind_wanted(ctx, "text" if doc.cats and not entities and not tags else "token") == "text":
        if not doc.cats:
            left_out(ctx, UNLABELLED)
            return None
        return Found(label=max(doc.cats, key=lambda name: doc.cats[name]), **common)
    if tags and (plain or not entities):
        tagged = [token for token in doc if token.tag_ and ("words" in aside or not token.text.isspace())]
        marks = [TextSpan(token.idx, token.idx + len(token.text), token.tag_) for token in tagged]
        common["aside"] = {**aside, "scheme": "plain"}
    else:
        marks = [TextSpan(entity.start_char, entity.end_char, entity.label_) for entity in doc.ents]
    return Found(marks=marks, **common)


def _aside(kept: Any) -> Mapping[str, Any]:
    """Return what labelkit wrote beside a document; nothing where that cannot be read."""
    try:
        return aside_of(json.loads(kept))
    except (TypeError, ValueError):
        return {}
