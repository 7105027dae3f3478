"""The splits that a data reference names: those of a source, of a Hub dataset, of files, or of data in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from labelkit.data.archives import NO_ARCHIVES, ArchiveNames
from labelkit.data.arrow_cache import cache_path, load_stored, store_if_large
from labelkit.data.example_validation import example_fault, layer_fault
from labelkit.data.hub_datasets import HubDataset
from labelkit.data.in_memory import IN_MEMORY, read_memory
from labelkit.data.plugin_errors import is_foreign, read_by_plugin, read_format
from labelkit.data.references import parse_split_formats
from labelkit.data.split_files import shards_of
from labelkit.errors import DataError
from labelkit.formats.recognition import reader_for
from labelkit.formats.tools.label_studio import is_export
from labelkit.records import Example, Format, Kind, LoadContext, ReadingPolicy, Schema, Source


class NamedPlugin(Protocol):
    """The plugin that supplies a record; messages show its name."""

    @property
    def name(self) -> str:
        """The name of the plugin."""


class DataCatalog(Protocol):
    """The part of the catalog that reading data needs: records by name, and the plugin that supplies one."""

    def owner(self, kind: str, name: str) -> NamedPlugin:
        """Return the plugin that yields the record of ``kind`` with this name."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """Named corpora."""

    @property
    def formats(self) -> Mapping[str, Format]:
        """File formats."""

    @property
    def schemas(self) -> Mapping[str, Schema]:
        """Label schemas."""


@dataclass(frozen=True, kw_only=True)
class ResolvedReference(ABC):
    """The splits that a data reference names, not yet read.

    :param text: the reference.
    :param refs: split → where it is: a path, ``SOURCE:SPLIT``, or ``hub:ID@COMMIT:SPLIT``.
    """

    text: str
    refs: Mapping[str, str]

    @abstractmethod
    def open(self, split: str, ctx: LoadContext) -> Iterable[Example]:
        """Return the examples of a split, read one by one.

        :raises DataError: there is no such split, or it cannot be read.
        """

    @abstractmethod
    def read(self, split: str, ctx: LoadContext) -> Sequence[Example]:
        """Return the examples of a split: a list, or stored in the cache where there are many.

        :raises DataError: it cannot be read, or is empty.
        """

    def format_names(self, ctx: LoadContext) -> tuple[str, ...]:
        """Return the names of the formats of its files; none where a source reads them."""
        return ()

    def check_split(self, split: str) -> None:
        """Raise :class:`~labelkit.errors.DataError` if there is no such split."""
        if split not in self.refs:
            raise DataError(f"'{self.text}' has no {split} split", hint=f"it has: {', '.join(self.refs)}")


@dataclass(frozen=True, kw_only=True)
class SourceSplits(ResolvedReference):
    """The splits of a named corpus.

    :param formats: the known file formats, for ``labelkit.read``.
    :param plugin: the name of the plugin that supplies the source.
    :param multilabel: the layers whose schema allows several labels of a text.
    """

    source: Source
    formats: Mapping[str, Format]
    plugin: str
    multilabel: Collection[str] = ()

    def open(self, split: str, ctx: LoadContext) -> Iterator[Example]:
        """Load a split by the source's own function; invalid examples are refused.

        :raises DataError: a record is of the wrong type, repeats an id or has labels of the wrong shape; names the
            source, its plugin, the split and the example.
        """
        self.check_split(split)
        within = source_context(self.source, ctx, self.formats)
        ids: set[str] = set()
        origin = f"source '{self.source.name}' of plugin '{self.plugin}', split '{split}'"
        for number, example in enumerate(read_by_plugin(lambda: self.source.load(split, within), origin), start=1):
            required, several = ctx.policy.labels == "required", bool(ctx.settings.multilabel)
            if fault := self._fault(example, ids, required=required, several=several):
                message = f"{origin}, record {number}: {fault}"
                ctx.policy.skip_record(DataError(message, hint="correct load() of the source"))
            else:
                ids.add(example.id)
                yield example

    def _fault(self, example: Example, ids: Collection[str], *, required: bool, several: bool) -> str:
        """Return why a record of the source is invalid as an example, or an empty text.

        :param ids: of the examples before it.
        :param required: its labels will be read.
        :param several: texts may have several labels, by the setting.
        """
        kind = self.source.kind
        if fault := example_fault(example, kind):
            return fault
        if example.id in ids:
            return f"the id '{example.id}' is repeated; number them, ids are unique in a split"
        layers = [layer for layer in self.source.layers if layer in example.labels] if required else []
        faults = (layer_fault(example, layer, kind, multilabel=several or layer in self.multilabel) for layer in layers)
        return next(filter(None, faults), "")

    def read(self, split: str, ctx: LoadContext) -> Sequence[Example]:
        """Load a split; the cache is never reused, as the source may load other examples now."""
        what, path = f"the {split} split of source '{self.source.name}'", cache_path(ctx, self.source.name, split)
        try:
            with own_policy(ctx) as within:
                return _store_nonempty(self.open(split, within), what, path, within.policy)
        except DataError as error:
            if Path(self.text).exists():
                error.hint = f"--data ./{self.text} means what lies in this folder; {error.hint or ''}".rstrip("; ")
            raise


@dataclass(frozen=True, kw_only=True)
class HubSplits(ResolvedReference):
    """The splits of a Hub dataset, read by ``formats`` as examples of ``kind``."""

    dataset: HubDataset
    formats: Mapping[str, Format]
    kind: Kind | None

    def open(self, split: str, ctx: LoadContext) -> Iterable[Example]:
        """Return the examples of all files of a split."""
        self.check_split(split)
        ctx = of_split(ctx, split)

        def read_file(path: Path) -> Iterable[Example]:
            chosen = reader_for(path, self.formats, ctx.settings.format, kind=self.kind, ctx=ctx)
            return read_format(chosen, path, replace(ctx, path=path, label_studio_token=None))

        return self.dataset.examples(split, ctx, read_file)

    def format_names(self, ctx: LoadContext) -> tuple[str, ...]:
        """Return the names of the formats of its files."""
        files = self.dataset.files.items()
        return _format_names(((split, file) for split, held in files for file in held), self, ctx)

    def read(self, split: str, ctx: LoadContext) -> Sequence[Example]:
        """Return the examples of a split, from the cache where they were stored before."""
        path = cache_path(ctx, self.refs[split])
        what = f"the {split} split of hub:{self.dataset.name}"
        with own_policy(ctx) as within:
            stored = load_stored(path, within.policy)
            return stored or _store_nonempty(self.open(split, within), what, path, within.policy)


@dataclass(frozen=True, kw_only=True)
class FileSplits(ResolvedReference):
    """The splits of local files, read by ``formats`` as examples of ``kind``.

    :param files: split → its file, or folder that is read as one, or first shard.
    :param parts: split → its files, where it has several that are not shards of one.
    :param single_file: the reference is itself the only file, so that nothing says which split it is.
    :param named: the reference names the splits.
    :param names: how files of archives are shown.
    """

    files: Mapping[str, Path]
    parts: Mapping[str, Sequence[Path]]
    single_file: bool
    named: bool
    formats: Mapping[str, Format]
    kind: Kind | None
    names: ArchiveNames = NO_ARCHIVES

    def reader(self, split: str, ctx: LoadContext) -> Format:
        """Return the format of the files of a split.

        :raises DataError: no format reads them.
        """
        with self.names.errors():
            ctx = self.names.context(of_split(ctx, split))
            return reader_for(self.files[split], self.formats, ctx.settings.format, kind=self.kind, ctx=ctx)

    def annotation_files(self, ctx: LoadContext) -> list[Path]:
        """Return the files that are exports of Label Studio, which say who annotated what after which prediction."""
        files = [(self.reader(split, ctx).name, path) for split, path in self.files.items() if path.is_file()]
        return [path for name, path in files if name == "label-studio" or (name == "json" and is_export(path, ctx))]

    def open(self, split: str, ctx: LoadContext) -> Iterator[Example]:
        """Return the examples of all shards of a split; numbers instead of ids count through the shards."""
        if list(self.files) == ["train"] and not self.named:
            split = "train"  # the only split there is, whatever it is called
        self.check_split(split)
        shards = self.parts.get(split) or shards_of(self.files[split])
        return self._examples(shards, self.reader(split, ctx), of_split(ctx, split))

    def _examples(self, shards: Sequence[Path], chosen: Format, ctx: LoadContext) -> Iterator[Example]:
        examples = self.names.examples(read_shards(shards, chosen, self.names.context(ctx)))
        mixed = ctx.settings.format and len({path.suffix for path in self.files.values()}) > 1
        return _with_format_hint(examples, chosen.name) if mixed else examples

    def format_names(self, ctx: LoadContext) -> tuple[str, ...]:
        """Return the names of the formats of its files."""
        with self.names.errors():
            return _format_names(self.files.items(), self, self.names.context(ctx))

    def read(self, split: str, ctx: LoadContext) -> Sequence[Example]:
        """Return the examples of a split, from the cache where they were stored before and no file has changed."""
        path = self.files[split]
        ctx = of_split(ctx, split)
        chosen = self.reader(split, ctx)
        shards = self.parts.get(split) or shards_of(path)
        files = [file for file in (sorted(path.rglob("*")) if path.is_dir() else shards) if file.is_file()]
        module = getattr(chosen.read, "__module__", "")
        cached = cache_path(ctx, str(path), chosen.name, module, files=files, with_plugins=is_foreign(chosen))
        # whether a pipe still holds the same cannot be known
        with own_policy(ctx) as within:
            stored = load_stored(cached, within.policy) if files else None
            examples = self._examples(shards, chosen, within)
            return stored or _store_nonempty(examples, self.names.shown(path), cached, within.policy)


@dataclass(frozen=True, kw_only=True)
class MemorySplits(ResolvedReference):
    """The splits of data that was given in Python."""

    data: Mapping[str, Any]

    def open(self, split: str, ctx: LoadContext) -> Iterator[Example]:
        """Return the examples of a split."""
        self.check_split(split)
        return read_memory(split, self.data[split], ctx)

    def read(self, split: str, ctx: LoadContext) -> Sequence[Example]:
        """Return the examples of a split; the cache is never reused, as the data may be other data now."""
        with own_policy(ctx) as within:
            path = cache_path(ctx, IN_MEMORY, split)
            return _store_nonempty(self.open(split, within), f"{IN_MEMORY} {split}", path, within.policy)


@dataclass(frozen=True, kw_only=True)
class HubTables(MemorySplits):
    """The splits of a dataset of the Hub that ``datasets`` has loaded.

    :param name: its id, e.g. ``org/name``.
    :param notes: what was left out.
    """

    name: str
    notes: tuple[str, ...] = ()

    def open(self, split: str, ctx: LoadContext) -> Iterator[Example]:
        """Return the examples of a split."""
        self.check_split(split)
        return read_memory(split, self.data[split], ctx, where=f"hub:{self.name}")

    def read(self, split: str, ctx: LoadContext) -> Sequence[Example]:
        """Return the examples of a split, from the cache where they were stored before."""
        path = cache_path(ctx, self.refs[split])
        with own_policy(ctx) as within:
            stored = load_stored(path, within.policy)
            what = f"the {split} split of hub:{self.name}"
            return stored or _store_nonempty(self.open(split, within), what, path, within.policy)


def _format_names(
    files: Iterable[tuple[str, Path]], within: HubSplits | FileSplits, ctx: LoadContext
) -> tuple[str, ...]:
    """Return the names of the formats of ``files``, each with its split."""
    settings = ((file, of_split(ctx, split).settings) for split, file in files)
    chosen = (reader_for(file, within.formats, one.format, kind=within.kind, ctx=ctx).name for file, one in settings)
    return tuple(dict.fromkeys(chosen))


def _with_format_hint(examples: Iterator[Example], name: str) -> Iterator[Example]:
    """Yield the examples of a file among others with other endings; an error says how each split gets its format."""
    try:
        yield from examples
    except DataError as error:
        if type(error) is not DataError:  # others are handled by their type
            raise
        each = f"data.format={name} holds for all splits: --set data.format=train={name},test=NAME says one for each"
        raise DataError(error.message, hint=f"{error.hint}; {each}" if error.hint else each) from error


def of_split(ctx: LoadContext, split: str) -> LoadContext:
    """Return a context with the format of one split, where ``data.format`` is ``train=FORMAT,test=FORMAT``.

    :raises DataError: it names an unknown split.
    """
    chosen = ctx.settings.format
    if chosen is None or "=" not in chosen:
        return ctx
    formats = parse_split_formats(chosen)
    return replace(ctx, settings=replace(ctx.settings, format=formats.get(split)))


@contextmanager
def own_policy(ctx: LoadContext) -> Iterator[LoadContext]:
    """Yield a context for one split whose counts and assumptions are added to those of ``ctx`` at the end."""
    within = replace(ctx, policy=ctx.policy.renewed())
    yield within
    ctx.policy.add(within.policy)


def source_context(source: Source, ctx: LoadContext, formats: Mapping[str, Format]) -> LoadContext:
    """Return the context in which a source reads files: its kind, its only layer, the known ``formats``, no token."""
    layer = ctx.layer or (next(iter(source.layers)) if len(source.layers) == 1 else None)
    return replace(ctx, kind=source.kind, layer=layer, formats=formats, label_studio_token=None)


def read_shards(shards: Sequence[Path], chosen: Format, ctx: LoadContext) -> Iterator[Example]:
    """Yield the examples of files in one format; numbers instead of ids count through them."""
    row = 0
    for shard in shards:
        within = replace(ctx, path=shard, label_studio_token=None)
        for number, example in enumerate(read_format(chosen, shard, within), start=1):
            row += 1
            yield example if row == number or example.id != str(number) else replace(example, id=str(row))


def _store_nonempty(examples: Iterable[Example], what: str, path: Path, policy: ReadingPolicy) -> Sequence[Example]:
    result = store_if_large(examples, path, policy)
    if not result:
        raise DataError(f"{what} is empty: it holds no examples", hint="check the file, or leave the split out")
    return result
