"""Adopt checkpoints that labelkit did not train: what ``labelkit.json`` would say, from the files of a folder.

Nothing is loaded here but configurations, and no code of the folder is ever run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelkit.errors import ModelError, UnknownNameError, nearest
from labelkit.files.small import read_json
from labelkit.labels.model_labels import ModelLabels, read_labels, renamed
from labelkit.models.adapters import ADAPTER_CONFIG, check_no_adapter
from labelkit.models.architectures import default_max_length
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.models.checkpoint_files import pickles_in, weights_of
from labelkit.models.heads import LINEAR, MULTILABEL, REGRESSION
from labelkit.models.loading import load_config
from labelkit.models.tokenizer import window_limit
from labelkit.records import Head, Kind, Schema, Task
from labelkit.settings import DataSettings, FileScheme, SplitterName

#: what the names of classes in transformers end in → the kind of labeller
KINDS: Mapping[str, Kind] = {"ForTokenClassification": "token", "ForSequenceClassification": "text"}
#: kind, and whether labels are spans → the task whose name and metrics an adopted checkpoint gets
DEFAULT_TASKS: Mapping[tuple[Kind, bool], str] = {
    ("token", True): "ner", ("token", False): "pos", ("text", False): "textcls",
}  # fmt: skip
#: files of which each is a tokenizer or a part of one
TOKENIZER_FILES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
    "spm.model",
)  # fmt: skip
#: the decoders that choose the likeliest label, as transformers.pipeline does
DECODERS: Mapping[Kind, str] = {"token": "argmax", "text": "argmax-text"}
#: ``problem_type`` of classifiers of which a text may get any number of labels
SEVERAL_LABELS = "multi_label_classification"
#: the most outputs of a classifier
MOST_LABELS = 1_000_000
TRAIN_IT = "it has no labels; train it: labelkit run TASK --model {}"
NAME_LABELS = "correct config.json, or name all labels: labelkit adopt REF --labels A,B,…"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionOptions:
    """What a user says of a checkpoint; None for what its files say.

    :param task: the task that it belongs to.
    :param scheme: the tagging scheme of its labels.
    :param labels: the names of its outputs, in order.
    :param splitter: the splitter of raw text into words.
    :param decoder: how its scores become labels; by default each word's likeliest label, as in transformers.
    """

    task: str | None = None
    scheme: FileScheme | None = None
    labels: tuple[str, ...] | None = None
    splitter: SplitterName | None = None
    decoder: str | None = None


def adopt_folder(
    folder: Path, reference: str, tasks: Mapping[str, Task], options: AdoptionOptions | None = None
) -> CheckpointInfo:
    """Return the info of a checkpoint of transformers, with all that was assumed.

    :param reference: of the folder, for the record.
    :param tasks: that are installed, by name.
    :raises ModelError: it is no classifier of tokens or texts, or it cannot be loaded safely.
    """
    options = options or AdoptionOptions()
    config = _read_config(folder)
    check_safe(folder, config)
    kind = _kind_of(folder, config, reference)
    weights_of(folder)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            f"no tokenizer is in {folder}", hint="save the tokenizer there, too: it needs a tokenizer.json"
        )
    names = output_names(folder, config)
    numeric = _is_regression(config, kind, names)
    found = _labels(names, kind, options, numeric=numeric)
    task = _task(kind, found.schema, tasks, options.task)
    found = renamed(found, task.layer)
    several = kind == "text" and config.get("problem_type") == SEVERAL_LABELS
    schema, (max_length, reason) = replace(found.schema, multilabel=several), _max_length(folder)
    head = MULTILABEL if several else REGRESSION if numeric else LINEAR
    fallback = "O" if schema.scheme or "O" in schema.labels else "0.0" if numeric else schema.labels[0]
    said = (*found.assumptions, *_assumptions(kind, task, options), *_assumptions_of_head(head, config))
    return CheckpointInfo(
        labelkit="",
        run=reference,
        task=task.name,
        kind=kind,
        layer=task.layer,
        schema=schema,
        decoder=options.decoder or head.decoder or DECODERS[kind],
        preprocessors=(),
        splitter=options.splitter or "words",
        fallback=fallback,
        max_length=max_length,
        overlap=DataSettings().overlap,
        step=0,
        epoch=0.0,
        head=head.name,
        outputs=names,
        output_of=found.output_of,
        tokenizer_input="text",
        adopted=reference,
        assumptions=(*said, f"windows have {max_length} subwords: {reason}"),
    )


def _assumptions(kind: Kind, task: Task, options: AdoptionOptions) -> Iterator[str]:
    """Yield what is assumed of a model beside its labels."""
    if options.task is None:
        yield f"its task is {task.name}, by the kind of its labels: --task says otherwise"
    if kind == "token" and options.splitter:
        yield "a word is labelled by its first subword"
    elif kind == "token":
        yield (
            "a word is labelled by its first subword, and raw text is split into words by splitter 'words': "
            "--splitter says otherwise"
        )


def _assumptions_of_head(head: Head, config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is assumed of a model's outputs."""
    if head.multilabel:
        yield "a text has each label whose probability is 0.5 or more, as config.json names no thresholds"
    if head.numeric and config.get("problem_type") is None:
        yield "its only output is a number: problem_type in config.json says otherwise"


