"""The space of a search: from a TOML file, or the default one of a kind of task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelkit.config.plan import Plan
from labelkit.config.plugin_settings import validate_setting
from labelkit.errors import LabelkitError
from labelkit.files.small import read_toml
from labelkit.plugins.catalog import Catalog
from labelkit.search.domains import Choices, Domain, Range, Space
from labelkit.settings import RUN_KEYS

#: settings outside of ``train`` that keep the validation split the same for all trials
_COMPARABLE = frozenset(
    ("model", "decoder", "preprocess", "data.mark_case", "data.max_length", "data.overlap", "data.label_all_tokens",
     "data.train_scheme")
)  # fmt: skip
#: settings of ``train`` that do not change what is learned, or make trials incomparable → why
_REFUSED: Mapping[str, str] = {
    "train.max_steps": "a trial that trains longer is not comparable; search train.num_train_epochs",
    "train.max_minutes": "a trial that trains longer is not comparable; search train.num_train_epochs",
    "train.evaluations_per_epoch": "trials are compared at each evaluation",
    "train.save_minutes": "it does not change what is learned",
    "train.eval_tokens": "it does not change what is learned",
    "train.eval_precision": "trials are compared in one precision",
    "train.score_test": "trials never read test",
}
_RANGE = frozenset(("low", "high", "log", "step"))
#: the default range of the learning rate: that of the recipe divided and multiplied by this
LEARNING_RATE_FACTOR = 5


def read_space(path: Path, catalog: Catalog) -> dict[str, Domain]:
    """Return the space in a TOML file.

    :raises LabelkitError: it does not exist, is invalid TOML, or names an invalid setting or value.
    """
    try:
        content = read_toml(path)
    except FileNotFoundError:
        raise LabelkitError(f"space {path} does not exist", hint="--space names a TOML file") from None
    except ValueError as error:
        raise LabelkitError(f"space {path} is invalid TOML: {error}", hint="see docs/how-to/search.md") from None
    try:
        return parse_space(content, catalog)
    except LabelkitError as error:
        raise LabelkitError(f"space {path}: {error.message}", hint=error.hint) from None


def parse_space(content: Mapping[str, Any], catalog: Catalog) -> dict[str, Domain]:
    """Return the space that tables describe: ``{"train": {"learning_rate": {"low": 1e-5, "high": 1e-3}}}``.

    :raises LabelkitError: it is empty, or names an invalid setting or value.
    """
    entries: dict[str, Any] = {}
    for name, value in content.items():
        if name in RUN_KEYS and name != "data":
            entries[name] = value
        elif isinstance(value, dict):
            entries |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            raise LabelkitError(f"unknown setting '{name}'", hint="settings stand in tables, such as [train]")
    if not entries:
        raise LabelkitError("it names no setting", hint="for example [train] learning_rate = {low = 1e-5, high = 1e-3}")
    return {key: _domain(key, value, catalog) for key, value in entries.items()}


def _domain(key: str, value: Any, catalog: Catalog) -> Domain:
    check_searchable(key)
    if isinstance(value, list):
        return _choices(key, value, catalog)
    if isinstance(value, dict) and {"low", "high"} <= value.keys():
        return _range(key, value, catalog)
    raise LabelkitError(
        f"{key} has neither choices nor a range", hint="write a list, or {low = X, high = Y} with log = true or step"
    )


def check_searchable(key: str) -> None:
    """Raise if a search may not choose a setting.

    :raises LabelkitError: it is a seed, what trials are compared by, or without influence on what is learned.
    """
    if key.endswith("seed"):
        raise LabelkitError(
            f"{key} cannot be searched: the best seed is luck", hint="--seeds N retrains the winner over fresh seeds"
        )
    section = key.partition(".")[0]
    if key in _REFUSED:
        raise LabelkitError(f"{key} cannot be searched", hint=_REFUSED[key])
    if key not in _COMPARABLE and (section == "data" or key in RUN_KEYS):
        raise LabelkitError(
            f"{key} cannot be searched: trials must be compared on the same data by the same metric",
            hint=f"set it for the whole search: --set {key}=VALUE" if "." in key else "it is an option of the command",
        )


def _choices(key: str, values: list[Any], catalog: Catalog) -> Choices:
    if not values:
        raise LabelkitError(f"{key} has no choices", hint="name at least one value")
    choices: list[Any] = []
    for value in values:
        valid = validate_setting(key, value, catalog)
        if any(Choices(choices=(valid,)).encode(one) is not None for one in choices):
            raise LabelkitError(f"{key} has the choice {valid!r} twice", hint="name each value once")
        choices.append(valid)
    return Choices(choices=tuple(choices))


def _range(key: str, table: Mapping[str, Any], catalog: Catalog) -> Range:
    if unknown := sorted(table.keys() - _RANGE):
        raise LabelkitError(f"{key}: unknown {unknown[0]} of a range", hint="a range has low, high, log and step")
    low, high, step, log = table["low"], table["high"], table.get("step"), table.get("log", False)
    for name, value in (("low", low), ("high", high), ("step", step)):
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise LabelkitError(f"{key}: {name} must be a number, not {value!r}")
    if not isinstance(log, bool):
        raise LabelkitError(f"{key}: log must be true or false, not {log!r}")
    low, high = (validate_setting(key, value, catalog) for value in (low, high))
    problem = {
        "low must be less than high": low >= high,
        "a range on a logarithmic scale begins above 0": log and low <= 0,
        "log and step cannot be combined": log and step is not None,
        "step must be greater than 0": step is not None and step <= 0,
    }
    for message, wrong in problem.items():
        if wrong:
            raise LabelkitError(f"{key}: {message}")
    integer = _takes_only_integers(key, low, catalog)
    if integer and step is not None and not isinstance(step, int):
        raise LabelkitError(f"{key}: step must be a whole number, not {step!r}")
    return Range(low=low, high=high, log=log, step=step, integer=integer)


def _takes_only_integers(key: str, low: float, catalog: Catalog) -> bool:
    try:
        validate_setting(key, low + 0.5, catalog)
    except LabelkitError:
        return True
    return False


def default_space(plan: Plan) -> Space:
    """Return the default space of a task, around what its recipe sets.

    :param plan: of the default recipe, with its automatic settings resolved.
    """
    train = plan.train
    rate = train.learning_rate
    assert rate != "auto"
    space: dict[str, Domain] = {
        "train.learning_rate": Range(low=rate / LEARNING_RATE_FACTOR, high=rate * LEARNING_RATE_FACTOR, log=True)
    }
    if train.batch_tokens:
        sizes = (train.batch_tokens // 2 or 1, train.batch_tokens, 2 * train.batch_tokens, 4 * train.batch_tokens)
        space["train.batch_tokens"] = Choices(choices=tuple(dict.fromkeys(sizes)))
    else:
        space["train.per_device_train_batch_size"] = Choices(choices=(8, 16, 32))
    space |= {
        "train.warmup_steps": Range(low=0.0, high=0.2),
        "train.weight_decay": Range(low=0.001, high=0.3, log=True),
        "train.dropout": Range(low=0.0, high=0.3),
    }
    if "label_smoothing_factor" in plan.head.loss_settings:
        space["train.label_smoothing_factor"] = Range(low=0.0, high=0.1)
    if plan.task.kind == "token":
        space["data.label_all_tokens"] = Choices(choices=(False, True))
    return space
