"""The request of a run from the options of the command, or from the arguments of :func:`labelkit.run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelkit.config.plan import Request
from labelkit.errors import DataError, LabelkitError

#: option of ``labelkit run`` → the setting that it overrides
FLAGS: Mapping[str, str] = {
    "data": "data",
    "columns": "data.columns",
    "encoding": "data.encoding",
    "model": "model",
    "select": "train.select",
    "metric": "metric",
    "decoder": "decoder",
    "epochs": "train.num_train_epochs",
    "lr": "train.learning_rate",
    "seed": "train.seed",
    "max_steps": "train.max_steps",
    "max_minutes": "train.max_minutes",
    "allow_new_labels": "data.allow_new_labels",
}


def request_of(
    task: str,
    *,
    recipe: str | None,
    name: str | None,
    sets: Sequence[str],
    replaces: bool = False,
    from_run: str | None = None,
    **flags: Any,
) -> Request:
    """Return the request of a run; flags that are None have their defaults.

    :param from_run: the run to continue from, whose test split is not trained on.
    :raises LabelkitError: there is a model, too.
    """
    overrides = {
        FLAGS[flag]: (value, f"--{flag.replace('_', '-')}") for flag, value in flags.items() if value is not None
    }
    if from_run is not None:
        if "model" in overrides:
            raise LabelkitError("--from cannot be combined with --model", hint="--from RUN names the model")
        overrides |= dict.fromkeys(("model", "data.without_test_of"), (from_run, "--from"))
    return Request(task=task, recipe=recipe, overrides=overrides, sets=tuple(sets), name=name, replaces=replaces)


def columns_text(columns: str | Mapping[str, str | int]) -> str:
    """Return columns as ``--columns`` writes them.

    :raises DataError: a name holds a character that the notation needs.

    >>> columns_text({"tokens": "words", "ner": 3})
    'tokens=words,ner=3'
    """
    if isinstance(columns, str):
        return columns
    for text in (str(part) for pair in columns.items() for part in pair):
        if not text.strip() or {",", "="} & set(text):
            raise DataError(f"columns cannot name '{text}'", hint="rename the column: no commas, no equals signs")
    return ",".join(f"{name}={column}" for name, column in columns.items())
