"""Heads: what stands on the encoder, how it learns, and how its outputs become scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labelkit.records.contexts import Context
from labelkit.records.examples import Kind, Schema

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

#: label id of what the loss leaves out: special tokens, padding, and subwords that carry no label
IGNORE_INDEX = -100


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadContext(Context):
    """What the functions of a head know of the run: all that a :class:`Context` holds, and the model's shape.

    :param schema: the labels, in the order of their ids.
    :param hidden_size: the width of the encoder's hidden states.
    :param dropout: ``train.dropout``; None: as in the encoder's configuration.
    :param label_smoothing: ``train.label_smoothing_factor``; of interest to the loss only.
    :param class_weights: the weight of each label in the loss, in the order of their ids; None: all weigh the same.
    """

    schema: Schema
    hidden_size: int
    dropout: float | None = None
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadBatch:
    """Some windows of the training split: the argument of a loss.

    :param outputs: what the head computes, float32 of shape (windows, length, outputs); of texts (windows, outputs).
    :param labels: label ids, int64 of shape (windows, length) with :data:`IGNORE_INDEX` where there is none; of texts
        (windows,), float32 where labels are numbers; where a text may have several labels float32 of shape (windows,
        labels), 1 for each label that it has and 0 for the others.
    :param parameters: the trained parameters of the head's module, by name.
    :param unknown: the first subword of each word whose label is unknown, bool of the shape of :attr:`labels`: what
        models a sentence as a whole passes through these words. None where all labels are known, and for texts.
    """

    outputs: torch.Tensor
    labels: torch.Tensor
    parameters: Mapping[str, torch.Tensor] = field(default_factory=dict)
    unknown: torch.Tensor | None = None

    @property
    def mask(self) -> torch.Tensor:
        """Where there is a label, bool of the shape of :attr:`labels`."""
        return self.labels != IGNORE_INDEX


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What stands on the encoder, and how it learns.

    Core puts transformers' own classifier of the architecture on the encoder: pooling, dropout and a linear layer. A
    head says how many numbers that layer gives, and may put a module of its own behind it. So every architecture works,
    and a checkpoint is a plain Hugging Face folder, with the tensors of the module in ``head.safetensors``.
    Import torch inside the functions: every command imports the plugin.

    :param kinds: the kinds of task that it can stand in.
    :param loss: ``loss(batch, ctx)`` returns losses, float32 of any shape for words, of shape (windows,) for texts.
        Core weighs the windows of a text, and divides the sum by the number of labels of an optimizer step. The windows
        must not depend on each other: a batch that is too large for the memory is computed in parts.
    :param outputs: ``outputs(ctx)`` returns the width of the linear layer; None: the number of labels.
    :param module: ``module(ctx)`` returns a ``torch.nn.Module`` whose ``forward(outputs, mask)`` gets what the linear
        layer gives and the attention mask of shape (windows, length), and returns the head's outputs; it may also hold
        parameters that only loss and decoder use. None: there is none.
    :param scores: ``scores(outputs, ctx)`` turns the outputs of words, or of texts, into scores for the decoder:
        float32 of shape (n, outputs) in, of shape (n, labels) out. The windows of a text are averaged before. None: the
        logarithm of their softmax.
    :param config: ``config(ctx)`` returns further fields of ``config.json``, e.g. ``{"problem_type": "regression"}``.
    :param numeric: it predicts numbers in place of labels.
    :param multilabel: it predicts any number of labels of a text: its scores are the logarithms of the probabilities of
        the labels, each by itself.
    :param metrics: the names of the metrics that fit what it predicts, in place of the task's; the first one selects
        the checkpoint.
    :param decoder: the name of the decoder that its scores are made for; None: the task's.
    :param loss_settings: the settings that the loss obeys of ``train.label_smoothing_factor`` and
        ``train.class_weights``, without ``train.``; the others are refused.
    """

    name: str
    kinds: tuple[Kind, ...]
    loss: Callable[[HeadBatch, HeadContext], torch.Tensor]
    outputs: Callable[[HeadContext], int] | None = None
    module: Callable[[HeadContext], torch.nn.Module] | None = None
    scores: Callable[[NDArray[np.float32], HeadContext], NDArray[np.float32]] | None = None
    config: Callable[[HeadContext], Mapping[str, Any]] | None = None
    numeric: bool = False
    multilabel: bool = False
    metrics: tuple[str, ...] = ()
    decoder: str | None = None
    loss_settings: tuple[str, ...] = ()
    summary: str = ""
