"""Checkpoints: plain Hugging Face folders with a ``labelkit.json`` beside the weights.

Writing is atomic: a folder appears whole or not at all. Reading checks every file before torch loads it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from labelkit.errors import DataError, ModelError
from labelkit.files.atomic import new_folder
from labelkit.files.json_text import to_json
from labelkit.files.small import read_json, read_small
from labelkit.models.adapters import check_no_adapter, merged_adapters
from labelkit.models.checkpoint_files import (
    CHECKPOINT_INFO,
    HEAD_WEIGHTS,
    JOINT_WEIGHTS,
    TRAIN_MENTIONS,
    Checksum,
    pickles_in,
    sha256_of,
    weights_of,
)
from labelkit.models.heads import plain_state, save_module
from labelkit.records import Head, Kind, Schema
from labelkit.settings import SplitterName

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from labelkit.labels.mentions import MentionHashes
    from labelkit.models.joint import JointModel

FORMAT = 1
RESTORE = "train again, or restore the folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """The plugin that supplied a part of a run.

    :param kind: of the part: ``"task"``, ``"head"``, ``"decoder"``, ``"metric"`` or ``"preprocessor"``.
    :param name: of the part.
    :param version: of the plugin.
    :param package: the distribution that holds the plugin.
    """

    kind: str
    name: str
    plugin: str
    version: str
    package: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInfo:
    """The content of ``labelkit.json``: what a checkpoint needs beside the model and its tokenizer.

    :param preprocessors: name and version of each, in order.
    :param splitter: name of the splitter of raw text into words.
    :param fallback: the label of words without subwords; empty where a text may have any number of labels: none.
    :param max_length: subwords in a window, special tokens included.
    :param overlap: the stride: subwords that neighbouring windows share.
    :param metrics: split → metrics at this checkpoint.
    :param temperature: divides the log-probabilities before they become confidences; fitted on validation.
    :param thresholds: label → the probability from which on a text has it, where a text may have any number of labels.
    :param head: the name of the head.
    :param outputs: the names of the model's outputs in ``config.json``; empty: the labels of the schema.
    :param parts: a preprocessor makes parts of texts, with separators between them.
    :param suppliers: of the parts of the run; empty in checkpoints that an older labelkit wrote.
    :param plugin_settings: plugin → key → value, as plain values for JSON, of the plugins that supply parts.
    :param output_of: for each label the number of the model's output, -1 where it has none; empty: the same order.
    :param tokenizer_input: what the tokenizer gets: words one by one, as in training by labelkit, or the running text.
    :param adopted: the reference of the model that was adopted; empty where labelkit trained it.
    :param assumptions: what was assumed of an adopted model, a sentence each.
    :param pairs: it was trained on pairs of texts.
    :param averaged: the weights are the moving average of those in training, which scored better on validation.
    :param others: the infos of the further tasks that were trained together with this one, with the same encoder.
    """

    labelkit: str
    run: str
    task: str
    kind: Kind
    layer: str
    schema: Schema
    decoder: str
    preprocessors: tuple[tuple[str, str], ...]
    splitter: SplitterName
    fallback: str
    max_length: int
    overlap: int
    step: int
    epoch: float
    synthetic: bool = False
    metrics: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    head: str = "linear"
    outputs: tuple[str, ...] = ()
    parts: bool = False
    suppliers: tuple[Supplier, ...] = ()
    plugin_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    output_of: tuple[int, ...] = ()
    tokenizer_input: Literal["words", "text"] = "words"
    adopted: str = ""
    assumptions: tuple[str, ...] = ()
    pairs: bool = False
    averaged: bool = False
    others: tuple[CheckpointInfo, ...] = ()

    @property
    def takes_pairs(self) -> bool:
        """Whether it labels pairs of texts; of a model that labelkit did not train nobody knows, so that it may."""
        return self.kind == "text" and (self.pairs or bool(self.adopted))

    @property
    def of_tasks(self) -> dict[str, CheckpointInfo]:
        """The info of each task by its name, the first one first."""
        return {one.task: one for one in (self, *self.others)}

    def of_task(self, task: str) -> CheckpointInfo:
        """Return the info of one task, as that of a checkpoint of its own.

        :raises ModelError: there is no such task.
        """
        if task not in self.of_tasks:
            raise ModelError(f"the checkpoint has no task '{task}'", hint=f"it has: {', '.join(self.of_tasks)}")
        return replace(self.of_tasks[task], others=())

    def __post_init__(self) -> None:
        for name in ("labelkit", "run", "task", "kind", "layer", "decoder", "splitter", "fallback"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be text")
        if not all(isinstance(label, str) for label in (*self.schema.types, *self.schema.labels)):
            raise TypeError("labels must be text")
        self._check_fallback()
        self._check_thresholds()
        if not isinstance(self.max_length, int) or not isinstance(self.overlap, int):
            raise TypeError("max_length and overlap must be whole numbers")
        if not (isinstance(self.temperature, int | float) and 0 < self.temperature <= sys.float_info.max):
            raise ValueError("temperature must be a number above 0")
        if self.output_of and len(self.output_of) != len(self.schema.label_names):
            raise ValueError("output_of must have a number for each label")
        if self.tokenizer_input not in ("words", "text"):
            raise ValueError("tokenizer_input must be words or text")

    def _check_fallback(self) -> None:
        if self.schema.numeric:
            float(self.fallback)
        elif self.fallback not in self.schema.label_names and not self.schema.multilabel:
            raise ValueError(f"fallback '{self.fallback}' is not one of the labels")

    def _check_thresholds(self) -> None:
        if unknown := set(self.thresholds) - set(self.schema.label_names):
            raise ValueError(f"there is a threshold for '{min(unknown)}', which is not one of the labels")
        for label, threshold in self.thresholds.items():
            if not isinstance(threshold, int | float) or not 0 < threshold <= 1:
                raise ValueError(f"the threshold of '{label}' must be a number above 0, and 1 at most")

    def to_json(self) -> dict[str, Any]:
        """Return the content for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CheckpointInfo:
        """Return the info of a JSON content.

        :raises ModelError: it was written by a newer labelkit.
        """
        if content["format"] > FORMAT:
            raise ModelError("the checkpoint was written by a newer labelkit", hint="pip install --upgrade labelkit")
        fields = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        schema: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content["schema"].items()
        }
        fields["schema"] = Schema(**schema)
        fields["preprocessors"] = tuple((name, version) for name, version in content["preprocessors"])
        for name in ("outputs", "output_of", "assumptions"):
            fields[name] = tuple(content.get(name, ()))
        fields["others"] = tuple(cls.from_json({"format": FORMAT, **one}) for one in content.get("others", ()))
        fields["suppliers"] = tuple(Supplier(**one) for one in content.get("suppliers", ()))
        return cls(**fields)


