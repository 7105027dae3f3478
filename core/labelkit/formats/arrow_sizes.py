"""How large the values of an Arrow array are as Python objects: many rows may refer to the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_VIEW = 4  # a view is four 32-bit numbers; the first is its length


def decoded_bytes(batch: pa.RecordBatch) -> int:
    """Return about how many bytes the rows of a batch have, each with all of its values; never fewer than a byte each.

    Dictionaries, views and runs are counted as often as rows refer to them.
    """
    return sum(map(_bytes_of, batch.columns))


def _bytes_of(array: pa.Array) -> int:
    import pyarrow as pa

    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return _bytes_of(array.storage)
    if pa.types.is_dictionary(kind):
        found = _in_dictionary(array)
    elif pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        found = _in_views(array)
    elif pa.types.is_struct(kind):
        found = sum(map(_bytes_of, array.flatten()))
    elif pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        found = _in_list_views(array)
    elif pa.types.is_map(kind):
        start, stop = array.offsets[0].as_py(), array.offsets[-1].as_py()
        found = sum(_bytes_of(part.slice(start, stop - start)) for part in (array.keys, array.items))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        found = _bytes_of(array.flatten())
    elif pa.types.is_run_end_encoded(kind):
        found = len(array) * _bytes_of(array.values)
    elif pa.types.is_union(kind):
        found = len(array) * sum(_bytes_of(array.field(index)) for index in range(kind.num_fields))
    else:
        found = array.nbytes
    return max(found, len(array))  # lists of nulls have no bytes at all


def _in_dictionary(array: pa.DictionaryArray) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(array):
        return 0
    values = array.dictionary
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        return int(pc.sum(pc.take(pc.binary_length(values), array.indices)).as_py() or 0)
    return len(array) * _bytes_of(values)


def _in_views(array: pa.Array) -> int:
    import numpy as np

    views = array.buffers()[1]
    if views is None:
        return 0
    numbers = np.frombuffer(views, np.int32).reshape(-1, _VIEW)
    return int(numbers[array.offset : array.offset + len(array), 0].astype(np.int64).sum())


def _in_list_views(array: pa.ListViewArray) -> int:
    """Return the size of the values of a single row, and for more rows the most that it can be."""
    import pyarrow.compute as pc

    size = int(pc.sum(array.sizes).as_py() or 0)
    if len(array) == 1:
        return _bytes_of(array.values.slice(array.offsets[0].as_py(), size))
    return size * _bytes_of(array.values)
