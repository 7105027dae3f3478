"""Choose the encoder whose subword tokens checks count."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from labelkit.errors import LabelkitError, ModelError
from labelkit.settings import SETTINGS

if TYPE_CHECKING:
    from labelkit.encode.alignment import Encoding
    from labelkit.plugins.catalog import Catalog
    from labelkit.records import LoadContext

#: the checks that need an encoder
ENCODER_CHECKS = ("subtokens", "windows")


def choose_encoding(
    catalog: Catalog, model: str | None, ctx: LoadContext, skip: Collection[str]
) -> tuple[Encoding | None, dict[str, str]]:
    """Return how the encoder tokenizes examples, and the checks that are skipped with the reason.

    :param model: None for the bundled encoder; where it is not installed, the checks that need one are skipped.
    :raises LabelkitError: ``model`` cannot be loaded, or ``data.max_length`` is longer than its maximum length.
    """
    from labelkit.encode.alignment import Encoding
    from labelkit.models.loading import load_config, silence_transformers
    from labelkit.models.references import resolve
    from labelkit.models.tokenizer import load_tokenizer, max_length_of

    skipped = dict.fromkeys(skip, "left out by --skip")
    if set(ENCODER_CHECKS) <= set(skip):
        return None, skipped
    try:
        folder = resolve(model or SETTINGS["model"].default, catalog.encoders, ctx).folder
        with silence_transformers():
            tokenizer = load_tokenizer(folder)
            limit = max_length_of(tokenizer, load_config(folder))
    except ModelError as error:
        if model is not None:
            raise
        return None, {**dict.fromkeys(ENCODER_CHECKS, f"{error.message}; choose an encoder with --model"), **skipped}
    length = limit if ctx.settings.max_length == "auto" else ctx.settings.max_length
    if length > limit:
        raise LabelkitError(f"data.max_length {length} exceeds the {limit} subword tokens that the encoder reads")
    return Encoding.of(tokenizer, length, ctx.settings.overlap), skipped
