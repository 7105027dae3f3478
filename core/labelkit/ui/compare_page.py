"""Two to ten runs side by side: settings, curves, scores with intervals, significance, and differing sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError
from labelkit.metrics.intervals import interval_of
from labelkit.registry import RunDetails, nested
from labelkit.registry.comparison import ComparedScore, Comparison, compare
from labelkit.report import charts, formatting
from labelkit.report.score_tables import FIRST, ScoreCell, label_colours
from labelkit.ui.sentences import sentence_pieces
from labelkit.ui.site import PageAnswer, PageRequest, Site, query

if TYPE_CHECKING:
    from labelkit.evaluation.comparison import SignificanceTest
    from labelkit.evaluation.inspection import Inspection
    from labelkit.report.error_examples import TextPiece

FEWEST, MOST = 2, 10
#: sentences of a page
SENTENCES = 20
#: the split whose sentences are compared: a look at test would be counted
SPLIT = "validation"


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A score of each run with its interval, and its difference to that of the first run."""

    name: str
    split: str
    type: str | None
    key: bool
    cells: Sequence[ScoreCell]
    differences: Sequence[str]


@dataclass(frozen=True, slots=True)
class DifferingSentence:
    """A sentence that the runs label differently: its gold labels, and the labels of each run."""

    place: str
    gold: Sequence[TextPiece]
    predicted: Sequence[Sequence[TextPiece]]


def show_compare(site: Site, request: PageRequest) -> PageAnswer:
    """Return the page that compares the runs in the query string."""
    runs = compared_runs(site, request)
    found = compare(runs)
    ids = [run.record.id for run in runs]
    return site.page(
        "compare.html", request, runs=runs, found=found, ids=ids, address=f"/compare{query({'run': ids})}",
        titles=[run.record.name or run.record.id for run in runs], charts=compared_charts(runs),
        rows=score_rows(runs, found), significance=site.background.find(_key("significance", ids)),
        sentences=site.background.find(_key("sentences", ids)), **_sentence_values(site, runs, request),
    )  # fmt: skip


def start_significance(site: Site, request: PageRequest) -> PageAnswer:
    """Start the significance tests of the runs in the form; each is recorded as a look at test."""
    from labelkit.evaluation.comparison import check_comparable

    runs = compared_runs(site, request)
    check_comparable(runs)

    def work(say: Any) -> list[SignificanceTest]:
        from labelkit.evaluation.comparison import compare_runs

        return compare_runs(runs, site.catalog, site.environment, site.home, say)

    return _started(site, runs, "significance", work)


def start_sentences(site: Site, request: PageRequest) -> PageAnswer:
    """Start labelling validation with each run in the form.

    :raises LabelkitError: the runs have no validation data in common.
    """
    runs = compared_runs(site, request)
    hashes = {one.content_hash for run in runs for one in run.record.splits if one.split == SPLIT}
    if len(hashes) != 1 or any(all(one.split != SPLIT for one in run.record.splits) for run in runs):
        raise LabelkitError(f"the {SPLIT} data of the runs differ", hint="compare runs with the same data")

    def work(say: Any) -> list[Inspection]:
        return [site.labellers.inspect(run, SPLIT, say) for run in runs]

    return _started(site, runs, "sentences", work)


def _started(site: Site, runs: Sequence[RunDetails], what: str, work: Any) -> PageAnswer:
    ids = [run.record.id for run in runs]
    site.background.start(_key(what, ids), work)
    return PageAnswer(location=f"/compare{query({'run': ids})}#{what}")


def _key(what: str, ids: Sequence[str]) -> tuple[str, ...]:
    return (what, *ids)


def compared_runs(site: Site, request: PageRequest) -> list[RunDetails]:
    """Return the runs that a request names.

    :raises LabelkitError: they are too few or too many, or one is unknown.
    """
    names = request.words("run")
    if not FEWEST <= len(names) <= MOST:
        raise LabelkitError(
            f"{len(names)} runs are selected: a comparison takes {FEWEST} to {MOST}",
            hint="select them on the page Runs",
        )
    with site.registry() as registry:
        ids = dict.fromkeys(registry.runs.find(name).id for name in names)
        return [registry.runs.get(run) for run in ids]


