"""A linear-chain CRF for labelkit: a head that learns transitions between labels, and the decoder that uses them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import labelkit

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


requires_labelkit = ">=0.1"
hook_api = 2

# torch and NumPy are imported when they are needed: every command imports this module


def transitions(ctx: labelkit.HeadContext) -> torch.nn.Module:
    """Return the module that holds the transitions."""
    from labelkit_crf.module import Transitions

    return Transitions(len(ctx.schema.label_names))


def loss(batch: labelkit.HeadBatch, ctx: labelkit.HeadContext) -> torch.Tensor:
    """Return the negative log-likelihood of the labels of each window; words of unknown label may have any."""
    from labelkit_crf.module import negative_log_likelihood

    transitions = batch.parameters["transitions"]
    return negative_log_likelihood(batch.outputs, batch.labels, batch.mask, transitions, batch.unknown)


def decode(scores: labelkit.Scores) -> NDArray[Any]:
    """Return the likeliest labels of each sentence."""
    from labelkit_crf.decoding import viterbi

    return viterbi(scores)


@labelkit.hookimpl
def labelkit_heads() -> Iterable[labelkit.Head]:
    """Yield the head."""
    yield labelkit.Head(
        name="crf",
        kinds=("token",),
        module=transitions,
        loss=loss,
        decoder="crf",
        summary="a linear-chain conditional random field",
    )


@labelkit.hookimpl
def labelkit_decoders() -> Iterable[labelkit.Decoder]:
    """Yield the decoder."""
    yield labelkit.Decoder(
        name="crf", kind="token", decode=decode, summary="the likeliest labels by the transitions that the crf learned"
    )
