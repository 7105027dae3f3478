"""Resolve a data reference to its splits: those of a named corpus, of a Hub dataset, or of files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labelkit.data.archives import ArchiveNames, corpus_path, only_file, unpack_archive
from labelkit.data.hub_datasets import NoDataFilesError, find_hub_dataset
from labelkit.data.hub_fallback import load_with_datasets
from labelkit.data.in_memory import IN_MEMORY, describe
from labelkit.data.label_studio_projects import ProjectSnapshot, find_snapshot
from labelkit.data.references import DataReference, parse_reference
from labelkit.data.resolved_splits import (
    DataCatalog,
    FileSplits,
    HubSplits,
    HubTables,
    MemorySplits,
    SourceSplits,
)
from labelkit.data.split_files import NAME_THE_SPLITS, SplitFiles, find_splits, unread_in
from labelkit.errors import DataError, UnknownNameError, nearest
from labelkit.files.split_names import SPLITS, canonical_split
from labelkit.formats.class_folders import class_splits
from labelkit.formats.recognition import readable_suffixes
from labelkit.formats.tables import saved_splits
from labelkit.formats.tools import brat
from labelkit.hub.repository import DEFAULT_REVISION, HubRepository
from labelkit.label_studio.references import is_project, parse_project
from labelkit.records import Example, Format, Kind, LoadContext, Source


@dataclass(frozen=True, kw_only=True)
class ProjectSplits(FileSplits):
    """The splits of a project of Label Studio, read from a snapshot of its annotations."""

    snapshot: ProjectSnapshot

    def reader(self, split: str, ctx: LoadContext) -> Format:
        """Return the format of Label Studio's exports."""
        return self.formats["label-studio"]

    def open(self, split: str, ctx: LoadContext) -> Iterator[Example]:
        """Return the examples of a split."""
        return super().open(split, self.snapshot.context(ctx, self.kind))

    def read(self, split: str, ctx: LoadContext) -> Sequence[Example]:
        """Return the examples of a split; what is left out of the project is counted with those of train."""
        if split == "train":
            ctx.policy.counts.update(self.snapshot.left_out)
        return super().read(split, self.snapshot.context(ctx, self.kind))


def resolve_project(text: str, kind: Kind | None, catalog: DataCatalog, ctx: LoadContext) -> ProjectSplits:
    """Return the splits of a project of Label Studio.

    :raises DataError: it is of another kind, or has no annotated texts.
    :raises LabelkitError: the server does not answer, or refuses.
    """
    snapshot = find_snapshot(parse_project(text), ctx)
    snapshot.context(ctx, kind)
    refs = {split: f"{snapshot.reference}:{split}" for split in snapshot.files}
    return ProjectSplits(
        text=text, refs=refs, files=snapshot.files, parts={}, single_file=False, named=True, formats=catalog.formats,
        kind=kind, snapshot=snapshot,
    )  # fmt: skip


def resolve_memory(ctx: LoadContext) -> MemorySplits:
    """Return the splits of data that was given in Python.

    :raises DataError: none was given, as when the data of a recorded run is read again.
    """
    if not ctx.memory:
        raise DataError(
            "the data of this run was given in memory, and is not recorded",
            hint="give the same data in Python, data=… of labelkit.resume, evaluate or find_errors; or give files",
        )
    refs = {split: describe(value) for split, value in ctx.memory.items()}
    return MemorySplits(text=IN_MEMORY, refs=refs, data=ctx.memory)


def resolve_reference(
    text: str, kind: Kind | None, catalog: DataCatalog, ctx: LoadContext
) -> SourceSplits | HubSplits | FileSplits | MemorySplits:
    """Resolve a data reference: a source's name comes first, then a path, then a folder of that name in ``ctx.root``.

    :param kind: the kind of the examples; None for either.
    :raises DataError: a file is missing or ambiguous, or a source holds examples of another kind.
    :raises UnknownNameError: no source, path or folder has this name; the nearest are suggested.
    """
    if source := catalog.sources.get(text):
        return resolve_source(source, kind, catalog, ctx)
    if text == IN_MEMORY:
        return resolve_memory(ctx)
    if is_project(text):
        return resolve_project(text, kind, catalog, ctx)
    reference = parse_reference(text)
    if reference.hub is not None:
        repository = HubRepository("dataset", reference.hub, reference.revision or DEFAULT_REVISION)
        try:
            dataset = find_hub_dataset(repository, ctx, readable_suffixes(catalog.formats, kind))
        except NoDataFilesError as error:
            commit, tables, notes = load_with_datasets(repository, ctx, error)
            refs = {split: f"hub:{repository.name}@{commit}:{split}" for split in tables}
            return HubTables(text=text, refs=refs, data=tables, name=repository.name, notes=notes)
        refs = {split: dataset.ref(split) for split in dataset.files}
        return HubSplits(text=text, refs=refs, dataset=dataset, formats=catalog.formats, kind=kind)
    return _local_splits(reference, kind, catalog, ctx)


