"""From scores to label ids with any decoder, and on to labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from labelkit.errors import LabelkitError
from labelkit.records import Decoder, Scores


def decode(decoder: Decoder, scores: Scores) -> NDArray[np.int64]:
    """Return the label ids that ``decoder`` gives, checked.

    :raises LabelkitError: the decoder failed, or gave something else than one label id per word.
    """
    try:
        ids = np.asarray(decoder.decode(scores))
    except Exception as error:
        raise LabelkitError(f"decoder '{decoder.name}' failed: {type(error).__name__}: {error}") from error
    labels = len(scores.schema.label_names)
    if ids.shape != (len(scores.values),) or (len(ids) and not (ids.min() >= 0 and ids.max() < labels)):
        raise LabelkitError(
            f"decoder '{decoder.name}' did not give one of {labels} label ids for each of {len(scores.values)} words"
        )
    return ids.astype(np.int64)


def sentences(ids: NDArray[np.int64], scores: Scores) -> Iterator[tuple[str, ...]]:
    """Yield the labels of each sentence."""
    names = np.array(scores.schema.label_names, dtype=object)
    start = 0
    for length in scores.lengths.tolist():
        yield tuple(names[ids[start : start + length]])
        start += length
