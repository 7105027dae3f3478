"""The contract of what core itself supplies, which it keeps as any plugin does."""

from __future__ import annotations

import pytest

from labelkit.testing import Check, contract

EXPECTED = {
    "decoder-argmax-valid": "it looks at each word alone; labelkit repairs what does not fit",
    "format-brat-refuses": "brat holds a text and spans on it, and no borders of words",
}


@contract("core", expected=EXPECTED)
def test_contract(check: Check) -> None:
    check()


@pytest.mark.realdata
@contract("core", expected=EXPECTED)
def test_contract_where_its_corpora_are(check: Check) -> None:
    check()
