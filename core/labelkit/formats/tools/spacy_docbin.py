"""spaCy's DocBin (``.spacy``), read and written through spaCy itself: entities, tags or categories.

Words are tokens; white space other than a single space between words is a token of its own, as in spaCy's tokenizers,
so that ``doc.text`` is the text. What spaCy has no field for is stored in ``doc.user_data["labelkit"]``, as JSON.
A DocBin is read and written as a whole, not as a stream.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import DataError, one_line
from labelkit.files.reading import read_bytes, too_long
from labelkit.formats.class_labels import MissingLabelError
from labelkit.formats.columns import ROLES, listed
from labelkit.formats.layers import spacy_places
from labelkit.formats.tools.annotations import (
    AnnotatedText,
    as_mapping,
    filled_fields,
    is_predicted,
    read_annotations,
    span_objects,
)
from labelkit.formats.tools.spacy_categories import category
from labelkit.formats.tools.span_records import (
    METADATA,
    SpanRecord,
    json_bytes,
    record_metadata,
    span_error,
    to_spans,
)
from labelkit.labels.spans import TextSpan
from labelkit.records import Example, Format, Labelled, LoadContext, Output
from labelkit.records.examples import Offsets
from labelkit.text.splitters import words as split_words

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

UNLABELLED = "documents without categories were left out"
#: bytes unpacked at once
_BLOCK = 1 << 20
BARE = "documents without entity annotation were left out"
#: names the entities where ``--columns`` names a span group
ENTITIES = "ents"
_NO_ENTITIES = "set doc.ents, to [] where there is none; or name a span group: --columns LAYER=GROUP"
_ATTRIBUTES = ("ORTH", "SPACY", "TAG", "ENT_IOB", "ENT_TYPE")


def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
    """Yield the documents of a DocBin; the line of a document is its number in the file.

    :raises DataError: spaCy is not installed, or the file is not a DocBin.
    """
    docs = enumerate(read_docs(path, ctx.settings.max_record), start=1)
    return read_annotations(path, ctx, docs, partial(parse_doc, ctx=ctx, source=EntitySource(ctx)))


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write a document per record; of several tasks the first for each of entities, tags and categories.

    :raises DataError: spaCy is not installed, or it cannot hold a record.
    """
    tokens = _import_spacy()
    from spacy.vocab import Vocab

    vocab = Vocab()
    box = tokens.DocBin(attrs=_ATTRIBUTES, store_user_data=True)
    for labelled in records:
        box.add(to_doc(labelled, vocab))
    output.stream.write(box.to_bytes())


FORMAT = Format(
    name="spacy",
    kinds=("token", "text"),
    suffixes=(".spacy",),
    needs_file=True,
    read=read,
    write=write,
    multilabel=True,
    summary="spaCy's DocBin: entities, tags or categories; needs labelkit[spacy]",
)


def _import_spacy() -> Any:
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


def to_doc(labelled: Labelled, vocab: Vocab) -> Doc:
    """Return the document of a record.

    :raises DataError: spaCy cannot hold its text, or its spans are not whole words.
    """
    parts = spacy_places(labelled)
    # a document has one tagging scheme: that of its entities, as tags have none
    main = parts.get("ents") or parts.get("tags") or parts["cats"]
    record = None if main.words is None else to_spans(main)
    pieces, spaces, token_at = tokenize(labelled.text, split_words(labelled.text) if record is None else record.offsets)
    hint = "another format can hold it, e.g. --to jsonl"
    try:
        doc: Doc = _import_spacy().Doc(vocab, words=pieces, spaces=spaces)
    except ValueError as error:  # half a surrogate pair
        raise DataError(f"record '{labelled.id}': spaCy cannot hold its text: {error}", hint=hint) from error
    if doc.text != labelled.text:
        raise DataError(f"record '{labelled.id}': spaCy cannot hold its text as it is", hint=hint)
    metadata = {**record_metadata(main, record), "extra": dict(labelled.extra)}
    if "cats" in parts:
        metadata |= categorize(doc, parts["cats"])
    for layer in (parts[place] for place in ("ents", "tags") if place in parts):
        annotate(doc, to_spans(layer), token_at, layer)
    if record is not None and record.scores is not None:
        metadata["scores"] = record.scores
    doc.user_data[METADATA] = json_bytes(metadata, labelled).decode()
    return doc


