"""Likely annotation mistakes by the examples that hold them, ready to be looked at again by people."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelkit.data.convert import to_labelled
from labelkit.evaluate.label_errors import LabelQuality
from labelkit.records import Example, Format, Labelled

#: the own field of a record to review that says what is odd
FIELD = "suspects"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelError:
    """A word (or text) that may be annotated wrongly.

    :param rank: 1 for the likeliest mistake.
    :param example: the position of its example, and ``word`` its position there; None for a whole text.
    :param given: its class: the type of the span it is in, O outside, or its label.
    :param suggested: what the model takes it for, with the probability ``chance``.
    :param quality: the probability of the class that it has.
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
        """Return it ready for JSON."""
        found = {name: value for name, value in asdict(self).items() if name != "example"}
        return {**found, "chance": round(self.chance, 6), "quality": round(self.quality, 6)}


def find_label_errors(
    ranking: LabelQuality, examples: Sequence[Example], lengths: NDArray[np.int64]
) -> list[LabelError]:
    """Return the words that confident learning takes for mistaken, the likeliest mistake first.

    :param lengths: words of each example, int64 of shape (examples,).
    """
    borders = np.concatenate(([0], np.cumsum(lengths)))
    places = ranking.suspects
    numbers = (np.searchsorted(borders, places, side="right") - 1).tolist()
    found = []
    for rank, (place, number) in enumerate(zip(places.tolist(), numbers, strict=True), 1):
        example = examples[number]
        word = None if example.words is None else place - int(borders[number])
        found.append(
            LabelError(
                rank=rank,
                example=number,
                word=word,
                text=example.text or "" if example.words is None or word is None else example.words[word],
                given=ranking.classes[ranking.given[place]],
                suggested=ranking.classes[ranking.suggested[place]],
                chance=float(ranking.chance[place]),
                quality=float(ranking.quality[place]),
            )
        )
    return found


def preserves_field(writer: Format, record: Labelled) -> bool:
    """Return whether a format writes down the field that says what is odd: some hold labels alone."""
    from labelkit.evaluate.evaluation import write_predictions

    mark = "labelkit0suspects0mark"
    with tempfile.TemporaryDirectory(prefix="labelkit-") as folder:
        path = Path(folder) / "probe"
        write_predictions(path, writer, [replace(record, extra={FIELD: [{"text": mark}]})], force=False)
        return any(mark.encode() in one.read_bytes() for one in path.parent.rglob("*") if one.is_file())


def review_records(suspects: Sequence[LabelError], examples: Sequence[Example], layer: str) -> Iterator[Labelled]:
    """Yield the examples that hold suspects as they are annotated, the one with the likeliest mistake first.

    What is odd about each stands in its field ``suspects``.
    """
    by_example: dict[int, list[LabelError]] = {}
    for suspect in suspects:
        by_example.setdefault(suspect.example, []).append(suspect)
    for number, here in by_example.items():
        example = examples[number]
        odd = [{name: value for name, value in one.to_json().items() if name != "text" or one.word is not None}
               for one in here]  # fmt: skip
        record = to_labelled(replace(example, labels={layer: example.labels[layer]}))
        yield replace(record, extra={**record.extra, FIELD: odd})
