"""The checks as cases of one pytest test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labelkit.testing.base import Check, DataAbsentError
from labelkit.testing.checks import checks

if TYPE_CHECKING:
    import pytest

    from labelkit.catalog import Catalog


def contract(plugin: str, *, catalog: Catalog | None = None) -> pytest.MarkDecorator:
    """Return a decorator that runs a test ``test_contract(check)`` once for each check of ``plugin``.

    :param plugin: the name of its entry point.
    :param catalog: where to look for it; default: what is installed.
    """
    import pytest

    return pytest.mark.parametrize(
        "check", [pytest.param(_skipping(check), id=check.name) for check in checks(plugin, catalog)]
    )


def _skipping(check: Check) -> Callable[[], None]:
    """Return ``check`` as a function that skips the test where its data is absent."""

    def ask() -> None:
        __tracebackhide__ = True
        import pytest

        try:
            check()
        except DataAbsentError as error:
            pytest.skip(str(error))

    return ask
