"""What a run needs to go on where it stopped: one folder per live run, tensors as safetensors and the rest as JSON.

Trainer's own checkpoints hold pickles and are not written at once. A state here is complete or not there: it is written
beside, synced and renamed, and only then the one before it is removed.
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

from labelkit.errors import ModelError
from labelkit.files.atomic import new_folder

if TYPE_CHECKING:
    from labelkit.train.trainer import WordLevelTrainer

FORMAT = 1
STATE, TRAINER, WEIGHTS, TENSORS = "state.json", "trainer_state.json", "model.safetensors", "tensors.safetensors"


@dataclass(frozen=True, slots=True)
class PendingEvaluation:
    """The end of an epoch that was not yet scored on validation, with its mean training loss."""

    epoch: float
    loss: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """A state on the disk.

    :param trained: training is over and only testing is left; then there are no tensors.
    :param unscored: what must be scored before training goes on.
    :param progress: what the run knew of its checkpoints and scores, see :meth:`CheckpointSelection.to_json`.
    """

    folder: Path
    step: int
    trained: bool
    progress: Mapping[str, Any]
    unscored: PendingEvaluation | None = None


class TrainingStateStore:
    """The states of a run in ``folder``: none or one, and for a moment two; their names sort by age.

    :param every: seconds of training that an interruption may cost at most.
    """

    def __init__(self, folder: Path, every: float) -> None:
        self._folder = folder
        self._every = every
        self._written = time.monotonic()
        self._newest = ""

    def newest(self) -> TrainingState | None:
        """Return the newest state, None where there is none.

        :raises ModelError: it is damaged.
        """
        found = sorted(path for path in self._folder.glob("step-*") if path.is_dir())
        return _read(found[-1]) if found else None

    @property
    def due(self) -> bool:
        """Whether it is time to write one."""
        return time.monotonic() - self._written >= self._every

    def write(self, trainer: WordLevelTrainer, progress: Mapping[str, Any], *, scored: bool) -> None:
        """Write the state after an optimizer step.

        :param scored: no epoch has ended that still waits to be scored on validation.
        :raises StorageError: the disk refuses; the state before is untouched.
        """
        step = trainer.state.global_step

        def fill(folder: Path) -> None:
            content, tensors = snapshot(trainer)
            unscored = None if scored else {"epoch": trainer.state.epoch, "loss": trainer.losses.mean}
            content |= {"step": step, "trained": False, "unscored": unscored, "progress": progress}
            if unscored:
                content["losses"] = [0.0, 0]  # it is said with the scores; what comes then is the next epoch's
            save_model(trainer.accelerator.unwrap_model(trainer.model), str(folder / WEIGHTS))
            save_file(tensors, folder / TENSORS)
            trainer.state.save_to_json(str(folder / TRAINER))
            _write_json(folder / STATE, content)

        name = f"step-{step:09d}{'-scored' if scored else ''}"
        if name != self._newest:
            self._replace(name, fill)

    def write_trained(self, step: int, progress: Mapping[str, Any]) -> None:
        """Write that training is over.

        :raises StorageError: the disk refuses.
        """
        content = {"step": step, "trained": True, "unscored": None, "progress": progress}
        self._replace(f"step-{step:09d}-trained", lambda folder: _write_json(folder / STATE, content))

    def remove(self) -> None:
        """Remove what there is: the run needs it no more."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _replace(self, name: str, fill: Callable[[Path], None]) -> None:
        place = self._folder / name
        shutil.rmtree(place, ignore_errors=True)  # of an attempt that went on from an older state
        with new_folder(place) as beside:
            fill(beside)
        for other in self._folder.iterdir():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)
        self._written, self._newest = time.monotonic(), name


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({"format": FORMAT, **content}, default=float), encoding="utf-8")


def _read(folder: Path) -> TrainingState:
    content = _content(folder)
    if not content["trained"]:
        with _whole(folder):
            json.loads((folder / TRAINER).read_text(encoding="utf-8"))
            for name in (WEIGHTS, TENSORS):
                with safe_open(folder / name, framework="pt"):
                    """Its header says how long it must be, and that is checked."""
    return TrainingState(
        folder=folder,
        step=content["step"],
        trained=content["trained"],
        progress=content["progress"],
        unscored=PendingEvaluation(**content["unscored"]) if content["unscored"] else None,
    )


def _content(folder: Path) -> dict[str, Any]:
    with _whole(folder):
        content: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"of format {content['format']}")
    return content


@contextlib.contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """Say what is to be done about a state that cannot be read.

    :raises ModelError: it is damaged.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"the state in {folder} is damaged: {' '.join(str(error).split())}",
            hint="delete that folder: the run then starts from its beginning",
        ) from None


# -- what a state holds -----------------------------------------------------------------------------------------------


def snapshot(trainer: WordLevelTrainer) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return what is neither weights nor Trainer's own state, as plain content and as tensors."""
    assert trainer.optimizer is not None
    assert trainer.lr_scheduler is not None
    tensors: dict[str, torch.Tensor] = {}
    scaler = trainer.accelerator.scaler
    content = {
        "optimizer": _pack(trainer.optimizer.state_dict(), "optimizer", tensors),
        "scheduler": _pack(trainer.lr_scheduler.state_dict(), "scheduler", tensors),
        "scaler": _pack(scaler.state_dict(), "scaler", tensors) if scaler else None,
        "losses": trainer.losses.to_json(),
        "random": _random_state(tensors),
    }
    return content, tensors


def load_weights(trainer: WordLevelTrainer, folder: Path) -> None:
    """Give the model the weights of a state."""
    with _whole(folder):
        load_model(trainer.accelerator.unwrap_model(trainer.model), str(folder / WEIGHTS))


def load_optimizer(trainer: WordLevelTrainer, folder: Path) -> None:
    """Give optimizer, scheduler, gradient scaler and loss the state that they had."""
    assert trainer.optimizer is not None
    assert trainer.lr_scheduler is not None
    with _whole(folder):
        content, tensors = _content(folder), load_file(folder / TENSORS)
        trainer.optimizer.load_state_dict(_unpack(content["optimizer"], tensors))
        trainer.lr_scheduler.load_state_dict(_unpack(content["scheduler"], tensors))
        if content["scaler"] and trainer.accelerator.scaler:
            trainer.accelerator.scaler.load_state_dict(_unpack(content["scaler"], tensors))
        trainer.losses.load(content["losses"])


def load_random(folder: Path) -> None:
    """Set every generator of random numbers to where it was."""
    content, tensors = _content(folder)["random"], load_file(folder / TENSORS)
    version, words, gauss = content["python"]
    random.setstate((version, tuple(words), gauss))
    np.random.set_state(("MT19937", np.array(content["numpy"][0], np.uint32), *content["numpy"][1:]))
    torch.set_rng_state(tensors["random.cpu"])
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if (key := f"random.cuda.{index}") in tensors:
            torch.cuda.set_rng_state(tensors[key], index)


def _random_state(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors.update({f"random.cuda.{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())})
    _, words, *rest = np.random.get_state()
    return {"python": random.getstate(), "numpy": [np.asarray(words).tolist(), *rest]}


def _pack(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Return ``value`` for JSON: tensors go into ``tensors`` under a name, keys that are numbers are kept as pairs."""
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
