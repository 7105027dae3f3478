"""The training state that a run resumes from: a folder of safetensors and JSON files.

The checkpoints of Trainer hold pickles and are not written atomically. A state here is complete or absent: it is
written beside, synced and renamed, and only then the one before it is removed.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, load_model, save_file, save_model

from labelkit.errors import ModelError, one_line
from labelkit.files.atomic import new_folder
from labelkit.files.small import read_json

if TYPE_CHECKING:
    from labelkit.train.trainer import WordLevelTrainer

FORMAT = 1
STATE, TRAINER, WEIGHTS, TENSORS = "state.json", "trainer_state.json", "model.safetensors", "tensors.safetensors"


@dataclass(frozen=True, slots=True)
class PendingEvaluation:
    """The evaluation on validation that a saved state lacks.

    :param loss: the mean training loss since the evaluation before.
    """

    epoch: float
    loss: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """A saved training state.

    :param trained: training is over and only test is left; then there are no tensors.
    :param progress: what :class:`labelkit.train.fit.TrainingRun` knew of checkpoints, metrics and guards.
    :param pending: the evaluation to do before training continues.
    """

    folder: Path
    step: int
    trained: bool
    progress: Mapping[str, Any]
    pending: PendingEvaluation | None = None


class TrainingStateStore:
    """The training state of a run in ``folder``: none or one, and for a moment two, whose names sort by age.

    :param every: seconds between two states.
    """

    def __init__(self, folder: Path, every: float) -> None:
        self._folder = folder
        self._every = every
        self._written = time.monotonic()
        self._newest = ""

    def latest(self) -> TrainingState | None:
        """Return the latest state; None where there is none.

        :raises ModelError: it is damaged.
        """
        folder = max((path for path in self._folder.glob("step-*") if path.is_dir()), default=None)
        if folder is None:
            return None
        content = _read_content(folder)
        if not content["trained"]:
            with _explain_damage(folder):
                read_json(folder / TRAINER)
                for name in (WEIGHTS, TENSORS):
                    with safe_open(folder / name, framework="pt"):
                        """Opening checks the size against the header."""
        pending = content["unscored"]
        return TrainingState(
            folder=folder,
            step=content["step"],
            trained=content["trained"],
            progress=content["progress"],
            pending=PendingEvaluation(**pending) if pending else None,
        )

    @property
    def due(self) -> bool:
        """Whether the latest state is too old."""
        return time.monotonic() - self._written >= self._every

    def write(self, trainer: WordLevelTrainer, progress: Mapping[str, Any], *, pending: bool) -> None:
        """Write the state after an optimizer step.

        :param pending: an evaluation on validation is due at this step and has not been done.
        :raises StorageError: the disk is full or not writable; the state before is unchanged.
        """
        step = trainer.state.global_step

        def fill(folder: Path) -> None:
            content, tensors = snapshot(trainer)
            unscored = {"epoch": trainer.state.epoch, "loss": trainer.losses.mean} if pending else None
            content |= {"step": step, "trained": False, "unscored": unscored, "progress": progress}
            if pending:
                content["losses"] = [0.0, 0]  # reported with the pending evaluation, after which they start at zero
            save_model(trainer.accelerator.unwrap_model(trainer.model), str(folder / WEIGHTS))
            save_file(tensors, folder / TENSORS)
            trainer.state.save_to_json(str(folder / TRAINER))
            _write_json(folder / STATE, content)

        name = f"step-{step:09d}{'' if pending else '-scored'}"
        if name != self._newest:
            self._replace(name, fill)

    def write_trained(self, step: int, progress: Mapping[str, Any]) -> None:
        """Write that training is over.

        :raises StorageError: the disk is full or not writable.
        """
        content = {"step": step, "trained": True, "unscored": None, "progress": progress}
        self._replace(f"step-{step:09d}-trained", lambda folder: _write_json(folder / STATE, content))

    def remove(self) -> None:
        """Remove all states."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _replace(self, name: str, fill: Callable[[Path], None]) -> None:
        place = self._folder / name
        shutil.rmtree(place, ignore_errors=True)  # of an attempt that resumed from an older state
        with new_folder(place) as beside:
            fill(beside)
        for other in self._folder.iterdir():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)
        self._written, self._newest = time.monotonic(), name


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({"format": FORMAT, **content}, default=float, allow_nan=False), encoding="utf-8")


