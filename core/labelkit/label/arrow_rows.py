"""Read what to label from Arrow tables, and write the results as columns or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from labelkit.errors import DataError, LabelkitError
from labelkit.formats.jsonl import json_line
from labelkit.label.dataset_columns import labels_of, pair_column, task_prefixes, text_column
from labelkit.label.records import FailedRecord
from labelkit.label.result_json import input_from_json, result_to_json
from labelkit.label.stream import InputRecord, LabelResult
from labelkit.records import Coverage, Example, Kind, Labelled

if TYPE_CHECKING:
    import pyarrow as pa

    from labelkit.models.checkpoint import CheckpointInfo


@dataclass(frozen=True, slots=True)
class ResultColumns:
    """The columns of the results, for each task.

    :param tasks: prefix of the names of the columns → kind, whether texts have several labels, whether labels are
        numbers.
    :param layers: task → prefix; empty where there is one task.
    :param pairs: the labeller is one of pairs of texts.
    """

    prefix: str
    tasks: Mapping[str, tuple[Kind, bool, bool]]
    layers: Mapping[str, str]
    pairs: bool

    @classmethod
    def of(cls, infos: Mapping[str, CheckpointInfo], prefix: str) -> ResultColumns:
        """Return the columns of the tasks of a checkpoint."""
        layers = task_prefixes(infos, prefix)
        tasks = {layers[task]: (info.kind, info.schema.multilabel, info.schema.numeric) for task, info in infos.items()}
        return cls(prefix, tasks, layers if len(infos) > 1 else {}, next(iter(infos.values())).pairs)

    def types(self) -> dict[str, pa.DataType]:
        """Return the name and type of each column."""
        import pyarrow as pa

        texts = pa.list_(pa.string())
        span = pa.struct([
            ("start", pa.int64()), ("end", pa.int64()), ("label", pa.string()), ("text", pa.string()),
            ("score", pa.float64()),
        ])  # fmt: skip
        found: dict[str, pa.DataType] = {}
        for prefix, (kind, multilabel, numeric) in self.tasks.items():
            if multilabel:
                found[f"{prefix}labels"] = texts
            elif kind == "text":
                found |= {f"{prefix}label": pa.string(), f"{prefix}score": pa.float64()}
                found |= {f"{prefix}number": pa.float64()} if numeric else {}
            else:
                found |= {f"{prefix}words": texts, f"{prefix}labels": texts, f"{prefix}spans": pa.list_(span)}
        coverage = pa.struct([(one.name, pa.int64()) for one in fields(Coverage)])
        return {**found, f"{self.prefix}coverage": coverage, f"{self.prefix}error": pa.string()}

    def row(self, result: LabelResult) -> dict[str, Any]:
        """Return the values of a result; what is missing is null."""
        if isinstance(result, FailedRecord):
            return {f"{self.prefix}error": result.message}
        found: dict[str, Any] = {f"{self.prefix}coverage": asdict(result.coverage)}
        if not self.layers:
            return found | labels_of(result, self.prefix)
        for task, prefix in self.layers.items():
            found |= labels_of(result.layers[task], prefix)
        return found


@dataclass(frozen=True, slots=True)
class ColumnRows:
    """Rows with a column of texts or words; results are further columns.

    :param column: of texts or words; None for one with a usual name.
    :param pair: of second texts; None for one with a usual name, where pairs of texts are labelled.
    """

    column: str | None
    pair: str | None
    results: ResultColumns

    def schema(self, given: pa.Schema) -> pa.Schema:
        """Return the schema of the labelled table.

        :raises LabelkitError: a new column exists already.
        """
        import pyarrow as pa

        added = self.results.types()
        if taken := [name for name in added if name in given.names]:
            raise LabelkitError(f"the table has a column '{taken[0]}' already", hint="choose another prefix=")
        return pa.schema([*given, *(pa.field(name, type_) for name, type_ in added.items())])

    def read(self, table: pa.Table, kind: Kind) -> Iterator[InputRecord]:
        """Yield an example of each row, with its number as id; a failure where there is nothing to label.

        :raises LabelkitError: there is no such column, or it holds neither texts nor words.
        """
        column = text_column(table.column_names, self.column, kind)
        second = pair_column(table.column_names, self.pair, pairs=self.results.pairs)
        _check_type(column, table.schema.field(column).type, words=kind == "token")
        if second is not None:
            _check_type(second, table.schema.field(second).type, words=False)
        pairs = [None] * table.num_rows if second is None else table[second].to_pylist()
        for number, (value, pair) in enumerate(zip(table[column].to_pylist(), pairs, strict=True), 1):
            if value is None or (second is not None and pair is None):
                empty = column if value is None else second
                yield FailedRecord(f"row {number}: column '{empty}' is null")
            elif isinstance(value, str):
                yield Example(id=str(number), text=value, pair=pair)
            elif None in value:
                yield FailedRecord(f"row {number}: a word of column '{column}' is null")
            else:
                yield Example(id=str(number), words=tuple(value))

    def write(self, table: pa.Table, results: Sequence[LabelResult]) -> pa.Table:
        """Return the table with the results as further columns."""
        import pyarrow as pa

        added = self.results.types()
        rows = [self.results.row(result) for result in results]
        self.schema(table.schema)
        for name, type_ in added.items():
            table = table.append_column(pa.field(name, type_), pa.array([row.get(name) for row in rows], type_))
        return table


def _check_type(name: str, type_: Any, *, words: bool) -> None:
    import pyarrow.types as of

    def is_text(one: Any) -> bool:
        return bool(of.is_string(one) or of.is_large_string(one) or of.is_null(one))

    listed = of.is_list(type_) or of.is_large_list(type_) or of.is_fixed_size_list(type_)
    if not (is_text(type_) or (words and listed and is_text(type_.value_type))):
        needed = "texts or lists of words are" if words else "texts are"
        raise LabelkitError(f"column '{name}' is of type {type_}, {needed} needed", hint="convert it, or name another")


class JsonRows:
    """Rows with an input as JSON in the column ``input``; the result is JSON in the column ``result``."""

    @staticmethod
    def read(table: pa.Table, kind: Kind) -> Iterator[InputRecord]:
        """Yield the inputs."""
        for line in table["input"].to_pylist():
            yield input_from_json(json.loads(line))

    @staticmethod
    def write(table: pa.Table, results: Sequence[LabelResult]) -> pa.Table:
        """Return the results; one that JSON cannot hold is a failure."""
        import pyarrow as pa

        return pa.table({"result": pa.array([_json_of(result) for result in results], pa.large_binary())})


def _json_of(result: LabelResult) -> bytes:
    try:
        return json_line(result_to_json(result), result.id if isinstance(result, Labelled) else "")
    except DataError as error:
        return json_line(result_to_json(FailedRecord(error.message, error.hint)), "")
