"""labelkit: from labelled text and an encoder to a trained, recorded, reusable labeller.

Everything that a plugin author or a notebook needs is importable from here. Importing it loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelkit import events
from labelkit.errors import LabelkitError
from labelkit.hookspecs import hookimpl
from labelkit.records import (
    Context,
    Counts,
    Coverage,
    DataSettings,
    Decoder,
    Encoder,
    Example,
    Format,
    Head,
    HeadBatch,
    HeadContext,
    Kind,
    Labelled,
    LoadContext,
    Metric,
    Output,
    Place,
    Predictions,
    Preprocessor,
    ReadingPolicy,
    ResolvedEncoder,
    RunContext,
    Schema,
    Scheme,
    Scores,
    Settings,
    Source,
    Span,
    Task,
    TextPair,
)
from labelkit.settings import Doc

if TYPE_CHECKING:
    from labelkit.api.comparing import RunComparison, compare
    from labelkit.api.data import read
    from labelkit.api.evaluating import Evaluation, check, evaluate, find_errors
    from labelkit.api.loading import load
    from labelkit.api.suggesting import suggest
    from labelkit.api.training import resume, run
    from labelkit.inference.viterbi import viterbi
    from labelkit.label.batches import BatchLabeller
    from labelkit.label.labeller import Labeller
    from labelkit.labels.schemes import may_follow
    from labelkit.models.references import resolve_tiny
    from labelkit.publish.programs import push
    from labelkit.train.run import RunResult

    __version__: str

_LAZY = {
    "run": "labelkit.api.training",
    "load": "labelkit.api.loading",
    "read": "labelkit.api.data",
    "resume": "labelkit.api.training",
    "evaluate": "labelkit.api.evaluating",
    "find_errors": "labelkit.api.evaluating",
    "check": "labelkit.api.evaluating",
    "compare": "labelkit.api.comparing",
    "RunComparison": "labelkit.api.comparing",
    "Evaluation": "labelkit.api.evaluating",
    "push": "labelkit.publish.programs",
    "suggest": "labelkit.api.suggesting",
    "may_follow": "labelkit.labels.schemes",
    "viterbi": "labelkit.inference.viterbi",
    "resolve_tiny": "labelkit.models.references",
    "RunResult": "labelkit.train.run",
    "Labeller": "labelkit.label.labeller",
    "BatchLabeller": "labelkit.label.batches",
}

__all__ = [
    "BatchLabeller",
    "Context",
    "Counts",
    "Coverage",
    "DataSettings",
    "Decoder",
    "Doc",
    "Encoder",
    "Evaluation",
    "Example",
    "Format",
    "Head",
    "HeadBatch",
    "HeadContext",
    "Kind",
    "LabelkitError",
    "Labelled",
    "Labeller",
    "LoadContext",
    "Metric",
    "Output",
    "Place",
    "Predictions",
    "Preprocessor",
    "ReadingPolicy",
    "ResolvedEncoder",
    "RunComparison",
    "RunContext",
    "RunResult",
    "Schema",
    "Scheme",
    "Scores",
    "Settings",
    "Source",
    "Span",
    "Task",
    "TextPair",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "events",
    "find_errors",
    "hookimpl",
    "load",
    "may_follow",
    "push",
    "read",
    "resolve_tiny",
    "resume",
    "run",
    "suggest",
    "viterbi",
]


def __getattr__(name: str) -> Any:
    """Import the heavier public names when they are first used."""
    if name == "__version__":  # importlib.metadata alone would take half of the time of --help
        return _version()
    if name == "data":  # the package whose function load is public
        from importlib import import_module

        return import_module("labelkit.data")
    if name not in _LAZY:
        raise AttributeError(f"module 'labelkit' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("labelkit")
    except PackageNotFoundError:  # running from a source tree that was never installed
        return "0.0.0"
