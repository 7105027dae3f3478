"""The values of JSON files, one by one: of lines, of an array, or side by side; a key that occurs twice is an error."""

from __future__ import annotations

import codecs
import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from labelkit.errors import DataError, one_line
from labelkit.files.reading import STDIN, open_bytes, read_lines, reading_errors, text_codec
from labelkit.formats.column_lines import without_marks
from labelkit.formats.record_limit import LimitedStream
from labelkit.records import LoadContext, ReadingPolicy

Layout = Literal["lines", "array", "values"]
_SNIFFED = 1 << 20  # bytes in which the first line is looked for
_PEEKED = 4096  # bytes after it
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class DuplicateKeyError(ValueError):
    """An object of JSON has a key twice."""


def unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON.

    :raises DuplicateKeyError: a key occurs twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DuplicateKeyError(next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1))
    return found


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    :raises DataError: it is broken, or has a key twice; names no file.
    """
    try:
        return _DECODER.decode(text)
    except DuplicateKeyError as error:
        raise duplicate_error(str(error)) from error
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataError(f"broken JSON: {reason}", hint=_hint_for(text)) from error


def _hint_for(text: str) -> str:
    """Return what to do about a line that is not JSON."""
    if text.lstrip().startswith(("{'", "[{'", "['")):
        return "this is Python's notation: write it with json.dumps, which puts strings in double quotes"
    if text.rstrip().endswith("},"):
        return "leave out the comma after the object"
    return "each line must be a whole object"


def duplicate_error(key: str) -> DataError:
    """Return the error for an object with a key twice."""
    return DataError(f"the key '{key}' occurs twice in an object", hint="it is not clear which counts: remove one")


def line_values(path: Path, ctx: LoadContext) -> Iterator[tuple[int, Any]]:
    """Yield ``(line, value)`` of a file with a value on each line; blank lines are skipped.

    :raises DataError: a line is not JSON, unless ``ctx.policy`` skips it; names file and line.
    """
    lines = read_lines(path, ctx.encoding, ctx.policy.on_bad_record, ctx.settings.max_record)
    for number, line in without_marks(lines, ctx):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except DataError as error:
            ctx.policy.skip_record(error.at(f"{path}:{number}"))
            continue
        yield number, value


def stored_values(path: Path, ctx: LoadContext, layout: Layout) -> Iterator[tuple[int, Any]]:
    """Yield ``(number, value)`` of the values of an array, or of values side by side; a file may exceed memory.

    :raises DataError: the file is not JSON; or a key occurs twice, and ``ctx.policy`` does not skip records.
    """
    import ijson

    doubled: list[str] = []

    class Object(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            if key in self:
                doubled.append(key)  # an error here would be lost in ijson's C
            super().__setitem__(key, value)

    with json_bytes_of(path, ctx.encoding) as stream:
        prefix = "item" if layout == "array" else ""
        limited = LimitedStream(stream, path, ctx)
        values = ijson.items(limited, prefix, use_float=True, multiple_values=True, map_type=Object)
        try:
            for number, value in enumerate(values, start=1):
                limited.start()
                if doubled:
                    ctx.policy.skip_record(duplicate_error(doubled[0]).at(f"{path}:{number}"))
                    doubled.clear()
                else:
                    yield number, value
        except (ijson.JSONError, UnicodeDecodeError) as error:
            reason = one_line(error, 150)
            hint = "JSON has no NaN, write null" if "NaN" in reason else "is the file whole? export it again"
            if isinstance(error, UnicodeDecodeError) or "UTF8" in reason:
                hint = "it is not UTF-8: give the right encoding with --encoding NAME, e.g. cp1252"
            raise DataError(f"{path}: broken JSON: {reason}", hint=hint) from error


def find_layout(path: Path, ctx: LoadContext) -> Layout:
    """Return how the values of a JSON file are laid out, by its first line.

    A line that is a whole object, or a list that begins with a text as spaCy's tuples do, is one of several.

    :raises DataError: the file cannot be read.
    """
    if path == STDIN or not path.is_file():
        return "lines"  # it cannot be read twice
    with json_bytes_of(path, ctx.encoding) as stream:
        line = next(filter(bytes.strip, iter(lambda: stream.readline(_SNIFFED), b"")), b"")
        more = bool(stream.read(_PEEKED).strip())
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return "array" if line.lstrip().startswith(b"[") else "values"
    if isinstance(value, list):
        return "lines" if value and isinstance(value[0], str) else "array"
    if isinstance(value, dict) and not more and any(isinstance(held, list | dict) for held in value.values()):
        return "values"  # the only line may hold all records in a field
    return "lines"


def first_values(path: Path, ctx: LoadContext, layout: Layout, count: int) -> list[Any]:
    """Return the first values of a file that can be read, without reporting others; none of what cannot be read twice.

    :raises DataError: the file cannot be read, or is not JSON.
    """
    if path == STDIN or not path.is_file():
        return []
    silent = replace(ctx, policy=ReadingPolicy(on_bad_record=lambda error: None))
    values = line_values(path, silent) if layout == "lines" else stored_values(path, silent, layout)
    return [value for _, value in islice(values, count)]


@contextmanager
def json_bytes_of(path: Path, encoding: str) -> Iterator[BinaryIO]:
    """Open a file for reading as JSON in UTF-8, without a byte order mark.

    :raises DataError: the file cannot be opened, or begins like UTF-16 where UTF-8 is expected.
    """
    codec = text_codec(encoding)
    with reading_errors(path), open_bytes(path) as stream:
        start = cast(Any, stream).peek(64)[:64]  # plain and compressed streams have peek
        if codec == "utf-8-sig":
            if start[:2] in _UTF16:
                raise DataError(f"{path}: not UTF-8, it begins like UTF-16", hint="--encoding utf-16")
            if start.startswith(codecs.BOM_UTF8):
                stream.read(len(codecs.BOM_UTF8))
            yield stream
        else:
            yield cast(BinaryIO, codecs.EncodedFile(cast(Any, stream), "utf-8", codec))


def _constant(name: str) -> None:
    """Return None for NaN, which stands for what is missing in tables of pandas.

    :raises ValueError: it is an infinity.
    """
    if name != "NaN":
        raise ValueError(f"invalid JSON number {name}")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text[:20]} is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=unique_object, parse_constant=_constant, parse_float=_finite)
