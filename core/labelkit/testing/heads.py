"""Contract checks of heads: outputs, losses and scores that training and labelling can rely on."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError
from labelkit.records import Decoder, Head, HeadContext, Kind, Schema, Scores
from labelkit.records.heads import IGNORE_INDEX
from labelkit.testing.contexts import Setup
from labelkit.testing.decoders import NUMBERS, SCHEMAS, SETS, label_text, valid_labelling
from labelkit.testing.framework import KINDS, CheckSet, offline_call, require

if TYPE_CHECKING:
    from labelkit.models.head_trial import HeadTrial

HIDDEN_SIZE = 16
#: words of each sentence of the trial; of texts there is one label each
LENGTHS = (4, 1, 3)
#: number and size of the steps after which a head has learned the labels of the trial by heart
STEPS, STEP = 60, 0.1
#: how near numbers come to the labels, by steps of that size
NEAR = 0.25
#: fields of ``config.json`` that core sets itself
OWNED = frozenset({"num_labels", "id2label", "label2id", "model_type", "architectures"})
LOSS_SETTINGS = ("label_smoothing_factor", "class_weights")


class HeadSubject:
    """A head, and its trials in all schemas that its kinds have."""

    def __init__(self, head: Head, setup: Setup) -> None:
        self.head = head
        self.name = head.name
        self.setup = setup
        self.catalog = setup.catalog

    @cached_property
    def contexts(self) -> list[HeadContext]:
        """A context for each schema."""
        kinds: list[Kind] = [kind for kind in KINDS if kind in self.head.kinds]
        settings = self.setup.context().plugin_settings
        return [
            HeadContext(schema=schema, hidden_size=HIDDEN_SIZE, offline=True, trial=True, plugin_settings=settings)
            for kind in kinds
            for schema in ((NUMBERS,) if self.head.numeric else (SETS,) if self.head.multilabel else SCHEMAS[kind])
        ]

    def trial(self, context: HeadContext, **changes: Any) -> HeadTrial:
        """Return a trial in a context.

        :param changes: fields of the context that differ.
        """
        import torch

        from labelkit.models.head_trial import HeadTrial
        from labelkit.models.heads import BoundHead

        torch.manual_seed(3)
        bound = BoundHead(self.head, replace(context, **changes))
        return HeadTrial.of(bound, label_rows(context))

    def call(self, what: str) -> Any:
        """Return a context in which functions of the head are called."""
        return offline_call(f"{what} of head '{self.name}'", "let it work with every schema of its kinds")


def label_rows(context: HeadContext) -> list[list[float]]:
    """Return valid label ids of a few sentences, or of texts; or numbers."""
    if context.schema.numeric:
        return [[number] for number in (-1.5, 0.0, 0.5, 2.0)]
    ids = valid_labelling(context.schema)
    if context.schema.multilabel:
        return [[label for label, has in enumerate(row) if has] for row in ids]
    if context.schema.kind == "text":
        return [[label] for label in ids]
    stops = [sum(LENGTHS[: number + 1]) for number in range(len(LENGTHS))]
    return [[*ids[stop - length : stop]] for stop, length in zip(stops, LENGTHS, strict=True)]


CHECKS = CheckSet()


@CHECKS.check("kinds")
def check_kinds(subject: HeadSubject) -> None:
    """It names kinds that there are, and settings of the loss that there are."""
    head = subject.head
    require(
        head.kinds and set(head.kinds) <= set(KINDS), f"kinds of head '{head.name}' are {head.kinds!r}",
        "name 'token', 'text', or both, as a tuple",
    )  # fmt: skip
    unknown = [name for name in head.loss_settings if name not in LOSS_SETTINGS]
    require(
        not unknown, f"head '{head.name}' obeys '{next(iter(unknown), '')}', which is no setting of the loss",
        f"loss_settings may hold {' and '.join(LOSS_SETTINGS)}",
    )  # fmt: skip


@CHECKS.check("decoder", needs=("kinds",))
def check_decoder(subject: HeadSubject) -> None:
    """The decoder that it names exists and is for its kinds."""
    name = subject.head.decoder
    if name is None:
        return
    try:
        decoder: Decoder = subject.catalog.find("decoder", name)
    except LabelkitError as error:
        require(False, f"head '{subject.name}': {error.message}", "yield that decoder, or name another one")
        raise
    require(
        subject.head.kinds == (decoder.kind,),
        f"head '{subject.name}' is for {', '.join(subject.head.kinds)}, its decoder '{name}' for {decoder.kind}",
        "name a decoder for the same kind; a head for both kinds leaves it to the task",
    )


@CHECKS.check("config", needs=("kinds",))
def check_config(subject: HeadSubject) -> None:
    """What it adds to config.json is JSON, and nothing that core sets itself."""
    from labelkit.models.heads import BoundHead

    for context in subject.contexts:
        with subject.call("config()"):
            names = BoundHead(subject.head, context).output_names
            more = dict(subject.head.config(context)) if subject.head.config else {}
        require(names, f"outputs() of head '{subject.name}' is 0", "return how many numbers the linear layer gives")
        own = sorted(OWNED & more.keys())
        require(not own, f"config() of head '{subject.name}' sets {', '.join(own)}", "leave that to labelkit")
        try:
            json.dumps(more, allow_nan=False)
        except (TypeError, ValueError) as error:
            require(False, f"config() of head '{subject.name}' is no JSON: {error}", "return numbers, text and lists")


@CHECKS.check("module", needs=("config",))
def check_module(subject: HeadSubject) -> None:
    """Its module keeps windows and subwords apart from each other's padding, and the scores have a column per label."""
    import torch

    for context in subject.contexts:
        with subject.call("module()"):
            trial = subject.trial(context)
            outputs = trial.outputs().detach()
            scores = trial.head.scores(outputs.flatten(0, -2).numpy())
        require(
            torch.isfinite(outputs).all() and bool((abs(scores) < float("inf")).all()),
            f"head '{subject.name}' gives outputs or scores that are not finite",
            "clamp what goes into a logarithm or a division",
        )
        with subject.call("forward()"):
            found = trial.window(1).outputs().detach()[0]
        real = trial.attention[1].bool() if context.schema.kind == "token" else ...
        require(
            torch.allclose(found[real], outputs[1][real], atol=1e-4),
            f"head '{subject.name}' gives a window other outputs beside other windows than alone",
            "let no window depend on the others in its batch",
        )


