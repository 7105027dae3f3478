"""The contract of the task ``ner`` and of what core supplies, as any plugin's tests have it."""

from __future__ import annotations

import pytest

from labelkit.testing import Check, contract


@contract("ner")
def test_contract(check: Check) -> None:
    check()


@contract("core")
def test_contract_of_core(check: Check) -> None:
    check()


@pytest.mark.realdata
@contract("core")
def test_contract_of_core_where_its_corpora_are(check: Check) -> None:
    check()
