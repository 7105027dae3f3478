"""Conditions as people write them: what they mean, and what is said about those that mean nothing."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from labelkit.config.requests import FLAGS
from labelkit.errors import RegistryError
from labelkit.registry import Home, PlanValue, Registry, RunRecord, SplitRecord
from labelkit.registry.filter_parser import (
    And,
    Expression,
    Name,
    Not,
    Or,
    Predicate,
    Value,
    parse,
    parse_name,
    parse_time,
)
from recorded_runs import leave_lock

NOW = datetime.now(UTC).replace(microsecond=0)
NO_PROCESS = 2**30
HOSTILE = "'; DROP TABLE runs; --"


def a_comparison(text: str, operator: Any, value: str, *, quoted: bool = False) -> Predicate:
    return Predicate(Name(text, (text,)), operator, Value(value, quoted))


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr<1e-4", a_comparison("lr", "<", "1e-4")),
        ("validation.f1 >= .5", a_comparison("validation.f1", ">=", ".5")),
        ("lr == -1", a_comparison("lr", "=", "-1")),
        ("name != x", Not(a_comparison("name", "=", "x"))),
        ("name <> x", Not(a_comparison("name", "=", "x"))),
        ("name ~ 'a b'", a_comparison("name", "~", "a b", quoted=True)),
        ("name CONTAINS x", a_comparison("name", "~", "x")),
        ('name = "say ""hi"""', a_comparison("name", "=", 'say "hi"', quoted=True)),
        ("data = org/name@v1:train", a_comparison("data", "=", "org/name@v1:train")),
        ("name is null", a_comparison("name", "null", "null")),
        ("name IS NOT NULL", Not(a_comparison("name", "null", "null"))),
        ("synthetic", a_comparison("synthetic", "true", "true")),
        ("status in (failed)", Or((a_comparison("status", "=", "failed"),))),
        (
            "seed not in (1, 2)",
            Not(Or((a_comparison("seed", "=", "1"), a_comparison("seed", "=", "2")))),
        ),
        (
            "a or b and not c",
            Or(
                (
                    a_comparison("a", "true", "true"),
                    And((a_comparison("b", "true", "true"), Not(a_comparison("c", "true", "true")))),
                )
            ),
        ),
        (
            "(a or b) and c",
            And(
                (
                    Or((a_comparison("a", "true", "true"), a_comparison("b", "true", "true"))),
                    a_comparison("c", "true", "true"),
                )
            ),
        ),
    ],
)
def test_what_a_condition_means(text: str, expected: Expression) -> None:
    assert parse(text) == expected


def test_a_type_with_any_letters_stands_in_brackets() -> None:
    name = parse_name('validation["creative work."].f1')
    assert name == Name('validation["creative work."].f1', ("validation", "creative work.", "f1"))
    assert parse_name("validation.creative-work.f1").parts == ("validation.creative-work.f1",)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "cannot read '' at the end: expected the name"),
        ("lr <", "cannot read 'lr <' at the end: expected a value"),
        ("lr << 3", "at '< 3' (character 5): expected a value"),
        ("lr < 3 4", "at '4' (character 8): expected and, or, or the end"),
        ("0.1 < lr", "at '0.1 < lr' (character 1): expected the name"),
        ("'lr' < 1", "at ''lr' < 1' (character 1): expected the name"),
        ("(lr < 1", "at the end: expected )"),
        ("lr < 1)", "at ')' (character 7): expected and, or"),
        ("name = 'x", "at ''x' (character 8): this quote is not closed"),
        ("lr ! 1", "at '! 1' (character 4): expected != here"),
        ("name is 3", "at '3' (character 9): expected null after is"),
        ("name not 3", "at '3' (character 10): expected in after not"),
        ("name in 3", "at '3' (character 9): expected ("),
        ("name in ()", "at ')' (character 10): expected a value"),
        ("name = and", "at 'and' (character 8): expected a value"),
        ("validation['x'] > 1", "at '> 1' (character 17): expected the figure"),
        ("a\0b = 1", "(character 2): no database holds this character"),
        ("a = '\ud800'", "(character 6): no database holds this character"),
        ("(" * 1000, "nested too deeply"),
        ("not " * 1000 + "a", "nested too deeply"),
        (" and ".join(["lr < 1"] * 101), "more than 100 comparisons"),
        (f"seed in ({','.join(['1'] * 101)})", "more than 100 comparisons"),
        ("a" * 10_001, "too long"),
    ],
)
def test_a_condition_that_cannot_be_read_says_where(text: str, place: str) -> None:
    with pytest.raises(RegistryError) as caught:
        parse(text)
    assert place in caught.value.message
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["lr <", "lr, epochs", "lr = 1", ""])
def test_a_name_alone_is_nothing_else(text: str) -> None:
    with pytest.raises(RegistryError):
        parse_name(text)


