"""The contract of the plugin ``chunk``."""

from __future__ import annotations

from labelkit.testing import Check, contract


@contract("chunk")
def test_contract(check: Check) -> None:
    check()
