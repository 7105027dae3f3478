"""``labelkit.suggest``: what to annotate next."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.api.training import warn
from labelkit.config.environment import Environment
from labelkit.config.reading_options import ReadingOptions
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

if TYPE_CHECKING:
    from labelkit.active_learning.uncertainty import Strategy
    from labelkit.label.text_inputs import TextInput
    from labelkit.records import Labelled


def suggest(
    run: str | Path,
    pool: str | Path | Iterable[TextInput],
    *,
    n: int = 100,
    strategy: Strategy = "least-confidence",
    exclude: Sequence[str] = (),
    seed: int = 0,
    home: str | Path | None = None,
) -> list[Labelled]:
    """Return ``n`` texts of a pool to annotate next, with their predictions, as ``labelkit suggest`` does.

    Texts of the run's data are not suggested, those of its test split included, and no two that are nearly the same.

    :param run: as for :func:`labelkit.load`.
    :param pool: a file or folder as for ``labelkit label``, or texts, lists of words, or :class:`labelkit.Example`.
    :param n: the number of texts; fewer where the pool has fewer.
    :param strategy: ``"least-confidence"``, ``"margin"``, ``"entropy"``, ``"diverse"`` or ``"random"``.
    :param exclude: data references whose texts are not suggested either.
    :param seed: of everything random.
    :param home: the folder of runs and registry; default as for the command.
    :raises LabelkitError: the run or the pool cannot be read, or has nothing new; or ``n`` is below 1.

    >>> labelkit.suggest("latest", "unlabelled.txt", n=50)  # doctest: +SKIP
    """
    from labelkit.active_learning.known import known_texts
    from labelkit.active_learning.suggestion import SuggestOptions
    from labelkit.active_learning.suggestion import suggest as choose
    from labelkit.active_learning.uncertainty import check_strategy
    from labelkit.label.inputs import find_inputs, read_inputs
    from labelkit.label.labeller import Labeller
    from labelkit.label.text_inputs import numbered_examples

    check_strategy(strategy)
    if n < 1:
        raise LabelkitError(f"n must be a whole number of at least 1, not {n}")
    environment = Environment.read()
    catalog, place = Catalog.load(only=environment.plugins), Home.find(os.environ, explicit=home)
    labeller = Labeller.open(run, place, catalog)
    info, ctx = labeller.info, ReadingOptions().context(catalog, environment, place.cache)
    if isinstance(pool, str | os.PathLike):
        found = find_inputs([os.fspath(pool)], catalog.formats, ctx=ctx)
        items = read_inputs(found, info.kind, info.layer, ctx, strict=False)
    else:
        items = numbered_examples(pool, info.kind)
    known = known_texts(info.run, catalog, environment, place, exclude=exclude, ctx=ctx)
    for note in known.notes:
        warn(note)
    chosen = choose(labeller, items, SuggestOptions(number=n, strategy=strategy, seed=seed), known)
    for text in (*labeller.assumptions, *ctx.policy.assumptions):
        warn(f"assumed: {text}")
    return chosen.records
