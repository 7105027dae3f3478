"""Where the Hub has the corpora that core knows by name; local files come first, see :mod:`labelkit.data.sources`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from labelkit.data.hub_datasets import CONVERTED, HubData, find, find_cached
from labelkit.errors import DataError, NetworkError
from labelkit.formats import tables
from labelkit.hub.repository import HubRepository
from labelkit.records import Example, Kind, LoadContext

_SUFFIXES = (".parquet",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """A data set of the Hub with the content of a named corpus.

    :param columns: role or layer → column.
    :param labels: its label → ours, where they differ.
    """

    kind: Kind
    name: str
    columns: Mapping[str, str]
    revision: str = "main"
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> HubRepository:
        """The repository and revision."""
        return HubRepository("dataset", self.name, self.revision)


_CONLL2003 = {"tokens": "tokens", "pos": "pos_tags", "chunk": "chunk_tags", "ner": "ner_tags"}

#: source → its mirrors, in the order in which they are tried
MIRRORS: Mapping[str, tuple[Mirror, ...]] = {
    "wnut17": (
        Mirror(
            kind="token",
            name="leondz/wnut_17",
            revision=CONVERTED,
            columns={"tokens": "tokens", "ner": "ner_tags"},
        ),
    ),
    "conll2003": (
        Mirror(kind="token", name="lhoestq/conll2003", columns=_CONLL2003),
        Mirror(kind="token", name="tomaarsen/conll2003", columns=_CONLL2003),
    ),
    "conll2000": (
        Mirror(
            kind="token",
            name="eriktks/conll2000",
            revision=CONVERTED,
            columns={"tokens": "tokens", "pos": "pos_tags", "chunk": "chunk_tags"},
        ),
    ),
    "imdb": (
        Mirror(
            kind="text",
            name="stanfordnlp/imdb",
            columns={"text": "text", "label": "label"},
            labels={"neg": "NEGATIVE", "pos": "POSITIVE", "0": "NEGATIVE", "1": "POSITIVE"},
        ),
    ),
}


def read_mirror(source: str, split: str, ctx: LoadContext, absent: DataError) -> Iterable[Example]:
    """Read a split of a named corpus from the Hub: all splits are fetched at once, so they are of one commit.

    :param absent: why there are no local files; raised where there is no mirror either, or none may be asked.
    :raises NetworkError: it is not cached and the Hub cannot be asked.
    :raises DataError: no mirror holds the corpus.
    """
    mirror, data = _find(source, ctx, absent)
    if split not in data.files:
        raise _unfit(source, f"it has no {split} split, only {', '.join(data.files)}", data)
    ctx.origins[split] = data.ref(split)
    return _examples(source, mirror, data, split, ctx)


def _examples(source: str, mirror: Mirror, data: HubData, split: str, ctx: LoadContext) -> Iterator[Example]:
    wanted = replace(ctx, columns=mirror.columns, kind=mirror.kind)
    try:
        for example in data.examples(split, wanted, lambda path: tables.read_parquet(path, wanted)):
            yield _relabelled(example, mirror) if mirror.labels else example
    except DataError as error:
        raise _unfit(source, error.message, data) from error


def _find(source: str, ctx: LoadContext, absent: DataError) -> tuple[Mirror, HubData]:
    """Return the first mirror that is cached, or else the first one that the Hub has."""
    mirrors = MIRRORS.get(source, ())
    plain = replace(ctx, settings=replace(ctx.settings, config=None))
    for mirror in mirrors:
        if found := find_cached(mirror.repository, plain, _SUFFIXES):
            return mirror, found
    if not mirrors:
        raise absent
    if ctx.offline:
        # the kit of contract checks tells data that is absent from data that is wrong by the kind of this error
        absent.hint = f"{absent.hint}; or let HF_HUB_OFFLINE be: the Hub has it as {mirrors[0].name}"
        raise absent
    faults: list[str] = []
    for mirror in mirrors:
        try:
            return mirror, find(mirror.repository, plain, _SUFFIXES)
        except NetworkError as error:
            hint = f"set LABELKIT_DATA to the folder that holds {source}/, or connect and try again"
            raise NetworkError(f"{absent.message}; {error.message}", hint=hint) from error
        except DataError as error:
            faults.append(error.message)
    raise DataError(f"{absent.message}; {'; '.join(faults)}", hint=absent.hint)


def _relabelled(example: Example, mirror: Mirror) -> Example:
    labels = {
        layer: mirror.labels.get(label, label) if isinstance(label, str) else label
        for layer, label in example.labels.items()
    }
    return replace(example, labels=labels)


def _unfit(source: str, message: str, data: HubData) -> DataError:
    return DataError(
        f"the mirror hub:{data.name}@{data.commit[:12]} does not hold {source} as published: {message}",
        hint=f"set LABELKIT_DATA to the folder that holds {source}/, or read other files with --data PATH",
    )
