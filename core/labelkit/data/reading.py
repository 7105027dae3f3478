"""From a data reference to the raw examples of its splits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from labelkit.data.arrow_cache import Tally, gather, place_for, stored
from labelkit.data.hub_datasets import HubDataset, ReadFile, find_hub_dataset
from labelkit.data.references import DataReference, find_split_files, parse_reference, shards_of
from labelkit.errors import DataError, UnknownNameError, nearest
from labelkit.files.split_names import SPLITS, canonical_split
from labelkit.formats.recognition import readable_suffixes, reader_for
from labelkit.formats.tables import saved_splits
from labelkit.formats.tools import brat
from labelkit.hub.repository import HubRepository
from labelkit.records import Example, Format, Kind, LoadContext, Schema, Source


class Parts(Protocol):
    """What reading data needs of the catalog: records by name."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """Named corpora."""

    @property
    def formats(self) -> Mapping[str, Format]:
        """File formats."""

    @property
    def schemas(self) -> Mapping[str, Schema]:
        """Label schemas."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """The splits of a reference as they were read.

    :param refs: split → where it came from: a path, ``SOURCE:SPLIT``, or ``hub:ID@COMMIT:SPLIT``.
    :param source: the named corpus, where it is one.
    :param notes: what is odd without being wrong.
    :param lone: a single file, or a folder read as one: nothing says which split it is, and it stands as train.
    """

    splits: Mapping[str, Sequence[Example]]
    refs: Mapping[str, str]
    source: Source | None = None
    notes: tuple[str, ...] = field(default=())
    lone: bool = False


def read_raw(text: str, kind: Kind, parts: Parts, ctx: LoadContext) -> Raw:
    """Read every split that a data reference has.

    A source's name comes first, then a path, then a folder of that name under ``ctx.root``.

    :raises DataError: something is missing, empty, or not readable.
    :raises UnknownNameError: no source, path or folder has this name; the nearest are suggested.
    """
    if source := parts.sources.get(text):
        return _from_source(source, kind, ctx)
    reference = parse_reference(text)
    if reference.kind == "hub":
        return _from_hub(reference, kind, parts, ctx)
    files = _files(reference, kind, parts, ctx)
    _distinct(files)
    splits = {split: _from_file(file, kind, parts, ctx) for split, file in files.items()}
    notes = tuple(f"{what}: {count:,}" for what, count in ctx.policy.counts.items())
    refs = {split: str(file) for split, file in files.items()}
    return Raw(splits=splits, refs=refs, notes=notes, lone=_is_lone(reference, files, ctx))


def open_split(text: str, split: str, kind: Kind | None, parts: Parts, ctx: LoadContext) -> Iterable[Example]:
    """Open one split of a data reference; its examples are read as they are asked for.

    :param kind: None where any will do.
    :raises DataError: there is no such split, or it cannot be read.
    :raises UnknownNameError: no source, path or folder has this name.
    """
    if source := parts.sources.get(text):
        _in(split, source.splits, text)
        return source.load(split, ctx)
    reference = parse_reference(text)
    if reference.kind == "hub":
        found = _hub_data(reference, kind, parts, ctx)
        return found.examples(_in(split, found.files, text), ctx, _reader(kind, parts, ctx))
    files = _files(reference, kind, parts, ctx)
    # a single file is the only split there is, whatever it is called
    path = files["train"] if list(files) == ["train"] and not reference.files else files[_in(split, files, text)]
    chosen = reader_for(path, parts.formats, ctx.settings.format, kind=kind)
    return _read_all(shards_of(path), chosen, ctx)


def splits_of(text: str, kind: Kind | None, parts: Parts, ctx: LoadContext) -> dict[str, str]:
    """Return the splits that a data reference has, each with where it comes from; nothing is read.

    :raises DataError: there is no train split, or what is named does not exist.
    :raises UnknownNameError: no source, path or folder has this name.
    """
    if source := parts.sources.get(text):
        return {split: f"{source.name}:{split}" for split in source.splits}
    reference = parse_reference(text)
    if reference.kind == "hub":
        found = _hub_data(reference, kind, parts, ctx)
        return {split: found.ref(split) for split in found.files}
    files = _files(reference, kind, parts, ctx)
    _distinct(files)
    return {split: str(file) for split, file in files.items()}


def kind_of(text: str, parts: Parts, ctx: LoadContext) -> Kind:
    """Return the kind of the examples behind a data reference, by its source, its format or its first example."""
    if source := parts.sources.get(text):
        return source.kind
    reference = parse_reference(text)
    files: Mapping[str, Path]
    if reference.kind == "hub":
        files = {split: files[0] for split, files in _hub_data(reference, None, parts, ctx).files.items()}
    else:
        files = _files(reference, None, parts, ctx)
    path = next(iter(files.values()))
    chosen = reader_for(path, parts.formats, ctx.settings.format)
    if chosen.kinds == ("token",):
        return "token"
    try:
        within = replace(ctx, settings=replace(ctx.settings, format=chosen.name))
        first = next(iter(open_split(text, next(iter(files)), None, parts, within)), None)
    except DataError:
        # a .tsv without the columns of a table may be the columns of CoNLL
        if chosen.name != "tsv" or ctx.settings.format:
            raise
        return "token"
    return "token" if first is not None and first.words is not None else "text"


def _from_hub(reference: DataReference, kind: Kind, parts: Parts, ctx: LoadContext) -> Raw:
    found = _hub_data(reference, kind, parts, ctx)
    read, tally = _reader(kind, parts, ctx), ctx.policy.counts
    splits: dict[str, Sequence[Example]] = {}
    for split in found.files:
        place = place_for(ctx, found.ref(split))
        what = f"the {split} split of hub:{found.name}"
        splits[split] = stored(place, tally) or _filled(found.examples(split, ctx, read), what, place, tally)
    notes = (*found.notes, *(f"{what}: {count:,}" for what, count in tally.items()))
    return Raw(splits=splits, refs={split: found.ref(split) for split in splits}, notes=notes)


def _hub_data(reference: DataReference, kind: Kind | None, parts: Parts, ctx: LoadContext) -> HubDataset:
    assert reference.hub is not None  # a reference of kind "hub" has one
    repository = HubRepository("dataset", reference.hub, reference.revision or "main")
    return find_hub_dataset(repository, ctx, readable_suffixes(parts.formats, kind))


def _reader(kind: Kind | None, parts: Parts, ctx: LoadContext) -> ReadFile:
    def read(path: Path) -> Iterable[Example]:
        chosen = reader_for(path, parts.formats, ctx.settings.format, kind=kind)
        assert chosen.read is not None  # reader_for offers readers only
        return chosen.read(path, replace(ctx, path=path))

    return read


def _in(split: str, splits: Collection[str], text: str) -> str:
    if split not in splits:
        raise DataError(f"'{text}' has no {split} split", hint=f"it has: {', '.join(splits)}")
    return split


def _from_source(source: Source, kind: Kind, ctx: LoadContext) -> Raw:
    if source.kind != kind:
        raise DataError(f"source '{source.name}' holds {source.kind} examples, the task needs {kind} examples")
    ctx = replace(ctx, origins={})
    splits: dict[str, Sequence[Example]] = {}
    notes = []
    for split in source.splits:
        what = f"the {split} split of source '{source.name}'"
        splits[split] = _filled(source.load(split, ctx), what, place_for(ctx, source.name, split), ctx.policy.counts)
        found, published = len(splits[split]), source.counts.get(split)
        if published not in (None, found):
            notes.append(f"{source.name}: {split} has {found} examples, {published} were published")
    refs = {split: ctx.origins.get(split, f"{source.name}:{split}") for split in splits}
    return Raw(splits=splits, refs=refs, source=source, notes=tuple(notes))


def _files(reference: DataReference, kind: Kind | None, parts: Parts, ctx: LoadContext) -> dict[str, Path]:
    if reference.kind == "files":
        return {split: reference.files[split] for split in SPLITS if split in reference.files}
    path = reference.path
    if not path.exists():
        path = _under_root(reference, parts, ctx)
    if not path.is_dir():
        return {"train": path}
    if (saved := saved_splits(path)) is not None:
        return _saved(path, saved)
    return brat.annotation_splits(path) or find_split_files(path, readable_suffixes(parts.formats, kind))


def _is_lone(reference: DataReference, files: Mapping[str, Path], ctx: LoadContext) -> bool:
    """Say whether a reference is itself its only file; a folder under the root counts by its name."""
    if reference.kind == "files":
        return False
    path = reference.path if reference.path.exists() else _folders(ctx.root).get(reference.text)
    return list(files.values()) == [path]


def _saved(folder: Path, saved: Mapping[str, Path]) -> dict[str, Path]:
    """Return the splits of a folder of ``datasets`` by our names; others are left alone."""
    if list(saved) == [""]:
        return {"train": folder}
    found: dict[str, Path] = {}
    for name, path in saved.items():
        split = canonical_split(name)
        if split in found:
            raise DataError(
                f"two data sets for the {split} split: {found[split]} and {path}",
                hint="say which: --data train=PATH,validation=PATH,test=PATH",
            )
        if split:
            found[split] = path
    if "train" not in found:
        raise DataError(
            f"{folder} has no train split, it holds {', '.join(saved) or 'none'}",
            hint="say which is which: --data train=PATH,validation=PATH",
        )
    return {split: found[split] for split in SPLITS if split in found}


def _under_root(reference: DataReference, parts: Parts, ctx: LoadContext) -> Path:
    folders = _folders(ctx.root)
    if reference.text in folders:
        return folders[reference.text]
    if "/" in reference.text or "\\" in reference.text or reference.path.suffix:
        raise DataError(f"{reference.text} does not exist", hint="check the path")
    raise UnknownNameError(
        f"no data source, file or folder is called '{reference.text}'",
        hint=nearest(reference.text, {*parts.sources, *folders}),
    )


def _folders(root: Path | None) -> dict[str, Path]:
    """Return the folders of corpora by name, for as much of ``root`` as can be read."""
    if root is None or not root.is_dir():
        return {}
    return {folder.name: folder for folder in root.iterdir() if folder.is_dir()}


def _distinct(files: Mapping[str, Path]) -> None:
    """Refuse one file as two splits: its scores would mean nothing."""
    seen: dict[Path, str] = {}
    for split, file in files.items():
        if other := seen.get(file.resolve()):
            raise DataError(f"{file} is given as {other} and as {split}", hint="each split needs a file of its own")
        seen[file.resolve()] = split


def _from_file(path: Path, kind: Kind, parts: Parts, ctx: LoadContext) -> Sequence[Example]:
    chosen = reader_for(path, parts.formats, ctx.settings.format, kind=kind)
    parts_of_it = shards_of(path)
    inside = sorted(path.rglob("*")) if path.is_dir() else parts_of_it
    files = [file for file in inside if file.is_file()]
    place, tally = place_for(ctx, str(path), chosen.name, chosen.read.__module__, files=files), ctx.policy.counts
    # of a pipe nobody can tell whether it still holds the same
    before = stored(place, tally) if files else None
    return before or _filled(_read_all(parts_of_it, chosen, ctx), str(path), place, tally)


def _read_all(parts: Sequence[Path], chosen: Format, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of all parts of a file; those that are numbered in each part are numbered through."""
    assert chosen.read is not None  # reader_for offers readers only
    row = 0
    for part in parts:
        for number, example in enumerate(chosen.read(part, replace(ctx, path=part)), start=1):
            row += 1
            yield example if row == number or example.id != str(number) else replace(example, id=str(row))


def _filled(examples: Iterable[Example], what: str, place: Path, tally: Tally) -> Sequence[Example]:
    result = gather(examples, place, tally)
    if not result:
        raise DataError(f"{what} is empty: it holds no examples", hint="check the file, or leave the split out")
    return result
