"""Whether a run fits on the disk: asked before it starts, with the numbers."""

from __future__ import annotations

import json
import math
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

from labelkit.config.plan import Plan
from labelkit.errors import StorageError
from labelkit.models.checkpoint_files import weights_of
from labelkit.registry import Home
from labelkit.train.preparation import PreparedRun

#: checkpoints at once: the best, the last, and the one that is being written
_KEPT, _WRITTEN = 2, 1
#: weights are written in fp32
_BYTES = 4
#: bytes of cached windows for a word: sub-token, word and label for each of about one and a half sub-tokens
_CACHED = 18
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpaceEstimate:
    """What a run takes on the disk at most, in bytes.

    :param checkpoint: one checkpoint.
    :param state: what resuming needs: weights, and two moments for each of them with AdamW.
    :param cache: encoded windows.
    """

    checkpoint: int
    state: int
    cache: int

    def total(self, runs: int = 1) -> int:
        """Return what so many runs take, one after the other: of those that are over their checkpoints stay."""
        before = (runs - 1) * _KEPT * self.checkpoint
        return before + (_KEPT + _WRITTEN) * self.checkpoint + self.state + self.cache


def estimate_disk_space(prepared: PreparedRun, plan: Plan) -> DiskSpaceEstimate:
    """Return what a run would take."""
    weights = weight_count(prepared.encoder.folder) * _BYTES
    words = sum(split.words for split in prepared.corpus.splits.values())
    return DiskSpaceEstimate(
        checkpoint=weights, state=(1 + _moments(plan["train.optim"])) * weights, cache=words * _CACHED
    )


def _moments(optimizer: str) -> int:
    """Return how many numbers an optimizer keeps for each weight, rounded down."""
    if "8bit" in optimizer or "adafactor" in optimizer or "sgd" in optimizer:
        return 0
    return 2 if "adam" in optimizer else 1


def weight_count(folder: Path) -> int:
    """Return how many weights the safetensors files in a model folder hold, read from their headers."""
    return sum(_count(file) for file in weights_of(folder))


def _count(file: Path) -> int:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def check_disk_space(needs: DiskSpaceEstimate, home: Home, runs: int = 1) -> None:
    """Check that the disk of the home has room for a run, or for several one after the other.

    :raises StorageError: it has not.
    """
    wanted, free = needs.total(runs), free_bytes(home.root)
    if free >= wanted:
        return
    several = f"{runs} runs, " if runs > 1 else ""
    raise StorageError(
        f"the disk of {home.root} has {_mib(free)} free, and this takes up to {_mib(wanted)}: {several}"
        f"{_mib(needs.checkpoint)} a checkpoint (best, last and the next one), {_mib(needs.state)} to resume, "
        f"{_mib(needs.cache)} of cache",
        hint="free some space (labelkit runs gc --last --cache), or set LABELKIT_HOME to another disk",
    )


def free_bytes(folder: Path) -> int:
    """Return what is free on the disk where ``folder`` is, or is yet to be made."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(there).free


def _mib(size: int) -> str:
    return f"{size / _MIB:,.0f} MiB"
