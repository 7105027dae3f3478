"""What is annotated already: the data of a run and of the runs that it continues from, and data that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelkit.config.environment import Environment
from labelkit.data.unlabelled_text import read_unlabelled
from labelkit.errors import LabelkitError
from labelkit.evaluation.leakage import encoder_lineage
from labelkit.evaluation.recorded_data import find_details, read_run_corpus
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, LoadContext
from labelkit.registry import Home


@dataclass(frozen=True, slots=True)
class KnownTexts:
    """Texts that are not suggested.

    :param splits: their examples.
    :param notes: what could not be found out, a sentence each.
    """

    splits: tuple[Sequence[Example], ...]
    notes: tuple[str, ...] = ()


def known_texts(
    run: str, catalog: Catalog, environment: Environment, home: Home, *, exclude: Sequence[str], ctx: LoadContext
) -> KnownTexts:
    """Return the texts of all splits of a run and of those it continues from, and of the data references ``exclude``.

    :param run: its id.
    :raises LabelkitError: the data of the run cannot be read, and there is no ``exclude`` to name it.
    """
    splits = [split for reference in exclude for split in read_unlabelled(reference, catalog, ctx).splits.values()]
    details = find_details(run, home)
    if details is None or details.status == "adopted":
        note = f"the data that {run} was trained on is unknown, so its texts may be suggested again; --exclude REF"
        return KnownTexts(tuple(splits), () if exclude else (note,))
    for one in encoder_lineage(details, home):
        if one.status == "adopted":
            continue
        try:
            corpus = read_run_corpus(one, catalog, environment, home)
        except LabelkitError as error:
            if not exclude:
                hint = "its texts must not be suggested again; name its data where it is now: --exclude REF"
                raise LabelkitError(
                    f"the data of run '{one.record.id}' cannot be read: {error.message}", hint=hint
                ) from error
            continue
        splits += [split.examples for split in corpus.splits.values()]
    return KnownTexts(tuple(splits))
