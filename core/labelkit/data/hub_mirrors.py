"""Mirrors on the Hub of the named corpora; local files come first, see :mod:`labelkit.data.sources`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from labelkit.data.hub_datasets import CONVERTED, HubDataset, find_cached_dataset, find_hub_dataset
from labelkit.errors import DataError, NetworkError
from labelkit.formats import tables
from labelkit.hub.repository import DEFAULT_REVISION, HubRepository
from labelkit.records import Example, Kind, LoadContext

_SUFFIXES = (".parquet",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """A dataset of the Hub with the content of a named corpus.

    :param columns: role or layer → column.
    :param labels: label of the dataset → label of the corpus, where they differ.
    """

    kind: Kind
    name: str
    columns: Mapping[str, str]
    revision: str = DEFAULT_REVISION
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


def read_mirror(source: str, split: str, ctx: LoadContext, missing: DataError) -> Iterator[Example]:
    """Yield a split of a named corpus from the Hub; all splits are downloaded at once, so they are of one commit.

    :param missing: why there are no local files; raised where there is no mirror, or offline.
    :raises NetworkError: it is not cached and the Hub cannot be reached.
    :raises DataError: no mirror holds the corpus.
    """
    mirror, dataset = find_mirror(source, ctx, missing)
    ctx.origins[split] = dataset.ref(split)
    within = replace(ctx, columns=mirror.columns, kind=mirror.kind)
    try:
        if split not in dataset.files:
            raise DataError(f"it has no {split} split, only {', '.join(dataset.files)}")
        for example in dataset.examples(split, within, lambda path: tables.read_parquet(path, within)):
            yield _rename_labels(example, mirror.labels) if mirror.labels else example
    except DataError as error:
        raise DataError(
            f"the mirror hub:{dataset.name}@{dataset.commit[:12]} does not hold {source} as published: {error.message}",
            hint=f"set LABELKIT_DATA to the folder that holds {source}/, or read other files with --data PATH",
        ) from error


def find_mirror(source: str, ctx: LoadContext, missing: DataError) -> tuple[Mirror, HubDataset]:
    """Return the first mirror that is cached, or else the first one that can be downloaded.

    :raises NetworkError: none is cached and the Hub cannot be reached.
    :raises DataError: there is no mirror.
    """
    mirrors = MIRRORS.get(source, ())
    within = replace(ctx, settings=replace(ctx.settings, config=None))
    for mirror in mirrors:
        if found := find_cached_dataset(mirror.repository, within, _SUFFIXES):
            return mirror, found
    if not mirrors:
        raise missing
    if ctx.offline:
        # the contract checks tell missing data from invalid data by the class of this error
        missing.hint = f"{missing.hint}; or unset HF_HUB_OFFLINE: the Hub has it as {mirrors[0].name}"
        raise missing
    faults: list[str] = []
    for mirror in mirrors:
        try:
            return mirror, find_hub_dataset(mirror.repository, within, _SUFFIXES)
        except NetworkError as error:
            hint = (
                f"name the folder of its files: --set data.path=PATH, or LABELKIT_DATA that holds {source}/; or connect"
            )
            raise NetworkError(f"{missing.message}; {error.message}", hint=hint) from error
        except DataError as error:
            faults.append(error.message)
    raise DataError(f"{missing.message}; {'; '.join(faults)}", hint=missing.hint)


def _rename_labels(example: Example, names: Mapping[str, str]) -> Example:
    labels = {
        layer: names.get(label, label) if isinstance(label, str) else label for layer, label in example.labels.items()
    }
    return replace(example, labels=labels)
