"""Find the checkpoint folder behind a reference to a run: one resolver for all commands."""

from __future__ import annotations

from pathlib import Path

from labelkit.registry.home import Home


def find_checkpoint(reference: str, home: Home) -> tuple[Path, dict[str, tuple[int, str]]]:
    """Return the checkpoint folder of a run, and size and checksum of the files that the registry recorded.

    :param reference: of a run; or a folder, written with a separator, of which no files are recorded.
    :raises LabelkitError: if there is no such run or folder, or the checkpoint was deleted.
    """
    if "/" in reference or "\\" in reference:
        return Path(reference).expanduser(), {}
    from labelkit.registry import Registry

    with Registry.open(home, create=False) as registry:
        run = registry.runs.find(reference, finished=True)
        folder = registry.runs.checkpoint_folder(run.id)
        best = registry.runs.get(run.id).best
    return folder, dict(best.files) if best else {}
