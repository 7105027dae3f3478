"""What can be asked of the registry in Python: lists, rankings, comparisons, SQL and tables."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from labelkit import registry as public
from labelkit.errors import RegistryError
from labelkit.registry import Home, PlanValue, Registry, ResultTable, RunRecord, SplitRecord, VersionRecord
from labelkit.registry import comparison as compare
from labelkit.registry.export import TableFormat, as_text, write
from labelkit.registry.views import VIEWS

START = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
NEW = {"ComparedScore", "ComparedSplit", "ComparedValue", "Comparison", "Ranking", "ResultTable"}


@pytest.fixture
def registry(registry_home: Home) -> Iterator[Registry]:
    """Return an empty registry on each database."""
    with Registry.open(registry_home, create=True) as registry:
        yield registry


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(Home(root=tmp_path / "home"), create=True) as registry:
        yield registry


def finish(registry: Registry, id_: str, score: float | None = 0.5, *, minute: int = 0, **facts: Any) -> None:
    """Record a run from start to end, with scores of validation and, half as high, of test."""
    given: dict[str, Any] = {
        "task": "ner",
        "kind": "token",
        "data": "wnut17",
        "model": "bundled",
        "metric": "seqeval",
        "metric_key": "f1",
        "labelkit": "0.1.0",
        "seed": 1,
        "started": START + timedelta(minutes=minute),
    }
    hashes = facts.pop("hashes", {"train": "aaaa", "validation": "bbbb", "test": "cccc"})
    splits = tuple(
        SplitRecord(split=name, ref=f"d:{name}", content_hash=hash_, examples=2, words=9)
        for name, hash_ in hashes.items()
    )
    run = RunRecord(id=id_, **{**given, "splits": splits, **facts})
    registry.recorder.start(run)
    for split, factor in (("validation", 1.0), ("test", 0.5)) if score is not None else ():
        value = None if score is None else score * factor
        metrics = {"f1": value, run.metric_key: value, "mode": "strict", "per_type": {"a.b": {"f1": value}}}
        registry.recorder.log_metrics(id_, task=run.task, split=split, metrics=metrics, step=1, epoch=1.0, chosen=True)
    registry.recorder.finish(id_, "finished", seconds=10.0)


def ids(found: Any) -> list[str]:
    return [run.id for run in found]


# -- lists ------------------------------------------------------------------------------------------------------------


def test_filters_are_met_together(registry: Registry) -> None:
    of_runs: dict[str, dict[str, Any]] = {"a": {}, "b": {"data": "x"}, "c": {"model": "y"}, "d": {"task": "pos"}}
    of_runs["e"] = {"group": "g"}
    for minute, (id_, facts) in enumerate(of_runs.items()):
        finish(registry, id_, minute=minute, **facts)
    registry.annotations.add_tags("a", "good", "old")
    registry.annotations.add_tags("b", "old")
    assert ids(registry.runs.search()) == ["e", "d", "c", "b", "a"]
    assert ids(registry.runs.search(data="x")) == ["b"]
    assert ids(registry.runs.search(model="y", task="ner")) == ["c"]
    assert ids(registry.runs.search(group="g")) == ["e"]
    assert ids(registry.runs.search(tags=["old"])) == ["b", "a"]
    assert ids(registry.runs.search(tags=["old", "good"])) == ["a"]
    assert ids(registry.runs.search(since="2026-11-21T15:33Z")) == ["e", "d"]
    assert ids(registry.runs.search(until="2026-11-21T15:31:00Z", status="finished")) == ["b", "a"]
    assert ids(registry.runs.search(tags=["old"], where="data = x")) == ["b"]
    assert ids(registry.runs.search(limit=2)) == ["e", "d"]
    assert registry.runs.search(tags=["none"]) == []


def test_tags_and_aliases_are_told(registry: Registry) -> None:
    finish(registry, "a")
    finish(registry, "b", minute=1)
    registry.annotations.add_tags("a", "z", "b")
    registry.aliases.assign("a", "production")
    registry.aliases.assign("a", "later")
    registry.aliases.assign("b", "later")
    b, a = registry.runs.search()
    assert (a.tags, a.aliases) == (("b", "z"), ("ner@production",))
    assert (b.tags, b.aliases) == ((), ("ner@later",))
    (shown,) = registry.runs.search(columns=["tag", "alias", "note", "lr"], where="run = a")
    assert shown.columns == {"tag": "b, z", "alias": "production", "note": None, "lr": None}


def test_columns_are_settings_figures_and_facts(registry: Registry) -> None:
    plan = (PlanValue.of("train.learning_rate", 1e-4), PlanValue.of("data.format", None), PlanValue.of("decoder", "x"))
    finish(registry, "a", 0.75, plan=plan)
    names = ["lr", "data.format", "decoder", "validation.f1", 'validation["a.b"].f1', "test.mode", "status", "started"]
    (run,) = registry.runs.search(columns=names)
    assert list(run.columns.values()) == [1e-4, None, "x", 0.75, 0.75, "strict", "finished", START]


def test_sorting_puts_those_without_a_value_last(registry: Registry) -> None:
    for id_, score, rate in (("a", 0.5, 2), ("b", None, 1), ("c", 0.7, "auto"), ("d", 0.6, 3)):
        finish(registry, id_, score, plan=(PlanValue.of("train.learning_rate", rate),))
    assert ids(registry.runs.search(sort="validation.f1")) == ["a", "d", "c", "b"]
    assert ids(registry.runs.search(sort="-validation.f1")) == ["c", "d", "a", "b"]
    assert ids(registry.runs.search(sort="lr")) == ["b", "a", "d", "c"]
    assert ids(registry.runs.search(sort="-run", limit=1)) == ["d"]
    with pytest.raises(RegistryError, match="cannot sort by tag"):
        registry.runs.search(sort="tag")
    with pytest.raises(RegistryError, match="is called 'nix'"):
        registry.runs.search(columns=["nix"])


# -- best -------------------------------------------------------------------------------------------------------------


def test_runs_are_ranked_in_groups_that_may_be_compared(registry: Registry) -> None:
    finish(registry, "low", 0.4, minute=0)
    finish(registry, "tie-old", 0.6, minute=1)
    finish(registry, "tie-new", 0.6, minute=2)
    finish(registry, "other", 0.9, minute=3, data="conll2003", hashes={"validation": "dddd"})
    finish(registry, "none", None, minute=4)
    finish(registry, "pos", 0.9, minute=5, task="pos")
    other, wnut = registry.runs.rankings("ner")
    assert (other.reference, ids(other.runs), other.content_hash) == ("ner@best:conll2003", ["other"], "dddd")
    assert (wnut.reference, ids(wnut.runs), wnut.count) == ("ner@best:wnut17", ["tie-new", "tie-old", "low"], 3)
    for group in (other, wnut):
        assert registry.runs.find(group.reference).id == group.runs[0].id
    assert [ids(group.runs) for group in registry.runs.rankings("ner", group="bbb", limit=1)] == [["tie-new"]]
    assert [group.task for group in registry.runs.rankings()] == ["ner", "ner", "pos"]
    assert [group.reference for group in registry.runs.rankings("pos")] == ["pos@best"]


def test_a_lower_figure_may_be_better_and_test_never_counts(registry: Registry) -> None:
    for id_, score in (("a", 0.5), ("b", 0.2)):
        finish(registry, id_, score, metric_key="loss", higher_is_better=False)
    finish(registry, "c", 0.2, metric_key="loss", higher_is_better=False, minute=-1)
    registry.recorder.log_metrics("c", task="ner", split="test", metrics={"loss": 0.0}, step=2, epoch=2.0, chosen=True)
    (group,) = registry.runs.rankings("ner")
    assert ids(group.runs) == ["b", "c", "a"]


def test_sample_corpora_come_last_and_never_take_the_short_reference(registry: Registry) -> None:
    finish(registry, "real", 0.5)
    finish(registry, "sample", 0.9, minute=1, synthetic=True, data="sample", hashes={"validation": "eeee"})
    real, sample = registry.runs.rankings("ner")
    assert (real.reference, real.synthetic) == ("ner@best", False)
    assert (sample.reference, sample.synthetic) == ("ner@best:sample", True)


def test_a_reference_means_the_best_of_its_group_whatever_the_data_was_called(registry: Registry) -> None:
    finish(registry, "a", 0.9, data="here/")
    finish(registry, "b", 0.5, data="there/", minute=1)
    finish(registry, "c", 0.7, data="here/", hashes={"validation": "ffff"})
    finish(registry, "d", 0.8, data="here/", metric="other", hashes={"validation": "ffff"})
    found = {group.runs[0].id: group.reference for group in registry.runs.rankings("ner")}
    assert found == {"a": "ner@best:bbbb", "c": "c", "d": "d"}
    for run, reference in found.items():
        assert registry.runs.find(reference).id == run


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"task": "pos"}, "no finished run of 'pos' with a validation score"),
        ({"task": "ner", "group": "nix"}, "no finished ner run on 'nix'"),
        ({"group": "nix"}, "no finished run with a validation score"),
    ],
)
def test_nothing_to_rank_is_an_error(on_sqlite: Registry, asked: dict[str, Any], message: str) -> None:
    finish(on_sqlite, "a")
    with pytest.raises(RegistryError) as caught:
        on_sqlite.runs.rankings(**asked)
    assert caught.value.message == message


# -- compare ----------------------------------------------------------------------------------------------------------


def a_version(version: str) -> tuple[VersionRecord, ...]:
    return (VersionRecord(kind="library", name="torch", version=version),)


def test_a_comparison_tells_what_differs(registry: Registry) -> None:
    same = PlanValue.of("train.optim", "adamw_torch")
    finish(registry, "a", 0.5, plan=(same, PlanValue.of("train.lr", 1)), versions=a_version("1"), device_type="cpu")
    finish(registry, "b", 0.75, plan=(same, PlanValue.of("train.x", None)), versions=a_version("2"), seed=2)
    found = registry.runs.compare("a", "b")
    assert (found.runs, found.statuses, found.seconds, found.notes) == (("a", "b"), ("finished",) * 2, (10.0,) * 2, ())
    assert {one.name: one.values for one in found.facts if one.differs} == {
        "seed": (1, 2),
        "device_type": ("cpu", None),
    }
    assert {one.name: one.values for one in found.settings if one.differs} == {
        "train.lr": ("1", None),
        "train.x": (None, "null"),
    }
    assert [one.name for one in found.settings] == ["train.lr", "train.optim", "train.x"]
    assert [(one.name, one.values) for one in found.versions] == [("library torch", ("1", "2"))]
    assert [(one.split, one.differs) for one in found.splits] == [
        ("train", False),
        ("validation", False),
        ("test", False),
    ]
    scores = [(one.split, one.type, one.name) for one in found.scores]
    assert scores == [
        *(("validation", None, "f1"), ("validation", None, "mode"), ("validation", "a.b", "f1")),
        *(("test", None, "f1"), ("test", None, "mode"), ("test", "a.b", "f1")),
    ]
    first = found.scores[0]
    assert (first.values, first.differences, first.key, first.comparable) == ((0.5, 0.75), (0.0, 0.25), True, True)
    assert (found.scores[1].values, found.scores[1].differences) == (("strict",) * 2, (None, None))


def test_scores_on_other_examples_are_not_comparable(on_sqlite: Registry) -> None:
    finish(on_sqlite, "a")
    finish(on_sqlite, "b", hashes={"train": "xxxx", "validation": "bbbb", "test": "yyyy"}, metric="other")
    finish(on_sqlite, "c", None, hashes={"validation": "bbbb"}, task="pos")
    found = on_sqlite.runs.compare("a", "b", "c")
    assert found.notes == (
        "the tasks differ: ner, ner, pos",
        "the metrics differ: seqeval, other, seqeval",
        "the train data differ",
        "the test data differ: test scores cannot be compared",
    )
    assert {one.split: one.comparable for one in found.scores if one.task == "ner"} == {
        "validation": True,
        "test": False,
    }
    assert [one.content_hashes for one in found.splits][2] == ("cccc", "yyyy", None)
    assert on_sqlite.runs.compare("a", "c").notes == ("the tasks differ: ner, pos",)


def test_a_task_of_several_is_compared_with_a_run_of_its_own(on_sqlite: Registry) -> None:
    finish(on_sqlite, "a")
    alone = on_sqlite.runs.get("a")
    own = alone.record.splits
    both = [replace(one, content_hash="both") for one in own]
    splits = (*(replace(one, split=f"ner.{one.split}") for one in own), *both)
    joint = replace(alone, record=replace(alone.record, id="b", task="ner+pos", splits=splits))
    found = compare.compare([alone, joint])
    assert found.notes == ("the tasks differ: ner, ner+pos",)
    assert {one.comparable for one in found.scores} == {True}
    assert [one.content_hashes for one in found.splits if one.split == "ner.test"] == [("cccc", "cccc")]
    changed = tuple(replace(one, content_hash="other") for one in splits)
    other = compare.compare([alone, replace(joint, record=replace(joint.record, splits=changed))])
    assert {"the ner.train data differ", "the ner.test data differ: ner.test scores cannot be compared"} <= set(
        other.notes
    )
    assert {one.comparable for one in other.scores} == {False}


def test_a_figure_that_is_no_number_has_no_difference(on_sqlite: Registry) -> None:
    finish(on_sqlite, "a", math.nan)
    finish(on_sqlite, "b", 0.5)
    first = on_sqlite.runs.compare("a", "b").scores[0]
    assert (first.values, first.differences) == ((None, 0.5), (None, None))


def test_one_run_is_no_comparison(on_sqlite: Registry) -> None:
    finish(on_sqlite, "a")
    with pytest.raises(RegistryError, match="two runs or more"):
        on_sqlite.runs.compare("a")
    with pytest.raises(RegistryError, match="no run 'b'"):
        on_sqlite.runs.compare("a", "b")


# -- query ------------------------------------------------------------------------------------------------------------


def test_sql_reads_the_views(registry: Registry) -> None:
    finish(registry, "a", 0.5)
    finish(registry, "b", 0.75, minute=1)
    found = registry.query("SELECT run, validation, test FROM v_runs ORDER BY run")
    assert found == ResultTable(columns=("run", "validation", "test"), rows=(("a", 0.5, 0.25), ("b", 0.75, 0.375)))
    assert found.records()[1] == {"run": "b", "validation": 0.75, "test": 0.375}
    assert registry.query("WITH x AS (SELECT 1 AS n) SELECT n, n, 'é%' AS t FROM x;").records() == [
        {"n": 1, "n_2": 1, "t": "é%"}
    ]
    for view in VIEWS:
        assert registry.query(f"SELECT count(*) FROM {view}").rows[0][0] >= 0


WRITING = [
    "DELETE FROM runs",
    "UPDATE runs SET status = 'failed'",
    "INSERT INTO tags VALUES ('a', 'x')",
    "DROP VIEW v_runs",
    "CREATE TABLE x (y integer)",
    "SELECT 1; DELETE FROM runs",
    "COMMIT; DELETE FROM runs",
    "WITH gone AS (DELETE FROM runs RETURNING id) SELECT * FROM gone",
    "",
    "   ",
    "-- nothing",
    "nonsense",
    "SELECT '\0'",
    "SELECT '\ud800'",
    "SELECT nix FROM v_runs",
    "SELECT * FROM nix",
]
SQLITE_ONLY = [
    "ATTACH 'other.db' AS other",
    "PRAGMA query_only = OFF",
    "PRAGMA table_info(runs)",
    "VACUUM INTO 'copy.db'",
    "BEGIN IMMEDIATE",
    "SELECT load_extension('x')",
    "REINDEX",
]


def everything(registry: Registry) -> list[Any]:
    with registry._database.session() as connection:
        found = [connection.exec_driver_sql(f"SELECT * FROM {name}").all() for name in ("runs", "tags", "scores")]
        return [*found, sorted(sa.inspect(connection).get_view_names())]


def test_nothing_but_one_select_is_taken(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    finish(registry, "a")
    before = everything(registry)
    files = sorted(path.name for path in tmp_path.iterdir())
    for sql in (*WRITING, *SQLITE_ONLY):
        if registry.home.url and sql == "REINDEX":
            continue
        with pytest.raises(RegistryError) as caught:
            registry.query(sql)
        assert "\n" not in str(caught.value), sql
        assert caught.value.hint, sql
    assert everything(registry) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == files


#: what a read-only transaction would let a superuser do, and ways of hiding it; {} is a file
PRIVILEGED = [
    "COPY (SELECT 1) TO PROGRAM 'touch {}'",
    "COPY (SELECT 1) TO '{}'",
    "SELECT pg_reload_conf()",
    "SELECT pg_catalog.pg_reload_conf ()",
    'SELECT "pg_reload_conf"()',
    'SELECT U&"pg_reload\\005Fconf"()',
    "SELECT PG_Reload_Conf /* a /* b */ c */ ()",
    "SELECT pg_reload_conf -- a\n ()",
    "SELECT * FROM pg_reload_conf()",
    "SELECT 1 WHERE (SELECT pg_reload_conf())",
    "SELECT query_to_xml('SELECT pg_reload_conf()', true, true, '')",
    "SELECT E'\\'', pg_reload_conf(), ''",
    "SELECT $a$ ' $a$, pg_reload_conf(), ' '",
    "SELECT set_config('role', 'none', true)",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
    "SELECT pg_read_file('{}')",
    "SELECT lo_export(1, '{}')",
    "SELECT pg_advisory_lock(1)",
    "SELECT * INTO copied FROM runs",
    "SELECT id FROM runs FOR UPDATE",
    "WITH gone AS (INSERT INTO tags VALUES ('a', 'x') RETURNING tag) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM runs",
    "DO $$ BEGIN PERFORM pg_reload_conf(); END $$",
    "CALL nothing()",
    "RESET ROLE",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
]


@pytest.mark.parametrize("registry_home", ["postgresql"], indirect=True)
def test_a_superuser_can_do_nothing_but_read_with_a_query(registry: Registry, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    loaded = registry.query("SELECT pg_conf_load_time() AS loaded").rows
    for sql in PRIVILEGED:
        with pytest.raises(RegistryError, match="the query failed") as caught:
            registry.query(sql.replace("{}", str(tmp_path / "written")))
        assert "\n" not in str(caught.value), sql
    assert registry.query("SELECT pg_conf_load_time() AS loaded").rows == loaded
    assert not (tmp_path / "written").exists()
    rows = registry.query("SELECT current_user, random() < 2, count(*) FILTER (WHERE true) OVER () FROM v_runs").rows
    assert rows == ()
    assert registry.query("SELECT current_user AS role").rows == (("pg_read_all_data",),)


def test_a_mistake_names_views_and_columns(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"views: v_runs, v_params, .*docs/reference/registry\.md"):
        registry.query("SELECT * FROM nix")
    with pytest.raises(RegistryError, match=r"v_tags has run, tag"):
        registry.query("SELECT nix FROM v_tags")


def test_values_of_any_kind_become_plain(on_sqlite: Registry) -> None:
    finish(on_sqlite, "a")
    (row,) = on_sqlite.query("SELECT x'00ff', NULL, 1e999, 2, CAST(x'ff41' AS TEXT)").rows
    assert row == ("00ff", None, math.inf, 2, "\ufffdA")
    with pytest.raises(RegistryError, match="too big"):
        on_sqlite.query("SELECT zeroblob(200000000)")


ENDLESS = {
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "postgresql": "SELECT pg_sleep(60)",
}


def test_a_query_without_end_is_given_up(registry: Registry) -> None:
    sql = ENDLESS["postgresql" if registry.home.url else "sqlite"]
    with pytest.raises(RegistryError, match=r"took longer than 0\.2 s"):
        registry.query(sql, seconds=0.2)
    assert registry.query("SELECT 1").rows == ((1,),)


def test_a_query_can_be_interrupted(on_sqlite: Registry) -> None:
    finish(on_sqlite, "a")
    # what a shell starts in the background ignores Ctrl-C
    before_it = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):  # unheard, it would end as a query that took too long
        on_sqlite.query(ENDLESS["sqlite"], seconds=60)
    signal.signal(signal.SIGINT, before_it)


def test_without_a_registry_the_views_are_empty_and_nothing_is_made(tmp_path: Path) -> None:
    with Registry.open(Home(root=tmp_path / "home"), create=False) as empty:
        assert empty.query("SELECT run FROM v_runs") == ResultTable(columns=("run",), rows=())
        assert empty.query("SELECT count(*) AS n FROM v_scores").rows == ((0,),)
        with pytest.raises(RegistryError, match="only one SELECT"):
            empty.query("DELETE FROM runs")
        with pytest.raises(RegistryError, match="v_runs has run, name"):
            empty.query("SELECT nix FROM v_runs")
        assert empty.runs.search() == []
    assert list(tmp_path.iterdir()) == []


def test_a_registry_that_may_only_be_read_can_be_asked(on_sqlite: Registry, tmp_path: Path) -> None:
    finish(on_sqlite, "a")
    on_sqlite.close()
    with closing(sqlite3.connect(on_sqlite.home.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    home = replace(on_sqlite.home, url=f"sqlite:///{on_sqlite.home.database.as_uri()}?immutable=1&uri=true")
    with Registry.open(home, create=False) as registry:
        assert registry.query("SELECT run FROM v_runs").rows == (("a",),)


# -- export -----------------------------------------------------------------------------------------------------------


def test_a_wide_table_has_a_row_for_each_run(registry: Registry) -> None:
    plan = (PlanValue.of("train.learning_rate", 1e-4), PlanValue.of("data", "other"), PlanValue.of("data.format", None))
    finish(registry, "a", 0.75, plan=plan)
    finish(registry, "b", None, minute=1, git_dirty=True)
    registry.annotations.add_tags("a", "y", "x")
    registry.aliases.assign("a", "production")
    table = registry.runs.export()
    assert table.columns[:3] == ("run", "name", "group")
    assert len(set(table.columns)) == len(table.columns)
    a, b = table.records()
    wanted = {"run": "a", "data": "wnut17", "started": START, "tags": "x,y", "aliases": "ner@production", "test": 0.375}
    wanted |= {"train.learning_rate": 1e-4, "data.format": None, "status": "finished", "git_dirty": None}
    wanted |= {"validation.f1": 0.75, 'validation["a.b"].f1': 0.75, "test.mode": "strict", "validation": 0.75}
    assert {name: a[name] for name in wanted} == wanted
    assert (b["run"], b["validation.f1"], b["tags"], b["git_dirty"]) == ("b", None, None, True)
    assert [row["run"] for row in registry.runs.export(where="validation.f1 > 0.5").records()] == ["a"]


def test_a_long_table_has_a_row_for_each_score(registry: Registry) -> None:
    finish(registry, "a", 0.75)
    table = registry.runs.export(long=True, where="task = ner")
    assert table.columns == ("run", "task", "split", "type", "name", "value", "text", "step", "epoch")
    assert [row[2:7] for row in table.rows] == [
        ("test", "", "f1", 0.375, None),
        ("test", "", "mode", None, "strict"),
        ("test", "a.b", "f1", 0.375, None),
        ("validation", "", "f1", 0.75, None),
        ("validation", "", "mode", None, "strict"),
        ("validation", "a.b", "f1", 0.75, None),
    ]
    assert registry.runs.export(long=True, where="task = pos").rows == ()


MIXED = ResultTable(
    columns=("text", "number", "mixed", "flag", "time", "empty"),
    rows=(('a "b",\nc\ud800', 1, 1, True, START, None), (None, 0.5, "auto", False, None, None)),
)


def write_file(table: ResultTable, path: Path, format_: TableFormat) -> None:
    with path.open("wb") as stream:
        write(table, stream, format_)


def test_csv_and_json_hold_every_kind_of_value(tmp_path: Path) -> None:
    write_file(MIXED, tmp_path / "x.csv", "csv")
    header, first, second = csv.reader(io.StringIO((tmp_path / "x.csv").read_text(encoding="utf-8"), newline=""))
    assert header == list(MIXED.columns)
    assert first == ['a "b",\nc\\ud800', "1", "1", "true", START.isoformat(), ""]
    assert second == ["", "0.5", "auto", "false", "", ""]
    rows = json.loads(as_text(MIXED, "json"))
    assert rows[1] == {"text": None, "number": 0.5, "mixed": "auto", "flag": False, "time": None, "empty": None}
    assert (rows[0]["flag"], rows[0]["time"]) == (True, START.isoformat())


def test_parquet_columns_have_one_type(tmp_path: Path) -> None:
    from pyarrow import parquet

    write_file(MIXED, tmp_path / "x.parquet", "parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.schema.names == list(MIXED.columns)
    kinds = ["string", "double", "string", "bool", "timestamp[us, tz=UTC]", "string"]
    assert [str(field.type) for field in table.schema] == kinds
    assert table.to_pylist()[1] == {**dict.fromkeys(MIXED.columns), "number": 0.5, "mixed": "auto", "flag": False}
    write_file(ResultTable(columns=("a",), rows=()), tmp_path / "none.parquet", "parquet")
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


# -- many runs --------------------------------------------------------------------------------------------------------


def benchmark() -> Any:
    path = Path(__file__).parents[1] / "benchmarks" / "registry.py"
    spec = importlib.util.spec_from_file_location("registry_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("runs", [120, pytest.param(10_000, marks=pytest.mark.slow)])
def test_questions_are_answered_right_among_many_runs(tmp_path: Path, runs: int) -> None:
    module = benchmark()
    home = Home(root=tmp_path / "home")
    module.fill(home, runs, 30)
    rows = [list(module.a_run(number, 30)) for number in range(runs)]
    facts = [next(row for table, row in each if table == "runs") for each in rows]
    f1 = {
        row["run"]: row["value"]
        for each in rows
        for table, row in each
        if table == "scores" and (row["split"], row["name"], row["type"]) == ("validation", "f1", "")
    }
    rates = {
        row["run"]: row["number"]
        for each in rows
        for table, row in each
        if table == "plan_values" and row["key"] == "train.learning_rate"
    }
    assert len(f1) == len(rates) == runs
    with Registry.open(home, create=False) as registry:
        assert ids(registry.runs.search(limit=50)) == [row["id"] for row in reversed(facts)][:50]
        assert len(registry.runs.search()) == runs
        ner = sorted((row["id"] for row in facts if row["task"] == "ner"), key=lambda run: -f1[run])
        (group,) = registry.runs.rankings("ner", limit=10)
        assert (ids(group.runs), group.count, group.reference) == (ner[:10], len(ner), "ner@best")
        wanted = {run for run, value in f1.items() if value > 0.7 and rates[run] < 1e-4}
        assert set(ids(registry.runs.search(where="validation.f1 > 0.7 and lr < 1e-4"))) == wanted
        assert ids(registry.runs.search(sort="-validation.f1", limit=5)) == sorted(f1, key=lambda run: -f1[run])[:5]
        assert len(registry.runs.export().rows) == runs


def test_the_records_are_public_and_come_late() -> None:
    assert set(public.__all__) >= NEW
    assert public.Comparison is compare.Comparison
    with pytest.raises(AttributeError, match="no attribute 'nix'"):
        _ = public.nix