@CHECKS.check("loss", needs=("module",))
def check_loss(subject: HeadSubject) -> None:
    """Its loss is finite, has a gradient, and ignores subwords without a label."""
    import torch

    for context in subject.contexts:
        with subject.call("loss()"):
            trial = subject.trial(context)
            raw = trial.raw.clone().requires_grad_()
            loss = trial.loss(raw)
            require(
                loss.requires_grad,
                f"the loss of head '{subject.name}' has no gradient",
                "compute it from batch.outputs",
            )
            loss.backward()
            unlearned = [] if trial.module is None else [
                name for name, value in trial.module.named_parameters() if value.grad is None
            ]  # fmt: skip
        require(
            not unlearned, f"parameter '{next(iter(unlearned), '')}' of head '{subject.name}' has no gradient",
            "use it for the outputs or, as batch.parameters[NAME], for the loss; or leave it out",
        )  # fmt: skip
        if context.schema.kind == "text":
            continue
        with subject.call("loss()"):
            outputs = trial.outputs()
            padded = trial.loss_of(torch.where((trial.labels == IGNORE_INDEX)[..., None], 1 - 3 * outputs, outputs))
        require(
            torch.allclose(padded, loss, rtol=1e-3, atol=1e-4),
            f"the loss of head '{subject.name}' depends on subwords that have no label",
            "leave out what batch.mask does not mark",
        )


@CHECKS.check("parts", needs=("loss",))
def check_parts(subject: HeadSubject) -> None:
    """The loss of a batch is the sum of the losses of its windows: where memory runs out, it is computed in parts."""
    import torch

    for context in subject.contexts:
        with subject.call("loss()"):
            trial = subject.trial(context)
            whole = trial.loss().detach()
            total = torch.stack([trial.window(n).loss().detach() for n in range(len(trial.raw))]).sum()
        require(
            torch.allclose(whole, total, rtol=1e-3, atol=1e-4),
            f"the loss of head '{subject.name}' for a batch is {float(whole):.4g}, and for its windows one by one "
            f"{float(total):.4g} together",
            "return a loss for each label or window, and no mean: core divides by the number of labels",
        )


