"""The page: what it shows, laid out by the template beside it. Everything is escaped there, whatever it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from labelkit.formats.tools.html import visible
from labelkit.registry.entities import RunDetails, Spread
from labelkit.report import charts
from labelkit.report import error_examples as sentences
from labelkit.report import formatting as words
from labelkit.report import overview as facts
from labelkit.report import score_tables as scores
from labelkit.report.contents import ReportContents

if TYPE_CHECKING:
    from jinja2 import Environment

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What a page shows, section by section.

    :param title: the run's name, else its id.
    :param tested: how often test was scored, in a sentence.
    :param unjudged: split → why its mistakes are not shown.
    """

    title: str
    run: RunDetails
    about: facts.Pairs
    splits: Sequence[facts.SplitRow]
    distribution: facts.LabelDistribution
    charts: Sequence[charts.Chart]
    steps: tuple[Sequence[str], Sequence[Sequence[str]]]
    scores: Sequence[scores.SplitScoreTable]
    tested: str
    scorings: Sequence[facts.ScoringRow]
    errors: Sequence[sentences.SplitMistakes]
    unjudged: Sequence[tuple[str, str]]
    device: str | None
    spreads: Sequence[tuple[str, Spread, bool]]
    checkpoints: Sequence[facts.CheckpointRow]
    written: str
    labelkit: str

    def to_json(self) -> dict[str, Any]:
        """Return which parts there are, by split, and why others are missing, ready for JSON."""
        return {
            "scores": {
                one.split: {
                    "intervals": bool(one.sure and not one.sure.startswith("No")),
                    "confusion": bool(one.confusion),
                }
                for one in self.scores
            },
            "errors": {
                **{one.split: {"from": one.source, "note": one.note or None} for one in self.errors},
                **{split: {"missing": why} for split, why in self.unjudged},
            },
        }


def make_page(material: ReportContents, *, labelkit: str, written: datetime) -> Page:
    """Return what the page of a run shows.

    :param labelkit: the version that writes it, at the moment ``written``.
    """
    run = material.details
    return Page(
        title=run.record.name or run.record.id,
        run=run,
        about=facts.about(run),
        splits=facts.splits(material),
        distribution=facts.distribution(material),
        charts=charts.charts(run),
        steps=facts.steps(run),
        scores=scores.scores(material),
        tested=_tested(run),
        scorings=facts.scorings(run),
        errors=[sentences.errors(split, judged) for split, judged in material.judged.items()],
        unjudged=list(material.unjudged.items()),
        device=facts.device(run),
        spreads=facts.spreads(run.group),
        checkpoints=facts.checkpoints(run),
        written=words.when(written),
        labelkit=labelkit,
    )


def render(page: Page) -> str:
    """Return the page as HTML, complete in itself."""
    return _environment().get_template("page.html").render(page=page, words=words, synthetic=facts.SYNTHETIC)


def file_name(run: RunDetails) -> str:
    """Return what the file is called where nobody says: the run's name, or its id, if a file can be called so."""
    for name in (run.record.name, run.record.id):
        if name and _SAFE.fullmatch(name):
            return f"{name}.html"
    return "run.html"


def _tested(run: RunDetails) -> str:
    if not any(one.split == "test" for one in run.record.splits):
        return "The run has no test split."
    return f"The test split was scored {words.times(run.test_scored)} in this registry, by any run."


@cache
def _environment() -> Environment:
    """Return what compiles the templates, once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("labelkit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _plain(value: Any) -> Any:
    """Return text without what HTML cannot hold; what the template itself made stays."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else visible(value)
