"""The data that a recorded run read, read again by its plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from labelkit.data.gold import Gold
from labelkit.data.views import changed
from labelkit.errors import LabelkitError
from labelkit.records import Example

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.data.corpus import Corpus
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home, RunDetails


def corpus_of(details: RunDetails, catalog: Catalog, environment: Environment, home: Home) -> Corpus:
    """Return the splits of a run as it read them, a carved validation split too.

    :raises LabelkitError: they cannot be read any more.
    """
    from labelkit.config.plan import make_plan
    from labelkit.train.preparation import load_context, read_corpus
    from labelkit.train.resumption import recorded_request

    plan = make_plan(recorded_request(details), catalog)
    return read_corpus(plan, catalog, load_context(plan, environment, home.cache))


def gold_of(corpus: Corpus, details: RunDetails, split: str) -> Gold:
    """Return a split of a run's own data, which must be what the run read.

    :raises LabelkitError: there is none, or it has changed.
    """
    if split not in corpus.splits:
        raise LabelkitError(
            f"the run '{details.record.id}' has no {split} split", hint=f"it has: {', '.join(corpus.splits)}"
        )
    found = corpus.splits[split]
    if found.content_hash not in hashes_of(details, split):
        raise LabelkitError(
            f"the {split} data of run '{details.record.id}' has changed since the run",
            hint="bring the old data back, or give gold data: --data REF",
        )
    return Gold(split=split, examples=plain(found.examples), ref=found.ref, content_hash=found.content_hash)


def hashes_of(details: RunDetails, *splits: str) -> set[str]:
    """Return the content hashes that a run recorded of some of its splits."""
    return {one.content_hash for one in details.record.splits if one.split in splits}


def record_look(
    details: RunDetails, content_hash: str, home: Home, source: Literal["errors", "compare"]
) -> LabelkitError | None:
    """Record that somebody looked at what a run labels in its own test data: it counts, as a score on it does.

    Other data is left alone. Returns why it could not be recorded.
    """
    from labelkit.registry import Registry

    own = [one for one in details.record.splits if one.split == "test" and one.content_hash == content_hash]
    try:
        with Registry.open(home, create=False) as registry:
            for one in own:
                registry.record_evaluation(
                    details.record.id,
                    task=details.record.task,
                    ref=one.ref,
                    split=one.split,
                    content_hash=content_hash,
                    examples=one.examples,
                    metrics={},
                    source=source,
                )
    except LabelkitError as error:
        return error
    return None


def plain(examples: Sequence[Example]) -> Sequence[Example]:
    """Return examples without what preprocessors made of them: a labeller applies its own."""
    return changed(examples, lambda example: replace(example, surface=None))
