"""Annotated texts of all annotation tools as examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from labelkit.errors import DataError
from labelkit.formats.class_labels import LabelParser, MissingLabelError, report_several
from labelkit.formats.columns import listed
from labelkit.formats.examples import NOT_KEPT, free_name
from labelkit.formats.labelled_json import prediction_error
from labelkit.formats.reviewed_regions import reviewed_regions
from labelkit.labels.label_sets import SeveralLabelsError
from labelkit.labels.notation import Notation
from labelkit.labels.span_tagger import SpanTagger
from labelkit.labels.spans import TextSpan, joined_offsets, offsets_of
from labelkit.labels.unknown import unknown_outside
from labelkit.records import Example, LoadContext, Place, Scheme
from labelkit.records.examples import Offsets
from labelkit.text.splitters import split

Item = TypeVar("Item")
_NOTATIONS: tuple[str, ...] = (*get_args(Scheme), "plain")


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotatedText:
    """One record of a tool's file.

    :param spans: its spans; None for a classified text.
    :param label: the class of a classified text.
    :param metadata: what labelkit wrote with the record, see :mod:`labelkit.formats.tools.span_records`.
    :param id: the tool's id, for records without one in ``metadata``.
    :param extra: the user's own fields.
    :param words: the words and their offsets, if the tool stores them.
    :param document: its document; the user's own field ``document`` comes first.
    :param errors: errors of spans that were dropped, see :attr:`SpanLocator.errors`.
    :param reviewed: start and end of the regions of the text that somebody has annotated; None for those that the field
        of :data:`labelkit.formats.reviewed_regions.FIELD` gives, or else all of it.
    :param predicted_by: who predicted its labels, if nobody has reviewed them.
    :param given: where labels are ignored: the labels that it has, by their field, as the tool writes them.
    """

    text: str
    spans: Sequence[TextSpan] | None = None
    label: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    id: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[tuple[str, ...], Offsets] | None = None
    document: str | None = None
    errors: Sequence[DataError] = ()
    predicted_by: str | None = None
    reviewed: Sequence[tuple[int, int]] | None = None
    given: Mapping[str, Any] = field(default_factory=dict)

    def example(
        self, number: int, place: Place, ctx: LoadContext, tagger: SpanTagger, parser: LabelParser
    ) -> Example | None:
        """Return the example; None if its spans cut words, which ``tagger`` reports at the end.

        :param number: its id if the record has none.
        :raises MissingLabelError: the text has no class; names no file.
        :raises DataError: the label or the words are invalid, or the labels are predictions; names no file.
        """
        document = self.extra.get("document", self.document)
        identifier = self.metadata.get("id", self.id)
        common: dict[str, Any] = {
            "text": self.text,
            "id": str(number) if identifier is None else str(identifier),
            "document": None if document is None else str(document),
            "extra": dict(self.extra),
            "place": place,
        }
        if ctx.policy.labels == "ignored":
            known = "words" in self.metadata or self.words is not None
            words, offsets = self.split_words(ctx) if known else (None, None)
            self._carry_labels(common["extra"], ctx)
            return Example(words=words, offsets=offsets, **common)
        if self.predicted_by and not ctx.settings.predictions_as_gold:
            raise prediction_error(self.predicted_by)
        if self.spans is None:
            return Example(labels={ctx.layer or "label": parser.text(self.label)}, **common)
        words, offsets = self.split_words(ctx)
        scheme = self.metadata.get("scheme")
        notation: Notation | None = scheme if scheme in _NOTATIONS else None
        labels = tagger.labels(self.spans, self.text, words, offsets, place, notation)
        if labels is None:
            return None
        regions = reviewed_regions(self.extra, self.text, ctx) if self.reviewed is None else self.reviewed
        if regions is not None:
            labels = unknown_outside(labels, offsets, regions)
        return Example(words=words, offsets=offsets, labels={ctx.layer or "labels": labels}, **common)

    def _carry_labels(self, extra: dict[str, Any], ctx: LoadContext) -> None:
        """Add the labels of the input to the own fields; those that were predicted are not kept, and counted."""
        for name, value in self.given.items():
            if self.predicted_by or is_predicted(self.metadata):
                ctx.policy.counts[NOT_KEPT.format(name)] += 1
            else:
                extra[free_name(name, extra)] = value

    def split_words(self, ctx: LoadContext) -> tuple[tuple[str, ...], Offsets]:
        """Return words and offsets: those that labelkit wrote, those of the tool, or else those of the splitter.

        :raises DataError: the words that labelkit wrote are not those of the text; names no file.
        """
        text, words, stored = self.text, self.metadata.get("words"), self.metadata.get("offsets")
        if words is None:
            if self.words is not None:
                return self.words
            found = split(text, ctx.settings.splitter)
            return tuple([text[start:end] for start, end in found]), found
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise DataError("the words in the field 'labelkit' must be a list of strings", hint="leave them out")
        offsets = offsets_of(words, text) if stored is None else parse_offsets(stored, text)
        if offsets is None and text == " ".join(words):
            offsets = joined_offsets(words)
        if offsets is None or len(offsets) != len(words):
            raise DataError(
                "the words that labelkit wrote beside the text are not those of the text",
                hint="the text was changed: leave the field 'labelkit' out, so that it is split anew",
            )
        return tuple(words), offsets


def read_annotations(
    path: Path, ctx: LoadContext, records: Iterable[tuple[int, Item]], parse: Callable[[Item], AnnotatedText | None]
) -> Iterator[Example]:
    """Yield the example of each ``(line, record)``, without those for which ``parse`` returns None.

    Records without a label, for which ``parse`` raises the error of one, are left out and counted.

    :raises DataError: a record is invalid, with file and line; at the end, if spans cut words, classes are several
        labels in one, or no record has a label.
    """
    tagger, parser, file, number = SpanTagger(ctx), LabelParser(ctx), str(path), 0
    found = False
    unlabelled: DataError | None = None
    for line, record in records:
        place = Place(file=file, line=line)
        try:
            annotated = parse(record)
            if annotated is None:
                continue
            number += 1
            for error in annotated.errors:
                ctx.policy.drop_span(error.at(place))
            example = annotated.example(number, place, ctx, tagger, parser)
        except MissingLabelError as error:
            unlabelled = unlabelled or error.at(place)
            ctx.policy.leave_out(error.counted_as, error.at(place))
            continue
        except SeveralLabelsError as error:
            report_several(error.at(place), ctx)
            continue
        except DataError as error:
            ctx.policy.skip_record(error.at(place))
            continue
        if example is not None:
            found = True
            yield example
    tagger.finish()
    parser.finish(path)
    if unlabelled is not None and not found and ctx.policy.on_bad_record is None:
        raise unlabelled


def filled_fields(record: Mapping[str, Any], *names: str | None) -> dict[str, Any]:
    """Return those of the fields ``names`` that a record has and that hold something: its labels."""
    return {name: record[name] for name in names if name is not None and record.get(name)}


def span_objects(spans: Iterable[TextSpan]) -> list[dict[str, Any]]:
    """Return spans as objects for JSON, as in the own field of labels that the input has."""
    return [{"start": span.start, "end": span.end, "label": span.label} for span in spans]


def text_field(record: Mapping[str, Any], name: str) -> str:
    """Return the text of a record.

    :raises DataError: the field ``name`` is missing or not a string; names no file.
    """
    value = record.get(name)
    if not isinstance(value, str):
        missing = f"no text in '{name}', the fields are {listed(record)}"
        raise DataError(
            missing if value is None else f"the text in '{name}' must be a string, not {value!r}"[:300],
            hint="choose the field of the text: --columns text=…",
        )
    return value


def is_predicted(metadata: Mapping[str, Any]) -> bool:
    """Return whether labelkit predicted the labels of the record that it wrote ``metadata`` with."""
    return isinstance(metadata.get("coverage"), Mapping)


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return ``value`` if it is an object, or else an empty one."""
    return value if isinstance(value, Mapping) else {}


def parse_offsets(value: Any, text: str) -> Offsets | None:
    """Return pairs of offsets in ``text`` from a list; None if it is invalid."""
    try:
        found = tuple([(start, end) for start, end in value])
    except (TypeError, ValueError):
        return None
    valid = all(type(start) is int and type(end) is int and 0 <= start <= end <= len(text) for start, end in found)
    return found if valid else None
