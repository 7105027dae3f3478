"""Generate ``docs/reference/hooks.md`` from the code; cog calls it, and CI fails when it is stale."""

from __future__ import annotations

import dataclasses
import doctest
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from types import FunctionType

import labelkit.events
from labelkit import hookspecs, records
from labelkit.events import Event
from labelkit.plugins.catalog import EVENT_HOOK, RECORD_HOOKS
from labelkit.settings import Doc

#: records that plugins are given or give back, beside those that hooks yield
FLOWING = (
    records.Example,
    records.TextPair,
    records.Place,
    records.Context,
    records.LoadContext,
    records.RunContext,
    records.ReadingPolicy,
    records.DataSettings,
    records.Predictions,
    records.Counts,
    records.Scores,
    records.HeadContext,
    records.HeadBatch,
    records.Labelled,
    records.Span,
    records.Coverage,
    records.ResolvedEncoder,
    records.Output,
)
#: what fields mean that have no description of their own because they mean the same everywhere
COMMON = {
    "name": "what people write to use it: a-z, 0-9, - and _",
    "schema": "the labels, in the order of their ids",
    "kind": "`token` (a label for each word) or `text` (one for each text)",
    "summary": "one line for lists",
    "licence": "of the data, one line",
}


def hooks() -> str:
    """Return a section for each hook: signature, what it is for, an example, its record's fields."""
    return "\n".join(line for name in (*RECORD_HOOKS, EVENT_HOOK) for line in _hook(getattr(hookspecs, name)))


def flowing() -> str:
    """Return a section for each record that hooks do not yield themselves."""
    return "\n".join(line for record in FLOWING for line in (f"### {record.__name__}", "", *_record(record), ""))


def events() -> str:
    """Return the table of the events that observers receive."""
    found = [one for one in vars(labelkit.events).values() if isinstance(one, type) and issubclass(one, Event)]
    rows = [f"| `{one.__name__}` | {_fields(one)} | {_cell(_plain(one.__doc__ or ''))} |" for one in found]
    return "\n".join(("| event | fields | what |", "| --- | --- | --- |", *rows))


def _fields(event: type) -> str:
    return ", ".join(f"`{field.name}: {_cell(str(field.type))}`" for field in dataclasses.fields(event))


def checks() -> str:
    """Return the table of the contract checks."""
    from labelkit.testing.checks import check_specs

    rows = [f"| `{name}` | {_cell(spec.description)} |" for name, spec in check_specs()]
    return "\n".join(("| check | what holds |", "| --- | --- |", *rows))


def signature(hook: Callable[..., object]) -> str:
    """Return name, parameters and result of a hook as its heading shows them."""
    return _shown(hook.__name__, inspect.signature(hook))


def _shown(name: str, given: inspect.Signature) -> str:
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", f"{name}{given}").replace("records.", "")


def example(hook: Callable[..., object]) -> str:
    """Return the example in a hook's docstring as a program."""
    return "".join(part.source for part in doctest.DocTestParser().get_examples(hook.__doc__ or ""))


def _hook(hook: Callable[..., object]) -> Iterator[str]:
    yield from (f"### `{signature(hook)}`", "", _prose(hook.__doc__ or ""), "")
    yield from ("```python", example(hook).rstrip(), "```", "")
    if hook.__name__ in RECORD_HOOKS:
        yield from (*_record(RECORD_HOOKS[hook.__name__][1]), "")


def _record(record: type) -> Iterator[str]:
    yield from (_prose(record.__doc__ or ""), "")
    parts = [_field_rows(record), _method_rows(record)]
    yield from "\n\n".join(filter(None, ("\n".join(part) for part in parts))).splitlines()


def _field_rows(record: type) -> Iterator[str]:
    if not dataclasses.is_dataclass(record):
        return
    described = {name: meaning for class_ in reversed(record.__mro__) for name, meaning in _parameters(class_)}
    yield from (f"| field of `{record.__name__}` | type | default | meaning |", "| --- | --- | --- | --- |")
    for field in dataclasses.fields(record):
        notes = [note.text for note in getattr(field.type, "__metadata__", ()) if isinstance(note, Doc)]
        meaning = notes[0] if notes else described.get(field.name, COMMON.get(field.name, ""))
        cells = (f"`{_cell(_type(field.type))}`", _default(field), _cell(_plain(meaning).rstrip(".")))
        yield f"| `{field.name}` | {' | '.join(cells)} |"


def _parameters(record: type) -> list[tuple[str, str]]:
    """Return name and meaning of each parameter that a docstring describes."""
    return re.findall(r":param (\w+): (.*?)(?=\n\s*:|\n\s*\n|\Z)", record.__doc__ or "", re.DOTALL)


def _type(annotation: object) -> str:
    """Return an annotation as people write it, without bounds and descriptions."""
    if isinstance(annotation, str):
        return annotation
    if typing.get_origin(annotation) is typing.Annotated:
        return _type(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(map(_type, typing.get_args(annotation)))
    if annotation is type(None):
        return "None"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _method_rows(record: type) -> Iterator[str]:
    found = [(name, member) for name, member in vars(record).items() if is_method(record, name, member)]
    if not found:
        return
    yield from (f"| `{record.__name__}` can | what |", "| --- | --- |")
    for name, member in found:
        said = _prose(inspect.getdoc(member) or "").replace("\n", " ").rstrip(".")
        yield f"| `{_cell(_method(record, name, member))}` | {_cell(said)} |"


def is_method(record: type, name: str, member: object) -> bool:
    """Return whether a member of a record is a property, a function or a way to make one, for plugins to use."""
    is_field = name in getattr(record, "__dataclass_fields__", ())
    return not name.startswith("_") and not is_field and isinstance(member, property | classmethod | FunctionType)


def _method(record: type, name: str, member: object) -> str:
    if isinstance(member, property):
        return f"{name} -> {inspect.signature(member.fget or len).return_annotation}"
    given = inspect.signature(getattr(record, name))
    if isinstance(member, FunctionType):  # a classmethod is bound already
        given = given.replace(parameters=list(given.parameters.values())[1:])
    return _shown(name, given)


def _prose(docstring: str) -> str:
    """Return the paragraphs of a docstring before its parameters and examples."""
    text = re.split(r"\n\s*(?=:\w+.*?:|>>>)", inspect.cleandoc(docstring), maxsplit=1)[0]
    return "\n\n".join(textwrap.fill(_plain(part), 100) for part in text.split("\n\n") if part.strip())


def _plain(text: str) -> str:
    """Turn the markup of docstrings into Markdown, on one line."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", " ".join(text.split()))
    return text.replace("``", "`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        return "none" if field.default in (None, "", ()) else f"`{field.default}`"
    if field.default_factory is dataclasses.MISSING:
        return "required"
    name = getattr(field.default_factory, "__name__", "")
    return f"`{name}()`" if hasattr(records, name) else "empty"
