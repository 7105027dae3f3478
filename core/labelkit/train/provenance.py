"""The provenance of a run: versions of plugins and libraries, and the git commit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from importlib import metadata
from typing import NamedTuple

from labelkit.models.checkpoint import Supplier
from labelkit.registry.entities import VersionRecord

LIBRARIES = (
    "accelerate", "datasets", "evaluate", "huggingface-hub", "numpy", "pluggy", "pyarrow", "safetensors", "seqeval",
    "tokenizers", "torch", "transformers",
)  # fmt: skip


class GitCommit(NamedTuple):
    """The git commit of the working folder."""

    sha: str | None
    dirty: bool | None


def git_commit() -> GitCommit:
    """Return the commit of the working folder; empty outside a git repository, or without git."""
    sha = _git("rev-parse", "HEAD")
    if sha is None:
        return GitCommit(None, None)
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return GitCommit(sha, None if changes is None else bool(changes))


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def versions(suppliers: Iterable[Supplier], libraries: Iterable[str] = LIBRARIES) -> tuple[VersionRecord, ...]:
    """Return the versions of the plugins that supplied the parts of a plan, and of the libraries."""
    plugins = {one.plugin: one.version for one in suppliers}
    records = [VersionRecord(kind="plugin", name=name, version=version) for name, version in sorted(plugins.items())]
    for name in libraries:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = "not installed"
        records.append(VersionRecord(kind="library", name=name, version=version))
    return tuple(records)