def categorize(doc: Doc, labelled: Labelled) -> dict[str, Any]:
    """Set the label of a text, or its labels, as categories; return what they do not hold."""
    if labelled.labels is not None:
        doc.cats = dict(labelled.scores or dict.fromkeys(labelled.labels, 1.0))
        return {"labels": list(labelled.labels)}
    # the label comes first, so that it is still chosen if another class has the same score
    doc.cats = {str(labelled.label): 1.0 if labelled.score is None else labelled.score}
    doc.cats |= {name: score for name, score in (labelled.scores or {}).items() if name != labelled.label}
    return {}


def tokenize(text: str, offsets: Offsets) -> tuple[list[str], list[bool], dict[tuple[int, int], int]]:
    """Return the tokens that make up ``text``, whether a space follows each, and offsets of a word → its token."""
    tokens: list[str] = []
    spaces: list[bool] = []
    token_at: dict[tuple[int, int], int] = {}
    cursor = 0
    for start, end in (*offsets, (len(text), len(text))):
        between = text[cursor:start]
        if between.startswith(" ") and tokens and not spaces[-1]:
            spaces[-1], between = True, between[1:]
        if between:
            tokens.append(between)
            spaces.append(False)
        if max(start, cursor) < end:  # words may share offsets, or be empty
            token_at[(start, end)] = len(tokens)
            tokens.append(text[max(start, cursor) : end])
            spaces.append(False)
        cursor = max(cursor, end)
    return tokens, spaces, token_at


def annotate(doc: Doc, record: SpanRecord, token_at: dict[tuple[int, int], int], labelled: Labelled) -> None:
    """Set the spans of a record as tags of tokens if its labels are plain, or else as entities.

    :raises DataError: a span is not made of whole words.
    """
    entities = []
    for span in record.spans:
        if record.notation == "plain":
            if (span.start, span.end) not in token_at:
                raise span_error(labelled, span, "is not a word")
            doc[token_at[(span.start, span.end)]].tag_ = span.label
            continue
        entity = doc.char_span(span.start, span.end, label=span.label)
        if entity is None:
            raise span_error(labelled, span, "cuts a word")
        entities.append(entity)
    if record.notation != "plain":
        doc.set_ents(entities, default="outside")


# -- reading ----------------------------------------------------------------------------------------------------------


def read_docs(path: Path, limit: int) -> Iterator[Doc]:
    """Yield the documents of a DocBin.

    :param limit: the most characters of a record; spaCy reads all documents at once, fifty times as many bytes at most.
    :raises DataError: spaCy is not installed, or the file is not a DocBin, or too large.
    """
    tokens = _import_spacy()
    from spacy.vocab import Vocab

    content = read_bytes(path, 50 * limit)
    try:
        _check_unpacked_size(path, content, 50 * limit)
        box = tokens.DocBin(store_user_data=True).from_bytes(content)
    except DataError:
        raise
    except Exception as error:  # zlib, msgpack and spaCy each raise their own
        raise DataError(
            f"{path} is not a DocBin: {one_line(error, 150)}",
            hint="write it with spaCy's DocBin.to_disk, or convert it with spacy convert",
        ) from error
    yield from box.get_docs(Vocab())


def _check_unpacked_size(path: Path, content: bytes, limit: int) -> None:
    """Raise if a DocBin would unpack to more than ``limit`` bytes: a megabyte can hold a gigabyte.

    :raises DataError: it would.
    """
    unpacker, size = zlib.decompressobj(), 0
    while content and size <= limit:
        size += len(unpacker.decompress(content, _BLOCK))
        content = unpacker.unconsumed_tail
    if size > limit:
        raise too_long(str(path), "DocBin", limit, "bytes")


