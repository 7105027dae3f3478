"""Name the source or format of a plugin that fails or yields invalid examples, and the record where it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from labelkit.data.example_validation import example_fault, layer_fault
from labelkit.errors import DataError, LabelkitError, explanation, package_of
from labelkit.records import Example, Format, Labelled, LoadContext, Output


def read_by_plugin(read: Callable[[], Iterable[Example]], what: str) -> Iterator[Example]:
    """Yield what a function of a plugin reads.

    :param what: who reads what, for messages, e.g. ``format 'pairs', a.pairs``.
    :raises DataError: the function returns nothing to iterate, or it, or what it returned, raises what is no error of
        labelkit or of the system about a file; :class:`SystemExit` counts, which would end the command in silence.
    """
    number = 0
    try:
        examples = read()
        if not isinstance(examples, Iterable):
            raise DataError(f"{what}: it returned {type(examples).__name__}", hint="yield labelkit.Example records")
        for example in examples:
            number += 1
            yield example
    except (LabelkitError, KeyboardInterrupt, GeneratorExit, MemoryError):
        raise
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        after = f" after record {number}" if number else ""
        raise DataError(
            f"{what}: it failed{after} with {explanation(error)}",
            hint="the plugin has to be corrected; --debug shows where",
        ) from error


def is_foreign(chosen: Format) -> bool:
    """Return whether the reader of a format is not one of labelkit's own, which tests cover."""
    return getattr(chosen.read, "__module__", "").partition(".")[0] != "labelkit"


def read_format(chosen: Format, path: Path, ctx: LoadContext) -> Iterable[Example]:
    """Return the examples that a format reads from a file; invalid ones of a plugin are refused.

    :raises DataError: the format fails, or its examples are invalid; names format, file and record.
    """
    assert chosen.read is not None  # reader_for returns readers
    return _checked(chosen, path, ctx) if is_foreign(chosen) else chosen.read(path, ctx)


def write_format(chosen: Format, records: Iterable[Labelled], output: Output) -> None:
    """Write records with a format.

    :raises DataError: the format cannot hold a record; or that of a plugin raises what is no error of labelkit or of
        the system about a file, which names the format and the package.
    """
    assert chosen.write is not None  # writer_for returns only formats that write
    own: list[BaseException] = []

    def tracked() -> Iterator[Labelled]:
        try:
            yield from records
        except BaseException as error:  # not the format's: what makes the records has failed
            own.append(error)
            raise

    try:
        chosen.write(tracked(), output)
    except (LabelkitError, OSError, MemoryError):
        raise
    except Exception as error:
        package = package_of(chosen.write)
        if error in own or not package:
            raise
        raise DataError(
            f"format '{chosen.name}'{package}: write() failed with {explanation(error)}",
            hint="the plugin has to be corrected; --debug shows where",
        ) from error


def _checked(chosen: Format, path: Path, ctx: LoadContext) -> Iterator[Example]:
    read = chosen.read
    assert read is not None
    what = f"format '{chosen.name}'{package_of(read)}, {path}"
    for number, example in enumerate(read_by_plugin(lambda: read(path, ctx), what), start=1):
        if fault := _fault(example, required=ctx.policy.labels == "required"):
            message = f"{what}, record {number}: {fault}"
            ctx.policy.skip_record(DataError(message, hint="correct read() of the format"))
        else:
            yield example


def _fault(example: object, *, required: bool) -> str:
    """Return why a record is invalid as an example, or an empty text; one without words is a blank record.

    :param required: its labels will be read.
    """
    if isinstance(example, Example) and (not required or example.words == ()):
        return ""
    kind = "token" if isinstance(example, Example) and example.words is not None else "text"
    if fault := example_fault(example, kind):
        return fault
    assert isinstance(example, Example)  # else it is at fault
    faults = (layer_fault(example, layer, kind, multilabel=True) for layer in example.labels)
    return next(filter(None, faults), "")
