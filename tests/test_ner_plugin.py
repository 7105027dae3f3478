"""The contract of the plugin ``ner``."""

from __future__ import annotations

from labelkit.testing import Check, contract


@contract("ner")
def test_contract(check: Check) -> None:
    check()
