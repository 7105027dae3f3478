"""Select the checks that apply to a plugin, and run them without pytest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from labelkit.errors import LabelkitError, explanation, nearest
from labelkit.plugins.catalog import Catalog
from labelkit.testing import (
    decoders,
    encoders,
    formats,
    heads,
    metrics,
    plugins,
    preprocessors,
    schemas,
    settings,
    sources,
    tasks,
)
from labelkit.testing.contexts import Setup
from labelkit.testing.framework import Broken, Check, CheckRunner, CheckSet, CheckSpec, NotApplicableError, Outcome
from labelkit.testing.subprocess_checks import Reproducible
from labelkit.testing.trial_training import Trial

NO_SETTINGS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class RecordChecks:
    """The checks of one kind of record.

    :param subject: called with the record and the setup; returns what the checks are called with; by default the
        record, whose functions are called in the context of a check.
    :param reproducible: what the record makes that another process has to make as well.
    """

    kind: str
    checks: CheckSet
    subject: Callable[[Any, Setup], Any] = lambda record, setup: setup.bind(record)
    reproducible: Reproducible | None = None

    def specs(self, plugin: str = "", settings: Mapping[str, Any] = NO_SETTINGS) -> tuple[CheckSpec, ...]:
        """Return the checks, with these settings, of a record that ``plugin`` yields."""
        if self.reproducible is None:
            return self.checks.specs
        return (*self.checks.specs, self.reproducible.spec(self.kind, plugin, settings))


#: kind of record → its checks, in the order in which records build on each other
RECORD_CHECKS: Mapping[str, RecordChecks] = {
    each.kind: each
    for each in (
        RecordChecks("settings", settings.CHECKS),
        RecordChecks("schema", schemas.CHECKS),
        RecordChecks("metric", metrics.CHECKS),
        RecordChecks("decoder", decoders.CHECKS),
        RecordChecks("head", heads.CHECKS, heads.HeadSubject),
        RecordChecks("preprocessor", preprocessors.CHECKS, reproducible=preprocessors.REPRODUCIBLE),
        RecordChecks("format", formats.CHECKS, reproducible=formats.REPRODUCIBLE),
        RecordChecks("encoder", encoders.CHECKS),
        RecordChecks("source", sources.CHECKS, sources.SourceReader, sources.REPRODUCIBLE),
        RecordChecks("task", tasks.CHECKS, Trial),
    )
}


def check_specs() -> Iterator[tuple[str, CheckSpec]]:
    """Yield every check there is, with the pattern of its name, e.g. ``metric-NAME-order``."""
    yield from ((f"plugin-{spec.name}", spec) for spec in plugins.CHECKS.specs)
    for kind, checks in RECORD_CHECKS.items():
        yield from ((f"{kind}-NAME-{spec.name}", spec) for spec in checks.specs())


def checks(plugin: str, catalog: Catalog | None = None, settings: Mapping[str, Any] | None = None) -> Iterator[Check]:
    """Yield the checks of ``plugin``, by what it yields; none has run yet.

    Those that do not apply to it are among them, see :attr:`~labelkit.testing.Check.inapplicable`.

    :param plugin: the name of its entry point.
    :param catalog: where to look for it; default: what is installed.
    :param settings: values of settings of plugins and of ``data.`` settings, e.g. ``{"data.path": "tests/corpus"}``;
        the others have their defaults.
    :raises LabelkitError: a setting is unknown, or its value is invalid.
    """
    found = Catalog.load() if catalog is None else catalog
    plain = {
        key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in (settings or {}).items()
    }
    setup = Setup(found, plain)
    setup.validate()
    subject = plugins.PluginSubject(plugin, setup)
    runners = [CheckRunner("plugin", subject, plugins.CHECKS.specs)]
    records = list(found.supplied_by(plugin)) if subject.is_loaded else []
    for kind, each in RECORD_CHECKS.items():
        runners += [
            CheckRunner(f"{kind}-{record.name}", each.subject(record, setup), each.specs(plugin, setup.settings))
            for record_kind, record in records
            if record_kind == kind
        ]
    for runner in runners:
        for spec in runner.specs:
            name = f"{runner.prefix}-{spec.name}"
            yield Check(name, partial(runner.run, spec.name), spec.skip_reason(runner.subject))


def check_plugin(
    plugin: str,
    *,
    catalog: Catalog | None = None,
    expected: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Outcome]:
    """Run every check of ``plugin`` and return the outcome of each.

    :param expected: name of a check → why it may fail; it is an error if that check passes.
    :param settings: see :func:`checks`.
    :raises LabelkitError: ``expected`` names an unknown check, or gives no reason; or a setting is invalid.

    >>> [outcome.check for outcome in check_plugin("ner") if outcome.failed]
    []
    """
    selected = list(checks(plugin, catalog, settings))
    reasons = expected or {}
    validate_expected(plugin, selected, reasons)
    return [judge(check, reasons.get(check.name)) for check in selected]


def validate_expected(plugin: str, selected: Iterable[Check], expected: Mapping[str, str]) -> None:
    """Refuse expected failures that do not fit the checks of ``plugin``.

    :raises LabelkitError: one names an unknown check, or gives no reason.
    """
    names = [check.name for check in selected]
    for name, reason in expected.items():
        if name not in names:
            raise LabelkitError(
                f"the failure of '{name}' is expected, but plugin '{plugin}' has no such check",
                hint=nearest(name, names),
            )
        if not reason.strip():
            raise LabelkitError(
                f"the failure of '{name}' is expected without a reason", hint=f"give one: {{'{name}': 'because …'}}"
            )


def judge(check: Check, expected: str | None = None) -> Outcome:
    """Run ``check`` and return its outcome.

    :param expected: why it may fail; it is an error if it passes.
    """
    try:
        check()
    except NotApplicableError as reason:
        return Outcome(check=check.name, status="not applicable", why=str(reason))
    except Broken as broken:
        if expected is not None:
            return Outcome(check=check.name, status="expected", why=f"{expected} ({broken.why})")
        return Outcome(check=check.name, status="failed", why=broken.why, change=broken.change)
    except Exception as error:
        why = f"the check itself failed with {explanation(error)}"
        return Outcome(check=check.name, status="failed", why=why, change="please report it to labelkit")
    if expected is not None:
        why = f"it passes although its failure is expected ({expected})"
        return Outcome(check=check.name, status="failed", why=why, change="take it out of the expected failures")
    return Outcome(check=check.name, status="ok")
