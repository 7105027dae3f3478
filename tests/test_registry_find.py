"""Which run a reference means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from labelkit.errors import RegistryError
from labelkit.registry import Home, Registry, RunRecord, SplitRecord, tables

START = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)


@pytest.fixture
def registry(registry_home: Home) -> Iterator[Registry]:
    with Registry.open(registry_home, create=True) as registry:
        yield registry


def start(registry: Registry, id_: str, *, minute: int = 0, **facts: Any) -> RunRecord:
    given = {
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
    record = RunRecord(id=id_, **{**given, **facts})
    registry.recorder.start(record)
    return record


def finish(
    registry: Registry,
    id_: str,
    score: float | None,
    content_hash: str = "aaaa1111",
    *,
    also: Mapping[str, float] = MappingProxyType({}),
    **facts: Any,
) -> None:
    """Record a run from start to end; without ``score`` it has none."""
    split = SplitRecord(split="validation", ref="d", content_hash=content_hash, examples=2, words=9)
    record = start(registry, id_, splits=(split,), **facts)
    if score is not None:
        metrics = {**also, record.metric_key: score, "per_type": {"PER": {record.metric_key: 0.99}}}
        registry.recorder.log_metrics(
            id_, task=record.task, split="validation", metrics=metrics, step=1, epoch=1.0, chosen=True
        )
    registry.recorder.finish(id_, "finished", seconds=1.0)


def refusal(registry: Registry, reference: str) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        registry.runs.find(reference)
    assert "\n" not in str(caught.value)
    return caught.value


def test_an_id_a_name_or_the_beginning_of_an_id(registry: Registry) -> None:
    start(registry, "ner-2026-a1", name="mine")
    start(registry, "ner-2026-b1")
    start(registry, "pos-2026")
    for reference in ("ner-2026-a1", "mine", "ner-2026-a"):
        assert registry.runs.find(reference).id == "ner-2026-a1"
    assert registry.runs.find("p").id == "pos-2026"


def test_an_exact_id_wins_over_names_and_beginnings(registry: Registry) -> None:
    start(registry, "ner-12", name="ner-1")
    start(registry, "ner-1")
    assert registry.runs.find("ner-1").id == "ner-1"


@pytest.mark.parametrize("reference", ["NER-1", "ner_1", "ner%", "%", ""])
def test_a_beginning_is_taken_literally(registry: Registry, reference: str) -> None:
    start(registry, "ner-1")
    assert refusal(registry, reference).message == f"no run '{reference}' in the registry"


def test_an_ambiguous_beginning_lists_the_candidates(registry: Registry) -> None:
    for minute, id_ in enumerate(["ner-a", "ner-b", "pos-c"]):
        start(registry, id_, minute=minute)
    assert str(refusal(registry, "ner-")) == "'ner-' is ambiguous: ner-b, ner-a (give more of the id)"
    for minute in range(20):
        start(registry, f"x{minute}", minute=minute)
    assert "is ambiguous: x19, x18, x17, x16, x15, x14, x13, x12, x11, x10 … (" in str(refusal(registry, "x"))


def test_a_name_of_several_runs_lists_them(registry: Registry) -> None:
    for minute, id_ in enumerate(["ner-a", "ner-b"]):
        start(registry, id_, minute=minute)
    with registry._database.session(write=True) as connection:  # as older registries may have it
        connection.execute(tables.runs.update().values(name="same"))
    assert str(refusal(registry, "same")) == "'same' is ambiguous: ner-b, ner-a (give the id)"


def test_an_unknown_reference_suggests_the_nearest(registry: Registry) -> None:
    assert refusal(registry, "ner-1").hint == "labelkit run TASK trains one"
    start(registry, "ner-20261121-153012-a1b2", name="baseline")
    assert refusal(registry, "baselin").hint == "did you mean baseline?"
    assert refusal(registry, "ner-20261121-153012-a1b3").hint == "did you mean ner-20261121-153012-a1b2?"
    assert refusal(registry, "zzz").hint == "labelkit runs list shows all runs"
    assert "after @ comes best" in str(refusal(registry, "ner@production"))


def test_latest(registry: Registry) -> None:
    assert refusal(registry, "latest").message == "no run in the registry yet"
    start(registry, "z", minute=1)
    with pytest.raises(RegistryError, match="no finished run in the registry yet"):
        registry.runs.find("latest", finished=True)
    finish(registry, "a", 0.5, minute=0)
    assert registry.runs.find("latest").id == "z"
    assert registry.runs.find("latest", finished=True).id == "a"


def test_best_is_by_validation_among_finished_runs_of_the_task(registry: Registry) -> None:
    finish(registry, "good", 0.6)
    finish(registry, "bad", 0.4, minute=5)
    finish(registry, "unscored", None, minute=6)
    finish(registry, "other-task", 0.9, task="pos")
    split = SplitRecord(split="validation", ref="d", content_hash="aaaa1111", examples=2, words=9)
    start(registry, "running", minute=7, splits=(split,))
    registry.recorder.log_metrics(
        "running", task="ner", split="validation", metrics={"f1": 0.95}, step=1, epoch=1.0, chosen=True
    )
    registry.recorder.log_metrics("bad", task="ner", split="test", metrics={"f1": 0.99}, step=1, epoch=1.0, chosen=True)
    found = registry.runs.find("ner@best")
    assert (found.id, found.validation) == ("good", 0.6)


def test_best_minds_the_direction_and_takes_the_newer_of_equals(registry: Registry) -> None:
    for minute, (id_, loss) in enumerate([("a", 0.2), ("b", 0.1), ("c", 0.1), ("d", 0.3)]):
        finish(registry, id_, loss, minute=minute, metric_key="loss", higher_is_better=False)
    assert registry.runs.find("ner@best").id == "c"


def test_best_of_runs_that_cannot_be_compared_lists_the_groups(registry: Registry) -> None:
    finish(registry, "w1", 0.5, "aaaa" * 16, data="wnut17")
    finish(registry, "w2", 0.6, "aaaa" * 16, data="wnut17")
    finish(registry, "c1", 0.9, "bbbb" * 16, data="conll2003", minute=1)
    error = refusal(registry, "ner@best")
    assert error.message == (
        "ner runs that cannot be compared: conll2003 (validation bbbbbbbbbbbb, seqeval f1, runs: 1); "
        "wnut17 (validation aaaaaaaaaaaa, seqeval f1, runs: 2)"
    )
    assert error.hint == "choose one by its data or hash: ner@best:conll2003 or ner@best:bbbbbbbbbbbb"
    assert registry.runs.find("ner@best:wnut17").id == "w2"
    assert registry.runs.find("ner@best:bb").id == "c1"


@pytest.mark.parametrize("facts", [{"metric": "exact"}, {"metric_key": "accuracy"}, {"higher_is_better": False}])
def test_best_never_compares_different_metrics(registry: Registry, facts: dict[str, Any]) -> None:
    finish(registry, "a", 0.5)
    finish(registry, "b", 0.6, **facts)
    assert "cannot be compared" in refusal(registry, "ner@best:wnut17").message


def test_best_ranks_each_run_by_its_own_figure(registry: Registry) -> None:
    for id_, f1, accuracy in (("a", 0.5, 0.9), ("b", 0.6, 0.1)):
        finish(registry, id_, f1, also={"accuracy": accuracy})
    finish(registry, "c", 0.7, "cccc", data="conll2003", metric_key="accuracy")
    assert registry.runs.find("ner@best:wnut17").id == "b"


def test_a_sample_run_is_best_only_where_nothing_else_exists(registry: Registry) -> None:
    finish(registry, "sample", 0.99, "5555", data="sample", synthetic=True)
    assert registry.runs.find("ner@best").id == "sample"
    finish(registry, "real", 0.4, "aaaa", data="wnut17")
    assert registry.runs.find("ner@best").id == "real"
    assert registry.runs.find("ner@best:sample").id == "sample"


def test_best_of_nothing_says_what_there_is(registry: Registry) -> None:
    assert "labelkit run ner trains one" in str(refusal(registry, "ner@best"))
    finish(registry, "a", 0.5)
    assert refusal(registry, "pos@best").hint == "there are runs of ner"
    assert refusal(registry, "ner@best:conll2003").hint == "there are runs on wnut17"
