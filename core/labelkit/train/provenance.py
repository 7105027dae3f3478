"""What a run should record of its surroundings: versions, commit, plugins."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

from labelkit.config.plan import Plan
from labelkit.plugins.catalog import Catalog, PluginInfo
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
    """Return the commit of the working folder, where it is in a git repository and git is there."""
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


def versions(plan: Plan, catalog: Catalog) -> tuple[VersionRecord, ...]:
    """Return the versions of the plugins that supplied a part, and of the libraries."""
    plugins = {info.name: info.version for info in _suppliers(plan, catalog)}
    found = [VersionRecord(kind="plugin", name=name, version=version) for name, version in sorted(plugins.items())]
    return (*found, *(VersionRecord(kind="library", name=name, version=_version(name)) for name in LIBRARIES))


def _suppliers(plan: Plan, catalog: Catalog) -> Iterator[PluginInfo]:
    yield catalog.owner("task", plan.task.name)
    yield from (catalog.owner("metric", metric.name) for metric in plan.metrics)
    yield catalog.owner("decoder", plan.decoder.name)
    yield from (catalog.owner("preprocessor", item.name) for item in plan.preprocessors)
    if plan["data"] in catalog.sources:
        yield catalog.owner("source", plan["data"])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
