"""Contract checks of schemas, beyond what creating one validates already."""

from __future__ import annotations

from typing import get_args

from labelkit.records import Schema, Scheme
from labelkit.testing.framework import KIND, CheckSet, require

CHECKS = CheckSet(KIND)


@CHECKS.check("scheme", needs=("kind",))
def check_scheme(schema: Schema) -> None:
    """Span types have a known scheme, and are labels of words."""
    require(
        schema.scheme is None or schema.scheme in get_args(Scheme),
        f"scheme of schema '{schema.name}' is {schema.scheme!r}",
        f"write one of {', '.join(get_args(Scheme))}, or give plain labels=",
    )
    require(
        schema.scheme is None or schema.kind == "token",
        f"schema '{schema.name}' has spans, but is of kind '{schema.kind}'",
        "write kind='token', or give plain labels=",
    )
    require(
        not schema.multilabel or schema.kind == "text",
        f"schema '{schema.name}' is multi-label, but of kind '{schema.kind}'",
        "leave multilabel out, a word has one label",
    )
