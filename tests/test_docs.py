"""What the documentation says runs, and covers every hook."""

from __future__ import annotations

import dataclasses
import doctest
import importlib.util
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import labelkit
from labelkit import hookspecs, records
from labelkit.events import Event
from labelkit.plugins.catalog import EVENT_HOOK, RECORD_HOOKS, Candidate, Catalog, find_candidates

DOCS = Path(__file__).parents[1] / "docs"
BEFORE = (DOCS / "how-to" / "write-a-plugin.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference" / "hooks.md").read_text(encoding="utf-8")
PAGE = BEFORE + REFERENCE
CONTEXT = labelkit.RunContext(folder=Path("run"))
HOOKS = (*RECORD_HOOKS, EVENT_HOOK)
RECORDS = [one for one in vars(records).values() if isinstance(one, type) and dataclasses.is_dataclass(one)]
EVENTS = [one for one in vars(labelkit.events).values() if isinstance(one, type) and issubclass(one, Event)]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def executed(text: str) -> ModuleType:
    module = ModuleType("documented")
    exec(compile(text, "docs/reference/hooks.md", "exec", dont_inherit=True), module.__dict__)
    return module


def catalog_of(*modules: ModuleType) -> Catalog:
    """Return a catalog of core and these plugins, called ``p0``, ``p1``, …"""

    def loading(module: ModuleType) -> Callable[[], object]:
        return lambda: module

    plugins = [Candidate(f"p{i}", "1", "docs", "docs", loading(module)) for i, module in enumerate(modules)]
    return Catalog([find_candidates()[0], *plugins])


# -- hooks ------------------------------------------------------------------------------------------------------------


def test_the_hooks_of_the_catalog_are_those_of_hookspecs() -> None:
    assert set(HOOKS) == {name for name in vars(hookspecs) if name.startswith("labelkit_")}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_a_heading_with_its_exact_signature(name: str) -> None:
    given = inspect.signature(getattr(hookspecs, name))
    parameters = ", ".join(f"{one.name}: {one.annotation}" for one in given.parameters.values()).replace("records.", "")
    result = given.return_annotation.replace("records.", "")
    assert REFERENCE.splitlines().count(f"### `{name}({parameters}) -> {result}`") == 1


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_gives_records_or_hears_of_events_and_nothing_else(name: str) -> None:
    given = inspect.signature(getattr(hookspecs, name))
    parameters, result = [], f"Iterable[records.{RECORD_HOOKS[name][1].__name__}]" if name in RECORD_HOOKS else "None"
    if name == EVENT_HOOK:
        parameters = ["event: Event", "ctx: records.RunContext"]
    assert [f"{one.name}: {one.annotation}" for one in given.parameters.values()] == parameters
    assert given.return_annotation == result


def test_no_heading_names_a_hook_that_is_gone() -> None:
    assert set(re.findall(r"^### `(labelkit_\w+)", REFERENCE, re.MULTILINE)) == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_the_example_in_every_hooks_docstring_runs_and_is_a_plugin(name: str) -> None:
    test = doctest.DocTestFinder(recurse=False).find(getattr(hookspecs, name), name)[0]
    assert test.examples
    plugin = ModuleType("example")
    del test.globs["annotations"]  # the module's own future is not that of the example
    runner = doctest.DocTestRunner()
    runner.run(test, clear_globs=False)
    assert runner.summarize().failed == 0
    plugin.__dict__.update({key: value for key, value in test.globs.items() if key == name})
    (info,) = [info for info in catalog_of(plugin).plugins if info.name == "p0"]
    assert (info.status, info.reason, info.hooks) == ("loaded", "", (name,))


@pytest.mark.parametrize("text", blocks(REFERENCE, "python"), ids=HOOKS)
def test_the_example_on_the_page_is_a_plugin(text: str) -> None:
    (info,) = [info for info in catalog_of(executed(text)).plugins if info.name == "p0"]
    assert (info.status, len(info.hooks)) == ("loaded", 1)


def test_the_event_hooks_example_watches(capsys: pytest.CaptureFixture[str]) -> None:
    module = executed(blocks(REFERENCE, "python")[-1])
    catalog_of(module).observers(CONTEXT)["p0"](labelkit.events.RunEnded(run="r", status="finished", seconds=1.0))
    assert capsys.readouterr().err == "done: finished\n"  # stdout belongs to the command


# -- the page ---------------------------------------------------------------------------------------------------------


def test_what_is_generated_is_not_stale() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "docs/reference/hooks.md", "docs/how-to/write-a-plugin.md"],
        cwd=DOCS.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_of_a_record_is_a_row_with_a_meaning(record: type) -> None:
    _, heading, rest = REFERENCE.partition(f"| field of `{record.__name__}` |")
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| .* \| (.*) \|$", rest.partition("\n\n")[0], re.MULTILINE))
    assert heading
    assert list(rows) == list(record.__dataclass_fields__)  # type: ignore[attr-defined]
    assert all(rows.values()), rows


@pytest.mark.parametrize("record", [*RECORDS, records.Output])
def test_every_method_of_a_record_is_a_row_with_what_it_does(record: type) -> None:
    kinds = (property, classmethod, FunctionType)
    fields = getattr(record, "__dataclass_fields__", ())
    found = {name for name, one in vars(record).items() if isinstance(one, kinds) and name not in fields}
    rows = dict(re.findall(r"^\| `(\w+).*?` \| (.*) \|$", _methods(record), re.MULTILINE))
    assert set(rows) == {name for name in found if not name.startswith("_")}
    assert all(rows.values())


def _methods(record: type) -> str:
    return REFERENCE.partition(f"| `{record.__name__}` can |")[2].partition("\n\n")[0]


def test_every_record_is_public() -> None:
    assert {record.__name__ for record in RECORDS} <= set(labelkit.__all__)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_a_row_with_its_fields(event: type) -> None:
    (row,) = re.findall(rf"^\| `{event.__name__}` \| (.*) \| .+ \|$", REFERENCE, re.MULTILINE)
    assert re.findall(r"`(\w+): ", row) == list(event.__dataclass_fields__)  # type: ignore[attr-defined]


def test_every_command_option_and_variable_that_the_page_names_exists() -> None:
    from labelkit.cli.main import COMMANDS

    assert set(re.findall(r"`labelkit (\w+)", BEFORE)) <= COMMANDS.keys()
    options = set(re.findall(r"--[a-z][a-z-]+", BEFORE)) - {"--no-deps", "--wheel-dir"}  # those are pip's
    source = "".join(path.read_text(encoding="utf-8") for path in (DOCS.parent / "core/labelkit/cli").glob("*.py"))
    assert all(f'"{option}"' in source for option in options), options


def test_importing_labelkit_gives_all_that_the_page_uses() -> None:
    used = set(re.findall(r"labelkit\.([A-Z]\w+)", PAGE))
    assert used <= set(labelkit.__all__)


def test_the_generator_reads_signatures_examples_and_fields_out_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("plugin_reference", DOCS / "generators" / "plugin_reference.py")
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    assert reference.signature(hookspecs.labelkit_event) == "labelkit_event(event: Event, ctx: RunContext) -> None"
    assert reference.example(hookspecs.labelkit_schemas).startswith("import labelkit\n@labelkit.hookimpl\n")
    rows = reference.flowing().splitlines()
    assert rows[0] == "### Example"
    assert "| `words` | `int` | required | words of the input (1 for a whole text) |" in rows
