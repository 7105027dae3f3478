"""The data of a run: label distribution, examples with decoded labels of each split, and findings of its check."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.summary import SplitSummary, sample_examples, summarise_split
from labelkit.errors import LabelkitError
from labelkit.report import overview
from labelkit.report.contents import ReportContents
from labelkit.report.score_tables import label_colours, split_order
from labelkit.ui.run_page import find_run
from labelkit.ui.sentences import sentence_pieces
from labelkit.ui.site import PageAnswer, PageRequest, Site, part

if TYPE_CHECKING:
    from labelkit.checks.findings import Finding
    from labelkit.data.corpus import Corpus
    from labelkit.registry import RunDetails
    from labelkit.report.error_examples import TextPiece
    from labelkit.ui.background import Work

#: examples shown of each split, and cases of a finding
EXAMPLES, CASES = 8, 5


@dataclass(frozen=True, slots=True)
class RunData:
    """The data of a run as it can be read now.

    :param changed: the splits whose content is not what the run read.
    """

    corpus: Corpus
    summaries: Sequence[SplitSummary]
    changed: Sequence[str]


def show_data(site: Site, request: PageRequest) -> PageAnswer:
    """Return the page of the data of a run; the first visit starts reading it."""
    with site.registry() as registry:
        details = find_run(registry, request)
    run = details.record.id
    known = site.background.find(("data", run))
    reading: Work[RunData] = known or site.background.start(("data", run), lambda say: read_data(site, details))
    values: dict[str, Any] = {
        "run": details, "title": details.record.name or run, "reading": reading,
        "check": site.background.find(("check", run)), "findings": [],
    }  # fmt: skip
    if reading.done and not reading.error:
        seed = request.word("seed", "0")
        values |= data_values(details, reading.result, int(seed) if seed.isdecimal() and len(seed) < 9 else 0)
    return site.page("data.html", request, **values)


def start_check(site: Site, request: PageRequest) -> PageAnswer:
    """Start the checks of ``labelkit data check`` on the data of a run."""
    with site.registry() as registry:
        details = find_run(registry, request)
    if details.status == "adopted":
        raise LabelkitError("an adopted model has no data of its own")
    run = details.record.id
    site.background.start(("check", run), lambda say: check_data(site, details))
    return PageAnswer(location=f"/runs/{part(run)}/data#findings")


def read_data(site: Site, details: RunDetails) -> RunData:
    """Return the data of a run, read by its recorded plan.

    :raises LabelkitError: it cannot be read any more.
    """
    from labelkit.evaluation.recorded_data import read_run_corpus, recorded_hashes

    corpus = read_run_corpus(details, site.catalog, site.environment, site.home)
    splits = sorted(corpus.splits.values(), key=lambda one: split_order(one.name))
    return RunData(
        corpus=corpus,
        summaries=[summarise_split(one, corpus.layer, corpus.schema) for one in splits],
        changed=[one.name for one in splits if one.content_hash not in recorded_hashes(details, one.name)],
    )


def check_data(site: Site, details: RunDetails) -> Sequence[Finding]:
    """Return what ``labelkit data check`` finds in the data of a run; subwords are not counted.

    :raises LabelkitError: it cannot be read any more.
    """
    from labelkit.checks.loading import load
    from labelkit.checks.run import CheckOptions, check
    from labelkit.evaluation.recorded_data import recorded_context, recorded_data_settings

    settings, own = recorded_data_settings(details), recorded_context(details, site.catalog).plugin_settings
    ctx = site.environment.load_context(settings, site.home.cache, own)
    with tempfile.TemporaryDirectory(prefix="labelkit-check-") as folder:
        data = load(details.record.data, None, site.catalog, ctx, folder=Path(folder), limit=CASES)
        return check(data, CheckOptions(settings=settings, limit=CASES)).findings


def data_values(details: RunDetails, data: RunData, seed: int) -> dict[str, Any]:
    """Return what the template shows of the data.

    :param seed: of the random examples.
    """
    corpus = data.corpus
    contents = ReportContents(
        details=details, schema=corpus.schema, summaries={one.name: one for one in data.summaries}
    )
    colours = label_colours(corpus.schema)
    examples: dict[str, list[tuple[str, list[TextPiece]]]] = {}
    for summary in data.summaries:
        chosen = sample_examples(corpus.splits[summary.name].examples, EXAMPLES, seed)
        examples[summary.name] = [
            (
                str(one.place or f"example {one.id}"),
                sentence_pieces(one, one.labels[corpus.layer], corpus.schema, colours),
            )
            for one in chosen
        ]
    return {
        "data": data, "distribution": overview.distribution(contents), "examples": examples, "seed": seed,
        "labels": list(colours.items()),
    }  # fmt: skip