@pytest.mark.parametrize(
    ("text", "begins", "lasts"),
    [
        ("3d", NOW - timedelta(days=3), timedelta(0)),
        ("1.5h", NOW - timedelta(minutes=90), timedelta(0)),
        ("2w", NOW - timedelta(days=14), timedelta(0)),
        ("45min", NOW - timedelta(minutes=45), timedelta(0)),
        ("2026-11-21", datetime(2026, 11, 21).astimezone(), timedelta(days=1)),
        ("2026-11-21 15:30", datetime(2026, 11, 21, 15, 30).astimezone(), timedelta(minutes=1)),
        ("2026-11-21T15:30:05Z", datetime(2026, 11, 21, 15, 30, 5, tzinfo=UTC), timedelta(seconds=1)),
    ],
)
def test_times(text: str, begins: datetime, lasts: timedelta) -> None:
    start, end = parse_time(text, NOW)
    assert (start, end - start) == (begins, lasts)
    assert start.tzinfo is not None


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11", "3", "3 d", "99999999999w", "9999-12-31"])
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(RegistryError, match="invalid time"):
        parse_time(text, NOW)


# -- asking -----------------------------------------------------------------------------------------------------------


def record(registry: Registry, id_: str, days: float, score: float | None, **facts: Any) -> None:
    given_: dict[str, Any] = {
        "task": "ner",
        "kind": "token",
        "data": "wnut17",
        "model": "bundled",
        "metric": "seqeval",
        "metric_key": "f1",
        "labelkit": "0.1.0",
        "seed": 1,
        "started": NOW - timedelta(days=days),
    }
    split = SplitRecord(split="validation", ref="d", content_hash="aa", examples=2, words=9)
    registry.recorder.start(RunRecord(id=id_, **{**given_, "splits": (split,), **facts}))
    if score is not None:
        types = {"PER": {"f1": score / 2}, "creative-work": {"f1": score}, "a.b": {"f1": 0.25}}
        metrics = {"f1": score, "mode": "strict", "per_type": types}
        registry.recorder.log_metrics(
            id_, task="ner", split="validation", metrics=metrics, step=1, epoch=1.0, chosen=True
        )
    if facts.get("pid") == NO_PROCESS:
        leave_lock(registry.home, id_)
    if id_ != "d":
        registry.recorder.finish(id_, "failed" if id_ == "c" else "finished", seconds=10.0)


@pytest.fixture
def registry(registry_home: Home) -> Iterator[Registry]:
    """Return four runs on each database: ``a`` to ``d``, a day older each, ``d`` dead."""
    with Registry.open(registry_home, create=True) as registry:
        fill(registry)
        yield registry


def fill(registry: Registry) -> None:
    def plan(lr: Any, **more: Any) -> tuple[PlanValue, ...]:
        values = {"train.learning_rate": lr, "train.num_train_epochs": 3.0, "data.repair": lr == 1e-5, **more}
        return tuple(PlanValue.of(key, value) for key, value in values.items())

    record(registry, "a", 0.5, 0.8, name="base-1", plan=plan(1e-5), device_type="cpu", git_dirty=True)
    record(registry, "b", 1.5, 0.4, name="Größe", plan=plan(1e-3, custom="x"), data="conll2003", seed=2**40)
    record(registry, "c", 2.5, None, plan=plan("auto", **{"data.columns": None}), synthetic=True)
    record(registry, "d", 3.5, 0.4, plan=(), name=HOSTILE, pid=NO_PROCESS)
    registry.annotations.add_tags("a", "good", "old")
    registry.annotations.add_tags("b", "old")
    registry.annotations.add_note("b", "looks odd")
    registry.aliases.assign("a", "production")


