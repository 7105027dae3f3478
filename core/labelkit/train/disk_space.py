"""Estimate the disk space of a run, and check it before the run starts."""

from __future__ import annotations

import json
import math
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from labelkit.config.plan import Plan
from labelkit.errors import StorageError
from labelkit.inference.onnx.export import onnx_installed
from labelkit.models.checkpoint_files import weights_of
from labelkit.registry import Home
from labelkit.train.preparation import PreparedRun

#: checkpoints at once: the best, the last, and the one that is being written
_KEPT, _WRITTEN = 2, 1
#: bytes of a weight, which is saved in fp32
_WEIGHT_BYTES = 4
#: bytes of cached windows per word: the subword, word and label of each of about one and a half subwords
_CACHE_BYTES = 18
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpaceEstimate:
    """The greatest disk space of a run, in bytes.

    :param checkpoint: of one checkpoint.
    :param state: of the training state: weights, the moments of the optimizer, and the average of the weights.
    :param cache: of the encoded windows.
    :param onnx: of the ONNX model of the best checkpoint, which is written when the training state is gone.
    """

    checkpoint: int
    state: int
    cache: int
    onnx: int = 0

    def total(self, runs: int = 1) -> int:
        """Return the disk space of several runs, one after the other: checkpoints of finished runs stay."""
        before = (runs - 1) * (_KEPT * self.checkpoint + self.onnx)
        training = (_KEPT + _WRITTEN) * self.checkpoint + self.state
        return before + max(training, _KEPT * self.checkpoint + self.onnx) + self.cache


def estimate_disk_space(prepared: PreparedRun, plan: Plan) -> DiskSpaceEstimate:
    """Return the disk space of a prepared run."""
    weights = weight_count(prepared.encoder.folder) * _WEIGHT_BYTES
    words = sum(split.words for corpus in prepared.corpora.values() for split in corpus.splits.values())
    return DiskSpaceEstimate(
        checkpoint=weights,
        state=(1 + optimizer_moments(plan.train.optim) + (plan.train.ema_decay is not None)) * weights,
        cache=words * _CACHE_BYTES,
        onnx=weights if plan.train.onnx and onnx_installed() else 0,
    )


def optimizer_moments(optimizer: str) -> int:
    """Return how many numbers an optimizer keeps per weight, rounded down.

    >>> optimizer_moments("adamw_torch"), optimizer_moments("sgd")
    (2, 0)
    """
    if "8bit" in optimizer or "adafactor" in optimizer or "sgd" in optimizer:
        return 0
    return 2 if "adam" in optimizer else 1


def weight_count(folder: Path) -> int:
    """Return the number of weights in a model folder, from the headers of its safetensors files."""
    count = 0
    for file in weights_of(folder):
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
        count += sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    return count


def check_disk_space(estimate: DiskSpaceEstimate, home: Home, runs: int = 1) -> None:
    """Raise if the disk of the home is too full for a run, or for several one after the other.

    :raises StorageError: with the figures.
    """
    needed, free = estimate.total(runs), free_bytes(home.root)
    if free >= needed:
        return
    several = f"{runs} runs, " if runs > 1 else ""
    raise StorageError(
        f"not enough disk space in {home.root}: {_mib(free)} free, up to {_mib(needed)} needed: {several}"
        f"{_mib(estimate.checkpoint)} a checkpoint (best, last and the next one), {_mib(estimate.state)} to resume, "
        f"{_mib(estimate.cache)} of cache",
        hint="free some space (labelkit runs gc --last --cache), or set LABELKIT_HOME to another disk",
    )


def free_bytes(folder: Path) -> int:
    """Return the free disk space at ``folder``, which need not exist yet."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free


def _mib(size: int) -> str:
    return f"{size / _MIB:,.0f} MiB"
