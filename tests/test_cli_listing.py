"""The commands that list plugins and what they supply: as JSON and as tables, whatever plugins do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from labelkit.cli import main
from labelkit.cli.data_display import print_label_counts
from labelkit.cli.runs.display import significance
from labelkit.data.summary import Lengths, SplitSummary
from labelkit.evaluation.comparison import SignificanceTest
from labelkit.metrics.significance import ScoreDifference

pytest_plugins = ("fake_distributions",)

Install = Callable[..., None]
HEAD = "import labelkit\nfrom pathlib import Path\n@labelkit.hookimpl\ndef "
TASK = HEAD + (
    "labelkit_tasks():\n    yield labelkit.Task(name='pets', summary='[red]cats[/red] \\x1b[31mdogs', kind='token', "
    "layer='pets', source='sample', metrics=('seqeval', 'accuracy'){})\n"
)
FORMAT = HEAD + (
    "labelkit_formats():\n    yield labelkit.Format(name='notes', kinds=('token', 'text'), suffixes=('.n', '.note'), "
    "read=lambda path, ctx: [])\n"
)
SETTINGS = (
    "import dataclasses, labelkit\nfrom pathlib import Path\nfrom typing import Annotated, Literal\n"
    "@dataclasses.dataclass(frozen=True)\nclass Pets:\n"
    "    types: Annotated[tuple[str, ...], labelkit.Doc('[b]which[/b]')] = ('cat',)\n"
    "    file: Path | None = Path('a/b')\n    mode: Literal['day', 'night'] = 'dusk'\n"
    "@labelkit.hookimpl\ndef labelkit_settings():\n    yield labelkit.Settings(name='pets', fields=Pets)\n"
)
METRIC = HEAD + "labelkit_metrics():\n    yield labelkit.Metric(name='seqeval', kind='token', key='f1', compute=len)\n"


@dataclass(frozen=True)
class Done:
    """What a command left."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder without LABELKIT_PLUGINS; whatever was listed, nothing may be written there."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("LABELKIT_PLUGINS", raising=False)
    monkeypatch.setattr("signal.signal", lambda *given: None)  # main() listens for SIGTERM
    yield
    assert list(folder.iterdir()) == []


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs ``labelkit`` with some arguments."""

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        status = main(arguments)
        return Done(status, *capsys.readouterr())

    return run


@pytest.fixture
def rows(command: Command) -> Callable[..., dict[str, dict[str, Any]]]:
    """Return a function that gives what a list prints with ``--json``, by name (recipes: ``task/name``)."""

    def read(*arguments: str) -> dict[str, dict[str, Any]]:
        done = command(*arguments, "--json")
        assert (done.status, done.err) == (0, "")
        found = json.loads(done.out)
        return {f"{row['task']}/{row['name']}" if "task" in row else row["name"]: row for row in found}

    return read


Rows = Callable[..., dict[str, dict[str, Any]]]


def table(done: Done) -> tuple[list[str], dict[str, str]]:
    """Return the columns of a table and its lines by their first word."""
    assert (done.status, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    return first.split(), {line.split()[0]: " ".join(line.split()) for line in lines}


# -- tasks ------------------------------------------------------------------------------------------------------------


def test_tasks_as_json(rows: Rows) -> None:
    found = rows("tasks")
    assert list(found) == ["chunk", "ner", "pos", "textcls"]
    assert found["ner"] == {
        "name": "ner",
        "kind": "token",
        "layer": "ner",
        "source": "sample",
        "metrics": ["seqeval"],
        "recipes": ["best", "guide", "quickstart"],
        "plugin": "ner",
        "summary": "named entities: persons, places, organizations and whatever types the data has",
    }


def test_tasks_as_a_table_with_a_third_partys_text_shown_literally(install: Install, command: Command) -> None:
    install("pets", TASK.format(""))
    columns, lines = table(command("tasks"))
    assert columns == ["name", "kind", "source", "metrics", "recipes", "plugin", "summary"]
    assert lines["pets"].startswith("pets token sample seqeval, accuracy best, quickstart pets [red]cats[/red] ")
    assert "\x1b" not in lines["pets"]


# -- recipes ----------------------------------------------------------------------------------------------------------


def test_recipes_as_json(rows: Rows) -> None:
    found = rows("recipes")
    assert {f"{task}/{name}" for task in ("ner", "pos") for name in ("quickstart", "best", "guide")} <= found.keys()
    guide = found["ner/guide"]
    assert guide["settings"]["train.learning_rate"] == 2e-5
    assert guide["settings"]["data"] == "wnut17"
    assert guide["summary"].startswith("the Hugging Face token-classification guide")


def test_recipes_as_a_table(command: Command) -> None:
    done = command("recipes")
    columns, _ = table(done)
    assert columns == ["task", "name", "summary"]
    assert "ner best ours: what scored best" in " ".join(done.out.split())


@pytest.mark.parametrize("given", ["Path({!r})", "{!r}"])  # a folder as a path, and as text
def test_a_recipe_that_cannot_be_used_says_so_and_does_not_hide_the_others(
    given: str, install: Install, rows: Rows, command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "bad.toml").write_text("modle = 'x'", encoding="utf-8")
    (folder / "good.toml").write_text("summary = 'fine'\nmodel = 'x'", encoding="utf-8")
    install("pets", TASK.format(f", recipes={given.format(str(folder))}"))
    found = rows("recipes")
    assert found["pets/good"] == {"task": "pets", "name": "good", "summary": "fine", "settings": {"model": "x"}}
    assert found["pets/bad"]["summary"].startswith(f"invalid: recipe {folder}/bad.toml: unknown setting 'modle'")
    assert "ner/best" in found
    assert "pets" in table(command("recipes"))[1]


# -- formats ----------------------------------------------------------------------------------------------------------


def test_formats_as_json_and_as_a_table(install: Install, rows: Rows, command: Command) -> None:
    install("notes", FORMAT)
    found = rows("formats")
    assert found["notes"] == {
        "name": "notes",
        "kinds": ["token", "text"],
        "suffixes": [".n", ".note"],
        "reads": True,
        "writes": False,
        "summary": "",
    }
    assert (found["conll"]["reads"], found["conll"]["writes"]) == (True, True)
    columns, lines = table(command("formats"))
    assert columns == ["name", "kinds", "suffixes", "reads", "writes", "summary"]
    assert lines["notes"] == "notes token, text .n, .note yes no"


# -- metrics, sources, decoders, preprocessors, encoders ---------------------------------------------------------------

#: command → a record of core or of the plugins beside it
OTHERS = {
    "metrics": ("seqeval", {"kind": "token", "plugin": "core"}),
    "sources": ("sample-reviews", {"kind": "text", "plugin": "core"}),
    "decoders": ("viterbi", {"kind": "token", "plugin": "core"}),
    "preprocessors": ("lowercase", {"kind": "token", "plugin": "lower"}),
    "encoders": ("hub", {"plugin": "core"}),
}
LOWER = HEAD + (
    "labelkit_preprocessors():\n    yield labelkit.Preprocessor(name='lowercase', kind='token', apply=len, "
    "summary='[red]lower case')\n"
)


@pytest.mark.parametrize("name", OTHERS)
def test_other_records_as_json_and_as_a_table(name: str, install: Install, rows: Rows, command: Command) -> None:
    install("lower", LOWER)
    record, expected = OTHERS[name]
    found = rows(name)[record]
    assert found == {"name": record, **expected, "summary": found["summary"]}
    columns, lines = table(command(name))
    assert columns == list(found)
    assert lines[record] == " ".join(" ".join(found.values()).split())


def test_a_list_without_records_is_empty(command: Command) -> None:
    assert json.loads(command("preprocessors", "--json", "--no-plugin", "ner").out) == []
    assert table(command("preprocessors"))[0] == ["name", "kind", "plugin", "summary"]


# -- plugins ----------------------------------------------------------------------------------------------------------


def test_plugins_as_json(install: Install, rows: Rows) -> None:
    install("good-notes", FORMAT, plugin="notes")
    install("bad", "import no_such_module")
    install("taker", METRIC)
    found = rows("plugins", "--no-plugin", "pos")
    assert list(found) == ["core", "chunk", "ner", "pos", "textcls", "bad", "notes", "taker"]
    assert found["notes"] == {
        "name": "notes",
        "version": "1.0",
        "origin": "good-notes (good_notes)",
        "hooks": ["labelkit_formats"],
        "status": "loaded",
        "reason": "",
        "notes": [],
        "settings": [],
    }
    assert (found["pos"]["status"], found["pos"]["reason"]) == ("blocked", "blocked by --no-plugin")
    assert (found["bad"]["status"], found["bad"]["hooks"]) == ("failed", [])
    assert found["bad"]["reason"] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert (
        found["taker"]["reason"]
        == "metric 'seqeval' comes from 'core' and 'taker'; block one of them: --no-plugin taker"
    )


def test_plugins_as_a_table(install: Install, command: Command) -> None:
    install("bad", "raise RuntimeError('[bold]no[/bold]')")
    columns, lines = table(command("plugins"))
    assert columns == ["name", "version", "origin", "hooks", "status", "reason"]
    assert lines["bad"] == "bad 1.0 bad (bad) failed RuntimeError: [bold]no[/bold]"
    assert "labelkit (labelkit_ner) tasks loaded" in lines["ner"]


def test_the_settings_of_plugins_are_listed(install: Install, command: Command, rows: Rows) -> None:
    assert "setting" not in command("plugins").out
    install("keeper", SETTINGS)
    found = rows("plugins")
    assert found["keeper"]["settings"] == [
        {"name": "pets.types", "type": "tuple[str, ...]", "default": ["cat"], "summary": "[b]which[/b]"},
        {"name": "pets.file", "type": "pathlib.Path | None", "default": "a/b", "summary": ""},
        # its type refuses the default: a run says so, a list shows it
        {"name": "pets.mode", "type": "Literal['day', 'night']", "default": "'dusk'", "summary": ""},
    ]
    assert found["ner"]["settings"] == []
    shown = [" ".join(line.split()) for line in command("plugins").out.splitlines()]
    assert "plugin setting type default summary" in shown
    assert 'keeper pets.types tuple[str, ...] ["cat"] [b]which[/b]' in shown


@pytest.mark.parametrize("name", [*OTHERS, "tasks", "recipes", "formats"])
def test_a_broken_plugin_stops_no_list(name: str, install: Install, command: Command) -> None:
    before = command(name)
    install("bad", "raise SystemExit(7)")
    assert command(name) == before


@pytest.mark.parametrize(
    ("named", "loaded"),
    [("", ["core"]), ("ner", ["core", "ner"]), (" ner , pos", ["core", "ner", "pos"]), ("notes", ["core", "notes"])],
)
def test_the_environment_limits_what_is_loaded(
    named: str, loaded: list[str], install: Install, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("notes", FORMAT)
    monkeypatch.setenv("LABELKIT_PLUGINS", named)
    found = rows("plugins")
    assert [name for name, row in found.items() if row["status"] == "loaded"] == loaded
    assert {row["reason"] for row in found.values()} == {"", "not named in LABELKIT_PLUGINS"}


def test_several_plugins_can_be_blocked(install: Install, rows: Rows) -> None:
    install("notes", FORMAT)
    found = rows("plugins", "--no-plugin", "notes", "--no-plugin", "ner")
    assert [name for name, row in found.items() if row["status"] == "blocked"] == ["ner", "notes"]


def test_the_trace_goes_to_stderr_and_leaves_the_document_alone(install: Install, command: Command) -> None:
    install("notes", FORMAT)
    done = command("formats", "--json", "--trace-plugins")
    assert "notes" in [row["name"] for row in json.loads(done.out)]
    told = [line.partition(": ") for line in done.err.splitlines()]
    assert {"import core", "import notes", "notes.labelkit_formats"} <= {what for what, _, _ in told}
    assert all(time.endswith(" ms") for _, _, time in told)


def test_tables_of_labels_and_of_scores_by_type_are_capped(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=200)
    labels = {f"label{number}": 300 - number for number in range(120)}
    lengths = Lengths(min=1, median=1, mean=1, p95=1, max=1)
    figures = SplitSummary(
        name="train", examples=1, words=1, documents=0, labels=labels, spans={}, lengths=lengths, carved=False
    )
    print_label_counts(console, [figures], {}, "texts")
    out = capsys.readouterr().out
    assert "label49 " in out
    assert "label50" not in out
    assert re.search(rf"and 70 more\s+{sum(range(181, 251)):,}", out)
    differences = [
        ScoreDifference(name="f1", type=type_, first=0.5, second=0.5, difference=0.0, interval=(0.0, 0.0), p_value=1.0)
        for type_ in (None, *labels)
    ]
    tested = SignificanceTest(
        first="a", second="b", split="test", content_hash="", examples=1, metric="m", differences=tuple(differences)
    )
    significance(console, tested, "B", per_type=True)
    out = capsys.readouterr().out
    assert "label79.f1" in out
    assert "label80" not in out
    assert "and 40 more scores of label types: --json has all" in out
    significance(console, tested, "B", per_type=False)
    assert "more scores" not in capsys.readouterr().out