class FirstTask(NamedTuple):
    """The first task of a checkpoint of several, whose plain folder it is."""

    info: CheckpointInfo
    head: Head


def write_checkpoint(
    folder: Path,
    model: PreTrainedModel | JointModel,
    tokenizer: PreTrainedTokenizerBase,
    info: CheckpointInfo,
    train_mentions: MentionHashes | None = None,
) -> dict[str, tuple[int, str]]:
    """Write a checkpoint and return the size and SHA-256 of each of its files by name.

    :param train_mentions: to keep in it, for metrics that ask for them.
    :raises StorageError: the disk is full or not writable; nothing is left behind.
    """
    with new_folder(folder) as beside:
        _save_model(model, beside, info)
        tokenizer.save_pretrained(beside)
        (beside / CHECKPOINT_INFO).write_text(to_json(info.to_json()) + "\n", encoding="utf-8")
        if train_mentions is not None:
            (beside / TRAIN_MENTIONS).write_bytes(train_mentions.to_bytes())
        files = {file.name: (file.stat().st_size, sha256_of(file)) for file in sorted(beside.iterdir())}
    return files  # noqa: RET504 - the folder is renamed when the context ends


def make_plain(folder: Path, model: PreTrainedModel, info: CheckpointInfo) -> None:
    """Replace the model in the folder of a checkpoint of several tasks by that of one task.

    :param model: the classifier of the task, with the encoder.
    :param info: of the task.
    """
    for name in (JOINT_WEIGHTS, HEAD_WEIGHTS):
        (folder / name).unlink(missing_ok=True)
    _save_model(model, folder, info)
    (folder / CHECKPOINT_INFO).write_text(to_json(info.to_json()) + "\n", encoding="utf-8")