def _local_splits(reference: DataReference, kind: Kind | None, catalog: DataCatalog, ctx: LoadContext) -> FileSplits:
    """Return the splits of a path, or of the files that are named; archives are unpacked."""
    path = None if reference.kind == "files" else find_path(reference, catalog, ctx.root)
    given = {"": path} if path else {split: reference.files[split] for split in SPLITS if split in reference.files}
    archives = {key: archive for key, file in given.items() if (archive := unpack_archive(file, ctx, catalog.formats))}
    names = ArchiveNames(tuple(archives.values()))
    with names.errors():
        if path is None:
            found = SplitFiles(files={**given, **{split: only_file(archive) for split, archive in archives.items()}})
        else:
            path = corpus_path(archives[""]) if archives else path
            found = files_of_path(path, readable_suffixes(catalog.formats, kind), kind)
            for assumption in found.assumptions(path):
                ctx.policy.assume(*map(names.shown, assumption))
    files = found.files
    if repeated := [file for file, times in Counter(map(os.path.realpath, files.values())).items() if times > 1]:
        splits = [split for split, file in files.items() if os.path.realpath(file) == repeated[0]]
        raise DataError(
            f"{files[splits[0]]} is given as {' and as '.join(splits)}", hint="each split needs a file of its own"
        )
    return FileSplits(
        text=reference.text,
        refs={split: names.shown(file.parent if split in found.parts else file) for split, file in files.items()},
        files=files,
        parts=found.parts,
        single_file=list(files.values()) == [path],
        named=path is None,
        formats=catalog.formats,
        kind=kind,
        names=names,
    )


def resolve_source(source: Source, kind: Kind | None, catalog: DataCatalog, ctx: LoadContext) -> SourceSplits:
    """Return the splits of a named corpus; see :func:`resolve_reference`."""
    name = source.name
    if Path(name).exists():
        ctx.policy.assume(f"'{name}' is the corpus of that name", f"--data ./{name} means what lies in this folder")
    if kind not in (None, source.kind):
        raise DataError(f"source '{name}' holds {source.kind} examples, the task needs {kind} examples")
    schemas = ((layer, catalog.schemas.get(schema or "")) for layer, schema in source.layers.items())
    return SourceSplits(
        text=name,
        refs={split: f"{name}:{split}" for split in source.splits},
        source=source,
        formats=catalog.formats,
        plugin=catalog.owner("source", name).name,
        multilabel=[layer for layer, schema in schemas if schema is not None and schema.multilabel],
    )


def find_path(reference: DataReference, catalog: DataCatalog, root: Path | None) -> Path:
    """Return the path of a reference, or the folder of that name in the folder of corpora.

    :raises DataError: the path does not exist.
    :raises UnknownNameError: it may be a name, and nothing has this name.
    """
    path = reference.path
    if path.exists():
        return path
    folders = {one.name: one for one in root.iterdir() if one.is_dir()} if root is not None and root.is_dir() else {}
    if reference.text in folders:
        return folders[reference.text]
    if "/" in reference.text or "\\" in reference.text or path.suffix:
        raise DataError(f"{reference.text} does not exist", hint="check the path")
    raise UnknownNameError(
        f"no data source, file or folder is called '{reference.text}'",
        hint=nearest(reference.text, {*catalog.sources, *folders}),
    )


def files_of_path(path: Path, suffixes: Sequence[str], kind: Kind | None = None) -> SplitFiles:
    """Return the files of the splits in a folder; a file, or a folder that is read as one, is train.

    :param kind: the kind of the examples; None for either.

    :raises DataError: there is no train split, or several files for one split.
    """
    if not path.is_dir():
        return SplitFiles(files={"train": path})
    saved = saved_splits(path)
    if saved is None and kind != "token" and (classes := class_splits(path)):
        inside = [folder.name for folder in classes.values()]
        unread = [] if path in classes.values() else unread_in(path, inside)
        return SplitFiles(files={split: classes[split] for split in SPLITS if split in classes}, unread=unread)
    if saved is None:
        annotated = brat.annotation_splits(path)
        return SplitFiles(files=annotated) if annotated else find_splits(path, suffixes)
    if list(saved) == [""]:
        return SplitFiles(files={"train": path})
    files: dict[str, Path] = {}
    for name, folder in saved.items():
        if (split := canonical_split(name)) in files:
            raise DataError(f"two datasets for the {split} split: {files[split]} and {folder}", hint=NAME_THE_SPLITS)
        if split:
            files[split] = folder
    if "train" not in files:
        raise DataError(
            f"{path} has no train split, it holds {', '.join(saved) or 'none'}",
            hint="name the splits: --data train=PATH,validation=PATH",
        )
    unread = [name for name in saved if canonical_split(name) is None]
    return SplitFiles(files={split: files[split] for split in SPLITS if split in files}, unread=unread)
