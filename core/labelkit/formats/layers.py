"""Which of the tasks that labelled a record a format holds, and where."""

from __future__ import annotations

from collections.abc import Mapping

from labelkit.labels.notation import notation_of
from labelkit.records import Labelled

#: formats that hold the labels of all tasks
_ALL_TASKS = frozenset({"json", "jsonl", "csv", "parquet", "html", "label-studio"})
#: formats that hold those of all tasks of words
_ALL_OF_WORDS = frozenset({"conll", "conllu"})
#: tasks whose labels are in the column UPOS, wherever they stand among the tasks
_UPOS = ("pos", "upos")


def held_layers(format_name: str, record: Labelled) -> tuple[str, ...]:
    """Return the tasks of a record whose labels a format holds: only the first one, for most formats."""
    tasks = tuple(record.layers)
    if format_name in _ALL_TASKS:
        return tasks
    if format_name in _ALL_OF_WORDS:
        return tuple(task for task in tasks if task == tasks[0] or record.layers[task].words == record.words)
    if format_name == "spacy":
        held = _spacy_tasks(record.layers).values()
        return tuple(task for task in tasks if task in held)
    return tasks[:1]


def conllu_places(record: Labelled) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return the labels of the column UPOS, and the labels of further tasks by their key in MISC.

    UPOS has the labels of the task ``pos`` where there is one, else those of the first task.
    """
    if not record.layers:
        return record.labels or (), {}
    labels = {task: record.layers[task].labels or () for task in held_layers("conllu", record)}
    upos = next((task for task in _UPOS if task in labels), next(iter(labels)))
    return labels[upos], {task.upper(): values for task, values in labels.items() if task != upos}


def spacy_places(record: Labelled) -> Mapping[str, Labelled]:
    """Return ``ents``, ``tags`` and ``cats`` of a document of spaCy → the first task that has its labels there."""
    layers = record.layers or {"": record}
    return {place: layers[task] for place, task in _spacy_tasks(layers).items()}


def _spacy_tasks(layers: Mapping[str, Labelled]) -> Mapping[str, str]:
    places: dict[str, str] = {}
    for task, layer in layers.items():
        of_words = "tags" if notation_of(layer.labels or ()) == "plain" else "ents"
        places.setdefault("cats" if layer.words is None else of_words, task)
    return places
