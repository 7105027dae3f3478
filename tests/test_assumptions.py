"""What readers assume: each line says how to say otherwise, by an option of a command or a change of the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelkit.records import Assumption, ReadingPolicy

CORE = Path(__file__).parent.parent / "core" / "labelkit"
#: words that tell users to change the file, where no option reads it otherwise
CHANGES = ("write", "name", "rename", "separate", "double", "unpack", "download", "field", "file for each", "set_ents",
           "convert", "labelkit run")  # fmt: skip


def calls_of(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    """Yield each call of a function or method of one of these names in core."""
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in names:
                yield path, node


def test_a_line_holds_what_was_assumed_and_how_to_say_otherwise() -> None:
    policy = ReadingPolicy()
    policy.assume("words are words (3)", "--set data.format=other")
    policy.assume("words are words (4)", "--set data.format=other")
    assert list(policy.assumptions) == ["words are words (3): --set data.format=other"]
    again = ReadingPolicy()
    again.add(policy)
    assert again.assumptions == policy.assumptions


def test_each_reader_says_how_to_say_otherwise() -> None:
    found = 0
    for path, call in calls_of("assume", "Assumption"):
        if path.name == "examples.py" and path.parent.name == "records":
            continue
        found += 1
        if len(call.args) == 1 and isinstance(call.args[0], ast.Starred):
            continue  # the arguments of an Assumption, which is another of these calls
        assert len(call.args) == 2, f"{path}:{call.lineno} does not say how to say otherwise"
        otherwise = call.args[1]
        if isinstance(otherwise, ast.Constant | ast.JoinedStr):
            text = ast.unparse(otherwise)
            said = "--" in text or "{option}" in text or any(change in text for change in CHANGES)
            assert said, f"{path}:{call.lineno}: {text}"
    assert found > 40


@pytest.mark.parametrize("otherwise", ["", " "])
def test_an_assumption_without_otherwise_is_refused(otherwise: str) -> None:
    with pytest.raises(ValueError, match="how to say otherwise"):
        ReadingPolicy().assume("words are words", otherwise)
    assert str(Assumption("a", "b")) == "a: b"
