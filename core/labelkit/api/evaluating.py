"""``labelkit.evaluate``, ``find_errors`` and ``check``: what the commands find, as frozen records."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.api.data import Data, data_reference
from labelkit.api.training import warn
from labelkit.config.environment import Environment
from labelkit.config.reading_options import ReadingOptions
from labelkit.config.requests import columns_text
from labelkit.errors import LabelkitError
from labelkit.evaluation.gold_choice import GoldOptions, Workplace
from labelkit.plugins.catalog import Catalog
from labelkit.records.html import score_tables
from labelkit.registry import Home

if TYPE_CHECKING:
    from labelkit.checks.run import CheckReport
    from labelkit.evaluation.inspection import Inspection
    from labelkit.label.labeller import Labeller


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The scores of a labeller on gold data.

    :param data: where the gold data came from, and ``split`` which split of it was scored.
    :param content_hash: of its words and labels.
    :param examples: how many it has.
    :param metrics: name → figure, as of the test split of a run; ``per_type`` inside.
    :param test_score: whether the scores count as test scores; None where that is unknown.
    :param leakage: one line: how many examples the run was trained or selected on.
    :param assumptions: what was assumed of the data, and of a model that labelkit did not train, a line each.
    """

    run: str
    task: str
    data: str
    split: str
    content_hash: str
    examples: int
    metrics: Mapping[str, Any] = field(repr=False)
    test_score: bool | None
    leakage: str
    assumptions: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        """Return the scores as tables for notebooks."""
        title = f"{self.run} on {self.data} ({self.task}, {self.split}, {self.examples:,} examples)"
        return score_tables(title, self.metrics, note=self.leakage)


def evaluate(
    run: str | Path,
    data: Data | None = None,
    *,
    split: str | None = None,
    columns: str | Mapping[str, str | int] | None = None,
    metrics: Sequence[str] = (),
    decoder: str | None = None,
    splitter: str | None = None,
    scheme: str | None = None,
    label_map: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    task: str | None = None,
    operating_point: str | None = None,
    home: str | Path | None = None,
) -> Evaluation:
    """Score the labeller of a run on gold data as ``labelkit evaluate`` does; the scores are recorded with the run.

    :param run: as for :func:`labelkit.load`.
    :param data: the gold data, as for :func:`labelkit.run`; None: that of the run.
    :param split: None for test, or else validation, or else all examples.
    :param columns: which column holds what.
    :param metrics: names of metrics, and paths of ``evaluate`` modules, to compute beside those of the run.
    :param decoder: how scores become labels; None: the decoder of the run.
    :param splitter: how raw text is split into words; None: the splitter of the run.
    :param scheme: the tagging scheme of the labels of a model that labelkit did not train; None: by their names.
    :param label_map: a TOML file that maps labels, as for ``--map``.
    :param settings: setting → value of ``data.`` and of plugins, as for ``--set``.
    :param task: of a run of several tasks the one to evaluate; None for the first.
    :param operating_point: score without the labels that it leaves out, as for :func:`labelkit.load`.
    :param home: the folder of runs and registry; default as for the command.
    :raises LabelkitError: the run or the data cannot be read, or has labels that the labeller lacks.
    """
    from labelkit.evaluation.evaluation import check_operating_point, select_metrics
    from labelkit.evaluation.evaluation import evaluate as score_labeller
    from labelkit.evaluation.label_mapping import LabelMap, read_label_map
    from labelkit.evaluation.recorded_data import find_details, record_scores
    from labelkit.evaluation.train_mentions import train_mentions
    from labelkit.label.labeller import Labeller
    from labelkit.labels.numbers import refuse_numbers

    place, options = _gold_options(run, data, split, columns, settings, home)
    said: dict[str, Any] = {"decoder": decoder, "splitter": splitter, "scheme": scheme, "task": task}
    said["operating_point"] = operating_point
    labeller = Labeller.open(options.run, place.home, place.catalog, engine="torch", **said)
    check_operating_point(labeller, mapped=label_map is not None, more_metrics=bool(metrics))
    warn_of_assumptions(labeller)
    info = labeller.info
    if label_map is not None:
        refuse_numbers(info.schema, "label_map")
    mapping = LabelMap() if label_map is None else read_label_map(Path(label_map), info.schema)
    details = find_details(info.run, place.home, info.task)
    chosen = select_metrics(info, details, place.catalog, metrics, ctx=labeller.context)
    gold = place.read_gold(options, labeller, details, mapping)
    mentions = train_mentions(labeller.folder, info.kind, details, place.catalog, Environment.read(), place.home)
    figures = score_labeller(labeller, gold, chosen, mapping, train_mentions=mentions).figures
    figures |= {} if decoder is None else {"decoder": decoder}
    leakage = place.leakage(gold, details)
    if error := record_scores(info, gold, {**figures, **leakage.facts}, place.home, predictions=None):
        warn(f"not recorded: {error.message}")
    return Evaluation(
        run=info.run, task=info.task, data=gold.ref, split=gold.split, content_hash=gold.content_hash,
        examples=len(gold.examples), metrics=figures, test_score=leakage.test_score, leakage=leakage.summary,
        assumptions=(*labeller.assumptions, *gold.assumptions),
    )  # fmt: skip


