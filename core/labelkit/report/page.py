"""The page of a report: its sections, rendered by the template beside this module, which escapes all text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from labelkit.formats.tools.html import visible
from labelkit.registry import RunDetails, Spread
from labelkit.report import charts, error_examples, formatting, overview, score_tables
from labelkit.report.contents import ReportContents
from labelkit.report.markdown import render_markdown

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """The sections of a page.

    :param title: the run's name, or else its id.
    :param test_scored: how often the test split was scored, in a sentence.
    :param unpredicted: split → why its errors are not shown.
    :param card: the model card, None for a run without scores.
    """

    title: str
    run: RunDetails
    about: overview.Pairs
    splits: Sequence[overview.SplitRow]
    distribution: overview.LabelDistribution
    charts: Sequence[charts.Chart]
    steps: tuple[Sequence[str], Sequence[Sequence[str]]]
    scores: Sequence[score_tables.SplitScoreTable]
    test_scored: str
    evaluations: Sequence[overview.EvaluationRow]
    errors: Sequence[error_examples.SplitMistakes]
    unpredicted: Sequence[tuple[str, str]]
    device: str | None
    spreads: Sequence[tuple[str, Spread, bool]]
    checkpoints: Sequence[overview.CheckpointRow]
    card: Markup | None
    written: str
    labelkit: str

    def to_json(self) -> dict[str, Any]:
        """Return which scores and errors the page has, by split, and why others are missing, ready for JSON."""
        return {
            "scores": {
                one.split: {"intervals": one.intervals, "confusion": bool(one.confusion)} for one in self.scores
            },
            "errors": {
                **{one.split: {"from": one.source, "note": one.note or None} for one in self.errors},
                **{split: {"missing": why} for split, why in self.unpredicted},
            },
        }


def make_page(contents: ReportContents, *, labelkit: str, written: datetime) -> Page:
    """Return the page of a run.

    :param labelkit: the version that writes it, at the moment ``written``.
    """
    run = contents.details
    test_scored = "The run has no test split."
    if any(one.split == "test" for one in run.record.splits):
        test_scored = f"The test split was scored {formatting.times(run.test_scored)} in this registry, by any run."
    return Page(
        title=run.record.name or run.record.id,
        run=run,
        about=overview.about(run),
        splits=overview.splits(contents),
        distribution=overview.distribution(contents),
        charts=charts.charts(run),
        steps=overview.steps(run),
        scores=score_tables.score_tables(contents),
        test_scored=test_scored,
        evaluations=overview.evaluations(run),
        errors=[error_examples.split_mistakes(split, found) for split, found in contents.predictions.items()],
        unpredicted=list(contents.unpredicted.items()),
        device=overview.device(run),
        spreads=overview.spreads(run.group),
        checkpoints=[overview.checkpoint_row(one) for one in run.checkpoints],
        card=render_markdown(contents.card) if contents.card else None,
        written=formatting.timestamp(written),
        labelkit=labelkit,
    )


def render(page: Page) -> str:
    """Return the page as self-contained HTML."""
    return jinja_environment().get_template("page.html").render(
        page=page, formatting=formatting, synthetic=overview.SYNTHETIC
    )  # fmt: skip


def file_name(run: RunDetails) -> str:
    """Return the default name of the file: the run's name, or its id, if it is a safe file name."""
    for name in (run.record.name, run.record.id):
        if name and _SAFE_NAME.fullmatch(name):
            return f"{name}.html"
    return "run.html"


@cache
def jinja_environment() -> Environment:
    """Return the environment of the templates, which escapes text and replaces characters that HTML cannot hold."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    def finalize(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value

    return Environment(
        loader=PackageLoader("labelkit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
