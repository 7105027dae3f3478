"""Which plugin supplied a part of a run, for messages about parts that are gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from labelkit.errors import LabelkitError, PlanError, UnknownNameError
from labelkit.models.checkpoint import Supplier
from labelkit.plugins.catalog import Catalog

#: kinds of parts without which data or encoder cannot be read, whatever the error says
_READING = ("source", "format", "encoder")


def find_part(catalog: Catalog, kind: str, name: str, suppliers: Sequence[Supplier]) -> Any:
    """Return the record of ``kind`` with this name.

    :param suppliers: the plugins that supplied the parts of the run.
    :raises LabelkitError: if it is unknown; where a plugin supplied it to the run, the hint names plugin and package.
    """
    try:
        return catalog.find(kind, name)
    except UnknownNameError as error:
        for one in suppliers:
            if (one.kind, one.name) == (kind, name):
                error.hint = _what_became_of(one, catalog)
        raise


@contextlib.contextmanager
def explain_missing_parts(catalog: Catalog, suppliers: Sequence[Supplier]) -> Iterator[None]:
    """Name the plugin and its package in errors of a ``with`` block that concern a part which it does not supply now.

    :param suppliers: the plugins that supplied the parts of the recorded run.
    """
    try:
        yield
    except LabelkitError as error:
        missing = [one for one in suppliers if one.name not in catalog.usable(one.kind)]
        misses = error.misses if isinstance(error, PlanError) else (error,)
        for miss in misses:
            named = (one for one in missing if f"'{one.name}'" in miss.message)
            reading = (one for one in missing if one.kind in _READING and len(misses) == 1)
            if found := next(chain(named, reading), None):
                what = "it" if f"'{found.name}'" in miss.message else f"{found.kind} '{found.name}'"
                miss.hint = _what_became_of(found, catalog, what)
        if len(misses) == 1:
            error.hint = misses[0].hint
        raise


def _what_became_of(supplier: Supplier, catalog: Catalog, what: str = "it") -> str:
    supplied = f"the run had {what} from plugin '{supplier.plugin}' {supplier.version} (package {supplier.package})"
    found = next((info for info in catalog.plugins if info.name == supplier.plugin), None)
    if found is None:
        return f"{supplied}, which is not installed: pip install {supplier.package}"
    if found.status == "loaded":
        return f"{supplied}, installed is {found.version}, which has none"
    return f"{supplied}, which is not loaded: {found.reason}"
