"""Run an encoder with its head over windows and bring back a score for every word; used to score and to label alike."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from labelkit.encode.alignment import Encoding, Window, first_subword_mask
from labelkit.encode.batches import batch_by_tokens, model_inputs, pad_words
from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Floats = NDArray[np.float32]
#: the log-probability of every label but the fallback for a word that no window covers; finite, as sums must be
IMPOSSIBLE = -1e4
#: a blank text says nothing: every label is about as likely, and the fallback comes first
BLANK_TEXT_BIAS = 1e-3


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


@dataclass(slots=True)
class OutOfMemoryState:
    """What was learned of the device's memory.

    :param budget: the largest batch, in sub-tokens, that is still tried; None while nothing ran out.
    :param backoffs: how often a batch did not fit.
    """

    budget: int | None = None
    backoffs: int = 0


class InferenceStoppedError(Exception):
    """Nobody waits for the scores any more."""


class RuntimeSession(Protocol):
    """What computes in place of torch's model.

    :ivar runtime: its name in that of the engine; ``precision``: in which it computes; ``streams``: how many batches
        it computes at once, each for a thread that asks.
    """

    @property
    def runtime(self) -> str: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102
    @property
    def streams(self) -> int: ...  # noqa: D102
    def logits(self, inputs: Mapping[str, NDArray[np.int64]], wanted: NDArray[np.bool_]) -> Floats: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Engine:
    """A model ready to score windows.

    :param precision: ``"fp32"``, ``"bf16"``, or ``"int8"`` with an ONNX model.
    :param budget: sub-tokens in a batch, padding included; halved whenever the device's memory runs out.
    :param fallback: id of the label for words that no window covers.
    :param session: computes in place of the model; None: torch does.
    """

    model: PreTrainedModel
    encoding: Encoding
    precision: str
    budget: int
    fallback: int
    memory: OutOfMemoryState = field(default_factory=OutOfMemoryState)
    session: RuntimeSession | None = None

    @property
    def name(self) -> str:
        """Return what computes, and in which precision."""
        return f"{self.session.runtime if self.session else 'torch'}-{self.precision}"

    def score(self, windows: Sequence[Window], words: Sequence[int], stop: Event | None = None) -> WordScores:
        """Return a log-probability for each label of each word.

        :param windows: of all examples, as :func:`labelkit.encode.alignment.encode` cuts them.
        :param words: how many words each example has.
        :param stop: once it is set nobody waits for the scores.
        :raises InferenceStoppedError: ``stop`` was set.
        """
        lengths = np.array(words, np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        values = np.full((int(starts[-1]), int(self.model.config.num_labels or 0)), IMPOSSIBLE, np.float32)
        values[:, self.fallback] = 0.0
        covered = np.zeros(len(values), np.bool_)
        for chosen, found in self._batches(windows, self._forward, stop):
            rows = np.concatenate([starts[window.example] + window.words[window.first] for window in chosen])
            values[rows] = found
            covered[rows] = True
        return WordScores(values, lengths, covered)

    def score_texts(self, windows: Sequence[Window], texts: int, stop: Event | None = None) -> WordScores:
        """Return a log-probability for each label of each text: the weighted mean over its windows, normalised.

        :param stop: once it is set nobody waits for the scores.
        :raises InferenceStoppedError: ``stop`` was set.
        """
        values = np.zeros((texts, int(self.model.config.num_labels or 0)), np.float32)
        covered = np.zeros(texts, np.bool_)
        for chosen, found in self._batches(windows, self._pooled, stop):
            rows = np.array([window.example for window in chosen])
            weights = np.array([window.weight for window in chosen], np.float32)
            np.add.at(values, rows, found * weights[:, None])
            covered[rows] = True
        values[~covered, self.fallback] = BLANK_TEXT_BIAS
        normalised: Floats = values - np.logaddexp.reduce(values, axis=1, keepdims=True)
        return WordScores(normalised, np.ones(texts, np.int64), covered)

    def _batches(
        self, windows: Sequence[Window], compute: Callable[[Sequence[Window]], Floats], stop: Event | None
    ) -> Iterator[tuple[list[Window], Floats]]:
        """Yield windows of similar length with what is computed of them; a batch that does not fit is divided.

        :raises InferenceStoppedError: ``stop`` was set.
        :raises LabelkitError: a single window does not fit in the memory.
        """
        waiting = deque([list(windows)])
        while waiting:
            rest = waiting.popleft()
            budget = min(self.budget, self.memory.budget or self.budget)
            lengths = [len(window.ids) for window in rest]
            batches = [[rest[position] for position in batch] for batch in batch_by_tokens(lengths, budget)]
            with self._computed(compute, batches) as results:
                for number, chosen in enumerate(batches):
                    if stop is not None and stop.is_set():
                        raise InferenceStoppedError
                    try:
                        found = next(results)
                    except (MemoryError, RuntimeError) as error:
                        if not is_out_of_memory(error):
                            raise
                        self._back_off(chosen, error)
                        waiting.append([window for later in batches[number:] for window in later])
                        break
                    yield chosen, found

    @contextlib.contextmanager
    def _computed(
        self, compute: Callable[[Sequence[Window]], Floats], batches: list[list[Window]]
    ) -> Iterator[Iterator[Floats]]:
        """Give what is computed of each batch, in order; by as many threads as the session has streams."""
        streams = self.session.streams if self.session else 1
        if streams == 1 or len(batches) == 1:
            yield map(compute, batches)
            return
        pool = ThreadPoolExecutor(streams, thread_name_prefix="label")
        try:
            yield pool.map(compute, batches)
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C nobody waits for the rest

    def _back_off(self, windows: Sequence[Window], error: Exception) -> None:
        longest = max(len(window.ids) for window in windows)
        if len(windows) == 1:
            raise LabelkitError(
                f"the memory does not hold a single window of {longest} sub-tokens",
                hint="free some memory of the device, or use the processor: CUDA_VISIBLE_DEVICES=",
            ) from error
        self.memory.backoffs += 1
        self.memory.budget = longest * len(windows) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _forward(self, windows: Sequence[Window]) -> Floats:
        """Return the scores of the words that ``windows`` answer for, in order: float32 of shape (words, labels)."""
        left = self.encoding.tokenizer.padding_side == "left"
        return self._scores(windows, first_subword_mask(pad_words([window.words for window in windows], left=left)))

    def _pooled(self, windows: Sequence[Window]) -> Floats:
        """Return the scores of each window as a whole: float32 of shape (windows, labels)."""
        return self._scores(windows, np.ones(len(windows), np.bool_))

    def _scores(self, windows: Sequence[Window], wanted: NDArray[np.bool_]) -> Floats:
        """Return the log-probabilities at the places that are wanted, in order."""
        tokenizer, device = self.encoding.tokenizer, self.model.device
        left = tokenizer.padding_side == "left"
        inputs = model_inputs(
            [w.ids for w in windows], self.encoding.special_tokens, tokenizer.pad_token_id or 0, left=left
        )
        if self.session is not None:
            # not with torch: its threads would wait for more work, spinning, on the cores that the session needs
            return _log_softmax(self.session.logits(inputs, wanted))
        tensors: dict[str, Any] = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
        with torch.inference_mode():
            with autocast(self.precision, device.type), eval_mode(self.model):
                logits: torch.Tensor = self.model(**tensors).logits
            chosen = logits[torch.from_numpy(wanted).to(device)].float()
            result: Floats = torch.log_softmax(chosen, dim=-1).cpu().numpy()
        return result


def is_out_of_memory(error: Exception) -> bool:
    """Return whether ``error`` says that there is no memory left; for the processor torch has no class of its own."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def autocast(precision: str, device: str) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which the model computes in ``precision``."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device_type=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)


@contextlib.contextmanager
def eval_mode(model: PreTrainedModel) -> Iterator[None]:
    """Switch dropout off for a while."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
