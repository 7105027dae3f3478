"""Run a model over windows of text and return log-probabilities of words or texts."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from labelkit.encode.alignment import Encoding, Window, first_subword_mask
from labelkit.encode.batches import (
    batch_by_cost,
    batch_by_tokens,
    model_inputs,
    pad_words,
    rounded_count,
    rounded_length,
)
from labelkit.encode.pairs import NO_PAIR
from labelkit.errors import LabelkitError
from labelkit.hardware import is_out_of_memory
from labelkit.inference.out_of_memory import OutOfMemoryState
from labelkit.inference.score_blocks import SCORES, new_scores
from labelkit.models.heads import BoundHead, parameters_of
from labelkit.records import Schema

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Floats = NDArray[np.float32]
#: most windows whose batches are padded to few shapes, where the runtime prepares each; batches of more windows are as
#: large as the budget allows, and a new shape takes little beside them
FEW_WINDOWS = 256
#: log-probability of all labels but the fallback for a word that no window covers; finite, because scores are summed
IMPOSSIBLE = -1e4
#: advantage of the fallback label for a text without subwords, whose labels are otherwise equally likely
BLANK_TEXT_BIAS = 1e-3


@dataclass(frozen=True, slots=True)
class WordScores:
    """Log-probabilities of the words of several examples, one example after the other.

    :param values: float32 of shape (words, labels).
    :param lengths: number of words of each example, int64 of shape (examples,).
    :param covered: whether a window covers the word, bool of shape (words,).
    :param parameters: the trained parameters of the head's module, for the decoder.
    """

    values: Floats
    lengths: NDArray[np.int64]
    covered: NDArray[np.bool_]
    parameters: Mapping[str, Floats] = field(default_factory=dict)


class InferenceStoppedError(Exception):
    """Inference was cancelled: its results are no longer needed."""


class RuntimeSession(Protocol):
    """A runtime that computes logits in place of torch.

    :ivar runtime: the runtime's name, part of the engine's.
    :ivar precision: in which it computes.
    :ivar streams: number of batches that it computes at once, each called from a thread of its own.
    :ivar prepares_shapes: it takes time and memory for each new shape of a batch.
    """

    @property
    def runtime(self) -> str: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102
    @property
    def streams(self) -> int: ...  # noqa: D102
    @property
    def prepares_shapes(self) -> bool: ...  # noqa: D102
    def logits(self, inputs: Mapping[str, NDArray[np.int64]], wanted: NDArray[np.bool_]) -> Floats: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class HeadOutputs:
    """A head of an engine, and what it predicts where no window covers a word or a text.

    :param fallback: id of the label.
    :param fallback_number: the number, where labels are numbers.
    :param parameters: the trained parameters of the head's module, for the decoder.
    """

    head: BoundHead
    fallback: int = 0
    fallback_number: float = 0.0
    parameters: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """The number of its outputs."""
        return len(self.head.output_names)

    def of_windows(self, outputs: Floats | torch.Tensor, *, pooled: bool) -> Floats:
        """Return what its outputs for some words, or some windows of texts, say.

        :param outputs: of shape (n, outputs), float32; log-probabilities are computed where a tensor lies.
        :param pooled: of windows, over which :meth:`of_texts` needs the mean.
        """
        if isinstance(outputs, np.ndarray):
            return outputs if pooled and self.head.head.scores is not None else self.head.scores(outputs)
        if self.head.head.scores is not None:
            return self.of_windows(outputs.cpu().numpy(), pooled=pooled)
        found: Floats = outputs.log_softmax(dim=-1).cpu().numpy()
        return found

    def of_texts(self, values: Floats, covered: NDArray[np.bool_]) -> Floats:
        """Return the scores of texts: those of the mean over their windows, normalised.

        :param values: weighted means of :meth:`of_windows`, of shape (texts, outputs); changed.
        :param covered: whether a text has windows, of shape (texts,).
        """
        if self.head.head.scores is None:
            values[~covered, self.fallback] = BLANK_TEXT_BIAS
            normalised: Floats = values - np.logaddexp.reduce(values, axis=1, keepdims=True)
            return normalised
        normalised = self.head.scores(values)
        if self.head.context.schema.numeric:
            normalised[~covered] = self.fallback_number
        elif self.head.context.schema.multilabel:
            normalised[~covered] = IMPOSSIBLE  # nothing says that a text without subwords has a label
        return normalised


@dataclass(frozen=True, slots=True)
class Engine:
    """A model ready for inference.

    :param model: torch's; None where only ``session`` computes, without torch.
    :param precision: ``"fp32"``, ``"bf16"``, or ``"int8"`` with an ONNX model.
    :param budget: batch size in subwords, padding included; halved whenever the device runs out of memory.
    :param fallback: id of the label for words that no window covers.
    :param fallback_number: the number of texts that no window covers, where labels are numbers.
    :param head: what makes scores of the model's outputs.
    :param session: the runtime that computes in place of torch; None: torch computes.
    :param stored_parameters: the trained parameters of the head's module, where there is no torch model.
    :param joined: the heads of several tasks whose outputs stand side by side, as those of ``head`` do; empty for one.
    """

    model: PreTrainedModel | None
    encoding: Encoding
    precision: str
    budget: int
    fallback: int
    head: BoundHead
    fallback_number: float = 0.0
    memory: OutOfMemoryState = field(default_factory=OutOfMemoryState)
    session: RuntimeSession | None = None
    stored_parameters: Mapping[str, Floats] = field(default_factory=dict)
    joined: tuple[HeadOutputs, ...] = ()

    @property
    def heads(self) -> tuple[HeadOutputs, ...]:
        """Its heads, in the order of their outputs: one, but for several tasks."""
        return self.joined or (HeadOutputs(self.head, self.fallback, self.fallback_number),)

    @property
    def device(self) -> str:
        """Return the type of the device: ``"cpu"`` or ``"cuda"``."""
        return "cpu" if self.model is None else self.model.device.type

    @property
    def parameters(self) -> Mapping[str, Floats]:
        """Return the trained parameters of the head's module by name."""
        return self.stored_parameters if self.model is None else parameters_of(self.model)

    @property
    def torch_model(self) -> PreTrainedModel:
        """Return torch's model.

        :raises LabelkitError: the engine was loaded without torch.
        """
        if self.model is None:
            raise LabelkitError("this labeller was loaded without torch", hint="load it with engine='torch'")
        return self.model

    @property
    def name(self) -> str:
        """Return runtime and precision, such as ``torch-fp32``."""
        return f"{self.session.runtime if self.session else 'torch'}-{self.precision}"

    @property
    def streams(self) -> int:
        """How many batches it computes at once, each called from a thread of its own."""
        return self.session.streams if self.session else 1

    def batch_with_first(self, lengths: Sequence[int]) -> list[int]:
        """Return the positions of those in one batch with the first, of the batches that cost least for all of them.

        :param lengths: the number of subwords of each example that waits.
        :returns: all where the device is no processor: it computes many at once.
        """
        if self.device != "cpu":
            return list(range(len(lengths)))
        rounded = self.session is not None and self.session.prepares_shapes
        return next(batch for batch in batch_by_cost(lengths, self._budget, rounded=rounded) if 0 in batch)

    @property
    def _budget(self) -> int:
        """The batch size in subwords; a batch has a score for each subword and label."""
        return min(self.budget, self.memory.budget or self.budget, max(1, SCORES // self.head.labels))

    def score(self, windows: Sequence[Window], words: Sequence[int], stop: Event | None = None) -> WordScores:
        """Return a log-probability for each label of each word.

        :param windows: of all examples, as :func:`labelkit.encode.alignment.encode` cuts them.
        :param words: number of words of each example.
        :param stop: event that cancels inference.
        :raises InferenceStoppedError: if ``stop`` is set before the last batch.
        """
        lengths = np.array(words, np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        values = new_scores(int(starts[-1]), self.head.labels)
        values[:] = IMPOSSIBLE
        for columns, head in zip(_columns([head.head.labels for head in self.heads]), self.heads, strict=True):
            values[:, columns.start + head.fallback] = 0.0
        covered = np.zeros(len(values), np.bool_)
        for batch, found in self._batches(windows, self.forward, stop):
            rows = np.concatenate([starts[window.example] + window.words[window.first] for window in batch])
            values[rows] = found
            covered[rows] = True
            for window in batch:
                if window.shared is not None:
                    word, same = (starts[window.example] + window.shared).T
                    values[word], covered[word] = values[same], True
        return WordScores(values, lengths, covered, self.parameters)

    def score_texts(self, windows: Sequence[Window], texts: int, stop: Event | None = None) -> WordScores:
        """Return scores of the labels of each text: the weighted mean over its windows, normalised by the head.

        :param stop: event that cancels inference.
        :raises InferenceStoppedError: if ``stop`` is set before the last batch.
        """
        values = np.zeros((texts, sum(head.width for head in self.heads)), np.float32)
        covered = np.zeros(texts, np.bool_)
        pairs = [window for window in windows if window.second != NO_PAIR]
        single = [window for window in windows if window.second == NO_PAIR] if pairs else windows
        forward = partial(self.forward, pooled=True)
        # BART and T5 want as many end tokens in each input of a batch, and a pair has more of them
        batches = (each for group in (single, pairs) for each in self._batches(group, forward, stop))
        for batch, found in batches:
            rows = np.array([window.example for window in batch])
            weights = np.array([window.weight for window in batch], np.float32)
            np.add.at(values, rows, found * weights[:, None])
            covered[rows] = True
        widths = [head.width for head in self.heads]
        parts = [
            head.of_texts(np.ascontiguousarray(values[:, columns]), covered)
            for columns, head in zip(_columns(widths), self.heads, strict=True)
        ]
        normalised = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return WordScores(normalised, np.ones(texts, np.int64), covered, self.parameters)

    def _batches(
        self, windows: Sequence[Window], forward: Callable[..., Floats], stop: Event | None
    ) -> Iterator[tuple[list[Window], Floats]]:
        """Yield batches of windows of similar length with their results; split a batch that is out of memory.

        :param forward: :meth:`forward`, or a partial function of it.
        :raises InferenceStoppedError: if ``stop`` is set before the last batch.
        :raises LabelkitError: if a single window is out of memory.
        """
        pending = deque([list(windows)])
        rounded = self.session is not None and self.session.prepares_shapes and len(windows) <= FEW_WINDOWS
        compute = partial(forward, rounded=rounded)
        while pending:
            remaining = pending.popleft()
            budget, lengths = self._budget, [len(window.ids) for window in remaining]
            on_cpu = self.device == "cpu"
            divided = batch_by_cost(lengths, budget, rounded=rounded) if on_cpu else batch_by_tokens(lengths, budget)
            batches = [[remaining[position] for position in batch] for batch in divided]
            with self.map_batches(compute, batches) as results:
                for number, batch in enumerate(batches):
                    if stop is not None and stop.is_set():
                        raise InferenceStoppedError
                    try:
                        found = next(results)
                    except (MemoryError, RuntimeError) as error:
                        if not is_out_of_memory(error):
                            raise
                        self.memory.back_off(batch, error)
                        pending.append([window for later in batches[number:] for window in later])
                        break
                    yield batch, found

    @contextlib.contextmanager
    def map_batches(
        self, compute: Callable[[Sequence[Window]], Floats], batches: list[list[Window]]
    ) -> Iterator[Iterator[Floats]]:
        """Yield the results of all batches in order, computed in as many threads as the session has streams."""
        if self.streams == 1 or len(batches) == 1:
            yield map(compute, batches)
            return
        pool = ThreadPoolExecutor(self.streams, thread_name_prefix="label")
        try:
            yield pool.map(compute, batches)
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for batches that have not started

    def forward(self, windows: Sequence[Window], *, pooled: bool = False, rounded: bool = False) -> Floats:
        """Run the model on one padded batch of windows and return scores in order, as float32.

        :param pooled: one row for each window: shape (windows, labels), or (windows, outputs) where the head makes
            scores of its own, which are made of the mean over windows. Else one row for the first subword of each word
            that the windows answer for: shape (words, labels).
        :param rounded: pad to one of few shapes, with copies of the first window.
        """
        encoding, left, count, length = self.encoding, self.encoding.pad_left, len(windows), 0
        if rounded:
            length = min(rounded_length(max(len(window.ids) for window in windows)), encoding.max_length)
            windows = [*windows, *[windows[0]] * (rounded_count(count) - count)]
        rows, seconds = [window.ids for window in windows], [window.second for window in windows]
        inputs = model_inputs(rows, encoding.special_tokens, encoding.pad_id, left=left, seconds=seconds, length=length)
        if pooled:
            wanted = np.ones(len(windows), np.bool_)
        else:
            wanted = first_subword_mask(pad_words([window.words for window in windows], left=left, length=length))
        wanted[count:] = False
        # in a session softmax is computed without torch, whose threads would spin on the cores that the session needs
        outputs = self.session.logits(inputs, wanted) if self.session else self._torch_outputs(inputs, wanted)
        parts = zip(_columns([head.width for head in self.heads]), self.heads, strict=True)
        found = [head.of_windows(outputs[:, columns], pooled=pooled) for columns, head in parts]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def _torch_outputs(self, inputs: Mapping[str, NDArray[np.int64]], wanted: NDArray[np.bool_]) -> torch.Tensor:
        """Return the outputs that torch computes for the wanted subwords or windows, float32 on its device."""
        import torch

        model = self.torch_model
        tensors: dict[str, Any] = {name: torch.from_numpy(array).to(model.device) for name, array in inputs.items()}
        with torch.inference_mode():
            with autocast(self.precision, model.device.type), eval_mode(model):
                logits: torch.Tensor = model(**tensors).logits
            return logits[torch.from_numpy(wanted).to(model.device)].float()


def _columns(widths: Sequence[int]) -> list[slice]:
    """Return the columns of parts of these widths that stand side by side."""
    ends = np.cumsum(widths).tolist()
    return [slice(end - width, end) for width, end in zip(widths, ends, strict=True)]


def fallback_of(schema: Schema, label: str) -> dict[str, Any]:
    """Return the arguments of an :class:`Engine` for the label of words and texts that no window covers."""
    if schema.numeric:
        return {"fallback": 0, "fallback_number": float(label)}
    if schema.multilabel:
        return {"fallback": 0}
    return {"fallback": schema.label_names.index(label)}


def autocast(precision: str, device: str) -> contextlib.AbstractContextManager[Any]:
    """Return the context in which torch computes in ``precision``."""
    if precision == "fp32":
        return contextlib.nullcontext()
    import torch

    return torch.autocast(device_type=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)


@contextlib.contextmanager
def eval_mode(model: PreTrainedModel) -> Iterator[None]:
    """Put a model in evaluation mode (no dropout), and back in its former mode afterwards."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
