"""Decide whether texts have any number of labels: by the setting, or else by the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from labelkit.errors import DataError
from labelkit.formats.class_labels import EmptyLabelsError
from labelkit.labels.label_sets import SeveralLabelsError
from labelkit.records import LoadContext

Result = TypeVar("Result")


def with_multilabel(ctx: LoadContext) -> LoadContext:
    """Return the context in which texts have any number of labels."""
    return replace(ctx, settings=replace(ctx.settings, multilabel=True))


def reading_several(ctx: LoadContext, read: Callable[[LoadContext], Result]) -> Result:
    """Return ``read(ctx)``; where a text has several labels and no setting forbids it, all texts are read again.

    That it was so decided is noted as an assumption.

    :param read: reads data, and may be called again: with ``data.multilabel`` set, or to find a text with several
        labels after one without any.
    """
    if ctx.settings.multilabel is not None or ctx.kind == "token":
        return read(ctx)
    attempt = replace(ctx, policy=ctx.policy.renewed())
    try:
        found = read(attempt)
    except EmptyLabelsError:
        if (several := _first_with_several(ctx, read)) is None:
            raise
        return _read_several(ctx, read, several)
    except SeveralLabelsError as several:
        return _read_several(ctx, read, several)
    ctx.policy.add(attempt.policy)
    return found


def _first_with_several(ctx: LoadContext, read: Callable[[LoadContext], object]) -> SeveralLabelsError | None:
    """Return the error of the first text with several labels; None where no text has some."""
    try:
        read(replace(ctx, policy=replace(ctx.policy.renewed(), on_bad_record=lambda error: None)))
    except SeveralLabelsError as several:
        return several
    except DataError:  # the error that is already known, of no record being left
        pass
    return None


def _read_several(ctx: LoadContext, read: Callable[[LoadContext], Result], several: SeveralLabelsError) -> Result:
    """Return ``read(ctx)`` with any number of labels of a text, and note that as assumed."""
    reason = several.message.replace("one label is needed, this text has ", "")
    ctx.policy.assume(
        f"texts have any number of labels, some have several ({reason})",
        "--set data.multilabel=false refuses them",
    )
    return read(with_multilabel(ctx))
