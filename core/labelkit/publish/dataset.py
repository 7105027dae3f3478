"""Push labelled data to the Hugging Face Hub: Parquet with class names, which ``datasets`` opens without a script."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.data.corpus import content_hash, context_for
from labelkit.data.label_notation import read_labels
from labelkit.data.layer_schema import check_examples, named_schema, schema_of
from labelkit.data.multilabel import with_multilabel
from labelkit.data.reading import RawCorpus, read_raw_corpus
from labelkit.data.resolved_splits import DataCatalog
from labelkit.data.show import load_without_task
from labelkit.data.unknown_labels import with_real_labels
from labelkit.errors import DataError, LabelkitError
from labelkit.formats.columns import TASK_LAYER_NAMES
from labelkit.hub.account import read_account
from labelkit.hub.repository import DEFAULT_REVISION
from labelkit.hub.upload import Change, Content, RemoteState, Upload
from labelkit.publish.card_text import merge_card, parse_card
from labelkit.publish.dataset_card import DatasetCard, SplitFacts
from labelkit.publish.private_text import check_publishable, secret_in
from labelkit.publish.push import CARD, PushResult
from labelkit.records import Example, Kind, LoadContext, Schema
from labelkit.records.contents import shown_content

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1000
FOLDER = "data"


@dataclass(frozen=True, kw_only=True, slots=True)
class DataPushOptions:
    """Where and how to push data.

    :param repository: ``org/name``.
    :param revision: the branch; made if it is missing.
    :param licence: of the data; None: that of the source, or the one in the card of the repository.
    :param language: of the texts.
    :param force: replace a card that was edited outside of its markers.
    """

    repository: str
    private: bool = False
    revision: str = DEFAULT_REVISION
    licence: str | None = None
    language: Sequence[str] = ()
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class LabelledData:
    """Labelled data to push.

    :param layers: layer → its schema.
    :param splits: split → its examples, with all layers.
    :param hashes: layer → split → content hash.
    :param licence: that of its source.
    """

    reference: str
    kind: Kind
    layers: Mapping[str, Schema]
    splits: Mapping[str, Sequence[Example]]
    hashes: Mapping[str, Mapping[str, str]]
    licence: str | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", {layer: self._column(layer) for layer in self.layers})

    def _column(self, layer: str) -> str:
        """Return the column of a layer, by a name that readers of the Hub expect."""
        if self.kind == "text":
            return "label" if len(self.layers) == 1 else layer
        return layer if layer in TASK_LAYER_NAMES else f"{layer}_tags"


def read_labelled_data(reference: str, layer: str | None, catalog: DataCatalog, ctx: LoadContext) -> LabelledData:
    """Return the splits behind a data reference as they are, with their labels in one notation.

    :param layer: the only layer; None for all of a source, or the one that the files are read for.
    :raises DataError: the data cannot be read.
    """
    first = load_without_task(reference, layer, catalog, ctx)
    source = catalog.sources.get(reference)
    names = [first.layer] if layer or source is None else list(source.layers)
    layers: dict[str, Schema] = {}
    hashes: dict[str, dict[str, str]] = {}
    splits: dict[str, list[Example]] = {}
    raw: RawCorpus | None = None
    for name in names:
        schema = first.schema if name == first.layer else None
        raw, layers[name], found = _read_layer(reference, name, first.kind, schema, catalog, ctx)
        hashes[name] = {split: content_hash(examples, name, layers[name].scheme) for split, examples in found.items()}
        for split, examples in found.items():
            before = splits.get(split) or [replace(one, labels={}) for one in examples]
            pairs = zip(before, examples, strict=True)
            splits[split] = [replace(old, labels={**old.labels, name: new.labels[name]}) for old, new in pairs]
    return LabelledData(
        reference=reference,
        kind=first.kind,
        layers=layers,
        splits=splits,
        hashes=hashes,
        licence=source.licence or None if source else None,
        synthetic=first.synthetic,
        notes=raw.notes if raw else (),
    )


def push_data(data: LabelledData, options: DataPushOptions) -> PushResult:
    """Push data with its card in one commit.

    :raises LabelkitError: the licence is unknown, the token may not write, a text holds a secret, or the Hub refuses.
    """
    upload = Upload("dataset", options.repository, options.revision)
    read_account().check_may_write(options.repository)
    state = upload.read_state()
    with tempfile.TemporaryDirectory(prefix="labelkit-push-") as folder:
        files = _files(data, options, Path(folder), upload.read_file(CARD, state))
        state = upload.create(private=options.private, state=state)
        changes = upload.changes(files, state, _stale(files, state))
        done = upload.commit(files, changes, state, message=f"{len(data.splits)} splits from labelkit")
    return replace(
        _result(data, options, upload, changes), commit=done.commit, written=done.written, revision=done.revision
    )


def plan_data_push(data: LabelledData, options: DataPushOptions) -> PushResult:
    """Return what a push would do. It writes nothing; without the Hub all files count as new.

    :raises LabelkitError: the licence is unknown, or a text holds a secret.
    """
    upload = Upload("dataset", options.repository, options.revision)
    state, card, unchecked = RemoteState(), None, None
    try:
        read_account().check_may_write(options.repository)
        state = upload.read_state()
        card = upload.read_file(CARD, state)
    except LabelkitError as error:
        unchecked = error.message
    with tempfile.TemporaryDirectory(prefix="labelkit-push-") as folder:
        files = _files(data, options, Path(folder), card)
        changes = upload.changes(files, state, _stale(files, state))
    return replace(_result(data, options, upload, changes), unchecked=unchecked)


def write_split(examples: Sequence[Example], data: LabelledData, path: Path) -> None:
    """Write the examples of a split as Parquet, with the class names of their labels.

    :raises LabelkitError: a text seems to hold a token or a key.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _arrow_schema(data)
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, max(1, len(examples)), _ROWS):
            rows = list(_rows(examples[start : start + _ROWS], data, start))
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _read_layer(
    reference: str, layer: str, kind: Kind, schema: Schema | None, catalog: DataCatalog, ctx: LoadContext
) -> tuple[RawCorpus, Schema, Mapping[str, Sequence[Example]]]:
    """Return what was read, and the schema and splits of a layer."""
    within = context_for(ctx, layer, kind)
    raw = read_raw_corpus(reference, kind, catalog, within)
    if "train" not in raw.splits:
        raise DataError(f"'{reference}' has no train split", hint="add it: train=PATH,…")
    for split, examples in raw.splits.items():
        check_examples(split, examples, layer, kind, multilabel=raw.multilabel, numeric=ctx.settings.numbers)
    named = named_schema(raw.source, layer, catalog.schemas) if raw.source else None
    scheme = named.scheme if named else schema.scheme if schema else None
    if raw.multilabel:
        within = with_multilabel(within)
    within = with_real_labels(within, of_source=raw.source is not None)
    conversion = read_labels(raw.splits, layer, scheme, within, named=named is not None)
    numeric = ctx.settings.numbers
    found = schema_of(conversion.splits, layer, kind, scheme, named=named, allow_new=named is None, numeric=numeric)
    return raw, replace(found, multilabel=raw.multilabel), conversion.splits


