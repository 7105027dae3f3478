"""The built-in decoders. Imports no NumPy, so that listing plugins stays fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelkit.records import Decoder, Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray


def argmax(scores: Scores) -> NDArray[Any]:
    """Return the likeliest label of each word."""
    ids: NDArray[Any] = scores.values.argmax(axis=1)
    return ids


def viterbi(scores: Scores) -> NDArray[Any]:
    """Return the likeliest valid label sequence of each sentence."""
    from labelkit.inference.viterbi import viterbi

    return viterbi(scores)


def number(scores: Scores) -> NDArray[Any]:
    """Return the score of each text, which is the number that a head predicts."""
    values: NDArray[Any] = scores.values[:, 0]
    return values


def thresholds(scores: Scores) -> NDArray[Any]:
    """Return whether each text has each label: whether its probability reaches the threshold of the label."""
    import numpy as np

    assert scores.thresholds is not None
    found: NDArray[Any] = np.exp(scores.values.astype(np.float64)) >= scores.thresholds
    return found


DECODERS = (
    Decoder(name="argmax", kind="token", decode=argmax, summary="each word's likeliest label"),
    Decoder(name="argmax-text", kind="text", decode=argmax, summary="each text's likeliest label"),
    Decoder(name="number", kind="text", numeric=True, decode=number, summary="the number that the head predicts"),
    Decoder(
        name="thresholds",
        kind="text",
        multilabel=True,
        decode=thresholds,
        summary="the labels whose probability reaches their threshold, tuned on validation",
    ),
    Decoder(
        name="viterbi", kind="token", decode=viterbi, summary="the likeliest labels that the tagging scheme allows"
    ),
)
