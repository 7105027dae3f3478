"""Which column of a record (a JSON object, a row of a table) holds what, by ``--columns`` or by its usual names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from labelkit.errors import DataError, nearest
from labelkit.formats.column_hints import HINT, column_hint, pair_hint, text_hint
from labelkit.records import Kind, LoadContext

Record = Mapping[str, Any]
Role = Literal["tokens", "text", "pair", "spans", "id", "document", "sentence"]
ROLES: tuple[str, ...] = get_args(Role)
#: role → the column names that are tried when ``--columns`` names none
USUAL: Mapping[str, tuple[str, ...]] = {
    "tokens": ("tokens", "words", "tokenized_text"),
    "text": ("text", "sentence"),
    "pair": ("pair", "text_pair"),
    "spans": ("spans", "entities"),
    "id": ("id",),
    "document": ("document",),
}
#: column names for the labels of a task, whatever its layer is called
TASK_LAYER_NAMES = ("label", "labels", "tags")


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """What the columns of a record hold.

    :param roles: :data:`ROLES` → column, where there is one.
    :param layers: layer → column.
    :param layer: the layer that spans belong to.
    :param own: the columns that become the user's own fields of an example: all that hold neither text, words nor
        labels; the document as well.
    """

    kind: Kind
    roles: Mapping[str, str]
    layers: Mapping[str, str]
    layer: str
    own: tuple[str, ...]

    def value(self, role: Role, record: Record) -> str | None:
        """Return the value of the column of ``role`` as text; None if there is no column or no value."""
        value = record[self.roles[role]] if role in self.roles else None
        return None if value is None else str(value)

    def text(self, record: Record) -> str | None:
        """Return the text; None if there is no column of texts.

        :raises DataError: the text is missing or not a string; names no file.
        """
        if "text" not in self.roles:
            return None
        value = record[self.roles["text"]]
        if value is None:
            raise DataError("the text is missing", hint="give each record a text, or leave it out")
        if not isinstance(value, str):
            hint = "choose its column: --columns text=…"
            raise DataError(f"the text must be a string, not {value!r}"[:300], hint=hint)
        return value

    def pair(self, record: Record, *, blank: bool = False) -> str | None:
        """Return the second text of a pair of texts; None if there is no column of second texts.

        :param blank: it may be blank, as a text to be labelled may.
        :raises DataError: it is missing, blank, or not a string; names no file.
        """
        if "pair" not in self.roles:
            return None
        value = record[self.roles["pair"]]
        if isinstance(value, str) and (blank or value.strip()):
            return value
        if value is None or isinstance(value, str):
            where = f"the second text of the pair is missing: '{self.roles['pair']}' is empty"
            raise DataError(where, hint="give each record two texts, or leave it out")
        hint = "choose its column: --columns text=…,pair=…"
        raise DataError(f"the second text of the pair must be a string, not {value!r}"[:300], hint=hint)

    def words(self, record: Record) -> tuple[str, ...] | None:
        """Return the words; None if there is no column of words.

        :raises DataError: they are missing, or not a list of strings; names no file.
        """
        if "tokens" not in self.roles:
            return None
        value = record[self.roles["tokens"]]
        if value is None:
            raise DataError("the words are missing", hint="give each record words, or leave it out")
        if isinstance(value, list | tuple) and value and all(isinstance(word, Mapping) for word in value):
            value = [word.get("text") for word in value]  # the tokens of Prodigy
        if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
            hint = "choose their field: --columns tokens=…"
            if isinstance(value, str):
                hint += "; if each row is a word, name the column that tells sentences apart: sentence=…"
            raise DataError(f"the words must be a list of strings, not {value!r}"[:300], hint=hint)
        return tuple(value)

    @property
    def gliner(self) -> bool:
        """Whether the records are those of GLiNER, whose labels are spans that count words, with inclusive ends."""
        return self.roles.get("tokens") == "tokenized_text"

    def spans_column(self, record: Record) -> str | None:
        """Return the column of the spans if spans are the labels: no words are given, or the words have no tags."""
        column = self.layers.get(self.layer)
        if column is not None and ("tokens" not in self.roles or self.gliner) and is_spans(record[column]):
            return column
        return self.roles.get("spans") if column is None or "tokens" not in self.roles else None


def usual_layer(kind: Kind | None) -> str:
    """Return the layer that unnamed labels go to: ``labels`` of words, or the ``label`` of a text."""
    return "labels" if kind == "token" else "label"


def find_columns(names: Sequence[str], ctx: LoadContext) -> Columns:
    """Return what columns called ``names`` hold.

    :raises DataError: a column of ``--columns`` does not exist, or there is neither text nor words.
    """
    given = ctx.columns
    for role, name in given.items():
        if name not in names:
            raise DataError(
                f"no column '{name}' for '{role}', the columns are {listed(names)}", hint=_did_you_mean(name, names)
            )
    kind = ctx.kind or guess_kind(names, given)
    layer = ctx.layer or usual_layer(kind)
    roles = _role_columns(names, kind, ctx)
    layers = _layer_columns(names, kind, layer, given, taken=set(roles.values()))
    ignored = ctx.policy.labels == "ignored"
    if ignored and not {"text", "tokens"} & roles.keys():
        hint = pair_hint(names) or text_hint(names)
        raise DataError(f"no text and no words, the fields are {listed(names)}", hint=hint)
    needed = "text" if kind == "text" else "tokens"
    if needed not in roles and "text" not in roles:
        hint = pair_hint(names) or column_hint(names, layer, kind)
        raise DataError(f"no column of the {needed}, the columns are {listed(names)}", hint=hint)
    if "pair" in roles and kind == "token":
        raise DataError("pairs of texts are for labels of texts, these are words", hint="leave pair= out of --columns")
    used = {*roles.values(), *layers.values()}
    own = [name for name in names if name not in used]
    if not ignored and layers and "tokens" in roles and "spans" in roles:
        own.append(roles["spans"])  # words with tags: spans are not read
    if "document" in roles:
        own.append(roles["document"])
    return Columns(kind=kind, roles=roles, layers=layers, layer=layer, own=tuple(own))


def _did_you_mean(name: str, names: Sequence[str]) -> str:
    """Return the hint for an unknown column: the nearest ones, where there are any, and how to name columns."""
    close = nearest(name, names)
    return f"{close} {HINT}" if close.startswith("did") else HINT


def check_columns(path: object, ctx: LoadContext, names: Sequence[str]) -> None:
    """Check that a table with the columns ``names`` can be read.

    :raises DataError: a name occurs twice, or a column that is needed is missing; names the file.
    """
    if len(set(names)) < len(names):
        doubled = next(name for name, times in Counter(names).items() if times > 1)
        raise DataError(f"{path}: duplicate column '{doubled}'", hint="rename one of them")
    try:
        find_columns(names, ctx)
    except DataError as error:
        raise error.at(path) from error


def guess_kind(names: Iterable[str], given: Mapping[str, str]) -> Kind:
    """Return the kind of examples that columns called ``names`` hold, where no task determines it.

    :param given: role or layer → column, from ``--columns``.
    """
    if {"tokens", "spans"} & set(given):
        return "token"
    return "token" if "text" not in given and set(names) & {*USUAL["tokens"], *USUAL["spans"]} else "text"


def listed(names: Iterable[str]) -> str:
    """Return the first twenty names for a message."""
    shown = list(names)
    return ", ".join(f"'{name}'" for name in shown[:20]) + (", …" if len(shown) > 20 else "")


def is_spans(value: Any) -> bool:
    """Return whether a value looks like spans, ``[[0, 2, "ORG"]]`` or ``[{"start": 0, …}]``, not like labels."""
    return isinstance(value, list | tuple) and all(isinstance(item, list | tuple | Mapping) for item in value)


def _role_columns(names: Sequence[str], kind: Kind, ctx: LoadContext) -> dict[str, str]:
    given = ctx.columns
    roles = {role: given[role] for role in ROLES if role in given}
    taken = set(given.values())
    # whoever names the text and no second one has single texts
    single = kind == "token" or not ctx.policy.find_pairs or "text" in given
    for role, usual in USUAL.items():
        if role in roles or (kind == "text" and role in ("tokens", "spans")) or (role == "pair" and single):
            continue
        if found := [name for name in usual if name in names and name not in taken]:
            roles[role] = found[0]
    if "pair" in roles and "pair" not in given and "text" in roles:
        ctx.policy.assume(
            f"pairs of texts: the second text is '{roles['pair']}'",
            f"--columns text={roles['text']} reads single texts",
        )
    elif "pair" not in given:
        roles.pop("pair", None)  # no pair without a text
    return roles


def _layer_columns(
    names: Sequence[str], kind: Kind, layer: str, given: Mapping[str, str], taken: set[str]
) -> dict[str, str]:
    layers = {name: column for name, column in given.items() if name not in ROLES}
    for alias in TASK_LAYER_NAMES:
        # "label=stars" means the task's layer, whatever its name
        if layer not in layers and alias in layers:
            layers[layer] = layers.pop(alias)
    if not layers:
        # "ner_tags" of a corpus are never read as the tags of another task
        entities = ("ner_tags",) if layer == "labels" else ()
        usual = (
            (layer, f"{layer}_tags", *TASK_LAYER_NAMES, *entities) if kind == "token" else (layer, "label", "labels")
        )
        found = [name for name in usual if name in names and name not in taken]
        layers = {layer: found[0]} if found else {}
    return layers
