"""Contract checks of encoders (kinds of model reference): a missing model is an error that says so."""

from __future__ import annotations

import tempfile
from pathlib import Path

from labelkit.errors import LabelkitError
from labelkit.records import Encoder, LoadContext, ResolvedEncoder
from labelkit.testing.framework import CheckSet, offline_call, require

MISSING_MODEL = "labelkit-contract/there-is-no-such-model"

CHECKS = CheckSet()


@CHECKS.check("unknown")
def check_missing_model(encoder: Encoder) -> None:
    """A missing model is a `LabelkitError`, without a network."""
    what = f"resolve('{MISSING_MODEL}', ctx) of encoder '{encoder.name}', offline,"
    advice = "raise labelkit.LabelkitError(message, hint=…) for a model that is not there"
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
        ctx = LoadContext(cache=Path(folder), offline=True)
        try:
            with offline_call(what, advice, may=LabelkitError):
                found = encoder.resolve(MISSING_MODEL, ctx)
        except LabelkitError:
            return
    require(
        isinstance(found, ResolvedEncoder),
        f"{what} returns {type(found).__name__}",
        f"return a labelkit.ResolvedEncoder, or {advice}",
    )
