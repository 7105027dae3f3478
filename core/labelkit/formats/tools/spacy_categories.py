"""The categories that are true of a document of spaCy."""

from __future__ import annotations

from collections.abc import Mapping

from labelkit.records import LoadContext

#: score from which on a category counts as true
_HALF = 0.5


def category(cats: Mapping[str, float], ctx: LoadContext) -> str | list[str] | None:
    """Return the category with the highest score; all of them if several are true, None if none is.

    Where ``data.multilabel`` says that a text has any number of labels, all that are true.
    """
    if ctx.settings.multilabel:
        if any(score not in (0, 1) for score in cats.values()):
            ctx.policy.assume(
                "categories of spaCy have scores between 0 and 1, those of at least 0.5 are read",
                "write scores of 0 and 1 to say otherwise",
            )
        return [name for name, score in cats.items() if score >= _HALF] if cats else None
    true = [name for name, score in cats.items() if score == 1]
    if len(true) > 1 or all(score in (0, 1) for score in cats.values()):
        return true or None
    if len(true) != 1:
        ctx.policy.assume(
            "categories of spaCy have scores between 0 and 1, the one with the highest is read",
            "--set data.multilabel=true reads all of at least 0.5",
        )
    return max(cats, key=lambda name: cats[name])