def parse_doc(doc: Doc, ctx: LoadContext, source: EntitySource) -> AnnotatedText | None:
    """Return the text of a document with its words, and their entities or tags, or its category.

    :raises MissingLabelError: no word is annotated; names no file.
    :raises DataError: it is not clear what its labels are; names no file.
    """
    stored: Any = doc.user_data.get(METADATA)
    try:
        metadata = as_mapping(json.loads(stored))
    except (TypeError, ValueError):  # not written by labelkit
        metadata = {}
    text = doc.text
    offsets = tuple((token.idx, token.idx + len(token.text)) for token in doc if not token.text.isspace())
    annotated = partial(
        AnnotatedText,
        text=text,
        extra=as_mapping(metadata.get("extra")),
        words=(tuple([text[start:end] for start, end in offsets]), offsets),
        predicted_by="labelkit" if is_predicted(metadata) else None,
    )
    if ctx.policy.labels == "ignored":
        ents = [TextSpan(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
        return annotated(
            metadata=metadata, given=filled_fields({"ents": span_objects(ents), "cats": doc.cats}, "ents", "cats")
        )
    entities, tags = doc.has_annotation("ENT_IOB"), doc.has_annotation("TAG")
    if (ctx.kind or ("text" if doc.cats and not entities and not tags and not doc.spans else "token")) == "text":
        written = metadata.get("labels") if ctx.settings.multilabel else None
        if isinstance(written, list) and not {0.0, 1.0}.issuperset(doc.cats.values()):
            return annotated(metadata=metadata, label=written)  # by their thresholds, which cats do not hold
        if not doc.cats:
            if written == []:
                return annotated(metadata=metadata, label=[])
            ctx.policy.counts[UNLABELLED] += 1
            return None
        return annotated(metadata=metadata, label=category(doc.cats, ctx))
    plain = bool(ctx.settings.plain_labels) or metadata.get("scheme") == "plain"
    if tags and (plain or (not entities and not doc.spans)):
        tagged = [token for token in doc if token.tag_ and ("words" in metadata or not token.text.isspace())]
        spans = [TextSpan(token.idx, token.idx + len(token.text), token.tag_) for token in tagged]
        return annotated(metadata={**metadata, "scheme": "plain"}, spans=spans)
    labelled = source.spans(doc, written="words" in metadata)
    spans = [TextSpan(one.start_char, one.end_char, one.label_) for one in labelled]
    return annotated(metadata=metadata, spans=spans, reviewed=source.reviewed(doc, written="words" in metadata))


class EntitySource:
    """Where the spans of a file's documents are: all in their entities, or all in one span group."""

    def __init__(self, ctx: LoadContext) -> None:
        self._ctx, self._layer = ctx, ctx.layer or "LAYER"
        self._chosen = next((column for role, column in ctx.columns.items() if role not in ROLES), None)
        self._named = self._chosen is not None

    def spans(self, doc: Doc, *, written: bool) -> list[Any]:
        """Return the entities of a document, or the spans of the group that the user named, or of its only group.

        :param written: labelkit wrote the document.
        :raises MissingLabelError: entities are missing for all words; names no file.
        :raises DataError: there are several groups, or other documents have theirs elsewhere; names no file.
        """
        annotated, groups = doc.has_annotation("ENT_IOB"), list(doc.spans)
        if self._chosen is None and not (annotated and doc.ents) and groups:
            self._choose_group(groups)
        if self._chosen in (None, ENTITIES):
            if not annotated and not written:
                raise MissingLabelError("no entity annotation", hint=_NO_ENTITIES, counted_as=BARE)
            if doc.ents:
                self._choose_entities(groups)
            return list(doc.ents)
        if doc.ents and not self._named:
            raise DataError(
                f"entities here, but the documents before have the span group '{self._chosen}'",
                hint=f"say which to read: --columns {self._layer}={ENTITIES} or {self._layer}={self._chosen}",
            )
        if self._chosen not in groups:
            have = listed(groups) or "none"
            raise MissingLabelError(
                f"no span group '{self._chosen}', the groups are {have}", hint="ents means entities"
            )
        return list(doc.spans[self._chosen])

    def reviewed(self, doc: Doc, *, written: bool) -> list[tuple[int, int]] | None:
        """Return the places of the words with entity annotation; None where all have some, or a group is read.

        :param written: labelkit wrote the document.
        """
        complete = doc.has_annotation("ENT_IOB", require_complete=True)
        if written or complete or self._chosen not in (None, ENTITIES):
            return None
        # a stretch of text, as words may be other ones than the tokens of spaCy
        found: list[tuple[int, int]] = []
        for token in doc:
            if not token.ent_iob:
                continue
            end = token.idx + len(token.text)
            if found and token.i and doc[token.i - 1].ent_iob:
                found[-1] = (found[-1][0], end)
            else:
                found.append((token.idx, end))
        self._ctx.policy.assume(
            "words without entity annotation of spaCy have an unknown label, which is not O",
            "doc.set_ents(spans, default='outside') writes O",
        )
        return found

    def _choose_group(self, groups: Sequence[str]) -> None:
        if len(groups) > 1:
            hint = f"say which: --columns {self._layer}=GROUP"
            raise DataError(f"no entities, but several span groups: {listed(groups)}", hint=hint)
        self._chosen = groups[0]
        self._ctx.policy.assume(
            f"the span group '{groups[0]}' of spaCy is read", f"--columns {self._layer}={ENTITIES} reads entities"
        )

    def _choose_entities(self, groups: Sequence[str]) -> None:
        self._chosen = ENTITIES
        if groups and not self._named:
            self._ctx.policy.assume(
                f"entities of spaCy are read, not its span groups ({listed(groups)})",
                f"--columns {self._layer}={groups[0]} reads one",
            )
