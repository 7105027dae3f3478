"""Find the checkpoint behind a reference to a model: one resolver for all commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from labelkit.errors import LabelkitError, UnknownRunError, require_extra
from labelkit.models.adoption import AdoptionOptions, adopt_folder
from labelkit.models.checkpoint import CheckpointInfo, read_checkpoint
from labelkit.models.checkpoint_files import CHECKPOINT_INFO, Checksum, sha256_of
from labelkit.models.references import HUB_PREFIX, fetch_model
from labelkit.records import Task
from labelkit.registry.home import Home

Reference = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCheckpoint:
    """A checkpoint that was found and checked.

    :param reference: as it is recorded: that of a Hub repository names the commit.
    :param files: name → size and SHA-256, as the registry recorded them; empty for a folder and the Hub.
    :param revision: the commit on the Hub; empty elsewhere.
    """

    reference: str
    folder: Path
    info: CheckpointInfo
    files: Mapping[str, tuple[int, str]]
    revision: str = ""

    @property
    def recorded(self) -> bool:
        """Whether it is that of a run in the registry."""
        return bool(self.files)


def is_run(reference: Reference) -> bool:
    """Return whether a reference is to a run in the registry, and not to a folder or to the Hub."""
    text = reference_text(reference)
    return not (text.startswith(HUB_PREFIX) or "/" in text or "\\" in text)


def reference_text(reference: Reference) -> str:
    """Return a reference as text; a path is one of a folder, whatever its name is."""
    if isinstance(reference, str):
        return reference
    text = os.fspath(reference)
    return text if "/" in text or "\\" in text else f"./{text}"


def resolve_checkpoint(
    reference: Reference,
    home: Home,
    tasks: Mapping[str, Task],
    *,
    offline: bool = False,
    options: AdoptionOptions | None = None,
    checksum: Checksum = sha256_of,
) -> ResolvedCheckpoint:
    """Return the checkpoint of a run, of a folder written with a separator, or of ``hub:org/name[@REVISION]``.

    A folder with a ``labelkit.json`` keeps schema, splitter, calibration and decoder; any other one is adopted.

    :param tasks: that are installed, by name.
    :param offline: ask no network.
    :param options: what the user says of a model that labelkit did not train; splitter and decoder hold for all.
    :param checksum: computes the SHA-256 of a file.
    :raises LabelkitError: if there is no such run, folder or repository, or its checkpoint is missing or damaged.
    """
    text = reference_text(reference)
    options = options or AdoptionOptions()
    revision = ""
    files: dict[str, tuple[int, str]] = {}
    if text.startswith(HUB_PREFIX):
        found = fetch_model(text, offline=offline)
        folder, text, revision = found.folder, found.reference, found.revision
    elif is_run(text):
        folder, files = find_checkpoint(text, home)
    else:
        folder = Path(text).expanduser()
    foreign = folder.is_dir() and not files and not (folder / CHECKPOINT_INFO).is_file()
    if options.scheme is not None and not foreign:
        raise LabelkitError(
            f"{text} has a tagging scheme of its own", hint="a scheme is named of models that labelkit did not train"
        )
    if foreign:
        require_extra("train", f"{text}, which labelkit did not train,")
    info = adopt_folder(folder, text, tasks, options) if foreign else read_checkpoint(folder, files, checksum)
    info = replace(info, splitter=options.splitter or info.splitter, decoder=options.decoder or info.decoder)
    return ResolvedCheckpoint(reference=text, folder=folder, info=info, files=files, revision=revision)


def find_checkpoint(reference: str, home: Home) -> tuple[Path, dict[str, tuple[int, str]]]:
    """Return the checkpoint folder of a run, and size and checksum of the files that the registry recorded.

    A checkpoint that is not in this home is fetched from the shared store, where there is one.

    :raises LabelkitError: if there is no such run, or the checkpoint was deleted, or cannot be fetched.
    """
    from labelkit.registry import Registry
    from labelkit.registry.remote_store import store_of

    with Registry.open(home, create=False) as registry:
        try:
            run = registry.runs.find(reference, finished=True)
        except UnknownRunError as error:
            if Path(reference).is_dir():
                error.hint = f"the folder is ./{reference}"
            raise
        best = registry.runs.get(run.id).best
        store = store_of(home, best)
        folder = store.fetch(best, home.cache) if store and best else registry.runs.checkpoint_folder(run.id)
    return folder, dict(best.files) if best else {}
