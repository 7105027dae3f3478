"""Run an encoder with its head over windows and bring back a score for every word; used to score and to label alike."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from labelkit.encode.align import Encoding, Window, first_mask
from labelkit.encode.batches import by_budget, model_inputs, pad_words

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Floats = NDArray[np.float32]
#: the log-probability of every label but the fallback for a word that no window covers; finite, as sums must be
IMPOSSIBLE = -1e4
#: a blank text says nothing: every label is about as likely, and the fallback comes first
LEANING = 1e-3


@dataclass(frozen=True, slots=True)
class WordScores:
    """Scores of some examples' words, one example after the other.

    :param values: log-probabilities, float32 of shape (words, labels).
    :param lengths: words of each example, int64 of shape (examples,).
    :param covered: whether the encoder saw the word, bool of shape (words,).
    """

    values: Floats
    lengths: NDArray[np.int64]
    covered: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Engine:
    """A model ready to score windows.

    :param precision: ``"fp32"`` or ``"bf16"``.
    :param budget: sub-tokens in a batch, padding included.
    :param fallback: id of the label for words that no window covers.
    """

    model: PreTrainedModel
    encoding: Encoding
    precision: str
    budget: int
    fallback: int

    def score(self, windows: Sequence[Window], words: Sequence[int]) -> WordScores:
        """Return a log-probability for each label of each word.

        :param windows: of all examples, as :func:`labelkit.encode.align.encode` cuts them.
        :param words: how many words each example has.
        """
        lengths = np.array(words, np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        values = np.full((int(starts[-1]), int(self.model.config.num_labels or 0)), IMPOSSIBLE, np.float32)
        values[:, self.fallback] = 0.0
        covered = np.zeros(len(values), np.bool_)
        for batch in by_budget([len(window.ids) for window in windows], self.budget):
            chosen = [windows[position] for position in batch]
            rows = np.concatenate([starts[window.example] + window.words[window.first] for window in chosen])
            values[rows] = self._forward(chosen)
            covered[rows] = True
        return WordScores(values, lengths, covered)

    def score_texts(self, windows: Sequence[Window], texts: int) -> WordScores:
        """Return a log-probability for each label of each text: the weighted mean over its windows, normalised."""
        values = np.zeros((texts, int(self.model.config.num_labels or 0)), np.float32)
        covered = np.zeros(texts, np.bool_)
        for batch in by_budget([len(window.ids) for window in windows], self.budget):
            chosen = [windows[position] for position in batch]
            rows = np.array([window.example for window in chosen])
            weights = np.array([window.weight for window in chosen], np.float32)
            np.add.at(values, rows, self._pooled(chosen) * weights[:, None])
            covered[rows] = True
        values[~covered, self.fallback] = LEANING
        normalised: Floats = values - np.logaddexp.reduce(values, axis=1, keepdims=True)
        return WordScores(normalised, np.ones(texts, np.int64), covered)

    def _forward(self, windows: Sequence[Window]) -> Floats:
        """Return the scores of the words that ``windows`` answer for, in order: float32 of shape (words, labels)."""
        left = self.encoding.tokenizer.padding_side == "left"
        first = first_mask(pad_words([window.words for window in windows], left=left))
        with torch.inference_mode():
            return _log_softmax(self._logits(windows)[torch.from_numpy(first).to(self.model.device)])

    def _pooled(self, windows: Sequence[Window]) -> Floats:
        """Return the scores of each window as a whole: float32 of shape (windows, labels)."""
        with torch.inference_mode():
            return _log_softmax(self._logits(windows))

    def _logits(self, windows: Sequence[Window]) -> torch.Tensor:
        tokenizer, device = self.encoding.tokenizer, self.model.device
        left = tokenizer.padding_side == "left"
        inputs = model_inputs([w.ids for w in windows], self.encoding.frame, tokenizer.pad_token_id or 0, left=left)
        tensors: dict[str, Any] = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
        with autocast(self.precision, device.type), evaluating(self.model):
            logits: torch.Tensor = self.model(**tensors).logits
        return logits


def _log_softmax(logits: torch.Tensor) -> Floats:
    result: Floats = torch.log_softmax(logits.float(), dim=-1).cpu().numpy()
    return result


def autocast(precision: str, device: str) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which the model computes in ``precision``."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device_type=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)


@contextlib.contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Switch dropout off for a while."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
