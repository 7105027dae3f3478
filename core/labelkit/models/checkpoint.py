"""Checkpoints: plain Hugging Face folders with a ``labelkit.json`` beside the weights.

Writing is atomic: a folder appears whole or not at all. Reading looks at every part before torch sees it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import DataError, ModelError
from labelkit.files.atomic import new_folder
from labelkit.files.json_text import to_json
from labelkit.models.checkpoint_files import pickles_in, sha256_of, weights_of
from labelkit.records import Kind, Schema

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FILE = "labelkit.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInfo:
    """What labelkit adds to a Hugging Face folder.

    :param preprocessors: name and version of each, in order.
    :param splitter: how raw text becomes words.
    :param fallback: the label of words that the encoder cannot see.
    :param max_length: sub-tokens in a window, special ones included.
    :param metrics: of the chosen split at this checkpoint.
    :param temperature: what log-probabilities are divided by before they are shown as scores, fitted on validation.
    """

    labelkit: str
    run: str
    task: str
    kind: Kind
    layer: str
    schema: Schema
    decoder: str
    preprocessors: tuple[tuple[str, str], ...]
    splitter: str
    fallback: str
    max_length: int
    overlap: int
    step: int
    epoch: float
    synthetic: bool = False
    metrics: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.fallback not in self.schema.label_names:
            raise ValueError(f"fallback '{self.fallback}' is not one of the labels")
        if not isinstance(self.max_length, int) or not isinstance(self.overlap, int):
            raise TypeError("max_length and overlap must be whole numbers")
        if not (isinstance(self.temperature, int | float) and 0 < self.temperature < math.inf):
            raise ValueError("temperature must be a number above 0")

    def to_json(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CheckpointInfo:
        """Return what :meth:`to_json` gave.

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
        return cls(**fields)


def write_checkpoint(
    folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, info: CheckpointInfo
) -> dict[str, tuple[int, str]]:
    """Write a checkpoint and return the size and SHA-256 of each of its files by name.

    :raises StorageError: the disk refuses; nothing is left behind.
    """
    with new_folder(folder) as beside:
        model.save_pretrained(beside)
        tokenizer.save_pretrained(beside)
        (beside / FILE).write_text(to_json(info.to_json()) + "\n", encoding="utf-8")
        files = {file.name: (file.stat().st_size, sha256_of(file)) for file in sorted(beside.iterdir())}
    return files  # noqa: RET504 - only now is the folder in its place


def read_checkpoint(folder: Path, files: Mapping[str, tuple[int, str]] | None = None) -> CheckpointInfo:
    """Check a checkpoint folder and return what ``labelkit.json`` says.

    :param files: the size and SHA-256 that each file should have, where the registry knows.
    :raises ModelError: a part is missing, damaged or changed, or the folder holds pickles.
    """
    if not folder.is_dir():
        raise ModelError(f"checkpoint {folder} does not exist", hint="see: labelkit runs list")
    if pickles := pickles_in(folder):
        raise ModelError(
            f"{folder} holds a pickle ({pickles[0].name}), which labelkit neither writes nor loads",
            hint="remove it if you trust the rest",
        )
    info = _read_info(folder / FILE)
    weights_of(folder)
    _check_config(folder / "config.json", info)
    for name, (size, digest) in (files or {}).items():
        _check_file(folder / name, size, digest)
    return info


def _read_info(path: Path) -> CheckpointInfo:
    try:
        return CheckpointInfo.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ModelError(
            f"{path.parent} is not a labelkit checkpoint: it has no {FILE}",
            hint="give the folder that a run printed",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError) as error:
        raise ModelError(f"{path} is damaged: {error}", hint="train again, or restore the folder") from None


def _check_config(path: Path, info: CheckpointInfo) -> None:
    """Compare the two places that number the labels: a mismatch would label silently wrong."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        names = tuple(config["id2label"][str(index)] for index in range(len(config["id2label"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: {error}", hint="train again, or restore the folder") from None
    if names != info.schema.label_names:
        raise ModelError(f"{path} and {FILE} disagree about the labels", hint="train again, or restore the folder")


def _check_file(path: Path, size: int, digest: str) -> None:
    if not path.is_file():
        raise ModelError(f"{path} is missing", hint="train again, or restore the folder")
    if path.stat().st_size != size or sha256_of(path) != digest:
        raise ModelError(f"{path} has changed since it was recorded", hint="train again, or restore the folder")
