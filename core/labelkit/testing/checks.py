"""Which checks a plugin has to pass, and a way to run them without pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from labelkit.errors import LabelkitError, nearest
from labelkit.plugins.catalog import Catalog
from labelkit.testing import (
    decoders,
    encoders,
    formats,
    metrics,
    plugins,
    preprocessors,
    schemas,
    sources,
    tasks,
    trials,
)
from labelkit.testing.base import Asked, Broken, Check, NotApplicableError, Outcome, Question, plainly
from labelkit.testing.elsewhere import Repeatable


@dataclass(frozen=True, slots=True)
class About:
    """The questions about one kind of record.

    :param thing: makes what the questions are asked with out of the record and the catalog.
    :param repeatable: what the record makes that another process has to make as well.
    """

    kind: str
    own: tuple[Question, ...]
    thing: Callable[[Any, Catalog], Any] = lambda record, catalog: record
    repeatable: Repeatable | None = None

    def questions(self, plugin: str = "") -> tuple[Question, ...]:
        """Return the questions about a record that ``plugin`` yields."""
        return (*self.own, *([self.repeatable.question(self.kind, plugin)] if self.repeatable else []))


#: kind of record → what is asked about it, in the order in which things build on each other
ABOUT: Mapping[str, About] = {
    about.kind: about
    for about in (
        About("schema", schemas.QUESTIONS),
        About("metric", metrics.QUESTIONS),
        About("decoder", decoders.QUESTIONS),
        About("preprocessor", preprocessors.QUESTIONS, repeatable=preprocessors.REPEATABLE),
        About("format", formats.QUESTIONS, repeatable=formats.REPEATABLE),
        About("encoder", encoders.QUESTIONS),
        About("source", sources.QUESTIONS, sources.Corpus, sources.REPEATABLE),
        About("task", tasks.QUESTIONS, trials.Trial),
    )
}


def questions() -> Iterator[tuple[str, Question]]:
    """Yield every question that the kit knows, with the name of its checks, e.g. ``metric-NAME-order``."""
    yield from ((f"plugin-{question.name}", question) for question in plugins.QUESTIONS)
    for kind, about in ABOUT.items():
        yield from ((f"{kind}-NAME-{question.name}", question) for question in about.questions())


def checks(plugin: str, catalog: Catalog | None = None) -> Iterator[Check]:
    """Yield the checks of ``plugin``, by what it yields; none has run yet.

    Those that do not apply to it are among them, see :attr:`~labelkit.testing.Check.inapplicable`.

    :param plugin: the name of its entry point.
    :param catalog: where to look for it; default: what is installed.
    """
    found = Catalog.load() if catalog is None else catalog
    yield from _checks(Asked("plugin", plugins.Subject(plugin, found), plugins.QUESTIONS))
    if not plugins.is_loaded(plugin, found):
        return
    mine = list(found.supplied_by(plugin))
    for kind, about in ABOUT.items():
        for record in (record for its_kind, record in mine if its_kind == kind):
            yield from _checks(Asked(f"{kind}-{record.name}", about.thing(record, found), about.questions(plugin)))


def _checks(asked: Asked) -> Iterator[Check]:
    for question in asked.questions:
        name = f"{asked.prefix}-{question.name}"
        yield Check(name, partial(asked.ask, question.name), question.unless(asked.thing))


def check_plugin(
    plugin: str, *, catalog: Catalog | None = None, expected: Mapping[str, str] | None = None
) -> list[Outcome]:
    """Run every check of ``plugin`` and return what each found.

    :param expected: name of a check → why it fails and may; it must fail then.
    :raises LabelkitError: ``expected`` names a check that there is not, or gives no reason.

    >>> [outcome.check for outcome in check_plugin("ner") if outcome.failed]
    []
    """
    asked = list(checks(plugin, catalog))
    reasons = validate_expected(plugin, asked, expected)
    return [judge(check, reasons.get(check.name)) for check in asked]


def validate_expected(plugin: str, asked: list[Check], expected: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return ``expected``, which fits the checks of ``plugin``.

    :raises LabelkitError: it names a check that there is not, or gives no reason.
    """
    names = [check.name for check in asked]
    for name, reason in (expected or {}).items():
        if name not in names:
            raise LabelkitError(
                f"the failure of '{name}' is expected, but plugin '{plugin}' has no such check",
                hint=nearest(name, names),
            )
        if not reason.strip():
            raise LabelkitError(
                f"the failure of '{name}' is expected without a reason", hint=f"give one: {{'{name}': 'because …'}}"
            )
    return expected or {}


def judge(check: Check, expected: str | None = None) -> Outcome:
    """Ask ``check`` and return what it found.

    :param expected: why it fails and may; it must fail then.
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
        return Outcome(
            check=check.name,
            status="failed",
            why=f"the check itself failed with {plainly(error)}",
            change="please report it to labelkit",
        )
    if expected is not None:
        return Outcome(
            check=check.name,
            status="failed",
            why=f"it passes although its failure is expected ({expected})",
            change="take it out of the expected failures",
        )
    return Outcome(check=check.name, status="ok")
