"""Projects of Label Studio as data: their annotations are fetched once, and kept as they were when a run read them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.files.atomic import new_folder, storage_errors
from labelkit.files.output import new_output
from labelkit.files.small import read_json
from labelkit.formats.json_values import stored_values
from labelkit.label_studio.client import LabelStudioClient
from labelkit.label_studio.label_config import Control, parse_label_config
from labelkit.label_studio.provenance import AnnotationProvenance
from labelkit.label_studio.references import ProjectReference
from labelkit.label_studio.tasks import counting_annotation, is_held_out
from labelkit.records import Kind, LoadContext

_INFO = "project.json"
#: a snapshot's name: so many digits of the hash of its files
_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSnapshot:
    """The annotations of a project as they were.

    :param reference: with the snapshot.
    :param files: split → its tasks, a JSON array as Label Studio exports it.
    :param controls: the tags of its label config that take labels of texts.
    :param left_out: why tasks are in no split → how many.
    """

    reference: ProjectReference
    files: Mapping[str, Path]
    controls: tuple[Control, ...]
    left_out: Mapping[str, int]

    def control(self, kind: Kind | None, name: str | None) -> Control:
        """Return the tag whose labels are read.

        :param kind: of the examples; None for either.
        :param name: of the tag, where the user chose one.
        :raises DataError: the project is of another kind, or has no such tag.
        """
        fitting = [one for one in self.controls if kind in (None, one.kind) and name in (None, one.name)]
        if fitting:
            return fitting[0]
        have = ", ".join(f'<{one.tag} name="{one.name}">' for one in self.controls)
        needed = {"token": "<Labels>", "text": "<Choices>"}.get(kind or "", "such a tag")
        raise DataError(
            f"{self.reference} is a project of another kind: it has {have}, and the task needs {needed}",
            hint="use a task of its kind: ner for <Labels>, textcls for <Choices>",
        )

    def context(self, ctx: LoadContext, kind: Kind | None) -> LoadContext:
        """Return the context in which the files are read: with the field of the text, and the tag of the labels."""
        layers = [name for name in ctx.columns if name not in ("text", "id", "document")]
        control = self.control(kind, ctx.columns[layers[0]] if layers else None)
        columns = {"text": control.data_key, (layers[0] if layers else ctx.layer or "LAYER"): control.name}
        return replace(ctx, columns={**columns, **ctx.columns})


def find_snapshot(reference: ProjectReference, ctx: LoadContext) -> ProjectSnapshot:
    """Return the annotations of a project: the snapshot that is named, else those that the server has now.

    :raises DataError: the snapshot is gone, or the project has no annotated texts.
    :raises LabelkitError: the server does not answer, or refuses.
    """
    if reference.snapshot:
        folder = _folder(ctx) / reference.snapshot
        if not folder.is_dir():
            hint = f"{replace(reference, snapshot='')} reads the annotations of today"
            raise DataError(f"the annotations of {reference} are not in {folder.parent}", hint=hint)
        return _open(folder, reference)
    return fetch_snapshot(reference, ctx)


def fetch_snapshot(reference: ProjectReference, ctx: LoadContext) -> ProjectSnapshot:
    """Fetch the annotations of a project, and keep them; the same annotations are kept once.

    :raises LabelkitError: the server does not answer, or refuses, or the project has no annotated texts.
    """
    client = LabelStudioClient(reference, ctx.label_studio_token)
    config = client.label_config()
    controls = _controls(config, reference)
    root = _folder(ctx)
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".") as temporary:
            export = Path(temporary) / "export.json"
            with export.open("wb") as target:
                client.export(target)
            digest, left_out = _divide(export, Path(temporary), controls[0], ctx)
            if not list(Path(temporary).glob("train.json")):
                raise DataError(f"{reference} has no annotated texts", hint="annotate some, and submit them")
            export.unlink()
            info = {"project": str(reference), "label_config": config, "left_out": left_out}
            (Path(temporary) / _INFO).write_text(json.dumps(info, allow_nan=False), encoding="utf-8")
            folder = root / digest
            if not folder.is_dir():
                with new_folder(folder) as made:
                    for file in Path(temporary).iterdir():
                        os.replace(file, made / file.name)
    return _open(folder, replace(reference, snapshot=digest))


def write_snapshot(snapshot: ProjectSnapshot, path: Path, *, force: bool) -> AnnotationProvenance:
    """Write the tasks of a snapshot to one file, and return which annotations they have.

    :raises StorageError: the disk is full, or permission is denied.
    """
    found, separator = AnnotationProvenance(), b"[\n"
    with new_output(path, force=force) as output:
        for file in snapshot.files.values():
            for _, task in stored_values(file, LoadContext(), "array"):
                found.add(task["id"], task["annotations"][0])
                output.stream.write(separator + json.dumps(task, allow_nan=False).encode())
                separator = b",\n"
        output.stream.write(b"\n]\n")
    return found


def _divide(export: Path, folder: Path, control: Control, ctx: LoadContext) -> tuple[str, dict[str, int]]:
    """Write the annotated tasks of an export to files of splits, train first; return their hash, and what is left out.

    Where there are too few texts for both, all are in train, and a run holds some out as it does of any data.
    """
    left_out: dict[str, int] = {}
    digest, counts = hashlib.sha256(), {"train": 0, "validation": 0}
    with contextlib.ExitStack() as files:
        paths = {split: folder / f"{split}.json" for split in counts}
        streams = {split: files.enter_context(path.open("w", encoding="utf-8")) for split, path in paths.items()}
        for split, task in _kept_tasks(export, control, ctx, left_out):
            line = json.dumps(task, allow_nan=False)
            digest.update(f"{split} {line}\n".encode())
            streams[split].write(("[\n" if not counts[split] else ",\n") + line)
            counts[split] += 1
        for split, stream in streams.items():
            stream.write("\n]\n" if counts[split] else "")
    for split, path in paths.items():
        if not counts[split]:
            path.unlink()
    if not counts["train"] and counts["validation"]:
        paths["validation"].rename(paths["train"])
    return digest.hexdigest()[:_DIGITS], left_out


def _kept_tasks(
    export: Path, control: Control, ctx: LoadContext, left_out: dict[str, int]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield split and task of each annotated text of an export, with the annotation that counts."""
    for _, task in stored_values(export, replace(ctx, encoding="utf-8"), "array"):
        data = task.get("data") if isinstance(task, Mapping) else None
        text = control.text(data) if isinstance(data, Mapping) else None
        annotation = counting_annotation(task.get("annotations")) if text is not None else None
        why = (
            f"tasks without a text in '{control.data_key}'" if text is None else "tasks whose annotations were skipped"
        )
        if text is None or annotation is None:
            left_out[why] = left_out.get(why, 0) + 1
            continue
        split = "validation" if is_held_out(text) else "train"
        yield split, {"id": task.get("id"), "data": data, "annotations": [annotation]}


def _open(folder: Path, reference: ProjectReference) -> ProjectSnapshot:
    try:
        info = read_json(folder / _INFO)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is damaged: {error}", hint="delete it, and read the project again") from error
    files = {split: path for split in ("train", "validation") if (path := folder / f"{split}.json").is_file()}
    controls = tuple(_controls(info["label_config"], reference))
    return ProjectSnapshot(reference=reference, files=files, controls=controls, left_out=info["left_out"])


def _controls(config: str, reference: ProjectReference) -> list[Control]:
    try:
        return parse_label_config(config)
    except DataError as error:
        raise DataError(f"{reference}: {error.message}", hint=error.hint) from None


def _folder(ctx: LoadContext) -> Path:
    """Return the folder of snapshots: beside the cache, as annotations of the past cannot be fetched again."""
    return ctx.cache.parent / "label-studio" / "exports"