def _save_model(model: Any, folder: Path, info: CheckpointInfo) -> None:
    """Write the model of one task, or of several tasks, to ``folder``."""
    if info.others:
        from labelkit.models.joint import save_joint

        save_joint(model, folder)
        return
    with merged_adapters(model):
        model.save_pretrained(folder, state_dict=plain_state(model))
    save_module(model, folder)


def read_checkpoint(
    folder: Path, files: Mapping[str, tuple[int, str]] | None = None, checksum: Checksum = sha256_of
) -> CheckpointInfo:
    """Check a checkpoint folder and return its info.

    :param files: file name → the recorded size and SHA-256.
    :param checksum: computes the SHA-256 of a file.
    :raises ModelError: a part is missing, damaged or changed, or the folder holds pickles.
    :raises StorageError: the system cannot read a file.
    """
    if not folder.is_dir():
        raise ModelError(f"checkpoint {folder} does not exist", hint="see: labelkit runs list")
    check_no_adapter(folder)
    if pickles := pickles_in(folder):
        raise ModelError(
            f"{folder} holds a pickle ({pickles[0].name}), which labelkit never loads",
            hint="remove it if you trust the rest",
        )
    info = _read_info(folder / CHECKPOINT_INFO)
    weights_of(folder)
    _check_config(folder / "config.json", info)
    for name, (size, digest) in (files or {}).items():
        file = folder / name
        if not file.is_file():
            raise ModelError(f"{file} is missing", hint=RESTORE)
        if file.stat().st_size != size or checksum(file) != digest:
            raise ModelError(f"{file} has changed since it was recorded", hint=RESTORE)
    return info


def read_train_mentions(folder: Path) -> MentionHashes | None:
    """Return the mentions of train that a checkpoint keeps; None where it keeps none.

    :raises ModelError: their file is damaged.
    """
    from labelkit.labels.mentions import MentionHashes

    path = folder / TRAIN_MENTIONS
    try:
        return MentionHashes.from_bytes(read_small(path))
    except FileNotFoundError:
        return None
    except (ValueError, EOFError) as error:
        raise ModelError(f"{path} is damaged: {error}", hint=RESTORE) from None


def _read_info(path: Path) -> CheckpointInfo:
    try:
        return CheckpointInfo.from_json(read_json(path))
    except FileNotFoundError:
        raise ModelError(
            f"{path.parent} is not a labelkit checkpoint: it has no {CHECKPOINT_INFO}",
            hint="give the folder that a run printed",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, DataError) as error:
        raise ModelError(f"{path} is damaged: {error}", hint=RESTORE) from None


def _check_config(path: Path, info: CheckpointInfo) -> None:
    """Raise if config.json and ``labelkit.json`` differ in their label ids: labels would be wrong in silence."""
    try:
        config = read_json(path)
        # transformers leaves out what equals its defaults
        id2label = config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
        names = tuple(id2label[str(index)] for index in range(len(id2label)))
    except FileNotFoundError:
        raise ModelError(f"{path} is missing", hint=RESTORE) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged: {error}", hint=RESTORE) from None
    if names != (info.outputs or info.schema.label_names):
        raise ModelError(f"{path} and {CHECKPOINT_INFO} disagree about the labels", hint=RESTORE)
