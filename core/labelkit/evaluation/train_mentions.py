"""The mentions of the training split of a run, for metrics that ask for them after training."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError
from labelkit.evaluation.recorded_data import check_unchanged, read_run_corpus
from labelkit.models.checkpoint import read_train_mentions
from labelkit.records import Mentions

if TYPE_CHECKING:
    from labelkit.config.environment import Environment
    from labelkit.plugins.catalog import Catalog
    from labelkit.records import Kind
    from labelkit.registry import Home, RunDetails

TrainMentions = Callable[[], Mentions]
_KEPT = "a run that is trained with --metric seqeval-unseen keeps them in its checkpoint"


def train_mentions(
    folder: Path, kind: Kind, details: RunDetails | None, catalog: Catalog, environment: Environment, home: Home
) -> TrainMentions | None:
    """Return a function that finds the mentions of train when it is first called; None for texts.

    They are those that the checkpoint keeps, or else those of the recorded data. The function raises a
    :class:`LabelkitError` where both are missing.

    :param folder: of the checkpoint.
    :param details: of its run; None where that is not in the registry.
    """
    if kind == "text":
        return None

    @functools.cache
    def find() -> Mentions:
        kept = read_train_mentions(folder)
        return _read_again(details, catalog, environment, home) if kept is None else kept

    return find


def _read_again(details: RunDetails | None, catalog: Catalog, environment: Environment, home: Home) -> Mentions:
    """Return the mentions of the recorded training data of a run.

    :raises LabelkitError: the data is missing or has changed, or the run is unknown.
    """
    from labelkit.labels.mentions import MentionHashes, mentions_of

    if details is None:
        raise LabelkitError(
            "the mentions of train are unknown: the checkpoint keeps none, and its run is not in this registry",
            hint=_KEPT,
        )
    try:
        corpus = read_run_corpus(details, catalog, environment, home)
        check_unchanged(corpus, details, "train")
    except LabelkitError as error:
        reason = error.message if error.hint is None else f"{error.message} ({error.hint})"
        raise LabelkitError(
            f"the mentions of train are unknown: the checkpoint keeps none, and {reason}", hint=_KEPT
        ) from error
    return MentionHashes.of(mentions_of(corpus.splits["train"].examples, corpus.layer, corpus.schema))