def compared_charts(runs: Sequence[RunDetails]) -> list[charts.Chart]:
    """Return the deciding metric on validation and the losses, with a curve for each run."""
    key = runs[0].record.metric_key
    wanted = [(f"Validation {key}", "validation", key), ("Training loss", "train", "loss")]
    wanted.append(("Validation loss", "validation", "loss"))
    drawn = [
        charts.chart(
            title,
            {
                f"{number}: {title_of(run)}": charts.metric_points(run.metrics, split, name)
                for number, run in enumerate(runs, 1)
            },
        )
        for title, split, name in wanted
    ]
    return [one for one in drawn if one is not None]


def title_of(run: RunDetails) -> str:
    """Return the name of a run, or its id, as far as a legend has room."""
    return formatting.truncate(run.record.name or run.record.id, 40)


def score_rows(runs: Sequence[RunDetails], found: Comparison) -> list[ScoreRow]:
    """Return the main scores of whole splits and of types, in the order of the comparison."""
    figures = [nested(run.scores) for run in runs]
    keys = {run.record.metric_key for run in runs}
    of_types = keys & {one.name for one in found.scores if one.type} or {"f1"}
    several = len({one.task for one in found.scores}) > 1
    return [
        ScoreRow(
            name=f"{one.task}: {formatting.score_name(one.name)}" if several else formatting.score_name(one.name),
            split=one.split,
            type=one.type,
            key=one.key,
            cells=[_cell(one, value, figures[number]) for number, value in enumerate(one.values)],
            differences=[_difference(value) if one.comparable else "" for value in one.differences],
        )
        for one in found.scores
        if (one.name in of_types if one.type else one.name in keys or one.name in FIRST)
    ]


def _cell(score: ComparedScore, value: object, figures: Any) -> ScoreCell:
    own = figures.get(score.split, {}).get(score.task, {})
    return ScoreCell(
        formatting.figure(value, score.name), formatting.interval(interval_of(own, score.name, score.type))
    )


def _difference(value: float | None) -> str:
    return "" if value is None or value == 0 else f"{value:+.4f}"


def _sentence_values(site: Site, runs: Sequence[RunDetails], request: PageRequest) -> dict[str, Any]:
    work = site.background.find(_key("sentences", [run.record.id for run in runs]))
    if work is None or not work.done or work.error:
        return {"differing_shown": [], "differing": 0, "page": 1}
    found: list[Inspection] = work.result
    examples, layer = found[0].gold.examples, found[0].layer
    differing = [
        number
        for number in range(len(examples))
        if any(one.predicted[number] != found[0].predicted[number] for one in found[1:])
    ]
    word = request.word("sentences", "1")
    page = int(word) if word.isdecimal() and 0 < int(word) < 10**6 else 1
    colours = label_colours(found[0].schema)
    shown = []
    for number in differing[SENTENCES * (page - 1) : SENTENCES * page]:
        example = examples[number]
        predicted = [
            sentence_pieces(example, one.predicted[number], one.schema, colours, _differing_words(found, number))
            for one in found
        ]
        gold = sentence_pieces(example, example.labels[layer], found[0].schema, colours)
        shown.append(DifferingSentence(str(example.place or f"example {example.id}"), gold, predicted))
    return {"differing_shown": shown, "differing": len(differing), "page": page}


def _differing_words(found: Sequence[Inspection], number: int) -> set[int]:
    """Return the positions of the words of a sentence that the runs label differently."""
    labels = [one.predicted[number] for one in found]
    if any(isinstance(one, str) for one in labels):
        return {0} if len(set(labels)) > 1 else set()
    return {place for place, column in enumerate(zip(*labels, strict=False)) if len(set(column)) > 1}
