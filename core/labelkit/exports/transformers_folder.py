"""Export a checkpoint as a plain folder of transformers, and compare ``transformers.pipeline`` with the labeller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.errors import LabelkitError, ModelError, one_line
from labelkit.exports.trial_texts import trial_examples
from labelkit.files.atomic import new_folder
from labelkit.hub.offline import no_network
from labelkit.label.assembly import PreparedBatch
from labelkit.label.labeller import Labeller
from labelkit.models.checkpoint import make_plain
from labelkit.models.checkpoint_files import JOINT_WEIGHTS, copy_checkpoint
from labelkit.models.loading import silence_transformers
from labelkit.records import Example, Task

#: the largest accepted difference of a probability, or of a predicted number
TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What running an export showed.

    :param program: that ran it, with its version.
    :param compared: number of words, or texts, that were compared.
    :param same: how many of them have the same label.
    """

    program: str
    compared: int
    same: int

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as a JSON document."""
        return {"program": self.program, "compared": self.compared, "same": self.same}

    def check(self, limits: Sequence[str]) -> None:
        """Raise unless all labels are the same.

        :param limits: names of what the target does not reproduce; a head of a plugin changes labels.
        :raises ModelError: some are not.
        """
        if self.same != self.compared and "head" not in limits:
            raise ModelError(
                f"{self.program} labels {self.compared - self.same} of {self.compared} trial words or texts otherwise",
                hint="nothing was exported; label with labelkit, or export --to onnx",
            )


def export_to_transformers(
    labeller: Labeller, folder: Path, tasks: Mapping[str, Task], limits: Sequence[str] = ()
) -> Comparison:
    """Write a labeller as a plain folder of transformers and compare its labels before the folder appears.

    Of a checkpoint of several tasks the folder holds the model of the labeller's task only.

    :param labeller: on torch, in fp32.
    :param folder: new, or empty.
    :param tasks: that are installed, by name.
    :param limits: names of what the target does not reproduce.
    :raises LabelkitError: the pipeline cannot run it, or labels otherwise.
    :raises StorageError: the disk is full, or the folder cannot be written.
    """
    with new_folder(folder) as beside:
        copy_checkpoint(labeller.folder, beside)
        if (beside / JOINT_WEIGHTS).is_file():
            with silence_transformers():
                make_plain(beside, labeller.engine.torch_model, labeller.info)
        found = compare_pipeline(labeller, beside, trial_examples(labeller.info, tasks))
        found.check(limits)
    return found


def compare_pipeline(labeller: Labeller, folder: Path, examples: Sequence[Example]) -> Comparison:
    """Run ``transformers.pipeline`` on a folder and count the labels that are those of the labeller.

    Words without subwords, and texts of several windows, are left out. So are preprocessors, which a pipeline lacks,
    and the decoder: a pipeline chooses the likeliest label.

    :raises LabelkitError: the pipeline fails.
    """
    info = labeller.info
    plain = Labeller(labeller.folder, info, labeller.decoder, (), labeller.engine)
    batch = plain.prepare(examples)
    values = plain.compute(batch).scores.values
    texts: list[Any] = [example.text or "" for example in batch.examples]
    if info.pairs:
        texts = [{"text": example.text, "text_pair": example.pair} for example in batch.examples]
    options: dict[str, Any] = {"ignore_labels": []} if info.kind == "token" else {"top_k": None}
    if info.kind == "text" and info.schema.numeric:
        options["function_to_apply"] = "none"
    found = _run_pipeline("token-classification" if info.kind == "token" else "text-classification", folder, options)
    count = _same_words if info.kind == "token" else _same_texts
    same, compared = count(plain, batch, values, found(texts))
    return Comparison(program=f"transformers {version('transformers')}", compared=compared, same=same)


def _run_pipeline(task: str, folder: Path, options: Mapping[str, Any]) -> Any:
    """Return a function that runs the pipeline on texts."""

    def run(texts: Sequence[Any]) -> list[Any]:
        from transformers import pipeline

        try:
            with silence_transformers(), no_network():
                load: Any = pipeline
                piped = load(task, model=str(folder), device="cpu", trust_remote_code=False, **options)
                # in a list: of a single text the results come in one list or in two, by the kind of the pipeline
                return [piped([text])[0] for text in texts]
        except Exception as error:
            raise LabelkitError(
                f"transformers cannot run the exported folder: {type(error).__name__}: {one_line(error)}",
                hint="nothing was exported; label with labelkit",
            ) from error

    return run


def _same_words(
    labeller: Labeller, batch: PreparedBatch, values: np.ndarray[Any, Any], found: Sequence[Any]
) -> tuple[int, int]:
    """Return how many words have the same likeliest label, and how many were compared."""
    names = _output_names(labeller)
    ids = iter(values.argmax(axis=1).tolist())
    same = compared = 0
    for example, coverage, entities in zip(batch.examples, batch.encoded.coverage, found, strict=True):
        first: dict[int, str] = {}
        for entity in entities:
            first.setdefault(entity["start"], entity["entity"])
        for start, _ in example.offsets or ():
            own = names[next(ids)]
            if coverage.windows == 1 and start in first:
                same, compared = same + (first[start] == own), compared + 1
    return same, compared


def _same_texts(
    labeller: Labeller, batch: PreparedBatch, values: np.ndarray[Any, Any], found: Sequence[Any]
) -> tuple[int, int]:
    """Return how many texts have the same probabilities, or numbers, and how many were compared."""
    names = _output_names(labeller)
    numeric = labeller.info.schema.numeric
    same = compared = 0
    for row, coverage, outputs in zip(values, batch.encoded.coverage, found, strict=True):
        if coverage.windows != 1:
            continue
        theirs = {output["label"]: output["score"] for output in outputs}
        own = [float(row[0])] if numeric else np.exp(row.astype(np.float64)).tolist()
        other = list(theirs.values()) if numeric else [theirs.get(name, 0.0) for name in names]
        same, compared = same + bool(np.allclose(own, other, atol=TOLERANCE, rtol=TOLERANCE)), compared + 1
    return same, compared


def _output_names(labeller: Labeller) -> list[str]:
    """Return the name that the model's configuration gives each label."""
    info = labeller.info
    if not info.output_of:
        return list(info.schema.label_names)
    pairs = zip(labeller.labels, info.output_of, strict=True)
    return [info.outputs[output] if output >= 0 else label for label, output in pairs]
