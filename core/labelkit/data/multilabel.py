"""Decide whether texts have any number of labels: by the setting, or else by the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from labelkit.labels.label_sets import SeveralLabelsError
from labelkit.records import LoadContext

Result = TypeVar("Result")


def with_multilabel(ctx: LoadContext) -> LoadContext:
    """Return the context in which texts have any number of labels."""
    return replace(ctx, settings=replace(ctx.settings, multilabel=True))


def reading_several(ctx: LoadContext, read: Callable[[LoadContext], Result]) -> Result:
    """Return ``read(ctx)``; where a text has several labels and no setting forbids it, all texts are read again.

    That it was so decided is noted as an assumption.

    :param read: reads data, and may be called a second time, with ``data.multilabel`` set.
    """
    if ctx.settings.multilabel is not None or ctx.kind == "token":
        return read(ctx)
    attempt = replace(ctx, policy=ctx.policy.renewed())
    try:
        found = read(attempt)
    except SeveralLabelsError as error:
        reason = error.message.replace("one label is needed, this text has ", "")
        ctx.policy.assume(
            f"texts have any number of labels, some have several ({reason}): --set data.multilabel=false refuses them"
        )
        return read(with_multilabel(ctx))
    ctx.policy.add(attempt.policy)
    return found
