"""``labelkit errors``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelkit.cli import evaluate as gold_data
from labelkit.cli.common import Shell, command_options
from labelkit.cli.data import reading_options
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labelkit.data.gold import Gold
    from labelkit.evaluate.error_analysis import ErrorAnalysis, LabelledSpan, Mistake
    from labelkit.evaluate.label_errors import LabelQuality
    from labelkit.evaluate.label_review import LabelError
    from labelkit.events import Event
    from labelkit.inference.engine import WordScores
    from labelkit.label.labeller import Labeller
    from labelkit.records import Example, Schema
    from labelkit.registry import RunDetails


@dataclass(frozen=True, kw_only=True)
class _Asked(gold_data.Asked):
    """What the command was given."""

    train: bool = False
    folds: int = 5
    limit: int = 20


@dataclass(frozen=True)
class _Found:
    """What the command found."""

    gold: Gold
    layer: str
    schema: Schema
    analysis: ErrorAnalysis
    ranking: LabelQuality
    suspects: list[LabelError]


@click.command()
@click.argument("run")
@click.option("--data", metavar="REF", help="Gold data; default the run's own.")
@click.option("--split", metavar="NAME", help="Which split; default validation, of REF as for evaluate.")
@click.option("--train", is_flag=True, help="Look at train: it is labelled by cross-validation, which trains anew.")
@click.option(
    "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="How many trainings --train makes."
)
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="How many of each to show.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write what to review to FILE.")
@click.option("--to", metavar="FORMAT", help="The format of FILE; default by its ending.")
@click.option("--force", is_flag=True, help="Replace FILE where it exists.")
@reading_options
@command_options
def errors(shell: Shell, **given: Any) -> None:
    """Show what the labeller of RUN gets wrong, and which words are likely to be annotated wrongly.

    The examples that hold such words can be written in any annotation format, the likeliest mistake first, and
    corrected there.

    \b
    labelkit errors latest
    labelkit errors latest --split test --limit 50
    labelkit errors latest --train --to doccano -o review.jsonl
    """
    asked = _Asked(**given)
    _check(asked)
    gold_data.ready(shell, asked)
    found = _found(shell, asked)
    if found.ranking.doubtful:
        flagged = f"{len(found.suspects):,} of {len(found.ranking.order):,}"
        shell.say(f"note: {flagged} are taken for annotation mistakes: the model is too weak to judge the annotators")
    written = _write(shell, asked, found)
    if shell.as_json:
        shell.json(_document(asked, found, written))
        return
    from labelkit.cli import error_display as mistakes

    mistakes.show(shell.out, found.gold, found.layer, found.schema, found.analysis, found.suspects, asked.limit)
    _tell(shell, asked, found, written)


def _check(asked: _Asked) -> None:
    if asked.to is not None and asked.output is None:
        raise click.UsageError("--to is the format of what is to be reviewed: name a file for it with -o FILE")
    if asked.train and (asked.data is not None or asked.split not in (None, "train")):
        raise click.UsageError("--train looks at the run's own train split: leave --data and --split out")


def _found(shell: Shell, asked: _Asked) -> _Found:
    from labelkit.evaluate.error_analysis import analyse_errors
    from labelkit.evaluate.label_errors import rank_labels
    from labelkit.evaluate.label_review import find_label_errors
    from labelkit.inference.prediction import LabelSequences, decode_scores, gold_ids
    from labelkit.label.labeller import Labeller

    labeller = Labeller.open(asked.run, shell.home, shell.catalog)
    info = labeller.info
    details = gold_data.details_of(shell, info)
    gold, found = _by_folds(shell, asked, details) if asked.train else _by_run(shell, asked, labeller, details)
    ids = decode_scores(found, labeller.decoder, info.schema)
    analysis = analyse_errors(gold.examples, info.layer, LabelSequences(ids, found.lengths, info.schema), info.schema)
    labels, _ = gold_ids(gold.examples, info.layer, info.schema)
    ranking = rank_labels(found.values, labels, info.schema)
    suspects = find_label_errors(ranking, gold.examples, found.lengths)
    return _Found(gold, info.layer, info.schema, analysis, ranking, suspects)


def _by_run(shell: Shell, asked: _Asked, labeller: Labeller, details: RunDetails | None) -> tuple[Gold, WordScores]:
    """Return gold data with the scores of the run's own model."""
    from labelkit.evaluate.recorded_data import gold_split, read_run_corpus, record_test_inspection, recorded_hashes
    from labelkit.inference.calibration import apply_temperature

    if asked.data is not None:
        gold = gold_data.read(shell, asked, labeller, details)
    else:
        if details is None:
            raise LabelkitError("nothing is recorded of the data of this run", hint="add --data REF")
        corpus = read_run_corpus(details, shell.catalog, shell.environment, shell.home)
        gold = gold_split(corpus, details, asked.split or "validation")
    if gold.split == "train":
        shell.say("note: the labeller learned from train, so its mistakes there say little: --train looks properly")
    if details is not None and gold.content_hash in recorded_hashes(details, "test"):
        shell.say(
            "note: these are the test data, and this look at them is counted:"
            " who trains by what they show here has no test left"
        )
    found, _ = labeller.scores(gold.examples)
    if details is not None and (error := record_test_inspection(details, gold.content_hash, shell.home, "errors")):
        shell.say(f"note: not recorded: {error.message}")
    return gold, replace(found, values=apply_temperature(found.values, labeller.info.temperature))


