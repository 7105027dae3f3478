"""The contract of the task ``ner`` and of what core supplies, as any plugin's tests have it."""

from __future__ import annotations

import pytest

from labelkit.testing import Check, contract

EXPECTED = {
    "decoder-argmax-valid": "it looks at each word alone; labelkit repairs what does not fit",
    "format-brat-refuses": "brat holds a text and spans on it, and no borders of words",
}


@contract("ner")
def test_contract(check: Check) -> None:
    check()


@contract("core", expected=EXPECTED)
def test_contract_of_core(check: Check) -> None:
    check()


@pytest.mark.realdata
@contract("core", expected=EXPECTED)
def test_contract_of_core_where_its_corpora_are(check: Check) -> None:
    check()
