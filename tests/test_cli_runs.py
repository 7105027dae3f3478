"""The commands that ask the registry: what they print, on which stream, and what they say about bad input."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from labelkit.cli import main
from labelkit.cli.runs import COMMANDS
from labelkit.cli.runs import display as drawing
from labelkit.cli.runs import run_display as details
from labelkit.cli.runs.braille_chart import curve
from labelkit.cli.runs.fitted_table import Column, fit, table
from labelkit.console.text import shorten
from labelkit.registry import Home, PlanValue, Registry, RunRecord, SplitRecord, VersionRecord, nested
from labelkit.registry.comparison import ComparedScore
from labelkit.registry.filter_parser import split_names
from labelkit.registry.filters import COLUMNS, MANY
from labelkit.registry.views import VIEWS

START = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
LONG = "/data/" + "long/" * 60 + "wnut17"
HOSTILE = "[red]x[/red]\x1b[31m\n:smile:"
EXISTS = "exists already\n  name another file, or replace it with --force"
PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "registry.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Done]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Work in an empty folder, with a home that is not there yet."""
    monkeypatch.delenv("LABELKIT_REGISTRY", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    return Home(root=tmp_path / "home")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs ``labelkit runs`` with some arguments."""

    def run(*arguments: str | Path) -> Done:
        capsys.readouterr()
        status = main(["runs", *(str(argument) for argument in arguments)])
        return Done(status, *capsys.readouterr())

    return run


def record(registry: Registry, id_: str, minute: int = 0, *, test: str = "cccc", **facts: Any) -> None:
    """Record a finished run with three epochs."""
    given_: dict[str, Any] = {"data": "wnut17", "model": "bundled", "name": f"run-{id_}", "seed": minute}
    hashes = {"train": "aaaa", "validation": "bbbb", "test": test}
    run = RunRecord(
        id=id_,
        task="ner",
        kind="token",
        metric="seqeval",
        metric_key="f1",
        labelkit="0.1.0",
        started=START + timedelta(minutes=minute),
        plan=(
            PlanValue.of("train.learning_rate", 1e-4 * (minute + 1), "--lr"),
            PlanValue.of("train.optim", "x", "best"),
        ),
        versions=(VersionRecord(kind="library", name="torch", version="2.1"),),
        splits=tuple(
            SplitRecord(split=split, ref="d", content_hash=hash_ * 16, examples=3394, words=62730)
            for split, hash_ in hashes.items()
        ),
        **{**given_, **facts},
    )
    registry.recorder.start(run)
    for epoch, score in enumerate((0.3, 0.6, 0.5), 1):
        types = {"PER": {"precision": score, "recall": score, "f1": score, "support": 7}}
        registry.recorder.log_metrics(
            id_, task="ner", split="validation", metrics={"f1": score + minute / 100, "per_type": types},
            step=100 * epoch, epoch=epoch, chosen=epoch == 2, train_loss=1.0 / epoch,
        )  # fmt: skip
    registry.recorder.log_metrics(
        id_, task="ner", split="test", metrics={"f1": 0.5, "count": 12}, step=200, epoch=2, chosen=True
    )
    registry.recorder.finish(id_, "finished", seconds=61.5)


@pytest.fixture
def filled(home: Home) -> Home:
    """Return a home with the runs a, b and c, each a minute younger; c has other test data."""
    with Registry.open(home, create=True) as registry:
        record(registry, "a", 0)
        record(registry, "b", 1, synthetic=True, data="sample")
        record(registry, "c", 2, test="dddd", data=LONG)
        folder = home.runs / "c" / "best"
        folder.mkdir(parents=True)
        files = {"model.safetensors": (3 * 2**20, "ab" * 32)}
        registry.recorder.log_checkpoint("c", folder, step=200, epoch=2.0, best=True, files=files)
        registry.annotations.add_tags("c", "keep")
        registry.annotations.add_note("c", "odd\nrate")
        registry.aliases.assign("c", "production")
        registry.recorder.start(RunRecord(**{**vars_of(registry, "a"), "id": "dead", "pid": 2**30, "name": None}))
    return home


def vars_of(registry: Registry, run: str) -> dict[str, Any]:
    found = registry.runs.get(run).record
    return {name: getattr(found, name) for name in RunRecord.__dataclass_fields__}


def drawn(width: int, draw: Callable[[Console], Any]) -> list[str]:
    """Return the lines that ``draw`` prints on a terminal of ``width`` places."""
    stream = io.StringIO()
    draw(Console(file=stream, width=width, force_terminal=True, color_system=None, markup=False, emoji=False))
    return stream.getvalue().splitlines()


# -- list -------------------------------------------------------------------------------------------------------------


def test_a_list_in_a_pipe_has_one_whole_line_for_each_run(filled: Home, command: Command) -> None:
    done = command("list")
    assert (done.status, done.err) == (0, "")
    header, c, b, dead, a = done.out.splitlines()
    assert header.split() == [
        "run",
        "name",
        "status",
        "started",
        "data",
        "model",
        "metric",
        "validation",
        "test",
        "seconds",
        "tags",
    ]
    assert c.split() == [
        "c",
        "run-c",
        "finished",
        *c.split()[3:5],
        LONG,
        *["bundled", "f1", "0.6200", "0.5000", "62", "@production,", "keep"],
    ]
    assert "sample (synthetic)" in b
    assert a.endswith("62")
    assert dead.split()[1] == "stale"


def test_a_list_on_a_terminal_fits(filled: Home) -> None:
    with Registry.open(filled, create=False) as registry:
        found = registry.runs.search()
    for width in (50, 60, 80, 100, 120, 200):
        lines = drawn(width, lambda console: drawing.runs(console, found))
        assert len(lines) == 5
        assert max(map(cell_len, lines)) <= width
        assert "…" in lines[1] or width < 80
        if "data" in lines[0].split():
            assert " (synthetic)" in lines[2]
    left_out: list[tuple[str, ...]] = []
    drawn(80, lambda console: left_out.append(drawing.runs(console, found)))
    assert "seconds" in left_out[0]
    assert "validation" not in left_out[0]


def test_what_is_listed_can_be_chosen(filled: Home, command: Command) -> None:
    def listed(*options: str) -> list[str]:
        return [run["id"] for run in command("list", "--json", *options).document]

    assert listed() == ["c", "b", "dead", "a"]
    assert listed("--status", "stale") == ["dead"]
    assert listed("--status", "running") == []
    assert listed("--tag", "keep", "--task", "ner") == ["c"]
    assert listed("--data", "sample") == ["b"]
    assert listed("--model", "other") == []
    assert listed("--since", "2026-11-20T15:31Z", "--until", "2026-11-20T15:31Z") == ["b"]
    assert listed("--where", "validation.f1 > 0.6 and lr < 2.5e-4") == ["b"]
    assert listed("--sort", "-validation.f1", "--limit", "2") == ["c", "b"]
    assert listed("--limit", "1", "--all") == ["c", "b", "dead", "a"]
    assert listed("--group", "g") == []
    assert command("list", "--json", "--status", "stale").document[0]["status"] == "stale"


def test_columns_that_are_asked_for(filled: Home, command: Command) -> None:
    done = command("list", "--columns", "lr, validation.PER.f1,test.count,tag,status", "--where", "run in (a, c)")
    assert [line.split() for line in done.out.splitlines()] == [
        ["run", "lr", "validation.PER.f1", "test.count", "tag", "status"],
        ["c", "0.0003", "0.6000", "12", "keep", "finished"],
        ["a", "0.0001", "0.6000", "12", "–", "finished"],
    ]
    (c,) = command("list", "--columns", "lr", "--tag", "keep", "--json").document
    assert c["columns"] == {"lr": pytest.approx(3e-4)}


def test_a_list_that_is_cut_says_so(filled: Home, command: Command) -> None:
    assert "there are more than these 2: --limit N or --all" in command("list", "--limit", "2").err
    assert command("list", "--limit", "4").err == ""
    assert command("list", "--where", "name = nix").err == "no matching runs\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b", ["a", "b"]),
        (" a , ,b ,", ["a", "b"]),
        ('validation["x,y"].f1,lr', ['validation["x,y"].f1', "lr"]),
        ("validation['x,y'].f1", ["validation['x,y'].f1"]),
    ],
)
def test_names_are_separated_by_commas(text: str, names: list[str]) -> None:
    assert split_names(text) == names


# -- show -------------------------------------------------------------------------------------------------------------


def test_everything_about_a_run_is_shown(filled: Home, command: Command) -> None:
    with Registry.open(filled, create=True) as registry:
        registry.recorder.log_evaluation(
            "a", task="ner", ref="again", split="test", content_hash="dddd" * 16, examples=3, metrics={"f1": 0.25}
        )
        registry.recorder.log_output(
            "c", Path("out.jsonl"), step=200, kind="labelled", size=1, sha256="ef" * 32, records=5
        )
    done = command("show", "production")
    assert (done.status, done.err) == (0, "")
    for part in (
        *(
            "c  run-c ner@production #keep",
            "finished after 62 s",
            LONG,
            "odd␊rate",
            "validation (ner)",
            "PER",
            "test (ner)",
        ),
        *(
            "the test split was scored 2 times in this registry",
            "validation f1",
            "train loss",
            "step 100",
            "dddddddddddd",
        ),
        *("3.0 MiB", str(filled.runs / "c" / "best"), "train.learning_rate", "--lr", "library torch", "count 12"),
        *("labelled: ", "out.jsonl"),
    ):
        assert part in done.out, part
    assert "missing" not in done.out
    assert re.search("[\u2801-\u28ff]", done.out)
    assert "again" in command("show", "a").out


def test_the_json_of_a_run_has_everything(filled: Home, command: Command) -> None:
    document = command("show", "c", "--json").document
    assert document["scores"]["validation"]["ner"]["per_type"]["PER"]["f1"] == 0.6
    assert len(document["metrics"]) == 20
    assert (document["aliases"], document["tags"], document["test_scored"]) == (["ner@production"], ["keep"], 1)
    assert command("show", "dead", "--json").document["status"] == "stale"


def test_checkpoints_that_are_gone_or_elsewhere_are_told(filled: Home, command: Command) -> None:
    (filled.runs / "c" / "best").rmdir()
    assert f"missing: {filled.runs}" in command("show", "c").out
    (filled.root / "store.json").unlink()
    Home(root=filled.root).create()
    assert "elsewhere (" in command("show", "c").out


def test_a_terminal_of_any_width_shows_a_run(filled: Home) -> None:
    with Registry.open(filled, create=False) as registry:
        found = registry.runs.get("c")
    for width in (20, 40, 80, 300):
        assert len(drawn(width, lambda console: details.details(console, found, nested(found.scores)))) > 20


def test_several_candidates_are_listed(home: Home, command: Command) -> None:
    with Registry.open(home, create=True) as registry:
        for minute in range(12):
            record(registry, f"ner-{minute:02}", minute)
    done = command("show", "ner-")
    assert (done.status, done.out) == (1, "")
    lines = done.err.splitlines()
    assert lines[0] == "error: 'ner-' is ambiguous"
    assert [line.split()[0] for line in lines[1:11]] == [f"ner-{minute:02}" for minute in range(11, 1, -1)]
    assert re.fullmatch(r"  ner-11  \d{4}-\d\d-\d\d \d\d:\d\d  finished     wnut17", lines[1])
    assert lines[11:] == ["  …", "  give more of the id"]


# -- compare and best -------------------------------------------------------------------------------------------------


def test_a_comparison_shows_what_differs(filled: Home, command: Command) -> None:
    done = command("compare", "a", "c")
    assert (done.status, done.err) == (0, "")
    for part in (
        "train.learning_rate",
        "note: the test data differ: test scores cannot be compared",
        "0.6200 (+0.0200)",
    ):
        assert part in done.out, part
    for part in ("train.optim", "library torch", "PER"):
        assert part not in done.out, part
    every = command("compare", "a", "c", "--all", "--per-type").out
    assert all(part in every for part in ("train.optim", "library torch", "validation.PER.f1"))
    document = command("compare", "a", "b", "c", "--json").document
    assert document["runs"] == ["a", "b", "c"]
    assert [one["name"] for one in document["settings"]] == ["train.learning_rate"]
    assert [one["split"] for one in document["splits"]] == ["test"]
    assert {one["type"] for one in document["scores"]} == {None}


def test_memory_is_compared_in_the_unit_in_which_it_is_shown(filled: Home, command: Command) -> None:
    with Registry.open(filled, create=False) as registry:
        for run, memory in (("a", 3 * 2**30), ("b", 2**19)):
            registry.recorder.update(run, peak_memory=memory)
    lines = command("compare", "a", "b", "c").out.splitlines()
    (row,) = [line.split() for line in lines if "peak_memory" in line]
    assert row == ["peak_memory", "3,072.0", "MiB", "0.5", "MiB", "–"]
    assert "peak memory  3,072.0 MiB" in command("show", "a").out


def test_counts_are_whole_and_scores_are_not(home: Home, command: Command) -> None:
    figures: tuple[dict[str, float], ...] = (
        {"repaired": 0, "gaps": 0, "f1": 0.0},
        {"repaired": 310, "gaps": 3, "f1": 1.0},
        {"repaired": 1},
    )
    with Registry.open(home, create=True) as registry:
        for minute, (id_, test) in enumerate(zip("abc", figures, strict=True)):
            record(registry, id_, minute)
            registry.recorder.log_metrics(id_, task="ner", split="test", metrics=test, step=200, epoch=2, chosen=True)
        empty = {"f1": 0.0, "repaired": 0, "improper": 0, "seen_train": 0, "seen_validation": 1, "accepted": 1}
        registry.recorder.log_evaluation(
            "a", task="ner", ref="again", split="all", content_hash="eeee" * 16, examples=3, metrics=empty
        )
    rows = {line.split()[0]: line.split()[1:] for line in command("compare", "a", "b", "c").out.splitlines() if line}
    assert rows["test.repaired"] == ["0", "310", "(+310)", "1", "(+1)"]
    assert rows["test.gaps"] == ["0", "3", "(+3)", "–"]
    assert rows["test.f1"] == ["*", "0.0000", "1.0000", "(+1.0000)", "–"]
    shown = command("show", "a").out
    assert "repaired 0\n" in shown.replace(", ", "\n")
    assert "repaired 0.0000" not in shown
    counts = ("improper 0", "seen_train 0", "seen_validation 1", "accepted 1")
    assert all(re.search(rf"\b{count}(,|\n)", shown) for count in counts)
    assert "f1 0.0000" in shown


def test_an_unknown_column_is_told_only_what_resembles_it(filled: Home, command: Command) -> None:
    assert "did you mean" not in command("list", "--columns", "lr,bogus").err
    assert "did you mean data.columns or command?" in command("list", "--columns", "column").err
    assert (
        "did you mean train.learning_rate or train.head_learning_rate?"
        in command("list", "--columns", "learning_rat").err
    )


def test_a_comparison_needs_two_runs(filled: Home, command: Command) -> None:
    assert command("compare").status == command("compare", "a").status == 2
    assert command("compare", "a", "nix").status == 1


def test_a_ranking_names_what_to_write(filled: Home, command: Command) -> None:
    done = command("best", "ner")
    assert (done.status, done.err) == (0, "")
    first, header, *rows = done.out.splitlines()
    assert first.startswith(f"ner@best  on {LONG}: highest f1 of seqeval, validation bbbbbbbbbbbb, runs: 3")
    assert [row.split()[:2] for row in rows] == [["1", "c"], ["2", "b"], ["3", "a"]]
    assert header.split()[:2] == ["run", "name"]
    (ranking,) = command("best", "--group", "bbbb", "--limit", "1", "--json").document
    assert ([run["id"] for run in ranking["runs"]], ranking["count"]) == (["c"], 3)
    assert [run["id"] for run in command("best", "--data", "wnut17", "--json").document[0]["runs"]] == ["a"]
    assert command("show", ranking["reference"], "--json").document["record"]["id"] == "c"
    assert command("best", "pos").status == 1
    assert command("best", "--data", "x", "--group", "y").status == 2


# -- query and export -------------------------------------------------------------------------------------------------


def test_sql_is_printed_as_table_csv_and_json(filled: Home, command: Command) -> None:
    sql = "SELECT run, validation, NULL AS missing FROM v_runs WHERE run < 'c' ORDER BY run"
    assert [line.split() for line in command("query", sql).out.splitlines()] == [
        ["run", "validation", "missing"],
        ["a", "0.6"],
        ["b", "0.61"],
    ]
    assert command("query", sql, "--csv").out == "run,validation,missing\na,0.6,\nb,0.61,\n"
    assert command("query", sql, "--json").document[1] == {"run": "b", "validation": 0.61, "missing": None}
    assert command("query", "SELECT 1e999 AS x", "--json").document == [{"x": None}]
    done = command("query", "DROP TABLE runs")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("error: the query failed: only one SELECT is taken")


def test_a_long_answer_is_cut_on_a_terminal_only(filled: Home, command: Command) -> None:
    sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300) SELECT x FROM c"
    assert len(command("query", sql).out.splitlines()) == 301


def test_tables_are_exported(filled: Home, command: Command, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(command("export").out)))
    assert [row["run"] for row in rows] == ["a", "dead", "b", "c"]
    assert (rows[3]["validation.f1"], rows[3]["tags"], rows[1]["status"]) == ("0.62", "keep", "stale")
    assert [row["run"] for row in command("export", "--json", "--where", "tag = keep").document] == ["c"]
    assert command("export", "--long", "--format", "json").document[0]["run"] == "a"
    for name in ("x.csv", "x.json", "x.parquet"):
        done = command("export", "-o", tmp_path / name)
        assert (done.status, done.out) == (0, "")
        assert re.search(r"4 rows, \d+ columns", done.err)
        assert (tmp_path / name).stat().st_size > 100
    again = command("export", "-o", tmp_path / "x.csv")
    assert (again.status, again.err) == (1, f"error: {tmp_path}/x.csv {EXISTS}\n")
    assert command("export", "-o", tmp_path / "x.csv", "--force", "--json").document["rows"] == 4
    assert command("export", "-o", tmp_path).status == 1
    for name in ("r.xyz", "r"):
        odd = command("export", "-o", tmp_path / name)
        assert (odd.status, odd.err.splitlines()) == (
            1,
            [
                f"error: {tmp_path / name}: unknown file extension",
                "  end it in .csv, .json, .parquet, or add --format",
            ],
        )
        assert not (tmp_path / name).exists()
        assert command("export", "-o", tmp_path / name, "--format", "csv").status == 0
    assert command("export", "--format", "parquet").status == 2
    assert command("export", "--format", "csv", "--json").status == 2


# -- everywhere -------------------------------------------------------------------------------------------------------


def test_an_empty_home_answers_and_stays_empty(command: Command, tmp_path: Path) -> None:
    assert "labelkit run ner makes one" in command("list").err
    assert command("query", "SELECT * FROM v_runs", "--json").document == []
    assert command("export", "--json").document == []
    assert command("best").err.startswith("error: no finished run with a validation score\n")
    assert command("compare", "a", "b").status == 1
    assert list(tmp_path.iterdir()) == []


def test_text_of_users_is_shown_literally(home: Home, command: Command) -> None:
    with Registry.open(home, create=True) as registry:
        for minute, id_ in enumerate(("a", "b")):
            record(registry, id_, minute, data=HOSTILE, name=f"{HOSTILE}{id_}", model=f"{HOSTILE}{minute}")
        registry.annotations.add_note("a", HOSTILE)
        registry.annotations.add_tags("a", "x")
    for arguments in (
        *(("list",), ("list", "--columns", "data,note"), ("show", "a"), ("compare", "a", "b"), ("best",)),
        *(("query", "SELECT data FROM v_runs"), ("list", "--where", f'nix = "{HOSTILE}"'), ("show", f"{HOSTILE}x")),
    ):
        done = command(*arguments)
        assert "\x1b" not in done.out + done.err
        assert "[red]x[/red]␛[31m" in done.out + done.err or "'nix'" in done.err
    assert [row["data"] for row in csv.DictReader(io.StringIO(command("export").out, newline=""))] == [HOSTILE] * 2


@pytest.mark.slow
def test_no_question_loads_more_than_it_needs(filled: Home) -> None:
    questions = [["list", "--where", "validation.f1 > 0"], ["show", "c"], ["best"], ["compare", "a", "b"]]
    questions += [["query", "SELECT 1"], ["export"]]
    script = f"""
import sys
from labelkit.cli import main
for question in {questions!r}:
    assert main(["runs", *question]) == 0, question
heavy = {{"torch", "transformers", "datasets", "evaluate", "alembic", "pyarrow", "pandas", "numpy", "sqlalchemy.orm"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["list", "show", "compare", "best", "query", "export"])
def test_every_question_has_help(command: Command, name: str) -> None:
    done = command(name, "--help")
    assert done.status == 0
    assert name in COMMANDS
    assert len(COMMANDS[name][2]) < 50


def test_the_page_documents_the_views_as_they_are(home: Home) -> None:
    documented = re.findall(r"^\| `(v_\w+)` \| .+ \| ((?:`\w+` ?)+) \|$", PAGE, re.MULTILINE)
    with Registry.open(home, create=True) as registry:
        actual = {view: list(registry.query(f"SELECT * FROM {view}").columns) for view in VIEWS}
    assert {view: re.findall(r"`(\w+)`", columns) for view, columns in documented} == actual


def test_the_page_documents_every_name_option_and_command() -> None:
    (row,) = [line for line in PAGE.splitlines() if line.endswith("| a fact about the run |")]
    assert re.findall(r"`(\w+)`", row) == list(COLUMNS)
    assert all(f"`{name}`" in PAGE for name in MANY)
    for name in ("list", "show", "compare", "best", "query", "export"):
        assert f"## labelkit runs {name}" in PAGE
    from labelkit.cli.runs import compare as comparing
    from labelkit.cli.runs import list_runs as listing
    from labelkit.cli.runs import query as asking

    for command_ in (listing.list_runs, comparing.compare, comparing.best, asking.query, asking.export):
        common = {"--json", "--debug", "--no-plugin", "--trace-plugins"}
        options = {name for one in command_.params for name in (*one.opts, *one.secondary_opts) if name[:2] == "--"}
        assert {name for name in options - common if f"`{name}" not in PAGE} <= {"--output", "--wide"}


def test_the_conditions_and_the_python_of_the_page_work(filled: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    conditions = PAGE.partition("### Conditions")[2].split("```")[1].strip().splitlines()
    assert len(conditions) == 4
    python = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "Registry.open" in block]
    monkeypatch.chdir(filled.root)
    filled.root.joinpath("labelkit-runs").symlink_to(filled.root)
    exec(compile(python[0], "docs/reference/registry.md", "exec"), {})
    with Registry.open(filled, create=True) as registry:
        registry.recorder.log_metrics(
            "a", task="ner", split="validation", step=9, epoch=9, chosen=True,
            metrics={"f1": 0.9, "per_type": {"creative-work": {"recall": 1}}},
        )  # fmt: skip
        for condition in conditions:
            registry.runs.search(where=condition)


# -- drawing ----------------------------------------------------------------------------------------------------------


def test_a_curve_goes_where_the_figures_go() -> None:
    lines = curve([(0, 0.0), (1, 1.0), (2, 0.0)], width=10, height=4)
    assert [line[:6] for line in lines] == ["1.0000", " " * 6, " " * 6, "0.0000"]
    drawing_ = [line[7:] for line in lines]
    assert all(len(line) == 10 for line in drawing_)
    top, bottom = drawing_[0], drawing_[-1]
    assert top.strip("\u2800") == top[4:6]
    assert bottom[0] != "\u2800"
    assert bottom[-1] != "\u2800"
    assert bottom[3:7].strip("\u2800") == ""


VALUES = st.one_of(st.none(), st.floats())


@given(
    points=st.lists(st.tuples(st.integers(0, 10**9), VALUES), max_size=20),
    width=st.integers(1, 80),
    height=st.integers(1, 10),
)
def test_any_figures_can_be_drawn(points: list[tuple[int, float | None]], width: int, height: int) -> None:
    lines = curve(points, width=width, height=height)
    assert len(lines) in (0, height)
    assert len({len(line) for line in lines}) <= 1
    assert all(set(line[-width:]) <= {chr(code) for code in range(0x2800, 0x2900)} for line in lines)


@given(text=st.text(max_size=40), width=st.integers(0, 30))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    shown = shorten(text, width)
    assert cell_len(shown) <= max(width, 0)
    if cell_len(text) <= width:
        assert shown == text


@given(widths=st.lists(st.integers(0, 60), min_size=1, max_size=6), total=st.integers(20, 120))
def test_columns_shrink_before_they_are_left_out(widths: list[int], total: int) -> None:
    columns = [Column("", least=5 if index % 2 else 0, leave=index) for index in range(len(widths))]
    found = fit(columns, widths, total)
    fits = sum(widths) + 2 * (sum(map(bool, widths)) - 1) <= total
    assert (found == widths) == (fits or found == widths)
    assert found[0] == widths[0]
    assert all(new == 0 or new == old or new >= 5 for new, old in zip(found, widths, strict=True))
    assert all(new <= old for new, old in zip(found, widths, strict=True))


def test_wide_letters_count_twice() -> None:
    lines = drawn(
        30, lambda console: table(console, [Column("a", least=6), Column("b")], [("日本語" * 10, "x"), ("y", "z")])
    )
    assert max(map(cell_len, lines)) <= 30
    assert {line.rstrip()[-1] for line in lines} == {"b", "x", "z"}


def test_scores_of_several_tasks_are_named_by_their_task() -> None:
    score = ComparedScore(
        task="pos", split="test", type=None, name="f1", key=False, comparable=True, values=(0.5, 0.25),
        differences=(0.0, -0.25),
    )  # fmt: skip
    assert drawing._score(score, several=True) == ("pos.test.f1", "0.5000", "0.2500 (-0.2500)")
    assert drawing._score(score, several=False)[0] == "test.f1"
