"""Label a text with one run or several, side by side; models are loaded when a text is sent."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labelkit.config.joint import JOINED_BY
from labelkit.errors import LabelkitError
from labelkit.records.contents import shown_texts
from labelkit.report.formatting import truncate
from labelkit.report.score_tables import label_colours
from labelkit.ui.site import PageAnswer, PageRequest, Site

if TYPE_CHECKING:
    from labelkit.encode.alignment import Encoding
    from labelkit.label.assembly import PreparedBatch, ScoredBatch
    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.records import Labelled, Schema
    from labelkit.registry import RunSummary

#: runs that are offered, and that can be asked at once
OFFERED, MOST = 8, 6
#: characters of the longest text
LONGEST = 2_000_000
#: words in the table of words, and characters of the record that is shown as JSON
WORDS, RECORD = 500, 300_000
#: what the text field holds at first
EXAMPLE = "The Golden State Warriors are an American professional basketball team based in San Francisco."


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the text: a span with its label, or what is between two spans.

    :param start: the position in the text, in code points.
    """

    text: str
    start: int
    label: str | None = None
    score: str = ""
    colour: int = 0


@dataclass(frozen=True, slots=True)
class WordLabel:
    """A word with its label, the confidence of that, and its subwords."""

    word: str
    label: str
    confidence: str
    subwords: Sequence[str]


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A window of the text, as the encoder read it.

    :param words: the first and the last word that took their labels from it, counted from 1; None of whole texts.
    """

    subwords: int
    words: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """What a run makes of a text; ``error`` says why nothing."""

    run: str
    title: str
    error: LabelkitError | None = None
    record: Labelled | None = None
    segments: Sequence[Segment] = ()
    words: Sequence[WordLabel] = ()
    windows: Sequence[WindowRow] = ()
    scores: Sequence[tuple[str, float, int]] = ()
    chosen: Sequence[str] = ()
    document: str = ""
    curl: str = ""
    labels: Sequence[tuple[str, int]] = field(default=())


def show_playground(site: Site, request: PageRequest) -> PageAnswer:
    """Return the page with a text to write, and the runs to choose from."""
    return site.page("playground.html", request, text=EXAMPLE, pair="", results=None, **_choices(site, request))


def label_text(site: Site, request: PageRequest) -> PageAnswer:
    """Return the page with the labels of the text in the form, or the labels alone for htmx.

    :raises LabelkitError: no text or no run is given, or too much of it, or a run is unknown.
    """
    text, names = request.text("text"), [*request.words("run"), *request.word("more").replace(",", " ").split()]
    pair = request.text("pair") or None
    if not text.strip():
        raise LabelkitError("there is no text", hint="write one")
    if len(text) + len(pair or "") > LONGEST:
        raise LabelkitError(f"the text is longer than {LONGEST:,} characters", hint="labelkit label reads files")
    if not names or len(names) > MOST:
        raise LabelkitError(f"{len(names)} runs are chosen", hint=f"choose one to {MOST}")
    with site.registry() as registry:
        found = {one.id: one for one in (registry.runs.find(name, finished=True) for name in names)}
    results = site.background.call(
        lambda: [each for one in found.values() for each in labelled_by(site, one, text, pair)]
    )
    template = "playground_results.html" if request.fragment else "playground.html"
    choices = {} if request.fragment else _choices(site, request)
    return site.page(template, request, text=text, pair=pair or "", results=results, **choices)


def _choices(site: Site, request: PageRequest) -> dict[str, Any]:
    """Return the runs that are offered: those that were asked for, aliased ones, and the newest."""
    asked = request.words("run")
    with site.registry() as registry:
        offered = {one.id: one for one in (registry.runs.find(name, finished=True) for name in asked)}
        chosen = list(offered)
        usable = "status in (finished, adopted)"
        aliased = registry.runs.search(where=f"{usable} and alias is not null", limit=OFFERED)
        for one in (*aliased, *registry.runs.search(where=usable, limit=OFFERED)):
            if len(offered) < OFFERED:
                offered.setdefault(one.id, one)
    if not chosen:
        chosen = list(offered)[:1]
    return {"offered": list(offered.values()), "chosen": chosen, "more": request.word("more")}


def labelled_by(site: Site, run: RunSummary, text: str, pair: str | None = None) -> list[LabelledText]:
    """Return what a run makes of a text, or of a pair of texts, for each task; in the thread of background work."""
    from labelkit.label.joint import JointLabeller
    from labelkit.records import Example

    title = run.name or run.id
    try:
        labeller = site.labellers.open(run.id, all_tasks=JOINED_BY in run.task)
        batch = labeller.prepare([Example(id="1", text=text, pair=pair)])
        scored = labeller.compute(batch)
        (record,) = labeller.finish(batch, scored)
        if not isinstance(labeller, JointLabeller):
            words = words_of(labeller.info, labeller.encoding, batch, scored, record)
            return [described(labeller.info, batch, record, title, words, record)]
        found = []
        for task, one in labeller.by_task(batch, scored).items():
            layer = record.layers[task]
            words = words_of(one.info, labeller.encoding, one.batch, one.scored, layer)
            found.append(described(one.info, one.batch, layer, f"{title}: {task}", words, record))
    except LabelkitError as error:
        return [LabelledText(run=run.id, title=title, error=error)]
    return found


def described(
    info: CheckpointInfo,
    batch: PreparedBatch,
    record: Labelled,
    title: str,
    words: Sequence[WordLabel],
    whole: Labelled,
) -> LabelledText:
    """Return the record of a task as the page shows it.

    :param whole: the record with the layers of all tasks.
    """
    from labelkit.formats.labelled_json import to_json

    colours = label_colours(info.schema)
    document = json.dumps(to_json(whole), ensure_ascii=False, allow_nan=False, indent=1)
    pair = {"records": [{"text": record.text, "pair": record.pair}]}
    body = json.dumps({"texts": [record.text]} if record.pair is None else pair, ensure_ascii=False, allow_nan=False)
    curl = f"curl http://127.0.0.1:8000/v1/label -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    scores = sorted((record.scores or {}).items(), key=lambda pair: -pair[1])
    chosen = [record.label] if record.label is not None else list(record.labels or ()) if record.scores else []
    return LabelledText(
        run=info.run,
        title=title,
        record=record,
        segments=segments_of(record, info.schema, colours),
        words=words,
        windows=windows_of(batch),
        scores=[(label, score, colours.get(label, 0)) for label, score in scores],
        chosen=chosen,
        document=document if len(document) <= RECORD else "",
        curl=curl if len(curl) <= RECORD else "",
        labels=list(colours.items()),
    )


def segments_of(record: Labelled, schema: Schema, colours: dict[str, int]) -> list[Segment]:
    """Return the text in pieces, whose texts joined are the text itself.

    >>> from labelkit.records import Coverage, Labelled, Schema, Span
    >>> span = Span(start=2, end=4, label="PER", text="Al", score=0.9)
    >>> record = Labelled(id="1", text="« Al »", coverage=Coverage(words=3, windows=1), words=(), spans=(span,))
    >>> [(one.text, one.label) for one in segments_of(record, Schema.bio("ner", "PER"), {"PER": 0})]
    [('« ', None), ('Al', 'PER'), (' »', None)]
    """
    if record.words is None:
        return [Segment(shown_texts(record.text, record.pair), 0)]
    if record.spans is not None:
        found = [(one.start, one.end, one.label, f"{one.score:.2f}") for one in record.spans]
    else:
        rows = zip(record.offsets or (), record.labels or (), strict=True)
        found = [(start, end, label, "") for (start, end), label in rows]
    pieces, at = list[Segment](), 0
    for start, end, label, score in found:
        if start > at:
            pieces.append(Segment(record.text[at:start], at))
        pieces.append(Segment(record.text[start:end], start, label, score, colours.get(label, 0)))
        at = end
    return [*pieces, Segment(record.text[at:], at)] if at < len(record.text) else pieces


def words_of(
    info: CheckpointInfo, encoding: Encoding, batch: PreparedBatch, scored: ScoredBatch, record: Labelled
) -> list[WordLabel]:
    """Return the words with their labels, confidences and subwords; nothing for whole texts."""
    import numpy as np

    from labelkit.inference.calibration import apply_temperature

    if record.words is None or record.labels is None:
        return []
    names = {label: number for number, label in enumerate(info.schema.label_names)}
    values = np.exp(apply_temperature(scored.scores.values[:WORDS], info.temperature))
    subwords = subwords_of(encoding, batch)
    return [
        WordLabel(truncate(word, 80), label, f"{values[number, names[label]]:.3f}", subwords.get(number, ()))
        for number, (word, label) in enumerate(zip(record.words[:WORDS], record.labels, strict=False))
    ]


def subwords_of(encoding: Encoding, batch: PreparedBatch) -> dict[int, list[str]]:
    """Return the subwords of each of the first words, by the window that the word took its label from."""
    backend = encoding.content.backend
    found: dict[int, list[str]] = {}
    for window in batch.encoded.windows:
        for id_, word in zip(window.ids.tolist(), window.words.tolist(), strict=True):
            if 0 <= word < WORDS:
                found.setdefault(word, []).append(str(backend.id_to_token(id_)))
    return found


def windows_of(batch: PreparedBatch) -> list[WindowRow]:
    """Return the windows in which the encoder read the text."""
    rows = []
    for window in batch.encoded.windows:
        own = window.words[window.words >= 0]
        words = (int(own.min()) + 1, int(own.max()) + 1) if len(own) and batch.examples[0].words else None
        rows.append(WindowRow(len(window.ids), words))
    return rows
