"""Datasets of the Hub whose files labelkit cannot map to splits, loaded by ``datasets`` from their downloaded files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labelkit.errors import DataError, one_line
from labelkit.files.split_names import SPLITS, canonical_split
from labelkit.hub.offline import no_network
from labelkit.hub.repository import HubRepository
from labelkit.records import LoadContext

#: endings of what is never downloaded: code, which is never run
_CODE = (".py", ".ipynb", ".sh")


def load_with_datasets(
    repository: HubRepository, ctx: LoadContext, reason: DataError
) -> tuple[str, Mapping[str, Any], tuple[str, ...]]:
    """Return the commit of a dataset, split → its ``datasets.Dataset``, and notes on what was left out.

    The files of the commit are downloaded first, and ``datasets.load_dataset`` reads their folder: without network, and
    without code of the repository, which datasets 4 and later does not run.

    :param reason: why labelkit itself cannot read it; raised where ``datasets`` cannot either.
    :raises DataError: it cannot be read, or has no train split.
    :raises NetworkError: it is not cached and the Hub cannot be reached.
    """
    import datasets

    folder = _downloaded(repository, ctx)
    try:
        with no_network():
            loaded = datasets.load_dataset(
                str(folder),
                ctx.settings.config,
                cache_dir=str(ctx.cache / "datasets"),
                download_mode="reuse_cache_if_exists",
            )
    except Exception as error:
        said = one_line(error, 120) or type(error).__name__
        raise DataError(reason.message, hint=f"{reason.hint}; datasets cannot load it either ({said})") from error
    found: dict[str, Any] = {}
    notes = []
    for name, split in loaded.items():
        known = canonical_split(str(name))
        if known is None or known in found:
            notes.append(f"hub:{repository.name}: the split '{name}' was left out")
        else:
            found[known] = split
    if not found:
        raise DataError(reason.message, hint=reason.hint)
    ctx.policy.assume(
        f"hub:{repository.name} is loaded by datasets.load_dataset, as its files name no splits of a known format",
        "download its files, and give them as --data train=PATH,test=PATH",
    )
    return folder.name, {split: found[split] for split in SPLITS if split in found}, tuple(notes)


def _downloaded(repository: HubRepository, ctx: LoadContext) -> Path:
    """Return the folder of the files of a commit, from the Hub's cache where all are there."""
    if ctx.offline:
        listing = repository.cached_file_names()
        folder = repository.cached_folder(None if listing is None else _without_code(listing))
        if folder is None:
            raise repository.offline_error()
        return folder
    info = repository.info()
    files = _without_code(sibling.rfilename for sibling in info.siblings or ())
    return repository.download(str(info.sha), files)


def _without_code(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.endswith(_CODE)]