def _files(data: LabelledData, options: DataPushOptions, folder: Path, existing: str | None) -> dict[str, Content]:
    """Write the files of a dataset into ``folder``, and return them by their paths in the repository."""
    known = parse_card(existing).metadata.get("license") if existing else None
    licence = options.licence or data.licence or (str(known) if known else None)
    if licence is None:
        raise LabelkitError(
            f"the licence of '{data.reference}' is unknown, and others must know what they may do with it",
            hint="state it: --license ID, e.g. cc-by-4.0, apache-2.0 or other",
        )
    files: dict[str, Content] = {}
    for split, examples in data.splits.items():
        path = folder / f"{split}.parquet"
        write_split(examples, data, path)
        files[f"{FOLDER}/{split}-00000-of-00001.parquet"] = path
    card = DatasetCard(
        name=options.repository.rpartition("/")[2],
        repository=options.repository,
        reference=data.reference,
        kind=data.kind,
        columns={data.columns[layer]: schema for layer, schema in data.layers.items()},
        splits=[SplitFacts.of(split, examples, data.hashes) for split, examples in data.splits.items()],
        licence=licence,
        language=tuple(options.language),
        synthetic=data.synthetic,
        given=options.licence is not None,
    )
    text = merge_card(card.metadata(), card.body(), existing, force=options.force)
    files[CARD] = text.encode()
    check_publishable({CARD: files[CARD]})
    return files


def _stale(files: Mapping[str, Content], state: RemoteState) -> list[str]:
    """Return the Parquet files of splits that the data no longer has."""
    return [
        path
        for path in state.hashes
        if path.startswith(f"{FOLDER}/") and path.endswith(".parquet") and path not in files
    ]


def _result(data: LabelledData, options: DataPushOptions, upload: Upload, changes: Sequence[Change]) -> PushResult:
    return PushResult(
        data=data.reference,
        repository=options.repository,
        address=upload.address,
        revision=options.revision,
        changes=changes,
    )


def _arrow_schema(data: LabelledData) -> pa.Schema:
    """Return the columns, with the features that ``datasets`` reads from the file itself."""
    from datasets import ClassLabel, Features, Sequence, Value

    first = next((one for examples in data.splits.values() for one in examples), None)
    features: dict[str, Any] = {"id": Value("string")}
    if data.kind == "token":
        features["tokens"] = Sequence(Value("string"))
    if data.kind == "text" or (first is not None and first.text is not None):
        features["text"] = Value("string")
    if first is not None and first.pair is not None:
        features["pair"] = Value("string")
    for layer, schema in data.layers.items():
        label = Value("float64") if schema.numeric else ClassLabel(names=list(schema.label_names))
        several = data.kind == "token" or schema.multilabel
        features[data.columns[layer]] = Sequence(label) if several else label
    if any(one.document is not None for examples in data.splits.values() for one in examples[:_ROWS]):
        features["document"] = Value("string")
    return Features(features).arrow_schema


def _rows(examples: Sequence[Example], data: LabelledData, start: int) -> Iterator[dict[str, Any]]:
    ids = {layer: {name: number for number, name in enumerate(one.label_names)} for layer, one in data.layers.items()}
    for number, example in enumerate(examples, start=start + 1):
        if found := secret_in(shown_content(example).encode("utf-8", "replace")):
            raise LabelkitError(
                f"example '{example.id or number}' seems to hold {found}; nothing was sent",
                hint="remove it from the data, and revoke it if others have seen it",
            )
        row: dict[str, Any] = {
            "id": example.id or str(number),
            "text": example.text,
            "pair": example.pair,
            "tokens": None if example.words is None else list(example.words),
            "document": example.document,
        }
        for layer, schema in data.layers.items():
            labels: Any = example.labels[layer]
            if schema.numeric:
                row[data.columns[layer]] = float(labels)
            elif isinstance(labels, str):
                row[data.columns[layer]] = ids[layer][labels]
            else:
                row[data.columns[layer]] = [ids[layer][label] for label in labels]
        yield row