@CHECKS.check("settings", needs=("loss",))
def check_settings(subject: HeadSubject) -> None:
    """Its loss obeys the settings that it says it obeys."""
    import torch

    for context in subject.contexts:
        labels = len(context.schema.label_names)
        changes: dict[str, dict[str, Any]] = {
            "label_smoothing_factor": {"label_smoothing": 0.2},
            "class_weights": {"class_weights": (3.0,) * labels},
        }
        for name in subject.head.loss_settings:
            with subject.call("loss()"):
                plain, changed = subject.trial(context).loss(), subject.trial(context, **changes[name]).loss()
            require(
                not torch.allclose(plain, changed, rtol=1e-3),
                f"head '{subject.name}' says that its loss obeys {name}, and the loss is the same without it",
                "use ctx.label_smoothing and ctx.class_weights, or leave the name out of loss_settings",
            )


@CHECKS.check("saved", needs=("module",))
def check_saved(subject: HeadSubject) -> None:
    """Its module computes the same after it was saved as safetensors and loaded."""
    import torch
    from safetensors.torch import load_file, save_file

    for context in subject.contexts[:1]:
        trial = subject.trial(context)
        if trial.module is None:
            return
        with (
            subject.call("module()"),
            tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder,
            torch.no_grad(),
        ):
            for value in trial.module.parameters():
                value.add_(torch.randn_like(value))
            before, file = trial.outputs(), Path(folder) / "head.safetensors"
            save_file({name: value.contiguous() for name, value in trial.module.state_dict().items()}, file)
            again = subject.trial(context)
            assert again.module is not None
            again.module.load_state_dict(load_file(file))
            after = again.outputs()
        require(
            torch.equal(before, after),
            f"the module of head '{subject.name}' computes something else once it is loaded",
            "keep everything that it learns in parameters and buffers",
        )  # fmt: skip


@CHECKS.check("learns", needs=("parts", "saved", "decoder"))
def check_learns(subject: HeadSubject) -> None:
    """Labels that its loss has learned by heart are those that its decoder predicts from its scores."""
    for context in subject.contexts:
        with subject.call("loss()"):
            found = learned_labels(subject, context)
        gold = [label for row in label_rows(context) for label in row]
        if context.schema.multilabel:
            gold = [float(has) for row in valid_labelling(context.schema) for has in row]
        require(
            len(found) == len(gold) and all(abs(a - b) <= NEAR for a, b in zip(found, gold, strict=True)),
            f"head '{subject.name}' predicts {learned_text(found, context.schema)} after its loss was lowest for "
            f"{learned_text(gold, context.schema)}",
            "let scores() be highest for the label that loss() is lowest for",
        )


def learned_text(ids: list[float], schema: Schema) -> str:
    """Return flat ids, or flat sets of labels, as one line."""
    width = len(schema.labels)
    rows = [ids[start : start + width] for start in range(0, len(ids), width)] if schema.multilabel else ids
    return label_text(rows, schema)


def learned_labels(subject: HeadSubject, context: HeadContext) -> list[float]:
    """Return the predicted ids after training the outputs of the linear layer, and the module, on the labels."""
    import numpy as np
    import torch

    from labelkit.inference.thresholds import threshold_array
    from labelkit.models.heads import numpy_parameters

    trial = subject.trial(context)
    raw = trial.raw.clone().requires_grad_()
    learned = [raw, *(trial.module.parameters() if trial.module is not None else ())]
    for _ in range(
        STEPS
    ):  # by the sign alone, which works for losses of any scale; importing an optimizer takes seconds
        gradients = torch.autograd.grad(trial.loss(raw), learned)
        with torch.no_grad():
            for value, gradient in zip(learned, gradients, strict=True):
                value.sub_(gradient.sign(), alpha=STEP)
    outputs = trial.outputs(raw).detach()
    token = context.schema.kind == "token"
    chosen = outputs[trial.labels != IGNORE_INDEX] if token else outputs
    scores = Scores(
        values=trial.head.scores(chosen.numpy()),
        lengths=np.array(LENGTHS if token else (1,) * len(chosen), np.int64),
        schema=context.schema,
        parameters=numpy_parameters(trial.module),
        thresholds=threshold_array({}, context.schema),
    )
    found = find_decoder_of(subject, context.schema.kind).decode(scores)
    return [float(label) for label in np.asarray(found).ravel()]


def find_decoder_of(subject: HeadSubject, kind: Kind) -> Decoder:
    """Return the decoder that a head names, or the plain one of its kind."""
    head = subject.head
    plain = "argmax" if kind == "token" else "argmax-text"
    plain = "number" if head.numeric else "thresholds" if head.multilabel else plain
    name = subject.head.decoder or plain
    decoder: Decoder = subject.catalog.find("decoder", name)
    return subject.setup.bind(decoder)
