"""What a kind of model reference promises: a folder, or an error that says what is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

from labelkit.errors import LabelkitError
from labelkit.records import Encoder, LoadContext, ResolvedEncoder
from labelkit.testing.base import Question, calling_offline, require

#: no model of anybody's
NOBODY = "labelkit-contract/there-is-no-such-model"


def _unknown(encoder: Encoder) -> None:
    what = f"resolve('{NOBODY}', ctx) of encoder '{encoder.name}', offline,"
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
        ctx = LoadContext(cache=Path(folder), offline=True)
        advice = "raise labelkit.LabelkitError(message, hint=…) for a model that is not there"
        try:
            with calling_offline(what, advice, may=LabelkitError):
                found = encoder.resolve(NOBODY, ctx)
        except LabelkitError:
            return
    require(
        isinstance(found, ResolvedEncoder),
        f"{what} returns {type(found).__name__}",
        "return a labelkit.ResolvedEncoder, or raise labelkit.LabelkitError for a model that is not there",
    )


QUESTIONS = (
    Question(
        name="unknown",
        asks="of a model that is not there it says so by a `LabelkitError`, without a network",
        ask=_unknown,
    ),
)
