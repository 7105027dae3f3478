"""Records of runs as they are made, before any database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labelkit.registry import PlanValue, RunRecord, new_run_id
from labelkit.registry.entities import RunFacts

START = datetime(2025, 11, 21, 15, 30, 12, 250000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [("0.1", "0.1", None), (0.1, "0.1", 0.1), (3, "3", 3.0), (True, "true", None), (None, "null", None)],
)
def test_plan_values_keep_what_can_be_compared(value: object, text: str, number: float | None) -> None:
    assert PlanValue.of("k", value, "o") == PlanValue(key="k", text=text, number=number, origin="o")


def test_facts_that_can_be_learned_are_fields_of_a_run() -> None:
    assert set(RunFacts.__annotations__) <= set(RunRecord.__dataclass_fields__)


def test_ids_say_task_and_time_and_differ() -> None:
    ids = {new_run_id("ner", START) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(one.startswith("ner-20251121-153012-") for one in ids)
