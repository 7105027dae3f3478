"""What labelling may not lose, whatever it is given: words, text, labels, places and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labelkit.records import Labelled, Labels
from labelkit.testing.base import Broken, calling, require_none
from labelkit.testing.hostile import TEXTS, WORDS
from labelkit.testing.trials import Trial, labels_of


def lossless(trial: Trial) -> None:
    """Ask whether hostile text is labelled without loss."""
    texts: Sequence[str | tuple[str, ...]] = (*TEXTS, *(WORDS if trial.kind == "token" else ()))
    faults = (fault for text in texts for fault in _losses(trial, text))
    require_none(
        faults, "let decoders and preprocessors take any text: empty, endless, of all scripts, with control characters"
    )


def _losses(trial: Trial, text: str | tuple[str, ...]) -> Iterator[str]:
    try:
        with calling(f"labelling with task '{trial.name}'", ""):
            record = trial.labeller.label(text)
    except Broken as broken:
        yield f"{text!r:.60}: {broken.why}"
        return
    faults = _text_losses(record, text) if trial.kind == "text" else _word_losses(record, text)
    known = set(trial.labeller.labels)
    strange = [label for label in _each(labels_of(record)) if label not in known]
    yield from (f"{text!r:.60}: {fault}" for fault in faults)
    yield f"{text!r:.60}: {strange[0]!r} is no label of the schema" if strange else ""


def _each(labels: Labels) -> tuple[str, ...]:
    return (labels,) if isinstance(labels, str) else labels


def _text_losses(record: Labelled, text: str | tuple[str, ...]) -> Iterator[str]:
    scores = record.scores or {}
    if record.text != text:
        yield "the text does not come back as it was"
    if not scores or not all(0 <= score <= 1 for score in scores.values()):
        yield f"the scores are {scores}"


def _word_losses(record: Labelled, given: str | tuple[str, ...]) -> Iterator[str]:
    words, offsets, text = record.words or (), record.offsets or (), record.text
    if given != (text if isinstance(given, str) else words):
        yield "the text does not come back as it was"
    if not len(words) == len(record.labels or ()) == len(offsets) == record.coverage.words:
        yield f"{len(words)} words have {len(record.labels or ())} labels"
    if any(text[start:end] != word for word, (start, end) in zip(words, offsets, strict=False)):
        yield "words do not stand where their offsets say"
    for span in record.spans or ():
        if span.text != text[span.start : span.end] or not 0 <= (span.score or 0) <= 1:
            yield f"span {span.start} to {span.end} is not '{span.text}' with a score between 0 and 1"
