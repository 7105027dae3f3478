"""The contract of the plugin ``textcls``."""

from __future__ import annotations

from labelkit.testing import Check, contract


@contract("textcls")
def test_contract(check: Check) -> None:
    check()
