"""What curating and keeping house tell: plain frozen records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from labelkit.registry.entities import RunSummary


@dataclass(frozen=True, kw_only=True, slots=True)
class FileState:
    """A file of a checkpoint folder, against what was recorded of it.

    ``unknown`` is one that nobody recorded there.
    """

    name: str
    state: Literal["ok", "missing", "changed", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a labelled file, a checkpoint folder or a file of one came from.

    :param kind: ``"checkpoint"``, ``"checkpoint file"``, or what the labeller called its file: ``"labelled"`` …
    :param tied_by: what ties it to the run: its content; only its path, when it has changed since it was written; or
        only the ``labelkit.json`` in the folder.
    :param sha256: of a file, as it is now.
    :param run: the id; ``summary`` is None where the run is no longer in the registry.
    :param step: of the checkpoint; ``epoch`` goes with it.
    :param created: when it was written; ``written_as`` is where, as ``host:path``.
    :param command: the command of the run.
    :param validation: the run's key figure on validation at that step.
    :param files: of a folder; empty where nothing is recorded to compare with.
    :param others: more runs that wrote the same content, newest first.
    """

    path: Path
    kind: str
    tied_by: Literal["content", "path", "labelkit.json"]
    run: str
    task: str | None
    summary: RunSummary | None
    step: int | None
    epoch: float | None = None
    created: datetime | None = None
    written_as: str | None = None
    command: str | None = None
    validation: float | None = None
    sha256: str | None = None
    records: int | None = None
    files: tuple[FileState, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether it is not what was written then."""
        return self.tied_by == "path" or any(one.state != "ok" for one in self.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedCheckpoint:
    """A checkpoint whose files were hashed again."""

    run: str
    step: int
    best: bool
    last: bool
    folder: Path
    files: tuple[FileState, ...]

    @property
    def ok(self) -> bool:
        """Whether it holds exactly what was recorded."""
        return all(one.state == "ok" for one in self.files)

    def of(self, *states: str) -> list[str]:
        """Return the names of the files in one of ``states``."""
        return [one.name for one in self.files if one.state in states]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """Something on the disk that may be freed.

    :param category: ``"leftovers"`` of killed or superseded writes, ``"orphans"`` that no registry entry names,
        ``"resume"`` state, ``"last"`` checkpoints, checkpoints of ``"unfinished"`` runs, ``"cache"``.
    :param size: in bytes, on the disk.
    :param run: the run it belongs to, where there is one.
    :param checkpoint: its number, where it is recorded as being there.
    :param reason: why it was not freed.
    :param restarts: without it, to resume the run is to start from its beginning.
    """

    category: str
    path: Path
    size: int
    run: str | None = None
    checkpoint: int | None = None
    reason: str | None = None
    restarts: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What :meth:`Storage.verify` found.

    :param unknown: folders under ``runs/`` that the registry does not know, and leftovers of killed statements.
    :param elsewhere: how many checkpoints are in stores that are not here, and were not looked at.
    """

    checkpoints: tuple[CheckedCheckpoint, ...]
    unknown: tuple[Leftover, ...]
    elsewhere: int

    @property
    def ok(self) -> bool:
        """Whether every checkpoint here is whole."""
        return all(one.ok for one in self.checkpoints)


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """A run, or its checkpoints, that :meth:`Storage.delete_runs` removed.

    :param size: that its folders took on the disk here, in bytes.
    :param elsewhere: its folders that remain in other stores, as ``host:folder``.
    :param aliases: what it was called, as ``TASK@NAME``.
    :param restarts: its record stays, and to resume it is to start from its beginning.
    """

    run: str
    size: int
    folders: tuple[Path, ...] = ()
    elsewhere: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    restarts: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What :meth:`Storage.collect_garbage` freed, or would free.

    :param kept: what it left alone, for a reason worth saying.
    :param failed: what the disk would not let go of.
    :param elsewhere: how many checkpoints are in stores that are not here, and were not looked at.
    """

    freed: tuple[Leftover, ...]
    kept: tuple[Leftover, ...]
    failed: tuple[Leftover, ...]
    elsewhere: int
    dry_run: bool

    @property
    def size(self) -> int:
        """How much it frees in all, in bytes."""
        return total(self.freed)


def total(found: Iterable[Leftover]) -> int:
    """Return how many bytes some leftovers take."""
    return sum(one.size for one in found)
