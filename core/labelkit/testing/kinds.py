"""What every record promises about its kind."""

from __future__ import annotations

from typing import Any, get_args

from labelkit.records import Kind
from labelkit.testing.base import Question, require

KINDS: tuple[Kind, ...] = get_args(Kind)


def _kind(record: Any) -> None:
    require(record.kind in KINDS, f"kind of '{record.name}' is {record.kind!r}", "write 'token' or 'text'")


KIND = Question(name="kind", asks="it is for `token` or for `text`", ask=_kind)
