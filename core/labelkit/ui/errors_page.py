"""The mistakes of a run in a split, from the confusion matrix to sentences, and likely annotation mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError
from labelkit.evaluation.error_analysis import Mistake, kind_name, mistake_kinds
from labelkit.metrics.entities import NONE
from labelkit.report.error_examples import MEANING, SET_MEANING
from labelkit.report.score_tables import ConfusionTable, confusion_table, label_colours
from labelkit.ui.run_page import find_run
from labelkit.ui.sentences import WordRow, sentence_pieces, word_rows
from labelkit.ui.site import PageAnswer, PageRequest, Site, part, query

if TYPE_CHECKING:
    from labelkit.evaluation.inspection import Inspection
    from labelkit.evaluation.label_review import LabelError
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import RunDetails
    from labelkit.report.error_examples import TextPiece
    from labelkit.ui.background import Work

#: sentences of a page
PAGE = 20
DEFAULT_SPLIT = "validation"


@dataclass(frozen=True, slots=True)
class MistakenSentence:
    """A sentence with its mistakes.

    :param number: the position of its example, to select it.
    :param remarks: a line for each mistake or likely annotation mistake in it.
    """

    number: int
    place: str
    remarks: Sequence[str]
    gold: Sequence[TextPiece]
    predicted: Sequence[TextPiece]
    words: Sequence[WordRow]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sentences a visitor wants to see.

    :param view: ``mistakes``, or ``annotation`` for likely annotation mistakes.
    :param gold: only mistakes with this gold label; ``predicted``: only those with this predicted label.
    :param kind: only mistakes of this kind.
    """

    split: str
    view: str = "mistakes"
    gold: str = ""
    predicted: str = ""
    kind: str = ""
    page: int = 1

    @classmethod
    def of(cls, request: PageRequest) -> Choice:
        """Return what a request asks for."""
        words = {name: request.word(name) for name in ("gold", "predicted", "kind")}
        view = "annotation" if request.word("view") == "annotation" else "mistakes"
        return cls(request.word("split") or DEFAULT_SPLIT, view, page=request.page, **words)

    def fields(self, **changes: Any) -> dict[str, Any]:
        """Return the fields of the address of this choice with some changes."""
        found = {name: getattr(self, name) for name in ("split", "view", "gold", "predicted", "kind", "page")}
        defaults = {"view": "mistakes", "page": 1}
        return {name: value for name, value in (found | changes).items() if value != defaults.get(name)}

    def holds(self, mistake: Mistake) -> bool:
        """Return whether a mistake is wanted."""
        labels = (label_of(mistake.gold), label_of(mistake.predicted))
        wanted = ((self.kind, mistake.kind), (self.gold, labels[0]), (self.predicted, labels[1]))
        return all(not word or word == found for word, found in wanted)


def label_of(span: Any) -> str:
    """Return the label of a span; O for none."""
    return span.label if span else NONE


def show_errors(site: Site, request: PageRequest) -> PageAnswer:
    """Return the page of errors of a run, or the part of it that waits for the labeller."""
    with site.registry() as registry:
        details = find_run(registry, request)
    choice = Choice.of(request)
    work: Work[Inspection] | None = site.background.find(work_key(details, choice.split))
    values: dict[str, Any] = {
        "run": details,
        "choice": choice,
        "work": work,
        "splits": splits_of(details),
        "label_studio": site.label_studio,
    }
    values["title"] = details.record.name or details.record.id
    if work is not None and work.done and not work.error:
        values |= inspection_values(work.result, choice, site.catalog)
    template = "errors_body.html" if request.fragment else "errors.html"
    return site.page(template, request, **values)


def start_errors(site: Site, request: PageRequest) -> PageAnswer:
    """Start labelling a split of a run; of test, this is counted as a scoring of it."""
    with site.registry() as registry:
        details = find_run(registry, request)
    split = Choice.of(request).split
    if split not in splits_of(details):
        raise LabelkitError(f"the run has no {split} split", hint=f"it has: {', '.join(splits_of(details)) or 'none'}")
    site.background.start(work_key(details, split), lambda say: site.labellers.inspect(details, split, say))
    return PageAnswer(location=f"/runs/{part(details.record.id)}/errors{query({'split': split})}")


