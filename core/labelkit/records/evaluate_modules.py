"""Compute a metric with an ``evaluate.EvaluationModule``: what :meth:`labelkit.Metric.from_evaluate` wraps."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelkit.errors import LabelkitError

if TYPE_CHECKING:
    from labelkit.records.examples import Kind
    from labelkit.records.parts import Predictions


def from_module(
    module: Callable[[], Any] | str | Path, kind: Kind, options: Mapping[str, Any] | None = None
) -> Callable[[Predictions], Mapping[str, Any]]:
    """Return a ``compute`` function that calls an evaluation module, which is loaded on the first call.

    The arguments follow from the features that the module declares: sentences where it takes sequences, else all words
    in a row (kind ``token``) or all texts; labels where it takes strings, else their ids; ``prediction_scores`` are
    probabilities, of the second label or of all labels.

    :param module: a function that returns the module, or the path of its file or folder.
    :param options: further arguments of the module's own ``compute``.
    """
    loaded: list[Any] = []

    def compute(predictions: Predictions) -> Mapping[str, Any]:
        if not loaded:
            loaded.append(module() if callable(module) else load(Path(module)))
        return dict(loaded[0].compute(**arguments_of(loaded[0], kind, predictions), **(options or {})))

    return compute


def load(path: Path) -> Any:
    """Load the module of a file, or of a folder that holds a file of its own name; nothing is copied.

    What it downloads and prepares goes into a folder of this process alone, which is deleted with it.

    :raises LabelkitError: there is none, or it cannot be loaded.
    """
    script = find_script(path)
    try:
        class_ = import_class(script)
        folder = tempfile.mkdtemp(prefix="labelkit-module-")
        weakref.finalize(class_, shutil.rmtree, folder, ignore_errors=True)
        module = class_(keep_in_memory=True, cache_dir=folder)
        module.download_and_prepare()
        return module
    except Exception as error:
        raise LabelkitError(f"{script} is not an evaluation module: {type(error).__name__}: {error}") from error


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


def import_class(script: Path) -> Any:
    """Return the ``EvaluationModule`` of a script, which may import from files beside it: ``from .other import …``.

    :raises TypeError: it defines none.
    """
    from evaluate import EvaluationModule

    name = f"labelkit_module_{hashlib.sha256(str(script.absolute()).encode()).hexdigest()[:16]}"
    beside = [str(script.absolute().parent)]
    spec = importlib.util.spec_from_file_location(name, script, submodule_search_locations=beside)
    assert spec is not None  # the file is there, and called .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    for member in vars(module).values():
        if isinstance(member, type) and member.__module__ == name and issubclass(member, EvaluationModule):
            return member
    raise TypeError("no class in it is an evaluate.EvaluationModule")


def arguments_of(module: Any, kind: Kind, predictions: Predictions) -> dict[str, Any]:
    """Return the arguments of a module's ``compute``, one for each feature that it declares."""
    alternatives = module.features if isinstance(module.features, list) else [module.features]
    features = alternatives[0]
    for each in reversed(alternatives) if kind == "token" else ():
        if is_sequence(each.get("references", next(iter(each.values())))):
            features = each  # it takes sentences
    return {name: column(name, feature, predictions, kind) for name, feature in features.items()}


def column(name: str, feature: Any, predictions: Predictions, kind: Kind) -> list[Any]:
    """Return one argument of a module's ``compute`` in the type of its feature.

    :raises LabelkitError: the module requires something that predictions do not hold.
    """
    import numpy as np

    if name == "prediction_scores":
        if predictions.scores is None:
            raise LabelkitError("the module requires the scores of predictions, which are not known here")
        probabilities = np.exp(predictions.scores.astype(np.float64))
        scores: list[Any] = (probabilities if is_sequence(feature) else probabilities[:, 1]).tolist()
        return scores
    columns = {"references": predictions.references, "predictions": predictions.predictions}
    columns["data"] = predictions.predictions  # the only column of a measurement
    if name not in columns:
        raise LabelkitError(f"the module requires '{name}', which labelkit does not have")
    inner = feature.feature if hasattr(feature, "feature") else feature[0] if isinstance(feature, list) else feature
    number: Mapping[str, Any] = {label: index for index, label in enumerate(predictions.schema.label_names)}
    read = str if getattr(inner, "dtype", "string") == "string" else number.__getitem__
    if kind == "text":
        return [read(str(label)) for label in columns[name]]
    if name in ("references", "predictions") and [*map(len, predictions.references)] != [*map(len, columns[name])]:
        raise LabelkitError("gold and predicted labels differ in number")
    sentences = [[read(label) for label in row] for row in columns[name]]
    return sentences if is_sequence(feature) else [value for row in sentences for value in row]


def is_sequence(feature: Any) -> bool:
    """Return whether a feature takes a sequence for each example."""
    return isinstance(feature, list) or hasattr(feature, "feature")
