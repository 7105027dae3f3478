"""The contract of the plugin ``dates``, and what its corpus promises beside it."""

from __future__ import annotations

from labelkit.testing import Check, contract
from labelkit_dates.sentences import PATTERNS, SIZES, sentences


@contract("dates")
def test_contract(check: Check) -> None:
    check()


def test_no_pattern_of_test_is_seen_in_training() -> None:
    assert not set(PATTERNS["train"]) & {*PATTERNS["validation"], *PATTERNS["test"]}


def test_every_type_is_in_every_split() -> None:
    for split in SIZES:
        found = {label[2:] for _, labels in sentences(split) for label in labels if label != "O"}
        assert found == {"date", "time", "money", "percent", "quantity"}