def _read_content(folder: Path) -> dict[str, Any]:
    with _explain_damage(folder):
        content: dict[str, Any] = read_json(folder / STATE)
        if content["format"] != FORMAT:
            raise ValueError(f"unknown format {content['format']}")
    return content


@contextlib.contextmanager
def _explain_damage(folder: Path) -> Iterator[None]:
    """Convert errors of reading a state.

    :raises ModelError: it is damaged.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"the state in {folder} is damaged: {one_line(error)}",
            hint="delete that folder: the run then starts from its beginning",
        ) from None


# -- the content of a state -------------------------------------------------------------------------------------------


def snapshot(trainer: WordLevelTrainer) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the state of optimizer, scheduler, gradient scaler, loss, random generators and average of the weights.

    It is JSON, and the tensors that it names.
    """
    assert trainer.optimizer is not None
    assert trainer.lr_scheduler is not None
    tensors: dict[str, torch.Tensor] = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors.update({f"random.cuda.{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())})
    _, words, *rest = np.random.get_state()
    scaler = trainer.accelerator.scaler
    content = {
        "optimizer": _pack(trainer.optimizer.state_dict(), "optimizer", tensors),
        "scheduler": _pack(trainer.lr_scheduler.state_dict(), "scheduler", tensors),
        "scaler": _pack(scaler.state_dict(), "scaler", tensors) if scaler else None,
        "losses": trainer.losses.to_json(),
        "random": {"python": random.getstate(), "numpy": [np.asarray(words).tolist(), *rest]},
    }
    if trainer.average is not None:
        tensors |= trainer.average.tensors()
    return content, tensors


def load_weights(trainer: WordLevelTrainer, folder: Path) -> None:
    """Load the weights of a state into the model, and their average."""
    with _explain_damage(folder):
        load_model(trainer.accelerator.unwrap_model(trainer.model), str(folder / WEIGHTS))
        if trainer.average is not None:
            trainer.average.load(load_file(folder / TENSORS))


def load_optimizer(trainer: WordLevelTrainer, folder: Path) -> None:
    """Restore the state of optimizer, scheduler, gradient scaler and loss."""
    assert trainer.optimizer is not None
    assert trainer.lr_scheduler is not None
    with _explain_damage(folder):
        content, tensors = _read_content(folder), load_file(folder / TENSORS)
        trainer.optimizer.load_state_dict(_unpack(content["optimizer"], tensors))
        trainer.lr_scheduler.load_state_dict(_unpack(content["scheduler"], tensors))
        if content["scaler"] and trainer.accelerator.scaler:
            trainer.accelerator.scaler.load_state_dict(_unpack(content["scaler"], tensors))
        trainer.losses.load(content["losses"])


def load_random(folder: Path) -> None:
    """Restore the state of all random generators."""
    content, tensors = _read_content(folder)["random"], load_file(folder / TENSORS)
    version, words, gauss = content["python"]
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(("MT19937", np.array(content["numpy"][0], np.uint32), *content["numpy"][1:]))
    torch.set_rng_state(tensors["random.cpu"])
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if (key := f"random.cuda.{index}") in tensors:
            torch.cuda.set_rng_state(tensors[key], index)


def _pack(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Return ``value`` for JSON: tensors go to ``tensors``, and mappings become pairs, as keys may be numbers."""
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"pairs": [[key, _pack(item, f"{name}.{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_pack(item, f"{name}.{index}", tensors) for index, item in enumerate(value)]
    return value


def _unpack(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, Mapping):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return {key: _unpack(item, tensors) for key, item in value["pairs"]}
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    return value
