"""The checks as cases of one pytest test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from labelkit.testing.base import Broken, Check
from labelkit.testing.checks import checks, judge, validate_expected

if TYPE_CHECKING:
    import pytest

    from labelkit.plugins.catalog import Catalog


def contract(
    plugin: str, *, catalog: Catalog | None = None, expected: Mapping[str, str] | None = None
) -> pytest.MarkDecorator:
    """Return a decorator that runs a test ``test_contract(check)`` once for each check that applies to ``plugin``.

    :param plugin: the name of its entry point.
    :param catalog: where to look for it; default: what is installed.
    :param expected: name of a check → why it fails and may; a check that passes in spite of that fails the test.
    :raises LabelkitError: ``expected`` names a check that there is not, or gives no reason.
    """
    import pytest

    asked = list(checks(plugin, catalog))
    reasons = validate_expected(plugin, asked, expected)
    cases = [
        pytest.param(_case(check, reasons.get(check.name)), id=check.name) for check in asked if not check.inapplicable
    ]
    return pytest.mark.parametrize("check", cases)


def _case(check: Check, expected: str | None) -> Callable[[], None]:
    """Return ``check`` as a function that ends the test as pytest wants it."""

    def ask() -> None:
        __tracebackhide__ = True
        import pytest

        outcome = judge(check, expected)
        if outcome.status == "failed":
            raise Broken(outcome.why, outcome.change)
        if outcome.status == "expected":
            pytest.xfail(outcome.why)
        if outcome.status == "not applicable":
            pytest.skip(outcome.why)

    return ask