def _by_folds(shell: Shell, asked: _Asked, details: RunDetails | None) -> tuple[Gold, WordScores]:
    """Return the run's train split with scores of models that did not see it."""
    from labelkit.cli.progress import Progress
    from labelkit.data.gold import Gold
    from labelkit.evaluate.cross_validation import cross_val_predict, plan_cross_validation
    from labelkit.evaluate.recorded_data import without_surfaces

    if details is None:
        raise LabelkitError("nothing is recorded of this run: its plan is not known", hint="name a recorded run")
    work = plan_cross_validation(details, asked.folds, shell.catalog, shell.environment, shell.home)
    shell.say(work.told)
    with Progress(shell.err) as progress:
        found = cross_val_predict(work, shell.catalog, shell.home, listeners=[nameless(progress)], say=shell.say)
    split = work.prepared.corpus.splits["train"]
    gold = Gold(
        split="train", examples=without_surfaces(split.examples), ref=split.ref, content_hash=split.content_hash
    )
    return gold, found


def nameless(shown: Callable[[Event], None]) -> Callable[[Event], None]:
    """Return a listener that does not hear what the runs of folds are called and where they are: they go again."""
    from labelkit.events import CheckpointSaved, RunStarted

    def listener(event: Event) -> None:
        if not isinstance(event, CheckpointSaved | RunStarted):
            shown(event)

    return listener


def _write(shell: Shell, asked: _Asked, found: _Found) -> int:
    """Write the examples that are worth a second look, and return how many there are."""
    from labelkit.evaluate.evaluation import write_predictions
    from labelkit.evaluate.label_review import FIELD, preserves_field, review_records
    from labelkit.formats.recognition import writer_for

    if asked.output is None or not found.suspects:
        return 0
    writer = writer_for(asked.output, shell.catalog.formats, asked.to, kind=found.schema.kind)
    records = list(review_records(found.suspects, found.gold.examples, found.layer))
    write_predictions(asked.output, writer, records, force=asked.force)
    if not preserves_field(writer, records[0]):
        shell.say(f"note: format '{writer.name}' has no place for the field '{FIELD}': what is odd is not in the file")
    return len({suspect.example for suspect in found.suspects})


def _tell(shell: Shell, asked: _Asked, found: _Found, written: int) -> None:
    if asked.output is not None:
        what = f"{asked.output}: {written:,} examples to review" if written else "nothing to review: no file is written"
        shell.say(what)


def _document(asked: _Asked, found: _Found, written: int) -> dict[str, Any]:
    gold, analysis = found.gold, found.analysis
    return {
        "run": asked.run,
        "data": gold.ref,
        "split": gold.split,
        "content_hash": gold.content_hash,
        "examples": len(gold.examples),
        "mistakes": {
            "kinds": analysis.kinds,
            "by_type": analysis.by_type,
            "frequent": [
                {
                    "kind": one.kind,
                    "text": one.text,
                    "gold": one.gold,
                    "predicted": one.predicted,
                    "count": one.count,
                    "places": [_place(place, gold.examples[place.example]) for place in one.places],
                }
                for one in analysis.frequent[: asked.limit]
            ],
        },
        "suspects": {
            "words": len(found.ranking.order),
            "flagged": len(found.suspects),
            "list": [
                {**suspect.to_json(), **_where(gold.examples[suspect.example], suspect.word)}
                for suspect in found.suspects[: asked.limit]
            ],
        },
        "output": str(asked.output) if written else None,
    }


def _place(mistake: Mistake, example: Example) -> dict[str, Any]:
    first = mistake.gold or mistake.predicted
    return {
        **_where(example, first.start if first else None),
        "words": list(example.words) if example.words is not None else None,
        **dict(_stretch("gold", mistake.gold)),
        **dict(_stretch("predicted", mistake.predicted)),
    }


def _stretch(name: str, stretch: LabelledSpan | None) -> Iterator[tuple[str, Any]]:
    yield name, None if stretch is None else {"start": stretch.start, "stop": stretch.stop, "label": stretch.label}


def _where(example: Example, word: int | None) -> dict[str, Any]:
    """Return where an example stands, by the line of one of its words where it has words."""
    place = example.place
    if place is None:
        return {"id": example.id, "place": None}
    return {"id": example.id, "place": str(place) if word is None or example.words is None else place.of_word(word)}
