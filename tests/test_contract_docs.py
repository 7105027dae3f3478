"""What ``docs/reference/contract.md`` says runs, and its lists are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from broken_packages import METRIC
from labelkit.testing import Check, check_plugin
from labelkit.testing.checks import check_specs

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "reference" / "contract.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_what_is_generated_is_not_stale() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "docs/reference/contract.md"],
        cwd=DOCS.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_check_is_a_row_with_what_holds() -> None:
    rows = dict(re.findall(r"^\| `([a-zA-Z]+-[a-zA-Z-]+)` \| (.+?) \| .*\|$", PAGE, re.MULTILINE))
    assert {name: spec.description for name, spec in check_specs()} == rows


NUMBERS = [
    pytest.param(number, marks=[pytest.mark.slow] if "check_plugin(" in block else [])  # it trains and starts processes
    for number, block in enumerate(BLOCKS)
]


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a plugin that can be imported and is not installed."""
    module = ModuleType("mine")
    exec(METRIC, module.__dict__)
    monkeypatch.setitem(sys.modules, "mine", module)
    return module


@pytest.mark.parametrize("number", NUMBERS)
def test_the_blocks_run(number: int, mine: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, object] = {}
    exec(compile(BLOCKS[number], "docs/reference/contract.md", "exec"), space)
    assert capsys.readouterr().out == ""
    assert ("test_contract" in space) == ("@contract" in BLOCKS[number])


def test_the_catalog_of_a_plugin_that_is_not_installed_is_made_as_the_page_says(mine: ModuleType) -> None:
    (block,) = [block for block in BLOCKS if "Candidate(" in block]
    space: dict[str, Any] = {}
    exec(block, space)
    assert [(info.name, info.status) for info in space["catalog"].plugins] == [("core", "loaded"), ("mine", "loaded")]
    assert [outcome.check for outcome in check_plugin("mine", catalog=space["catalog"]) if outcome.failed] == []


def test_three_lines_are_three() -> None:
    assert len([line for line in BLOCKS[0].splitlines() if line]) == 3


def test_a_check_is_what_the_page_says() -> None:
    from labelkit.testing import Broken, checks

    check = next(iter(checks("chunk")))
    assert isinstance(check, Check)
    assert check.name == "plugin-loads"
    assert (Broken("w", "c").why, Broken("w", "c").change) == ("w", "c")
