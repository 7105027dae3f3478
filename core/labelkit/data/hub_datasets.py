"""Datasets of the Hub: downloaded as plain files, read by labelkit's formats. Their loading scripts never run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labelkit.data.hub_files import Card, HubFiles, card_class_names, choose_files
from labelkit.errors import DataError
from labelkit.formats.class_labels import class_label
from labelkit.formats.columns import find_columns
from labelkit.hub.repository import HubRepository
from labelkit.records import Example, Labels, LoadContext, Place

ReadFile = Callable[[Path], Iterable[Example]]

#: the revision with the Parquet files that the Hub converts datasets to
CONVERTED = "refs/convert/parquet"
_CARD = "README.md"


class NoDataFilesError(DataError):
    """A repository has no files that belong to a split and that a format reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HubDataset:
    """A dataset of the Hub whose files are in the local cache.

    :param name: its id, e.g. ``org/name``.
    :param commit: the commit of its revision.
    :param files: split → its files, in order.
    :param class_names: column → class names from the dataset card.
    :param notes: what was left out.
    """

    name: str
    commit: str
    files: Mapping[str, tuple[Path, ...]]
    class_names: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()

    @classmethod
    def in_folder(cls, name: str, folder: Path, chosen: HubFiles, card: Card) -> HubDataset:
        """Return the dataset with the chosen files in the snapshot folder of a commit."""
        return cls(
            name=name,
            commit=folder.name,
            files={split: tuple(folder / file for file in files) for split, files in chosen.files.items()},
            class_names=card_class_names(card, chosen.config),
            notes=tuple(f"hub:{name}: {note}" for note in chosen.notes),
        )

    def ref(self, split: str) -> str:
        """Return the reference to a split that a run records, with the commit."""
        return f"hub:{self.name}@{self.commit}:{split}"

    def examples(self, split: str, ctx: LoadContext, read: ReadFile) -> Iterator[Example]:
        """Yield the examples of a split; their line is the row in the split, counted from 1.

        :param read: reads one file.
        :raises DataError: a row cannot be used.
        """
        row = 0
        for file in self.files[split]:
            names = {} if has_class_names(file) else self._names_by_layer(ctx)
            try:
                for number, example in enumerate(read(file), start=1):
                    row += 1
                    id_ = str(row) if example.id == str(number) else example.id  # numbered by file: number by split
                    place = Place(file=f"hub:{self.name} {split}", line=row)
                    labels: Mapping[str, Labels] = example.labels
                    if names:
                        labels = {layer: _name_labels(labels[layer], names.get(layer), place) for layer in labels}
                    yield replace(example, id=id_, place=place, labels=labels)
            except DataError as error:
                shown = error.message.replace(str(file), f"hub:{self.name} {file.name}")
                raise type(error)(shown, hint=error.hint) from error

    def _names_by_layer(self, ctx: LoadContext) -> dict[str, Sequence[str]]:
        if not any(self.class_names.values()):
            return {}
        columns = find_columns(tuple(self.class_names), ctx).layers
        return {layer: self.class_names[column] for layer, column in columns.items() if self.class_names[column]}


def find_hub_dataset(repository: HubRepository, ctx: LoadContext, suffixes: Collection[str]) -> HubDataset:
    """Return a dataset from the Hub's local cache, or download its data files.

    :param suffixes: file endings that can be read.
    :raises NetworkError: it is not cached and the Hub cannot be reached.
    :raises DataError: there is no such dataset, or it has no data files, or needs a loading script.
    """
    if found := find_cached_dataset(repository, ctx, suffixes):
        return found
    if ctx.offline:
        raise repository.offline_error()
    info = repository.info()
    commit = str(info.sha)
    listing = [sibling.rfilename for sibling in info.siblings or ()]
    _refuse_script(repository, listing, ctx)
    card = read_card(repository.download(commit, [_CARD], more_follows=True) if _CARD in listing else None)
    chosen = _choose_files(repository, listing, card, ctx, suffixes)
    folder = repository.download(commit, [_CARD, *(file for files in chosen.files.values() for file in files)])
    return HubDataset.in_folder(repository.name, folder, chosen, card)


def find_cached_dataset(repository: HubRepository, ctx: LoadContext, suffixes: Collection[str]) -> HubDataset | None:
    """Return a dataset from the Hub's local cache, without any request; None where a file is missing."""
    listing = repository.cached_file_names()
    if listing is None and not ctx.offline:
        return None  # the cached files may be some of them only
    folder = repository.cached_folder(None if listing is None else [_CARD])
    if folder is None:
        return None
    if listing is None:
        listing = tuple(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    _refuse_script(repository, listing, ctx)
    card = read_card(folder)
    found = HubDataset.in_folder(repository.name, folder, _choose_files(repository, listing, card, ctx, suffixes), card)
    return found if all(file.is_file() for files in found.files.values() for file in files) else None


def read_card(folder: Path | None) -> Card:
    """Return the metadata of the dataset card in a folder; empty without a readable card."""
    if folder is None or not (folder / _CARD).is_file():
        return {}
    from huggingface_hub import metadata_load

    try:
        return metadata_load(folder / _CARD) or {}
    except Exception:  # whatever is wrong with the YAML, the names of the files remain
        return {}


def has_class_names(file: Path) -> bool:
    """Return whether a file holds the class names of its numeric labels itself."""
    if file.suffix == ".arrow":
        return True
    if file.suffix != ".parquet":
        return False
    import pyarrow.parquet as pq

    from labelkit.formats import tables

    return bool(tables.class_names(pq.read_schema(file)))


def _choose_files(
    repository: HubRepository,
    listing: Collection[str],
    card: Card,
    ctx: LoadContext,
    suffixes: Collection[str],
) -> HubFiles:
    try:
        chosen = choose_files(listing, card, suffixes, ctx.settings.config)
    except DataError as error:
        raise DataError(f"hub:{repository.name}: {error.message}", hint=error.hint) from error
    if not chosen.files:
        have = "; ".join(chosen.notes) or f"it holds {', '.join(sorted(listing)[:8]) or 'no files'}"
        raise NoDataFilesError(
            f"hub:{repository.name} has no data files of train, validation or test ({have})",
            hint=f"readable are {', '.join(sorted(suffixes))}; or give local files: --data train=PATH,…",
        )
    return chosen


def _refuse_script(repository: HubRepository, listing: Collection[str], ctx: LoadContext) -> None:
    """Raise if the dataset needs a loading script, which ``datasets`` finds by the same name."""
    script = f"{repository.name.rpartition('/')[2]}.py"
    if script not in listing:
        return
    hint = "give local files: --data train=PATH,validation=PATH,test=PATH"
    if not ctx.offline and replace(repository, revision=CONVERTED).exists():
        hint = f"the Hub has it as plain files: --data hub:{repository.name}@{CONVERTED}"
    raise DataError(
        f"hub:{repository.name} needs its loading script {script}, and no code of the Hub is run", hint=hint
    )


def _name_labels(value: Labels, names: Sequence[str] | None, place: Place) -> Labels:
    """Return numeric labels as class names; other labels stay."""
    if names is None:
        return value
    try:
        labels = [value] if isinstance(value, str) else value
        named = [class_label(int(label), names) if label.lstrip("-").isdecimal() else label for label in labels]
    except DataError as error:
        raise DataError(f"{place}: {error.message}", hint=error.hint) from error
    return named[0] if isinstance(value, str) else tuple(named)