def asked(registry: Registry, where: str) -> str:
    return "".join(sorted(run.id for run in registry.runs.search(where=where)))


DAY = (NOW - timedelta(days=1.5)).astimezone().date()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # figures
        ("validation.f1 > 0.4", "a"),
        ("validation.f1 >= 0.4", "abd"),
        ("validation.f1 = 0.4 and data = conll2003", "b"),
        ("not validation.f1 > 0.4", "bcd"),
        ("validation.f1 is null", "c"),
        ("validation > 0.4", "a"),
        ("validation.PER.f1 <= 0.2", "bd"),
        ("validation.creative-work.f1 > 0.5", "a"),
        ('validation["creative-work"].f1 > 0.5', "a"),
        ("validation.a.b.f1 = 0.25", "abd"),
        ("validation.mode = strict", "abd"),
        ("validation.mode ~ TRI", "abd"),
        # settings
        ("lr < 1e-4", "a"),
        ("learning_rate = 0.001", "b"),
        ("train.learning_rate = auto", "c"),
        ("epochs = 3", "abc"),
        ("epochs is null", "d"),
        ("data.columns is null", "abcd"),
        ("data.repair", "a"),
        ("data.repair = false", "bc"),
        ("custom = x", "b"),
        ("custom != x", "acd"),
        ("validation.f1 > 0.1 and lr < 1e-4 or task = ner and not name is null", "abd"),
        # columns
        ("name ~ GRÖSSE or name ~ Größe", "b"),
        ("name ~ BASE", "a"),
        ("name ~ %", ""),
        ("name in (base-1, 'Größe')", "ab"),
        ("name != base-1", "bcd"),
        ("name is null", "c"),
        ("name = null", "c"),
        ("run = a", "a"),
        ("seed = 1099511627776", "b"),
        ("seed > 1.5", "b"),
        ("seed < 1e30", "abcd"),
        ("synthetic", "c"),
        ("synthetic = no", "abd"),
        ("git_dirty is null", "bcd"),
        ("device = cpu", "a"),
        ("seconds = 10", "abc"),
        # status as it is shown
        ("status = stale", "d"),
        ("status = running", ""),
        ("status in (failed, stale)", "cd"),
        ("status != finished", "cd"),
        # times
        ("started > 1d", "a"),
        ("started < 2d", "cd"),
        ("started >= 2d and started <= 1d", "b"),
        (f"started = {DAY}", "b"),
        (f"started > {DAY}", "a"),
        (f"started <= {DAY}", "bcd"),
        (f"started >= {DAY}", "ab"),
        (f"started < {DAY}", "cd"),
        ("ended is null", "d"),
        # what a run may have several of
        ("tag = old", "ab"),
        ("tag = old and tag = good", "a"),
        ("tag != good", "bcd"),
        ("tag is null", "cd"),
        ("alias = production", "a"),
        ("note ~ odd", "b"),
        # values only ever compare
        (f'name = "{HOSTILE}"', "d"),
        (f'tag = "{HOSTILE}" or data = "{HOSTILE}" or custom = "{HOSTILE}" or note ~ "{HOSTILE}"', ""),
    ],
)
def test_which_runs_meet_a_condition(shared: Registry, where: str, expected: str) -> None:
    assert asked(shared, where) == expected


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Return the same four runs for all tests that only read, on SQLite."""
    with Registry.open(Home(root=tmp_path_factory.mktemp("where") / "home"), create=True) as registry:
        fill(registry)
        yield registry


def test_conditions_mean_the_same_on_every_database(registry: Registry) -> None:
    cases = test_which_runs_meet_a_condition.pytestmark[0].args[1]  # type: ignore[attr-defined]
    # upper and lower case beyond ASCII is up to the database
    wrong = [(where, expected) for where, expected in cases if "GR" not in where and asked(registry, where) != expected]
    assert wrong == []


def test_a_run_is_stale_when_its_process_is_gone_or_silent(registry_home: Home) -> None:
    now = datetime.now(UTC)  # not NOW: many tests may have run since
    with Registry.open(registry_home, create=True) as registry:
        record(registry, "d", 0, None, host="elsewhere", pid=1, started=now)
        registry.recorder.start(replace(registry.runs.get("d").record, id="silent", started=now - timedelta(minutes=6)))
        registry.recorder.start(
            replace(registry.runs.get("d").record, id="here", host=platform.node(), pid=os.getpid())
        )
        registry.recorder.start(replace(registry.runs.get("d").record, id="gone"))
        leave_lock(registry_home, "gone")
        for status, expected in (("stale", {"silent", "gone"}), ("running", {"d", "here"})):
            assert {run.id for run in registry.runs.search(status=status)} == expected  # type: ignore[arg-type]
            assert {run.id for run in registry.runs.search() if run.shown == status} == expected


@pytest.mark.parametrize(
    ("where", "message", "hint"),
    [
        ("validation.f2 > 1", "no column, setting or figure is called 'validation.f2'", "validation.f1"),
        ("validation.PRE.f1 > 1", "no column, setting or figure is called", "validation.PER.f1"),
        ('validation["PRE"].f1 > 1', "no column, setting or figure is called", "validation.PER.f1"),
        ("train.weight_decya > 1", "no column, setting or figure is called", "train.weight_decay"),
        ("cutsom = x", "no column, setting or figure is called", "custom"),
        ("zzz = 1", "no column, setting or figure is called 'zzz'", "columns as task"),
        ("lr < fast", "cannot compare 'lr < fast': lr is a number", "takes <"),
        ("lr < '1'", "lr is a number", "takes <"),
        ("seed ~ 1", "seed is a number", "takes <"),
        ("name < x", "name is text", "~ means contains"),
        ("name", "cannot compare 'name': name is text", "~ means contains"),
        ("started ~ 2026", "started is a time", "2026-11-21"),
        ("started > x", "invalid time 'x'", "2026-11-21"),
        ("synthetic > 1", "synthetic is true or false", "alone"),
        ("tag < x", "tag is text", "contains"),
    ],
)
def test_what_cannot_be_compared_is_told(shared: Registry, where: str, message: str, hint: str) -> None:
    with pytest.raises(RegistryError) as caught:
        shared.runs.search(where=where)
    assert message in caught.value.message
    assert hint in str(caught.value.hint)


def test_where_nothing_is_scored_no_figure_is_wrong(tmp_path: Path) -> None:
    with Registry.open(Home(root=tmp_path), create=False) as empty:
        assert (
            empty.runs.search(where="validation.anything > 0.4 and test.f1 < 1", columns=["test.f1"], sort="-test.f1")
            == []
        )


@pytest.mark.parametrize(("flag", "setting"), FLAGS.items())
def test_settings_have_the_short_forms_of_the_flags(shared: Registry, flag: str, setting: str) -> None:
    record = shared.runs.get("a").record
    if not hasattr(record, flag):  # seed, data, model and metric are the run's own
        (by_flag,) = shared.runs.search(columns=[flag], where="run = a")
        (by_name,) = shared.runs.search(columns=[setting], where="run = a")
        assert by_flag.columns[flag] == by_name.columns[setting]


WORDS = "validation.f1 lr name tag started synthetic status < = ~ != in ( ) , and or not is null 1e-4 3d 'x' .f1 1e999"
PIECES = st.sampled_from([*WORDS.split(), HOSTILE, '["a"]', "2026-11-21", "9" * 30])


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map(" ".join)))
@example(text="seed = 99999999999999999999999")
@example(text="validation.f1 < 1e999")
@example(text="started > 999999999w")
@example(text="started > 0001-01-01")
def test_any_text_is_a_condition_or_one_clear_error(shared: Registry, text: str) -> None:
    try:
        found = shared.runs.search(where=text, limit=5)
    except RegistryError as error:
        said = str(error)
    else:
        said = ""
        assert all(run.id in "abcd" for run in found)
    assert "\n" not in said
    assert len(shared.runs.search()) == 4


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), max_size=30))
def test_a_quoted_value_is_only_ever_compared(shared: Registry, value: str) -> None:
    quoted = value.replace('"', '""')
    expected = "".join(run.id for run in shared.runs.search() if run.name == value)
    assert asked(shared, f'name = "{quoted}"') == expected
    assert [run.id for run in shared.runs.search(data=value)] == [
        run.id for run in shared.runs.search() if run.data == value
    ]
