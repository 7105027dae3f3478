"""Tables with one column of 0 and 1 for each label of a text: ``--columns label=toxic+insult+threat``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.class_labels import SKIP_HINT, MissingLabelError, is_missing
from labelkit.formats.columns import ROLES, Record
from labelkit.labels.label_sets import HOW, SeveralLabelsError
from labelkit.records import LoadContext

#: between the names of the columns
JOINED_BY = "+"
_VALUES = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def indicator_columns(names: Iterable[str], ctx: LoadContext) -> dict[str, tuple[str, ...]]:
    """Return value of ``--columns`` → the columns that it joins, for the layers that have several.

    A name of a column that holds a plus sign is one column.

    :param names: the columns that there are.
    """
    present = set(names)
    joined = {column for role, column in ctx.columns.items() if role not in ROLES and JOINED_BY in column}
    return {column: tuple(column.split(JOINED_BY)) for column in joined if column not in present}


def joined_names(names: Iterable[str], ctx: LoadContext) -> list[str]:
    """Return the names of the columns with those that ``--columns`` joins as one, at the end."""
    given = list(names)
    joined = indicator_columns(given, ctx)
    found = {each for columns in joined.values() for each in columns}
    whole = [column for column, parts in joined.items() if set(parts) <= set(given)]
    return [name for name in given if name not in found or not whole] + whole


def with_joined_indicators(
    path: Path, records: Iterable[tuple[int, Record]], ctx: LoadContext
) -> Iterator[tuple[int, Record]]:
    """Yield the records; the columns that ``--columns`` joins are one, with the list of the labels that are 1.

    :raises SeveralLabelsError: no setting says that texts may have several labels.
    :raises DataError: ``data.multilabel`` says that they may not; or a value is neither 0 nor 1, and the policy does
        not skip its record; names file and line.
    """
    for line, record in records:
        joined = indicator_columns(record, ctx)
        if joined and not ctx.settings.multilabel:
            error = SeveralLabelsError(f"{path}: {', '.join(joined)} are labels of one text", hint=HOW)
            raise error if ctx.settings.multilabel is None else DataError(error.message, hint=error.hint)
        try:
            yield line, _joined(record, joined, ctx) if joined else record
        except DataError as error:
            if isinstance(error, MissingLabelError) and ctx.settings.unlabelled == "skip":
                ctx.policy.leave_out(error.counted_as, error.at(f"{path}:{line}"))
            else:
                ctx.policy.skip_record(error.at(f"{path}:{line}"))


def _joined(record: Record, joined: Mapping[str, tuple[str, ...]], ctx: LoadContext) -> dict[str, Any]:
    read = {each for columns in joined.values() for each in columns}
    found = {name: value for name, value in record.items() if name not in read}
    for column, parts in joined.items():
        if missing := [part for part in parts if part not in record]:
            present = ", ".join(f"'{name}'" for name in list(record)[:20])
            raise DataError(
                f"no column '{missing[0]}' of the labels, the columns are {present}", hint="--columns label=A+B+C"
            )
        if ctx.policy.labels != "ignored":
            found[column] = [part for part in parts if _is_set(part, record[part])]
    return found


def _is_set(column: str, value: Any) -> bool:
    """Return whether a column of a label says that a text has it.

    :raises MissingLabelError: it says nothing; names no file.
    :raises DataError: it holds something else; names no file.
    """
    if is_missing(value, cell=True) or str(value).strip() in ("-1", "-1.0"):
        what = "is empty" if is_missing(value, cell=True) else "is -1, which often means: not labelled"
        raise MissingLabelError(f"the column '{column}' of a label {what}", hint=f"write 0 or 1; {SKIP_HINT}")
    found = _VALUES.get(str(value).strip().lower())
    if found is None:
        hint = "a list of labels in one column needs no plus sign: --columns label=NAME"
        raise DataError(f"the column '{column}' of a label holds {value!r:.60}, not 0 or 1", hint=hint)
    return found
