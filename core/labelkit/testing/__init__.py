"""The contract checks for plugins, a public test kit: the tests of a plugin can be three lines.

.. code-block:: python

    from labelkit.testing import contract

    @contract("ner")
    def test_contract(check): check()

Which checks apply follows from what the plugin yields. :func:`check_plugin` and ``labelkit plugins check NAME`` do the
same without pytest. Importing this package loads neither pytest nor torch; checks of tasks load torch when they run.
"""

from __future__ import annotations

from labelkit.testing.checks import check_plugin, checks
from labelkit.testing.framework import Broken, Check, DataAbsentError, NotApplicableError, Outcome
from labelkit.testing.pytest_contract import contract

__all__ = [
    "Broken",
    "Check",
    "DataAbsentError",
    "NotApplicableError",
    "Outcome",
    "check_plugin",
    "checks",
    "contract",
]
