"""The own fields of records of a table, where every record has the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from labelkit.labels.numbers import check_holds_pairs
from labelkit.records import Format, Labelled


def without_pairs(writer: Format, records: Iterable[Labelled]) -> Iterator[Labelled]:
    """Yield records; writers that do not know of pairs of texts would write the first text only.

    :raises DataError: a record is a pair of texts, and the format cannot hold it.
    """
    for record in records:
        if record.pair is not None:
            check_holds_pairs(writer)
        yield record


def with_same_fields(writer: Format, records: Callable[[], Iterable[Labelled]]) -> Iterator[Labelled]:
    """Yield records with the own fields that a format needs: in a table all those of any record, absent ones as None.

    :param records: returns the records anew each time; they are read twice for a table, and once for other formats.
    """
    if not writer.same_fields:
        yield from without_pairs(writer, records())
        return
    names = dict.fromkeys(name for record in records() for name in record.extra)
    for record in without_pairs(writer, records()):
        yield replace(record, extra={**names, **record.extra}) if len(record.extra) < len(names) else record
