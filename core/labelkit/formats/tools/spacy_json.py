"""spaCy's JSON: tuples ``[text, {"entities": [[start, end, label]]}]``, ``Doc.to_json``, and v2's documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.class_labels import MissingLabelError
from labelkit.formats.columns import listed
from labelkit.formats.span_fields import parse_fields, span_items
from labelkit.formats.tools.annotations import AnnotatedText, as_mapping, filled_fields
from labelkit.formats.tools.spacy_categories import category
from labelkit.labels.spans import TextSpan
from labelkit.records import Kind, LoadContext

_UNKNOWN = ("-", "", None)  # the entity tag of a word that nobody has annotated


def is_tuple(value: Any) -> bool:
    """Return whether a JSON value is a training tuple: a text and its annotations."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and (value[1] is None or isinstance(value[1], Mapping | list))
    )


def is_doc(value: Any) -> bool:
    """Return whether a JSON value is a document as ``Doc.to_json`` writes it, or a text with scores in ``cats``."""
    if not isinstance(value, Mapping) or "text" not in value:
        return False
    scores = as_mapping(value.get("cats")).values()
    return "ents" in value or (bool(scores) and all(isinstance(score, int | float) for score in scores))


def is_v2_doc(value: Any) -> bool:
    """Return whether a JSON value is a document of spaCy v2's training format."""
    return isinstance(value, Mapping) and isinstance(value.get("paragraphs"), list)


def parse_value(value: Any, ctx: LoadContext) -> AnnotatedText | None:
    """Return the annotated text of a training tuple or of a document.

    :raises MissingLabelError: it is not annotated; names no file.
    :raises DataError: it is invalid; names no file.
    """
    if value is None:
        raise MissingLabelError("null: a text that nobody has annotated", hint="annotate it, or remove it")
    if isinstance(value, Mapping):
        return parse_doc(value, ctx)
    if not is_tuple(value):
        raise DataError(f"a text and its annotations are needed, not {value!r}"[:200], hint="write [text, {entities}]")
    text, annotations = value
    if isinstance(annotations, list):
        annotations = {"entities": annotations}
    return annotated_text(text, as_mapping(annotations), "entities", ctx)


def parse_doc(value: Mapping[str, Any], ctx: LoadContext) -> AnnotatedText | None:
    """Return the annotated text of a document; its words are its tokens."""
    text, tokens = value.get("text"), value.get("tokens") or []
    if not isinstance(text, str):
        raise DataError(f"no text in 'text', the fields are {listed(value)}", hint="write it with Doc.to_json")
    offsets = tuple((token["start"], token["end"]) for token in tokens if text[token["start"] : token["end"]].strip())
    words = (tuple([text[start:end] for start, end in offsets]), offsets) if offsets else None
    tags = [token.get("tag") for token in tokens]
    if ctx.settings.plain_labels and ctx.policy.labels == "required" and any(tags):
        spans = [TextSpan(*pair, str(tag)) for pair, tag in zip(offsets, tags, strict=False) if tag]
        return AnnotatedText(text=text, spans=spans, words=words, metadata={"scheme": "plain"})
    return annotated_text(text, value, "ents", ctx, words=words)


def annotated_text(
    text: str, annotations: Mapping[str, Any], field: str, ctx: LoadContext, **common: Any
) -> AnnotatedText | None:
    """Return a text with its spans or its category, by the kind of the context, or by what there is.

    :param field: the field of the spans.
    :raises MissingLabelError: there are none; names no file.
    """
    annotated = partial(AnnotatedText, text=text, **common)
    if ctx.policy.labels == "ignored":
        return annotated(given=filled_fields(annotations, field, "cats"))
    guess: Kind = "token" if field in annotations else "text"
    if (ctx.kind or guess) == "text":
        return annotated(label=category(as_mapping(annotations.get("cats")), ctx))
    if field not in annotations:
        raise MissingLabelError(
            f"no field '{field}', the fields are {listed(annotations) or 'none'}", hint="annotate it"
        )
    items = [_without_id(item) for item in span_items(annotations[field], ctx)]
    spans, errors = parse_fields(items, text, ctx)
    return annotated(spans=spans, errors=errors)


def v2_records(docs: Iterable[tuple[int, Any]], ctx: LoadContext) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield ``(number, record)`` of each sentence of v2's documents, or of each of their texts with its category."""
    for number, doc in docs:
        for paragraph in doc.get("paragraphs", ()) if isinstance(doc, Mapping) else ():
            if ctx.kind == "text":
                cats = {one["label"]: one["value"] for one in paragraph.get("cats") or ()}
                yield number, {"text": paragraph.get("raw"), "label": category(cats, ctx)}
                continue
            for sentence in paragraph.get("sentences") or ():
                yield number, sentence_record(sentence.get("tokens") or ())


def sentence_record(tokens: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the words of a sentence with their tags; None instead of entity tags of which some are missing."""
    entities = [token.get("ner") for token in tokens]
    record: dict[str, Any] = {"tokens": [token.get("orth") for token in tokens]}
    if any("ner" in token for token in tokens):
        record["tags"] = None if any(tag in _UNKNOWN for tag in entities) else entities
    if all(token.get("tag") for token in tokens):
        record["pos"] = [token["tag"] for token in tokens]
    return record


def _without_id(item: Any) -> Any:
    """Return an entity without the id that spaCy allows after its label."""
    return item[:3] if isinstance(item, list) and len(item) == 4 else item
