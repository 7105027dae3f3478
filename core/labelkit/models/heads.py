"""The built-in heads, and heads bound to a context: attached to a model, saved, loaded and applied.

Importing it loads no torch, so that listing plugins stays fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labelkit.errors import LabelkitError, ModelError, explanation, one_line, package_of
from labelkit.models.adapters import plain_weights
from labelkit.models.checkpoint_files import HEAD_WEIGHTS
from labelkit.records import Head, HeadBatch, HeadContext, Schema
from labelkit.records.heads import IGNORE_INDEX

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

#: the name under which a head's module is a part of the model
MODULE = "labelkit_head"


def cross_entropy(batch: HeadBatch, ctx: HeadContext) -> torch.Tensor:
    """Return the cross-entropy of each label, 0 where there is none, flat."""
    import torch

    weights = None if ctx.class_weights is None else batch.outputs.new_tensor(ctx.class_weights)
    return torch.nn.functional.cross_entropy(
        batch.outputs.flatten(0, -2),
        batch.labels.flatten(),
        weight=weights,
        ignore_index=IGNORE_INDEX,
        reduction="none",
        label_smoothing=ctx.label_smoothing,
    )


LINEAR = Head(
    name="linear",
    kinds=("token", "text"),
    loss=cross_entropy,
    loss_settings=("label_smoothing_factor", "class_weights"),
    summary="a linear layer, trained with cross-entropy",
)


def squared_errors(batch: HeadBatch, ctx: HeadContext) -> torch.Tensor:
    """Return the squared error of each text."""
    return (batch.outputs[:, 0] - batch.labels.float()) ** 2


REGRESSION = Head(
    name="regression",
    kinds=("text",),
    numeric=True,
    loss=squared_errors,
    outputs=lambda ctx: 1,
    scores=lambda outputs, ctx: outputs,
    config=lambda ctx: {"problem_type": "regression"},
    metrics=("mse", "mae", "pearson", "spearman"),
    decoder="number",
    summary="a linear layer that predicts a number, trained with the squared error",
)


def binary_cross_entropies(batch: HeadBatch, ctx: HeadContext) -> torch.Tensor:
    """Return the binary cross-entropy of each text, summed over its labels."""
    import torch

    wanted = batch.labels.float()
    if ctx.label_smoothing:
        wanted = wanted * (1 - ctx.label_smoothing) + ctx.label_smoothing / 2
    losses = torch.nn.functional.binary_cross_entropy_with_logits(batch.outputs, wanted, reduction="none")
    return losses.sum(dim=-1)


def log_sigmoid(outputs: NDArray[np.float32], ctx: HeadContext) -> NDArray[np.float32]:
    """Return the logarithm of the probability of each label."""
    import numpy as np

    return -np.logaddexp(np.float32(0), -outputs)


MULTILABEL = Head(
    name="multilabel",
    kinds=("text",),
    multilabel=True,
    loss=binary_cross_entropies,
    scores=log_sigmoid,
    config=lambda ctx: {"problem_type": "multi_label_classification"},
    metrics=("multilabel",),
    decoder="thresholds",
    loss_settings=("label_smoothing_factor",),
    summary="a linear layer with a sigmoid for each label, trained with binary cross-entropy",
)
HEADS = (LINEAR, REGRESSION, MULTILABEL)
#: log-probability of a label that the model has no output for; finite, because scores are summed
NO_SCORE = -1e4


def reordered(outputs: Sequence[str], output_of: Sequence[int]) -> Head:
    """Return the head ``linear`` of a model whose outputs are not the labels of the schema in their order.

    :param outputs: their names.
    :param output_of: for each label the number of its output, -1 where it has none.
    """
    import numpy as np

    columns = np.array(output_of)

    def scores(values: NDArray[np.float32], ctx: HeadContext) -> NDArray[np.float32]:
        found = log_softmax(values)[:, columns]
        found[:, columns < 0] = NO_SCORE
        return found

    names = {"id2label": dict(enumerate(outputs)), "label2id": {name: index for index, name in enumerate(outputs)}}
    return replace(LINEAR, outputs=lambda ctx: len(outputs), scores=scores, config=lambda ctx: names)


def log_softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithm of the softmax of each row."""
    import numpy as np

    shifted = values - values.max(axis=-1, keepdims=True)
    normalised: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSource:
    """Where the weights of the head of a new run come from.

    :param takes: the folder of the encoder holds a head that is taken up; None: if it has the same labels.
    :param further: it is that of a further task of a checkpoint of several.
    """

    takes: bool | None = None
    further: bool = False


