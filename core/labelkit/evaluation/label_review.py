"""Likely label errors with their examples, as records to review in an annotation tool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.data.convert import to_labelled
from labelkit.evaluation.label_errors import LabelQuality
from labelkit.records import Example, Labelled
from labelkit.records.contents import shown_content

#: the field of a record to review that lists its label errors
FIELD = "suspects"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelError:
    """A word (or text) whose label is probably wrong.

    :param rank: 1 for the likeliest error.
    :param example: the position of its example, and ``word`` its position there; None for a whole text.
    :param given: its annotated class: the type of its span, O outside, or its label.
    :param suggested: the class that the model predicts, with the probability ``chance``.
    :param quality: the probability of the annotated class.
    """

    rank: int
    example: int
    word: int | None
    text: str
    given: str
    suggested: str
    chance: float
    quality: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields ready for JSON, without the position of the example."""
        fields = {name: value for name, value in asdict(self).items() if name != "example"}
        return {**fields, "chance": round(self.chance, 6), "quality": round(self.quality, 6)}


def find_label_errors(
    quality: LabelQuality, examples: Sequence[Example], lengths: NDArray[np.int64]
) -> list[LabelError]:
    """Return the flagged words with their examples, the likeliest label error first.

    :param lengths: words of each example, int64 of shape (examples,).
    """
    starts = np.concatenate(([0], np.cumsum(lengths)))
    numbers = (np.searchsorted(starts, quality.errors, side="right") - 1).tolist()
    found = []
    for rank, (place, number) in enumerate(zip(quality.errors.tolist(), numbers, strict=True), 1):
        words = examples[number].words
        word = None if words is None else place - int(starts[number])
        found.append(
            LabelError(
                rank=rank,
                example=number,
                word=word,
                text=shown_content(examples[number]) if words is None or word is None else words[word],
                given=quality.classes[quality.given[place]],
                suggested=quality.classes[quality.suggested[place]],
                chance=float(quality.chance[place]),
                quality=float(quality.quality[place]),
            )
        )
    return found


def review_records(errors: Sequence[LabelError], examples: Sequence[Example], layer: str) -> Iterator[Labelled]:
    """Yield the examples with label errors as they are annotated, the one with the likeliest error first.

    Their errors are listed in the field :data:`FIELD`, with file and line where these are known.
    """
    by_example: dict[int, list[LabelError]] = {}
    for error in errors:
        by_example.setdefault(error.example, []).append(error)
    for number, own in by_example.items():
        example = examples[number]
        listed = [error.to_json() for error in own]
        if example.words is None:  # the text is in the record already
            listed = [{name: value for name, value in fields.items() if name != "text"} for fields in listed]
        if example.place is not None:
            lines = [example.place.line_of(error.word) for error in own]
            listed = [
                {**one, "file": example.place.file, "line": line} for one, line in zip(listed, lines, strict=True)
            ]
        record = to_labelled(replace(example, labels={layer: example.labels[layer]}))
        yield replace(record, extra={**record.extra, FIELD: listed})
