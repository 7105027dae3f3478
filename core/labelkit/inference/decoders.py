"""The decoders of core. Light to import: plugins are listed without NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelkit.records import Decoder, Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray


def argmax(scores: Scores) -> NDArray[Any]:
    """Give each word its likeliest label."""
    ids: NDArray[Any] = scores.values.argmax(axis=1)
    return ids


def viterbi(scores: Scores) -> NDArray[Any]:
    """Give each sentence the likeliest labels that its scheme allows."""
    from labelkit.inference.viterbi import viterbi

    return viterbi(scores)


DECODERS = (
    Decoder(name="argmax", kind="token", decode=argmax, summary="each word's likeliest label"),
    Decoder(name="argmax-text", kind="text", decode=argmax, summary="each text's likeliest label"),
    Decoder(
        name="viterbi", kind="token", decode=viterbi, summary="the likeliest labels that the tagging scheme allows"
    ),
)