def find_errors(
    run: str | Path,
    data: Data | None = None,
    *,
    split: str | None = None,
    columns: str | Mapping[str, str | int] | None = None,
    train: bool = False,
    folds: int = 5,
    settings: Mapping[str, Any] | None = None,
    task: str | None = None,
    home: str | Path | None = None,
) -> Inspection:
    """Return the mistakes of the labeller of a run, and likely label errors in gold data, as ``labelkit errors`` does.

    :param run: as for :func:`labelkit.load`.
    :param data: the gold data, as for :func:`labelkit.run`; None: that of the run.
    :param split: None for validation, of ``data`` as for :func:`evaluate`.
    :param columns: which column holds what.
    :param train: inspect the training split of the run by cross-validation, which trains ``folds`` models.
    :param folds: parts of the training split, at least two.
    :param settings: setting → value of ``data.`` and of plugins, as for ``--set``.
    :param task: of a run of several tasks the one to evaluate; None for the first.
    :param home: the folder of runs and registry; default as for the command.
    :raises LabelkitError: the run or the data cannot be read, or has labels that the labeller lacks.
    """
    from labelkit.evaluation.cross_validation import plan_cross_validation
    from labelkit.evaluation.inspection import inspect_split, inspect_train
    from labelkit.evaluation.recorded_data import find_details, gold_split, read_run_corpus
    from labelkit.label.labeller import Labeller
    from labelkit.labels.numbers import refuse_numbers

    place, options = _gold_options(run, data, split, columns, settings, home)
    labeller = Labeller.open(options.run, place.home, place.catalog, engine="torch", task=task)
    warn_of_assumptions(labeller)
    refuse_numbers(labeller.info.schema, "labelkit.find_errors")
    details = find_details(labeller.info.run, place.home, labeller.info.task)
    if train and (data is not None or split not in (None, "train")):
        raise LabelkitError("train=True cannot be combined with data= or another split=", hint="leave these out")
    if options.data is None and details is None:
        raise LabelkitError("the run is not in the registry, so its data is unknown", hint="give gold data: data=…")
    if train and details is not None:
        work = plan_cross_validation(details, folds, place.catalog, place.environment, place.home)
        return inspect_train(labeller, work, place.catalog, place.home, show=lambda event: None, say=warn)
    if options.data is None and details is not None:
        corpus = read_run_corpus(details, place.catalog, place.environment, place.home)
        gold = gold_split(corpus, details, split or "validation")
    else:
        gold = place.read_gold(options, labeller, details, mapping=None)
    return inspect_split(labeller, gold, details, place.home, warn)


def check(
    data: Data,
    *,
    layer: str | None = None,
    columns: str | Mapping[str, str | int] | None = None,
    model: str | Path | None = None,
    skip: Sequence[str] = (),
    examples: int = 5,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
) -> CheckReport:
    """Find annotation errors, duplicates and encoding faults as ``labelkit data check`` does.

    :param data: as for :func:`labelkit.run`.
    :param layer: the only layer of labels to check; None: all.
    :param columns: which column holds what.
    :param model: count the subword tokens of this encoder; None: the bundled one, where it is installed.
    :param skip: names of checks to leave out.
    :param examples: how many examples a finding keeps.
    :param settings: setting → value of ``data.`` and of plugins, as for ``--set``.
    :param home: the folder of the cache; default as for the command.
    :raises LabelkitError: nothing can be read, or an option is invalid.
    """
    from labelkit.checks.encoder_choice import choose_encoding
    from labelkit.checks.findings import CHECKS
    from labelkit.checks.loading import load
    from labelkit.checks.run import CheckOptions
    from labelkit.checks.run import check as run_checks
    from labelkit.errors import nearest

    if unknown := [name for name in skip if name not in CHECKS]:
        raise LabelkitError(f"unknown check '{unknown[0]}'", hint=nearest(unknown[0], CHECKS))
    place, options = _gold_options("", data, None, columns, settings, home)
    assert options.data is not None
    ctx = options.reading.context(place.catalog, place.environment, place.home.cache)
    with tempfile.TemporaryDirectory(prefix="labelkit-check-") as folder:
        encoding, _ = choose_encoding(place.catalog, str(model) if model else None, ctx, tuple(skip))
        found = load(options.data, layer, place.catalog, ctx, folder=Path(folder), limit=examples)
        wanted = CheckOptions(settings=ctx.settings, encoding=encoding, skip=tuple(skip), limit=examples)
        return run_checks(found, wanted)


def _gold_options(
    run: str | Path,
    data: object,
    split: str | None,
    columns: str | Mapping[str, str | int] | None,
    settings: Mapping[str, Any] | None,
    home: str | Path | None,
) -> tuple[Workplace, GoldOptions]:
    """Return where to work, and what to read there."""
    environment = Environment.read()
    reference, memory = data_reference(data)
    place = Workplace(
        catalog=Catalog.load(only=environment.plugins),
        environment=replace(environment, memory=memory),
        home=Home.find(os.environ, explicit=home),
    )
    text = None if columns is None else columns_text(columns)
    reading = ReadingOptions(columns=text, settings=settings or {})
    return place, GoldOptions(run=run_reference(run), data=reference, split=split, reading=reading)


def warn_of_assumptions(labeller: Labeller) -> None:
    """Warn of what was assumed of a model that labelkit did not train, and of targets that are not reached."""
    of_points = [note for point in labeller.operating_points.values() for note in point.notes]
    for line in (*(f"assumed: {one}" for one in labeller.assumptions), *of_points):
        warnings.warn(line, stacklevel=3)


def run_reference(run: str | Path) -> str:
    """Return the reference to a run; that of a path is written with a separator, as one to a folder."""
    if not isinstance(run, os.PathLike):
        return run
    path = os.fspath(run)
    return path if os.sep in path else os.path.join(os.curdir, path)
