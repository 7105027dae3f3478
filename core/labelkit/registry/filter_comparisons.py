"""SQL conditions for the predicates of filter expressions, by the type of what they compare.

Values are only ever bound parameters.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from labelkit.errors import RegistryError
from labelkit.registry.filter_parser import Predicate, parse_time
from labelkit.registry.tables import UtcTime

Condition: TypeAlias = sa.ColumnElement[bool]
ColumnType = Literal["text", "number", "time", "bool"]

_OPERATORS: Mapping[str, Callable[[Any, Any], Condition]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_HINTS = {
    "text": "text takes = != in ~ and is null; ~ means contains",
    "a number": "a number takes < <= = != >= > and in with numbers, and is null",
    "a time": "a time takes < <= = >= > with a day as 2026-11-21 or an age as 3d, and is null",
    "true or false": "it takes = true or = false, or stands alone",
}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def compare(predicate: Predicate, column: sa.ColumnElement[Any], type_: ColumnType, now: datetime) -> Condition:
    """Return the condition that ``column`` meets ``predicate``; it is never NULL, so that it can be negated.

    :param now: the time that ages count from.
    :raises RegistryError: the operator or value is invalid for the type.
    """
    if predicate.tests_null:
        return column.is_(None)
    match type_:
        case "text":
            condition = _compare_text(predicate, column)
        case "number":
            condition = _compare_number(predicate, column)
        case "time":
            condition = _compare_time(predicate, column, now)
        case "bool":
            wanted = _BOOLEANS.get(predicate.value.text.lower())
            if predicate.operator not in ("=", "true") or wanted is None:
                raise _invalid(predicate, "true or false")
            condition = column.is_(wanted)
    return sa.and_(column.is_not(None), condition)


def compare_either(predicate: Predicate, number: sa.ColumnElement[Any], text: sa.ColumnElement[Any]) -> Condition:
    """Return the condition that a value with a number (may be NULL) and a text meets ``predicate``.

    :raises RegistryError: the operator or value is invalid.
    """
    value = predicate.value
    match predicate.operator:
        case "=" if value.number is not None:
            return sa.or_(number == _bound(value.number), text == _bound(value.text))
        case "=" | "~":
            return _compare_text(predicate, text)
        case "true":
            return text == "true"
    return sa.and_(number.is_not(None), _compare_number(predicate, number))


def _compare_text(predicate: Predicate, column: sa.ColumnElement[Any]) -> Condition:
    if predicate.operator == "=":
        return column == _bound(predicate.value.text)
    if predicate.operator == "~":
        return column.icontains(predicate.value.text, autoescape=True)
    raise _invalid(predicate, "text")


def _compare_number(predicate: Predicate, column: sa.ColumnElement[Any]) -> Condition:
    number = predicate.value.number
    if number is None or predicate.operator not in _OPERATORS:
        raise _invalid(predicate, "a number")
    return _OPERATORS[predicate.operator](column, _bound(number))


def _compare_time(predicate: Predicate, column: sa.ColumnElement[Any], now: datetime) -> Condition:
    if predicate.operator not in _OPERATORS:
        raise _invalid(predicate, "a time")
    start, end = (sa.bindparam(None, time, type_=UtcTime) for time in parse_time(predicate.value.text, now))
    conditions: dict[str, Condition] = {
        "<": column < start,
        ">=": column >= start,
        "<=": sa.or_(column < end, column == start),
        ">": sa.and_(column >= end, column != start),
        "=": sa.and_(column >= start, sa.or_(column < end, column == start)),
    }
    return conditions[predicate.operator]


def _invalid(predicate: Predicate, what: str) -> RegistryError:
    name, written = predicate.name.text, f"{predicate.operator} {predicate.value.text}"
    compared = name if predicate.operator == "true" else f"{name} {written}".strip()
    return RegistryError(f"cannot compare '{compared[:80]}': {name} is {what}", hint=_HINTS[what])


def _bound(value: str | float) -> sa.ColumnElement[Any]:
    # Typed by the value and not by the column: on PostgreSQL 0.5 would become an integer beside a seed.
    type_: Any = sa.String if isinstance(value, str) else sa.BigInteger if isinstance(value, int) else sa.Float
    return sa.bindparam(None, value, type_=type_)
