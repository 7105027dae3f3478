"""The checks of a plugin as cases of one pytest test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from labelkit.testing.checks import checks, judge, validate_expected
from labelkit.testing.framework import Broken, Check

if TYPE_CHECKING:
    import pytest

    from labelkit.plugins.catalog import Catalog


def contract(
    plugin: str,
    *,
    catalog: Catalog | None = None,
    expected: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> pytest.MarkDecorator:
    """Return a decorator that runs a test ``test_contract(check)`` once for each check that applies to ``plugin``.

    :param plugin: the name of its entry point.
    :param catalog: where to look for it; default: what is installed.
    :param expected: name of a check → why it may fail; the test fails if that check passes.
    :param settings: values of settings of plugins and of ``data.`` settings; the others have their defaults.
    :raises LabelkitError: ``expected`` names an unknown check, or gives no reason; or a setting is invalid.
    """
    import pytest

    def case(check: Check) -> Callable[[], None]:
        def run() -> None:
            __tracebackhide__ = True
            outcome = judge(check, reasons.get(check.name))
            if outcome.status == "failed":
                raise Broken(outcome.why, outcome.change)
            if outcome.status == "expected":
                pytest.xfail(outcome.why)
            if outcome.status == "not applicable":
                pytest.skip(outcome.why)

        return run

    selected, reasons = list(checks(plugin, catalog, settings)), expected or {}
    validate_expected(plugin, selected, reasons)
    cases = [pytest.param(case(check), id=check.name) for check in selected if not check.inapplicable]
    return pytest.mark.parametrize("check", cases)
