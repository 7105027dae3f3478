"""The exceptions of labelkit: each has a message of one line and a hint on what to do."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from typing import Self

#: ends of lines in what a message quotes, such as the name of a column → symbols
_LINE_ENDS = {0x0A: "␊", 0x0B: "␋", 0x0C: "␌", 0x0D: "␍", 0x85: "␤", 0x2028: "␤", 0x2029: "␤"}


class LabelkitError(Exception):
    """The base of all errors that labelkit raises on purpose.

    :param message: what went wrong and where, one line without a final full stop.
    :param hint: what to do about it, one line; shown under the message.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        message = message.translate(_LINE_ENDS)
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def at(self, place: object) -> Self:
        """Return the same error with ``place``, for example ``FILE:LINE``, before its message."""
        return type(self)(f"{place}: {self.message}", hint=self.hint)


class PlanError(LabelkitError):
    """A run cannot start with these settings; :attr:`misses` holds every reason, not only the first."""

    def __init__(self, misses: Sequence[LabelkitError]) -> None:
        first = misses[0]
        message = first.message if len(misses) == 1 else f"{len(misses)} errors in the settings of this run"
        super().__init__(message, hint=first.hint if len(misses) == 1 else None)
        self.misses = tuple(misses)


class ErrorCollector:
    """Collects errors, so that all of them are reported at once; the same error counts once."""

    def __init__(self) -> None:
        self.errors: list[LabelkitError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Go on after the block where it raises a :class:`LabelkitError`."""
        try:
            yield
        except LabelkitError as error:
            self.add(error)

    def add(self, error: LabelkitError) -> None:
        """Add an error, unless there is the same one already."""
        if str(error) not in map(str, self.errors):
            self.errors.append(error)

    def raise_errors(self) -> None:
        """Raise what was collected.

        :raises PlanError: there were errors.
        """
        if self.errors:
            raise PlanError(self.errors)


class CatalogError(LabelkitError):
    """A plugin, or a record of one, cannot be used."""


class UnknownNameError(CatalogError):
    """A name that no plugin supplies; the hint suggests the nearest ones."""


class DataError(LabelkitError):
    """Invalid labelled data."""


class MissingDataError(DataError):
    """The data of a source is not there, or no setting says where; contract checks of that source do not apply then."""


class ModelError(LabelkitError):
    """A model reference, tokenizer or checkpoint that cannot be used."""


class TrainingError(LabelkitError):
    """Training that failed, and would fail again if resumed from its last training state."""


class NetworkError(LabelkitError):
    """A server is needed, such as the Hugging Face Hub, and could not be reached."""


class RegistryError(LabelkitError):
    """The registry cannot be opened, read or written."""


class UnknownRunError(RegistryError):
    """A reference that no run has as id, name or alias."""


class SeveralRunsError(RegistryError):
    """An ambiguous reference to a run.

    :param candidates: id → one line about that run, for some of the runs that match.
    :param more: there are others.
    """

    def __init__(self, message: str, candidates: Mapping[str, str], *, more: bool = False, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.candidates = dict(candidates)
        self.more = more

    def __str__(self) -> str:
        return f"{self.message}: {', '.join(self.candidates)}{' …' * self.more} ({self.hint})"


class StorageError(LabelkitError):
    """Disk full, read-only file system, or permission denied."""


class MissingPackageError(LabelkitError):
    """A package of an extra of labelkit that is not installed."""


#: extra of labelkit → the packages that it installs and labelkit imports
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "train": ("torch", "transformers", "accelerate", "datasets", "evaluate", "seqeval"),
    "parquet": ("pyarrow",),
    "runtime": ("onnxruntime",),
    "fast": ("onnx", "openvino", "nncf"),
    "serve": ("starlette", "uvicorn", "prometheus_client"),
    "spacy": ("spacy",),
    "postgres": ("psycopg", "sqlglot"),
    "peft": ("peft",),
    "search": ("optuna",),
    "ray": ("ray", "pyarrow"),
}


def missing_package(error: BaseException, what: str = "this") -> MissingPackageError | None:
    """Return the error to show for an import that failed; None where no extra of labelkit installs the package.

    :param what: what needs the package, such as a command.

    >>> str(missing_package(ModuleNotFoundError(name="torch.nn"), "labelkit run"))
    "labelkit run needs torch, which is not installed (pip install 'labelkit[train]')"
    """
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    package = error.name.partition(".")[0]
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
    if extra is None:
        return None
    return MissingPackageError(
        f"{what} needs {package}, which is not installed", hint=f"pip install 'labelkit[{extra}]'"
    )


def require_extra(extra: str, what: str) -> None:
    """Raise if a package of an extra is not installed, before anything is imported or read.

    :param what: what needs it, such as a command.
    :raises MissingPackageError: one is not.
    """
    for package in EXTRAS[extra]:
        if package not in sys.modules and find_spec(package) is None:
            raise MissingPackageError(
                f"{what} needs {package}, which is not installed", hint=f"pip install 'labelkit[{extra}]'"
            )


def one_line(error: BaseException, limit: int = 300) -> str:
    """Return the message of ``error`` on one line of at most ``limit`` characters."""
    return " ".join(str(error).split())[:limit]


def explanation(error: BaseException) -> str:
    """Return type and message of an error on one line."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # the __str__ of a plugin's own class may raise
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def package_of(function: object) -> str:
    """Return which package a plugin's function is of, to follow the name of its part; empty for labelkit's own.

    >>> package_of(nearest)
    ''
    """
    while isinstance(function, partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    top = module.partition(".")[0]
    return "" if top == "labelkit" else f" (package {_distribution_of(top)})"


@cache
def _distribution_of(module: str) -> str:
    """Return the name under which a module was installed, or else its own."""
    from importlib.metadata import packages_distributions  # reads the files of all that is installed

    return next(iter(packages_distributions().get(module, ())), module)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the entries of ``known`` closest to ``name``, or else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(names)}" if names else "none is available"