@dataclass(frozen=True, slots=True)
class BoundHead:
    """A head with the context that its functions are called in. Errors name the head."""

    head: Head
    context: HeadContext

    @classmethod
    def linear(cls, schema: Schema) -> Self:
        """Return the head ``linear`` for the labels of ``schema``."""
        return cls(LINEAR, HeadContext(schema=schema, hidden_size=0))

    @property
    def labels(self) -> int:
        """The number of scores of a word or text: one for each label, or the number that it predicts."""
        return 1 if self.context.schema.numeric else len(self.context.schema.label_names)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the model's outputs: the labels, unless there are more or fewer outputs.

        :raises LabelkitError: the head fails.
        """
        names = self.context.schema.label_names
        with self._errors("outputs"):
            width = len(names) if self.head.outputs is None else int(self.head.outputs(self.context))
        return names if width == len(names) else tuple(f"LABEL_{index}" for index in range(width))

    @property
    def config(self) -> dict[str, Any]:
        """The fields of ``config.json``: number and names of the outputs, and what the head adds.

        :raises LabelkitError: the head fails.
        """
        names = self.output_names
        with self._errors("config"):
            more = {} if self.head.config is None else dict(self.head.config(self.context))
        return {
            "num_labels": len(names),
            "id2label": dict(enumerate(names)),
            "label2id": {label: index for index, label in enumerate(names)},
            **more,
        }

    def new_module(self) -> torch.nn.Module | None:
        """Return a new module of the head; None where it has none.

        :raises LabelkitError: the head fails.
        """
        if self.head.module is None:
            return None
        with self._errors("module"):
            return self.head.module(self.context)

    def attach(self, model: PreTrainedModel, folder: Path | None = None) -> None:
        """Put the head's module, where it has one, behind the classifier of ``model``.

        :param folder: the checkpoint that holds its trained parameters; None for new ones.
        :raises ModelError: the checkpoint lacks some of them, or they are of other shapes.
        :raises LabelkitError: the head fails.
        """
        if (module := self.new_module()) is None:
            return
        if folder is not None:
            self._load(module, folder / HEAD_WEIGHTS)
        model.add_module(MODULE, module)
        model.register_forward_hook(_apply_module, with_kwargs=True)

    def _load(self, module: torch.nn.Module, file: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            module.load_state_dict(load_file(file))
        except (OSError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"{file} does not fit head '{self.head.name}': {one_line(error)}",
                hint="install the plugin's version of that time, or train again",
            ) from error

    def losses(
        self,
        outputs: torch.Tensor,
        labels: torch.Tensor,
        parameters: Mapping[str, torch.Tensor],
        unknown: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the losses of some windows: of any shape for words, of shape (windows,) for texts.

        :param unknown: the first subword of each word whose label is unknown; None where all labels are known.
        :raises LabelkitError: the head fails, or returns another shape.
        """
        from labelkit.hardware import is_out_of_memory

        batch = HeadBatch(outputs=outputs.float(), labels=labels, parameters=parameters, unknown=unknown)
        try:
            found = self.head.loss(batch, self.context)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise self.failure("loss", error) from error
        if self.context.schema.kind == "text" and found.shape != labels.shape[:1]:
            raise LabelkitError(
                f"loss() of head '{self.head.name}' returned losses of shape {tuple(found.shape)}",
                hint=f"one loss for each window is needed: {tuple(labels.shape[:1])}",
            )
        return found

    def scores(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of words or texts for the decoder.

        :param outputs: float32 of shape (n, outputs).
        :raises LabelkitError: the head fails, or returns another shape than (n, labels).
        """
        import numpy as np

        if self.head.scores is None:
            return log_softmax(outputs)
        with self._errors("scores"):
            found = np.asarray(self.head.scores(outputs, self.context), np.float32)
        needed = (len(outputs), self.labels)
        if found.shape != needed:
            raise LabelkitError(f"scores() of head '{self.head.name}' returned shape {found.shape}, not {needed}")
        return found

    def _errors(self, function: str) -> _HeadErrors:
        return _HeadErrors(self, function)

    def failure(self, function: str, error: BaseException) -> LabelkitError:
        """Return the error of a function of the head that raised ``error``."""
        failing = getattr(self.head, "module" if function == "forward" else function, None)
        package = package_of(failing or self.head.loss)
        return LabelkitError(f"{function}() of head '{self.head.name}'{package} failed: {explanation(error)}")


class _HeadErrors:
    """Convert what a function of a head raises in a ``with`` block into a :class:`LabelkitError`."""

    def __init__(self, head: BoundHead, function: str) -> None:
        self._head, self._function = head, function

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, LabelkitError):
            raise self._head.failure(self._function, error) from error


def _apply_module(model: torch.nn.Module, args: Any, kwargs: Mapping[str, Any], output: Any) -> Any:
    """Replace the logits of a classifier by what the head's module makes of them.

    While training, the module's parameters are a part of the output, which is then a dict: they may be used by the loss
    only, and distributed training looks for the parameters that an output depends on.
    """
    module: torch.nn.Module = getattr(model, MODULE)
    logits: torch.Tensor = output.logits
    if not logits.dtype.is_floating_point or logits.dtype.itemsize != 4:  # an export keeps a cast that does nothing
        logits = logits.float()
    output.logits = module(logits, kwargs["attention_mask"])
    if not model.training:
        return output
    return {**output, MODULE: {name: value.view_as(value) for name, value in module.named_parameters()}}


def module_of(model: torch.nn.Module) -> torch.nn.Module | None:
    """Return the head's module that is attached to a model; None where there is none."""
    found: torch.nn.Module | None = getattr(model, MODULE, None)
    return found


def parameters_of(model: torch.nn.Module) -> dict[str, NDArray[Any]]:
    """Return the parameters of the head's module that is attached to a model, by name, as float32 arrays."""
    return numpy_parameters(module_of(model))


def numpy_parameters(module: torch.nn.Module | None) -> dict[str, NDArray[Any]]:
    """Return the parameters of a head's module as a decoder gets them."""
    parameters = module.named_parameters() if module is not None else ()
    return {name: value.detach().float().cpu().numpy() for name, value in parameters}


def save_module(model: torch.nn.Module, folder: Path) -> None:
    """Write the tensors of the head's module, where there is one, to ``head.safetensors`` in ``folder``."""
    module = module_of(model)
    if module is None:
        return
    from safetensors.torch import save_file

    save_file({name: value.detach().contiguous() for name, value in module.state_dict().items()}, folder / HEAD_WEIGHTS)


def plain_state(model: torch.nn.Module) -> dict[str, torch.Tensor] | None:
    """Return the weights of a model without those of its head's module, and by the names that transformers gives them.

    :returns: None where there are neither such a module nor adapters.
    """
    own = model.state_dict()
    weights = plain_weights({name: value for name, value in own.items() if not name.startswith(f"{MODULE}.")})
    return None if weights.keys() == own.keys() else weights
