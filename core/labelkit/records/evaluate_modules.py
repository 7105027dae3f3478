"""Compute a metric with any ``evaluate.EvaluationModule``: what :meth:`labelkit.Metric.from_evaluate` wraps."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.records.examples import Kind
    from labelkit.records.parts import Predictions


def from_module(
    module: Callable[[], Any] | str | Path, kind: Kind, options: Mapping[str, Any] | None = None
) -> Callable[[Predictions], Mapping[str, Any]]:
    """Return a ``compute`` that asks the module which ``module()`` makes, or that lies on disk, once, on first use.

    What it is given follows from the features that it declares: sentences where it takes sequences, else all words in a
    row (kind ``token``) or all texts; labels where it takes strings, else their ids; ``prediction_scores`` are
    probabilities, of the second label or of all.

    :param options: further arguments of the module's own ``compute``.
    """
    made: list[Any] = []

    def compute(predictions: Predictions) -> Mapping[str, Any]:
        if not made:
            made.append(module() if callable(module) else load(Path(module)))
        return dict(made[0].compute(**_arguments(made[0], kind, predictions), **(options or {})))

    return compute


def load(path: Path) -> Any:
    """Make the module of a file, or of a folder that holds one of its own name; nothing is copied.

    What it prepares for itself goes into a folder of this process alone, which goes away with it.

    :raises LabelkitError: there is none, or it cannot be made.
    """
    script = find_script(path)
    try:
        kind = _main_class(script)
        folder = tempfile.mkdtemp(prefix="labelkit-module-")
        weakref.finalize(kind, shutil.rmtree, folder, ignore_errors=True)
        made = kind(keep_in_memory=True, cache_dir=folder)
        made.download_and_prepare()
        return made
    except Exception as error:
        raise LabelkitError(f"{script} is no evaluation module: {type(error).__name__}: {error}") from error


def _main_class(script: Path) -> Any:
    """Return the class of a script; it may import from files beside it, as ``from .other import …``."""
    from evaluate import EvaluationModule

    name = f"labelkit_module_{hashlib.sha256(str(script.absolute()).encode()).hexdigest()[:16]}"
    beside = [str(script.absolute().parent)]
    spec = importlib.util.spec_from_file_location(name, script, submodule_search_locations=beside)
    assert spec is not None  # the file is there, and called .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name]
    found = [one for one in own if issubclass(one, EvaluationModule)]
    if not found:
        raise TypeError("no class in it is an evaluate.EvaluationModule")
    return found[0]


def find_script(path: Path) -> Path:
    """Return the Python file of the evaluation module at ``path``, a file or a folder named like it.

    :raises LabelkitError: there is none.
    """
    script = path / f"{path.absolute().name}.py" if path.is_dir() else path
    if script.suffix != ".py" or not script.is_file():
        raise LabelkitError(
            f"there is no evaluation module at {path}", hint="name NAME.py, or the folder NAME that holds NAME.py"
        )
    return script


def _arguments(module: Any, kind: Kind, predictions: Predictions) -> dict[str, Any]:
    formats = module.features if isinstance(module.features, list) else [module.features]
    # of several formats the one that takes sentences as they are
    features = next((one for one in formats if kind == "token" and _is_list(_first(one))), formats[0])
    return {name: _column(name, feature, predictions, kind) for name, feature in features.items()}


def _first(features: Mapping[str, Any]) -> Any:
    return features.get("references", next(iter(features.values())))


def _column(name: str, feature: Any, predictions: Predictions, kind: Kind) -> list[Any]:
    if name == "prediction_scores":
        return _probabilities(predictions, every=_is_list(feature))
    rows = {"references": predictions.references, "predictions": predictions.predictions}
    # a measurement looks at one column alone, and calls it so
    rows["data"] = predictions.predictions
    if name not in rows:
        raise LabelkitError(f"the module wants '{name}', which labelkit does not have")
    inner = feature.feature if hasattr(feature, "feature") else feature[0] if isinstance(feature, list) else feature
    labels: Sequence[str] = predictions.schema.label_names
    number: Mapping[str, Any] = {label: index for index, label in enumerate(labels)}
    read = str if getattr(inner, "dtype", "string") == "string" else number.__getitem__
    if kind == "text":
        return [read(str(label)) for label in rows[name]]
    sentences = [[read(label) for label in row] for row in rows[name]]
    return sentences if _is_list(feature) else [value for row in sentences for value in row]


def _is_list(feature: Any) -> bool:
    return isinstance(feature, list) or hasattr(feature, "feature")


def _probabilities(predictions: Predictions, *, every: bool) -> list[Any]:
    import numpy as np

    if predictions.scores is None:
        raise LabelkitError("the module wants the scores of predictions, which are not known here")
    chances = np.exp(predictions.scores.astype(np.float64))
    found: list[Any] = (chances if every else chances[:, 1]).tolist()
    return found
