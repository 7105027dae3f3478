"""Data sets of the Hub: found with one question, fetched as plain files, read by our formats. Their code never runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelkit.data.hub_files import Chosen, choose_files, class_names
from labelkit.errors import DataError
from labelkit.formats.fields import layout_of
from labelkit.formats.rows import one_label
from labelkit.hub.repository import HubRepository
from labelkit.records import Example, Labels, LoadContext, Place

Read = Callable[[Path], Iterable[Example]]

#: where the Hub keeps the Parquet files that it makes of a data set itself
CONVERTED = "refs/convert/parquet"
_CARD = "README.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class HubData:
    """A data set of the Hub whose files are in the local cache.

    :param name: its id, e.g. ``org/name``.
    :param commit: what its revision was resolved to.
    :param files: split → its files, in order.
    :param names: column → the names of its numbers, as the card tells of them.
    :param notes: what is odd without being wrong.
    """

    name: str
    commit: str
    files: Mapping[str, tuple[Path, ...]]
    names: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()

    def ref(self, split: str) -> str:
        """Return the reference to a split that a run records: it names the commit."""
        return f"hub:{self.name}@{self.commit}:{split}"

    def examples(self, split: str, ctx: LoadContext, read: Read) -> Iterator[Example]:
        """Yield the examples of a split; their line is the row in it, counted from 1.

        :param read: reads one file.
        :raises DataError: a row cannot be used.
        """
        row = 0
        for file in self.files[split]:
            rename = self._rename(file, ctx)
            try:
                for number, example in enumerate(read(file), start=1):
                    row += 1
                    id_ = str(row) if example.id == str(number) else example.id  # numbered by file: number by split
                    place = Place(file=f"hub:{self.name} {split}", line=row)
                    yield replace(example, id=id_, place=place, labels=rename(example.labels, place))
            except DataError as error:
                shown = error.message.replace(str(file), f"hub:{self.name} {file.name}")
                raise DataError(shown, hint=error.hint) from error

    def _rename(self, file: Path, ctx: LoadContext) -> Callable[[Mapping[str, Labels], Place], Mapping[str, Labels]]:
        """Return what gives numbers their names where only the card knows them."""
        if not any(self.names.values()) or _knows_names(file):
            return lambda labels, place: labels
        columns = layout_of(tuple(self.names), ctx).layers
        names = {layer: self.names[column] for layer, column in columns.items() if self.names[column]}
        return lambda labels, place: {layer: _named(value, names.get(layer), place) for layer, value in labels.items()}


def find(repository: HubRepository, ctx: LoadContext, suffixes: Collection[str]) -> HubData:
    """Find a data set in the Hub's local cache, or fetch its data files.

    :param suffixes: file endings that can be read.
    :raises NetworkError: it is not cached and the Hub cannot be asked.
    :raises DataError: there is no such data set, or it has no data files, or needs a loading script.
    """
    if found := find_cached(repository, ctx, suffixes):
        return found
    if ctx.offline:
        raise repository.offline_error()
    told = repository.info()
    commit = str(told.sha)
    listing = [sibling.rfilename for sibling in told.siblings or ()]
    _refuse_script(repository, listing, ctx)
    card = _card(repository.download(commit, [_CARD], more_follows=True) if _CARD in listing else None)
    chosen = _chosen(repository, listing, card, ctx, suffixes)
    folder = repository.download(commit, [_CARD, *(file for files in chosen.files.values() for file in files)])
    return _data(repository, folder, chosen, card)


def find_cached(repository: HubRepository, ctx: LoadContext, suffixes: Collection[str]) -> HubData | None:
    """Return a data set as the local cache holds it, without asking the Hub; None where a file is missing."""
    listing = repository.cached_file_names()
    if listing is None and not ctx.offline:
        return None  # what is there may be a part
    folder = repository.cached_folder(None if listing is None else [_CARD])
    if folder is None:
        return None
    if listing is None:
        listing = tuple(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    _refuse_script(repository, listing, ctx)
    card = _card(folder)
    chosen = _chosen(repository, listing, card, ctx, suffixes)
    whole = all((folder / file).is_file() for files in chosen.files.values() for file in files)
    return _data(repository, folder, chosen, card) if whole else None


def _data(repository: HubRepository, folder: Path, chosen: Chosen, card: Mapping[str, Any]) -> HubData:
    return HubData(
        name=repository.name,
        commit=folder.name,
        files={split: tuple(folder / file for file in files) for split, files in chosen.files.items()},
        names=class_names(card, chosen.config),
        notes=tuple(f"hub:{repository.name}: {note}" for note in chosen.notes),
    )


def _chosen(
    repository: HubRepository,
    listing: Collection[str],
    card: Mapping[str, Any],
    ctx: LoadContext,
    suffixes: Collection[str],
) -> Chosen:
    try:
        chosen = choose_files(listing, card, suffixes, ctx.settings.config)
    except DataError as error:
        raise DataError(f"hub:{repository.name}: {error.message}", hint=error.hint) from error
    if not chosen.files:
        have = "; ".join(chosen.notes) or f"it holds {', '.join(sorted(listing)[:8]) or 'no files'}"
        raise DataError(
            f"hub:{repository.name} has no data files of train, validation or test ({have})",
            hint=f"readable are {', '.join(sorted(suffixes))}; or give local files: --data train=PATH,…",
        )
    return chosen


def _refuse_script(repository: HubRepository, listing: Collection[str], ctx: LoadContext) -> None:
    """Refuse a data set with a loading script; by its name, as ``datasets`` finds it."""
    script = f"{repository.name.rpartition('/')[2]}.py"
    if script not in listing:
        return
    hint = "give local files: --data train=PATH,validation=PATH,test=PATH"
    if not ctx.offline and replace(repository, revision=CONVERTED).exists():
        hint = f"the Hub has it as plain files: --data hub:{repository.name}@{CONVERTED}"
    raise DataError(
        f"hub:{repository.name} needs its loading script {script}, and no code of the Hub is run", hint=hint
    )


def _card(folder: Path | None) -> Mapping[str, Any]:
    """Return the metadata at the top of a card; nothing where there is none that can be read."""
    if folder is None or not (folder / _CARD).is_file():
        return {}
    from huggingface_hub import metadata_load

    try:
        return metadata_load(folder / _CARD) or {}
    except Exception:  # YAML has many ways to be wrong; the files' names tell as much
        return {}


def _knows_names(file: Path) -> bool:
    """Return whether a file brings the names of its numbers itself."""
    if file.suffix == ".arrow":
        return True
    if file.suffix != ".parquet":
        return False
    import pyarrow.parquet as pq

    from labelkit.formats import tables

    return bool(tables.class_names(pq.read_schema(file)))


def _named(value: Labels, names: Sequence[str] | None, place: Place) -> Labels:
    if names is None:
        return value
    try:
        if isinstance(value, str):
            return _name(value, names)
        return tuple([_name(label, names) for label in value])
    except DataError as error:
        raise DataError(f"{place}: {error.message}", hint=error.hint) from error


def _name(label: str, names: Sequence[str]) -> str:
    return one_label(int(label), names) if label.lstrip("-").isdecimal() else label