def check_safe(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise for what labelkit never loads: code of the folder, pickles, adapters, and other kinds of model files.

    :raises ModelError: the folder needs one of them.
    """
    check_no_adapter(folder)
    if (folder / ADAPTER_CONFIG).is_file():  # transformers would load it, too, and ask the network for its base
        raise ModelError(
            f"{folder} holds a PEFT adapter beside its model", hint="merge it, or remove adapter_config.json"
        )
    for name in ("config.json", "tokenizer_config.json"):
        content = config if name == "config.json" else _read_optional(folder / name)
        if "auto_map" in content:
            raise ModelError(
                f"{folder} needs code of its own (auto_map in {name}), which labelkit never runs",
                hint="choose a model of an architecture that transformers has",
            )


def output_names(folder: Path, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a classifier's outputs in their order.

    :raises ModelError: ``id2label`` has gaps or differs from ``num_labels``, or ``num_labels`` is out of range.
    """
    path = folder / "config.json"
    count = config.get("num_labels")
    given = config.get("id2label")
    if isinstance(count, int) and not 0 < count <= MOST_LABELS:
        raise ModelError(f"{path} has num_labels {count}, which no model has", hint="correct config.json")
    if given is None:  # transformers leaves out what equals its defaults
        return tuple(f"LABEL_{index}" for index in range(count if isinstance(count, int) else 2))
    if not isinstance(given, dict) or not given or not all(isinstance(name, str) for name in given.values()):
        raise ModelError(f"id2label in {path} does not map numbers to names", hint=NAME_LABELS)
    numbers = sorted(given, key=lambda number: (len(number), number))
    if numbers != [str(number) for number in range(len(given))]:
        raise ModelError(
            f"id2label in {path} has gaps: its numbers are {', '.join(numbers[:10])}, not 0 to {len(given) - 1}",
            hint="correct config.json",
        )
    if isinstance(count, int) and count != len(given):
        raise ModelError(f"{path} has num_labels {count}, and {len(given)} labels in id2label", hint=NAME_LABELS)
    return tuple(given[number] for number in numbers)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if (ggufs := sorted(folder.glob("*.gguf"))) and not any(folder.glob("*.safetensors")):
        raise ModelError(f"{ggufs[0]} is a GGUF file, which holds no classifier", hint="give a folder with safetensors")
    check_no_adapter(folder)
    try:
        found = read_json(path)
    except FileNotFoundError:
        found = None
    except ValueError as error:
        raise ModelError(f"{path} cannot be read: {error}", hint="the folder is damaged; fetch it again") from None
    if found is None and any((folder / name).is_file() for name in ("modules.json", "spacy.json", "meta.json")):
        what = "sentence-transformers" if (folder / "modules.json").is_file() else "spaCy"
        raise ModelError(f"{folder} is a {what} folder without config.json", hint="give a Hugging Face model folder")
    if not isinstance(found, dict):
        raise ModelError(
            f"{folder} is no model: it has no config.json", hint="give the folder that a run or save_pretrained wrote"
        )
    return found


def _read_optional(path: Path) -> Mapping[str, Any]:
    try:
        found = read_json(path)
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _kind_of(folder: Path, config: Mapping[str, Any], reference: str) -> Kind:
    """Return the kind of a classifier.

    :raises ModelError: it is none.
    """
    architectures = config.get("architectures")
    architecture = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    kind = next((kind for ending, kind in KINDS.items() if architecture.endswith(ending)), None)
    if kind is not None:
        return kind
    if (folder / "modules.json").is_file() or (folder / "config_sentence_transformers.json").is_file():
        what = "a sentence-transformers folder, which computes embeddings"
    elif architecture:
        what = f"no classifier of words or texts, but a {architecture}"
    elif pickles_in(folder) and not any(folder.glob("*.safetensors")):
        weights_of(folder)  # raises: only pickles
        what = "no classifier"
    else:
        what = "no classifier: its config.json names no architectures"
    raise ModelError(f"{folder} is {what}", hint=TRAIN_IT.format(reference))


def _is_regression(config: Mapping[str, Any], kind: Kind, names: Sequence[str]) -> bool:
    """Return whether a model predicts a number.

    :raises ModelError: it predicts several numbers.
    """
    problem = config.get("problem_type")
    if problem == "regression" and len(names) > 1:
        raise ModelError(f"the model predicts {len(names)} numbers, labelkit one", hint="adopt another model")
    return kind == "text" and len(names) == 1 and problem != SEVERAL_LABELS


def _labels(names: tuple[str, ...], kind: Kind, options: AdoptionOptions, *, numeric: bool) -> ModelLabels:
    if numeric:
        return ModelLabels(schema=Schema(name="model", kind=kind, numeric=True))
    if options.labels is not None and len(options.labels) != len(names):
        raise ModelError(
            f"{len(options.labels)} labels are named, the model has {len(names)}: {', '.join(names[:10])}",
            hint="name them all, in the order of config.json",
        )
    return read_labels(options.labels or names, kind, options.scheme)


def _task(kind: Kind, schema: Schema, tasks: Mapping[str, Task], wanted: str | None) -> Task:
    """Return the task that a checkpoint belongs to.

    :raises UnknownNameError: there is no such task.
    :raises ModelError: the task is of another kind, or its labels are none of spans.
    """
    spans = schema.scheme is not None
    if wanted is not None:
        if wanted not in tasks:
            raise UnknownNameError(f"unknown task '{wanted}'", hint=nearest(wanted, tasks))
        found = tasks[wanted]
        if found.kind != kind or (found.scheme is not None) != spans:
            labels = "spans" if spans else "plain labels"
            raise ModelError(
                f"task '{wanted}' does not fit a model of kind {kind} with {labels}",
                hint=f"fitting: {', '.join(_fitting(kind, spans, tasks)) or 'none'}",
            )
        return found
    fitting = _fitting(kind, spans, tasks)
    default = DEFAULT_TASKS.get((kind, spans), "")
    if not fitting:
        raise ModelError(f"no plugin supplies a task of kind {kind} for these labels", hint="see: labelkit plugins")
    return tasks[default if default in fitting else fitting[0]]


def _fitting(kind: Kind, spans: bool, tasks: Mapping[str, Task]) -> list[str]:
    """Return the names of the tasks that a model may belong to."""
    return [name for name, one in tasks.items() if one.kind == kind and (one.scheme is not None) == spans]


def _max_length(folder: Path) -> tuple[int, str]:
    """Return the number of subwords in a window, by configuration and tokenizer, and the reason for it."""
    limit = _read_optional(folder / "tokenizer_config.json").get("model_max_length")
    number = int(limit) if isinstance(limit, int | float) and math.isfinite(limit) else 0
    return default_max_length(window_limit(number, load_config(folder)))
