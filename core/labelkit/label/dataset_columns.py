"""Label the rows of a ``datasets.Dataset``: its labels become columns, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError, nearest
from labelkit.formats.columns import USUAL
from labelkit.models.checkpoint_files import sha256_of, weights_of
from labelkit.records import TextPair

if TYPE_CHECKING:
    import datasets

    from labelkit.label.labeller import Labeller
    from labelkit.models.checkpoint import CheckpointInfo
    from labelkit.records import Labelled

#: rows that are labelled at once
BATCH = 1000


def label_dataset(
    labeller: Labeller,
    dataset: datasets.Dataset,
    *,
    column: str | None,
    pair: str | None,
    prefix: str,
    min_score: float | None,
) -> datasets.Dataset:
    """Return a dataset with the labels of its rows as further columns; see :meth:`Labeller.label_dataset`.

    :raises LabelkitError: it is no ``datasets.Dataset``, there is no such column, or a new column exists already.
    """
    import datasets

    if not isinstance(dataset, datasets.Dataset):
        hint = "label each split: DatasetDict({name: labeller.label_dataset(one) for name, one in splits.items()})"
        raise LabelkitError(f"a datasets.Dataset is needed, not a {type(dataset).__name__}", hint=hint)
    chosen = text_column(dataset.column_names, column, labeller.info.kind)
    second = pair_column(dataset.column_names, pair, pairs=labeller.info.pairs)
    prefixes = task_prefixes(labeller.info.of_tasks, prefix)
    added: dict[str, Any] = {}
    for task, info in labeller.info.of_tasks.items():
        added |= _features(info, prefixes[task])
    if taken := [name for name in added if name in dataset.column_names]:
        raise LabelkitError(f"the dataset has a column '{taken[0]}' already", hint="choose another prefix=")

    def label(rows: Mapping[str, Sequence[Any]], indices: Sequence[int]) -> dict[str, list[Any]]:
        try:
            texts = rows[chosen] if second is None else map(TextPair, rows[chosen], rows[second])
            records = labeller.label_all(texts, min_score=min_score)
        except LabelkitError as error:
            raise error.at(f"rows {indices[0] + 1:,} to {indices[-1] + 1:,} of column '{chosen}'") from error
        columns = [_labels_of_tasks(record, prefixes) for record in records]
        return {name: [row[name] for row in columns] for name in added}

    # the fingerprint of the result: datasets would pickle the model to make one
    what = [dataset._fingerprint, *_identity(labeller), chosen, second, prefix, min_score]
    return dataset.map(
        label,
        with_indices=True,
        batched=True,
        batch_size=BATCH,
        features=datasets.Features({**dataset.features, **added}),
        load_from_cache_file=False,
        new_fingerprint=hashlib.sha256(repr(what).encode()).hexdigest()[:16],
        desc="labelling",
    )


def _identity(labeller: Labeller) -> list[str]:
    """Return what the labels of a text depend on.

    A folder that labelkit did not train has no run, and a run labels otherwise with another decoder, splitter or
    engine.
    """
    weights = sha256_of(*weights_of(labeller.folder))
    points = [str(sorted(point.thresholds.items())) for point in labeller.operating_points.values()]
    return [weights, *labeller.info.of_tasks, labeller.info.splitter, labeller.decoder.name, labeller.engines, *points]


def text_column(names: Sequence[str], wanted: str | None, kind: str) -> str:
    """Return the column of texts or words.

    :raises LabelkitError: there is none.
    """
    if wanted is not None:
        if wanted not in names:
            raise LabelkitError(f"the dataset has no column '{wanted}'", hint=nearest(wanted, names))
        return wanted
    usual = (*USUAL["text"],) if kind == "text" else (*USUAL["tokens"], *USUAL["text"])
    found = [name for name in usual if name in names]
    if not found:
        raise LabelkitError(
            f"no column is called {' or '.join(usual)}", hint=f"name it: column=…, one of {', '.join(names)}"[:300]
        )
    return found[0]


def pair_column(names: Sequence[str], wanted: str | None, *, pairs: bool) -> str | None:
    """Return the column of second texts; None where single texts are labelled.

    :raises LabelkitError: there is none, and the labeller is one of pairs of texts.
    """
    if wanted is None and not pairs:
        return None
    found = [name for name in ([wanted] if wanted else USUAL["pair"]) if name in names]
    if not found:
        what = f"the dataset has no column '{wanted}'" if wanted else "the labeller is one of pairs of texts"
        raise LabelkitError(what, hint=f"name that of the second texts: pair=…, one of {', '.join(names)}"[:300])
    return found[0]


def task_prefixes(tasks: Collection[str], prefix: str) -> dict[str, str]:
    """Return task → the beginning of the names of its columns, with the name of the task where there are several."""
    return {task: f"{prefix}{task}_" if len(tasks) > 1 else prefix for task in tasks}


def _features(info: CheckpointInfo, prefix: str) -> dict[str, Any]:
    """Return the new columns of a task with their features."""
    from datasets import Features, List, Value

    schema = info.schema
    if schema.multilabel:
        return {f"{prefix}labels": List(Value("string"))}
    if info.kind == "text":
        number = {f"{prefix}number": Value("float64")} if schema.numeric else {}
        return {f"{prefix}label": Value("string"), f"{prefix}score": Value("float64"), **number}
    span = Features({
        "start": Value("int64"), "end": Value("int64"), "label": Value("string"), "text": Value("string"),
        "score": Value("float64"),
    })  # fmt: skip
    added = {f"{prefix}words": List(Value("string")), f"{prefix}labels": List(Value("string"))}
    return {**added, f"{prefix}spans": List(span)}


def _labels_of_tasks(record: Labelled, prefixes: Mapping[str, str]) -> dict[str, Any]:
    """Return the labels of each task of a record as columns."""
    found: dict[str, Any] = {}
    for task, prefix in prefixes.items():
        found |= labels_of(record.layers.get(task, record), prefix)
    return found


def labels_of(record: Labelled, prefix: str) -> dict[str, Any]:
    """Return the labels of a record as columns."""
    values: dict[str, Any]
    if record.words is None and record.labels is not None:
        values = {"labels": list(record.labels)}
    elif record.words is None:
        values = {"label": record.label, "score": record.score, "number": record.number}
    else:
        fields = ("start", "end", "label", "text", "score")
        spans = [{name: getattr(span, name) for name in fields} for span in record.spans or ()]
        values = {"words": record.words, "labels": record.labels, "spans": spans}
    return {f"{prefix}{name}": value for name, value in values.items()}
