"""The word lists and sentence patterns of the sample corpus, read from the TOML files in ``data/``.

A list is a block of text. Names are separated by commas and function words by white space; every other list holds one
entry a line:

- ``3 * text`` counts as three entries, so it is drawn three times as often. ``3 *`` is an empty entry, three times.
- ``@name`` stands for the entries of the list ``name`` above it in the same table.
- A line that ends with ``|`` continues on the next one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

Lists: TypeAlias = dict[str, tuple[str, ...]]

_WEIGHTED = re.compile(r"(\d+) \*(?: (.*))?")


@dataclass(frozen=True)
class Lexicon:
    """The entries that a ``{slot}`` of a pattern stands for.

    :param names: slot → proper names; a split is given its own share of them only.
    :param entities: slot → its entity type and the forms of its names.
    :param phrases: slot → lines in the pattern language, the same ones in every split.
    """

    names: Mapping[str, tuple[str, ...]]
    entities: Mapping[str, tuple[str, tuple[str, ...]]]
    phrases: Mapping[str, tuple[str, ...]]


@cache
def lexicon() -> Lexicon:
    """Return the names, name forms and phrases of the sample corpus."""
    names: Lists = {}
    entities: dict[str, tuple[str, tuple[str, ...]]] = {}
    for file in ("people", "places", "organizations", "things"):
        data = read_data(file)
        names |= comma_lists(data["names"])
        for entity, forms in data["forms"].items():
            entities |= {slot: (entity, lines) for slot, lines in line_lists(forms).items()}
    return Lexicon(names, entities, line_lists(read_data("phrases")))


@cache
def function_words() -> Mapping[tuple[str, str | None], str]:
    """Return (word, chunk type) → UPOS tag; the chunk type is None for the tag outside of the chunks listed."""
    data = read_data("function_words")
    chunks = [(None, data["words"]), *data["chunks"].items(), (None, data["overrides"])]
    return {(word, chunk): tag for chunk, tags in chunks for tag, words in tags.items() for word in words.split()}


@cache
def read_data(name: str) -> dict[str, Any]:
    """Return the tables of ``data/NAME.toml``."""
    from importlib.resources import files

    return tomllib.loads(files(__package__).joinpath("data", f"{name}.toml").read_text(encoding="utf-8"))


def comma_lists(table: Mapping[str, str]) -> Lists:
    """Return key → the comma-separated entries of its text, each once, in order."""
    return {
        key: tuple(dict.fromkeys(" ".join(name.split()) for name in text.split(","))) for key, text in table.items()
    }


def line_lists(table: Mapping[str, str]) -> Lists:
    """Return key → the entries of its text, one a line, with weights and references resolved."""
    lists: Lists = {}
    for key, text in table.items():
        entries: list[str] = []
        for line in filter(None, text.replace("|\n", "|").splitlines()):
            if line.startswith("@") and line[1:] in lists:
                entries += lists[line[1:]]
            elif weighted := _WEIGHTED.fullmatch(line):
                entries += [weighted[2] or ""] * int(weighted[1])
            else:
                entries.append(line)
        lists[key] = tuple(entries)
    return lists
