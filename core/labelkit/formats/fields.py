"""Which field of a record (a JSON object, a row of a table) holds what: by ``--columns``, or by the usual names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from labelkit.errors import DataError
from labelkit.records import Kind, LoadContext

Role = Literal["tokens", "text", "spans", "id", "document"]
ROLES: tuple[str, ...] = get_args(Role)
#: role → the field names that are tried when none is given
USUAL: Mapping[str, tuple[str, ...]] = {
    "tokens": ("tokens", "words"),
    "text": ("text", "sentence"),
    "spans": ("spans", "entities"),
    "id": ("id",),
    "document": ("document",),
}
_HINT = "say which is which: --columns text=…,label=… or tokens=…,LAYER=…"
_ANY_LAYER = ("label", "labels", "tags")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """What the fields of a record mean.

    :param roles: :data:`ROLES` → field, for those that are there.
    :param layers: layer → field.
    :param layer: the layer that spans belong to.
    :param extra: the other fields.
    """

    kind: Kind
    roles: Mapping[str, str]
    layers: Mapping[str, str]
    layer: str
    extra: tuple[str, ...] = field(default=())


def layout_of(names: Sequence[str], ctx: LoadContext) -> Layout:
    """Find out what fields called ``names`` hold.

    :raises DataError: a field that ``--columns`` names is not there, or there is neither text nor words.
    """
    for role, name in ctx.columns.items():
        if name not in names:
            raise DataError(f"no column '{name}' for '{role}', the columns are {listed(names)}", hint=_HINT)
    kind = _kind(names, ctx)
    layer = ctx.layer or ("labels" if kind == "token" else "label")
    roles = _roles(names, kind, ctx.columns)
    layers = _layers(names, kind, layer, ctx.columns, taken=set(roles.values()))
    wanted = "text" if kind == "text" else "tokens"
    if ctx.policy.labels == "ignored" and not {"text", "tokens"} & roles.keys():
        raise DataError(f"no text and no words, the fields are {listed(names)}", hint="say which: --columns text=NAME")
    if wanted not in roles and "text" not in roles:
        raise DataError(f"no column of the {wanted}, the columns are {listed(names)}", hint=_HINT)
    used = {*roles.values(), *layers.values()}
    extra = tuple(name for name in names if name not in used)
    return Layout(kind=kind, roles=roles, layers=layers, layer=layer, extra=extra)


def listed(names: Iterable[str]) -> str:
    """Return names for a message, the first twenty of them."""
    shown = list(names)
    return ", ".join(f"'{name}'" for name in shown[:20]) + (", …" if len(shown) > 20 else "")


def is_spans(value: Any) -> bool:
    """Return whether a value looks like spans, ``[[0, 2, "ORG"]]`` or ``[{"start": 0, …}]``, not like labels."""
    return isinstance(value, list | tuple) and all(isinstance(item, list | tuple | Mapping) for item in value)


def _kind(names: Sequence[str], ctx: LoadContext) -> Kind:
    """Return the kind that the task wants; without a task, the one that the names tell of."""
    if ctx.kind is not None:
        return ctx.kind
    telling = {"tokens", "spans"} & set(ctx.columns) or (
        "text" not in ctx.columns and set(names) & {*USUAL["tokens"], *USUAL["spans"]}
    )
    return "token" if telling else "text"


def _roles(names: Sequence[str], kind: Kind, given: Mapping[str, str]) -> dict[str, str]:
    roles = {role: given[role] for role in ROLES if role in given}
    taken = set(given.values())
    for role, usual in USUAL.items():
        if role in roles or (kind == "text" and role in ("tokens", "spans")):
            continue
        if found := [name for name in usual if name in names and name not in taken]:
            roles[role] = found[0]
    return roles


def _layers(names: Sequence[str], kind: Kind, layer: str, given: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    layers = {name: column for name, column in given.items() if name not in ROLES}
    for alias in _ANY_LAYER:
        # "label=stars" means the task's layer, whatever that is called
        if layer not in layers and alias in layers:
            layers[layer] = layers.pop(alias)
    if not layers:
        # the entities of a corpus are never taken for the tags of another task
        entities = ("ner_tags",) if layer == "labels" else ()
        usual = (layer, f"{layer}_tags", *_ANY_LAYER, *entities) if kind == "token" else (layer, "label", "labels")
        found = [name for name in usual if name in names and name not in taken]
        layers = {layer: found[0]} if found else {}
    return layers
