"""Labelled data as ``datasets``: words or texts, and labels as class numbers with names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labelkit.data.scheme_conversion import labels_of
from labelkit.records import Example, Kind

if TYPE_CHECKING:
    import datasets

_BLOCK_ROWS = 1000  # in memory at once, as Python objects


def dataset_dict(
    splits: Mapping[str, Sequence[Example]],
    kind: Kind,
    label_names: Mapping[str, Sequence[str]],
    *,
    multilabel: bool = False,
    pairs: bool = False,
) -> datasets.DatasetDict:
    """Return splits as a ``DatasetDict``: ``id``, ``tokens`` or ``text``, a column for each layer, and own fields.

    :param label_names: layer → the names of its labels, in the order of their numbers; layers of numbers have none.
    :param multilabel: texts have any number of labels.
    :param pairs: examples are pairs of texts; the second one is in ``pair``.
    """
    import datasets
    from datasets import ClassLabel, Features, List, Value

    def feature(names: Sequence[str]) -> Any:
        if not names:
            return Value("float64")
        label = ClassLabel(names=list(names))
        return List(label) if kind == "token" or multilabel else label

    content = {"tokens": List(Value("string"))} if kind == "token" else {"text": Value("string")}
    content |= {"pair": Value("string")} if pairs else {}
    features = Features({
        "id": Value("string"), **content, **{layer: feature(names) for layer, names in label_names.items()},
        "document": Value("string"),
    })  # fmt: skip
    numbers = {layer: {name: n for n, name in enumerate(names)} for layer, names in label_names.items()}
    return datasets.DatasetDict({
        split: datasets.concatenate_datasets([
            datasets.Dataset.from_list(block, features=features) for block in _blocks(examples, kind, numbers)
        ])
        for split, examples in splits.items()
    })  # fmt: skip


def names_of_labels(splits: Mapping[str, Iterable[Example]], layer: str) -> list[str]:
    """Return the labels of all splits: O first, the others sorted."""
    found = {label for examples in splits.values() for one in examples for label in labels_of(one, layer)}
    return sorted(found, key=lambda label: (label != "O", label))


def _blocks(
    examples: Sequence[Example], kind: Kind, numbers: Mapping[str, Mapping[str, int]]
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in blocks: as Python objects a split may need several times the memory of its table."""
    for start in range(0, len(examples), _BLOCK_ROWS):
        block = examples[start : start + _BLOCK_ROWS]
        yield [_row(example, kind, numbers) for example in block]


def _row(example: Example, kind: Kind, numbers: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    row: dict[str, Any] = {"id": example.id, "document": example.document}
    row["tokens" if kind == "token" else "text"] = example.words if kind == "token" else example.text
    if example.pair is not None:
        row["pair"] = example.pair
    for layer, ids in numbers.items():
        labels = example.labels[layer]
        if not ids:
            row[layer] = float(labels) if isinstance(labels, str) else None
        else:
            row[layer] = ids[labels] if isinstance(labels, str) else [ids[label] for label in labels]
    return row
