"""``labelkit runs copy``."""

from __future__ import annotations

from pathlib import Path

import click

from labelkit.cli.common import Shell, command_options


@click.command("copy")
@click.argument("run")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@command_options
def copy(shell: Shell, run: str, folder: Path) -> None:
    """Copy the checkpoint of RUN to the new folder DIR, verified against its recorded checksums.

    The copy is a plain Hugging Face folder, with the ONNX model of the checkpoint where there is one. labelkit label
    ./DIR labels with it, on another machine too.

    \b
    labelkit runs copy ner@best exports/ner
    """
    import shutil

    from labelkit.cli.runs.display import line
    from labelkit.errors import StorageError
    from labelkit.files.atomic import new_folder, storage_errors
    from labelkit.inference.onnx.kept import FOLDER, read_kept_model
    from labelkit.models.checkpoint import read_checkpoint
    from labelkit.registry.checkpoint_folders import find_checkpoint

    if folder.exists():
        raise StorageError(f"{folder} exists already", hint="name a folder that does not exist, or delete it first")
    source, files = find_checkpoint(run, shell.home)
    info = read_checkpoint(source, files)  # verifies the checksums
    kept = sorted(files) or sorted(path.name for path in source.iterdir() if path.is_file())
    onnx = read_kept_model(source)
    if onnx is not None and onnx.mismatch(info) is None:
        kept += [f"{FOLDER}/{name}" for name in sorted(onnx.all_files)]
    with storage_errors(folder):
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with new_folder(folder) as temporary:
            for name in kept:
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, temporary / name)
    size = sum((folder / name).stat().st_size for name in kept)
    if shell.as_json:
        shell.json({"run": run, "checkpoint": str(source), "path": str(folder.absolute()), "bytes": size})
        return
    line(shell.out, f"{folder}: {len(kept)} files, {size / 1e6:,.1f} MB, of {source}")