def work_key(details: RunDetails, split: str) -> tuple[str, str, str]:
    """Return the key of the work that labels a split."""
    return "errors", details.record.id, split


def splits_of(details: RunDetails) -> list[str]:
    """Return the splits of a run, validation first and train last."""
    names = [one.split for one in details.record.splits]
    return sorted(names, key=lambda name: (name == "train", name != DEFAULT_SPLIT, name))


def inspection_values(found: Inspection, choice: Choice, catalog: Catalog) -> dict[str, Any]:
    """Return what the template shows of an inspection."""
    numbers = chosen_examples(found, choice)
    shown = numbers[PAGE * (choice.page - 1) : PAGE * choice.page]
    colours = label_colours(found.schema, found.analysis.by_type)
    meaning = SET_MEANING if found.schema.multilabel else MEANING
    kinds = mistake_kinds(found.schema)
    return {
        "found": found,
        "matrix": confusion_of(found),
        "kinds": [(kind, kind_name(kind), meaning[kind], found.analysis.kinds[kind]) for kind in kinds],
        "sentences": [mistaken_sentence(found, number, choice, colours) for number in shown],
        "total": len(numbers),
        "pages": -(-len(numbers) // PAGE),
        "formats": writable_formats(catalog, found),
    }


def confusion_of(found: Inspection) -> ConfusionTable | None:
    """Return gold against predicted labels, where a span without a counterpart is O there."""
    rows: dict[str, Counter[str]] = {}
    for name, counts in found.analysis.by_type.items():
        rows.setdefault(name, Counter())[name] += counts["right"]
    for mistake in found.analysis.mistakes:
        gold, predicted = label_of(mistake.gold), label_of(mistake.predicted)
        if gold != predicted:
            rows.setdefault(gold, Counter())[predicted] += 1
    return confusion_table(rows, found.schema)


def chosen_examples(found: Inspection, choice: Choice) -> list[int]:
    """Return the positions of the examples to show; with likely annotation mistakes, the likeliest first."""
    if choice.view == "annotation":
        return list(dict.fromkeys(error.example for error in found.label_errors))
    return list(dict.fromkeys(one.example for one in found.analysis.mistakes if choice.holds(one)))


def mistaken_sentence(found: Inspection, number: int, choice: Choice, colours: Mapping[str, int]) -> MistakenSentence:
    """Return a sentence with its gold and predicted labels side by side."""
    example = found.gold.examples[number]
    gold, predicted = example.labels[found.layer], found.predicted[number]
    if choice.view == "annotation":
        errors = [one for one in found.label_errors if one.example == number]
        marked = {one.word or 0 for one in errors}
        remarks = [annotation_remark(one) for one in errors]
    else:
        mistakes = [one for one in found.analysis.mistakes if one.example == number and choice.holds(one)]
        marked = {word for one in mistakes for word in one.words}
        remarks = [f"{kind_name(one.kind)}: {label_of(one.gold)} → {label_of(one.predicted)}" for one in mistakes]
    confidence = confidence_of(found, number)
    return MistakenSentence(
        number=number,
        place=str(example.place or f"example {example.id}"),
        remarks=list(dict.fromkeys(remarks)),
        gold=sentence_pieces(example, gold, found.schema, colours, marked),
        predicted=sentence_pieces(example, predicted, found.schema, colours, marked, confidence),
        words=word_rows(example, gold, predicted, confidence),
    )


def annotation_remark(error: LabelError) -> str:
    """Return a likely annotation mistake in words."""
    word = f"{error.text[:80]}: " if error.word is not None else ""
    return f"{error.rank}. {word}annotated {error.given}, {error.suggested} with probability {error.chance:.2f}"


def confidence_of(found: Inspection, number: int) -> list[float] | None:
    """Return the confidence of each word of a sentence, or of a text; None where there is none."""
    return None if found.confidence is None else found.confidence[number].tolist()


def writable_formats(catalog: Catalog, found: Inspection) -> list[str]:
    """Return the names of the formats that can hold the examples."""
    return sorted(one.name for one in catalog.formats.values() if one.write and found.schema.kind in one.kinds)
