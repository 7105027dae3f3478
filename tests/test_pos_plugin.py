"""The contract of the plugin ``pos``."""

from __future__ import annotations

from labelkit.testing import Check, contract


@contract("pos")
def test_contract(check: Check) -> None:
    check()
