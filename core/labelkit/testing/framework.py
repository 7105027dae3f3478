"""The framework of the contract checks: how a check is declared, run once and reported."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

from labelkit.errors import DataError, explanation
from labelkit.records import Kind
from labelkit.testing.network import block_network

Function = TypeVar("Function", bound=Callable[[Any], None])

KINDS: tuple[Kind, ...] = get_args(Kind)
#: what a function of a plugin may raise
MayRaise = type[Exception] | tuple[type[Exception], ...]


class Broken(AssertionError):  # noqa: N818  (shown by pytest as the failure itself)
    """The plugin breaks its contract.

    :param why: what is wrong, one line or a few.
    :param change: what to do about it.
    """

    def __init__(self, why: str, change: str) -> None:
        super().__init__(f"{why}: {change}")
        self.why = why
        self.change = change


class NotApplicableError(Exception):
    """A check does not apply; the message says why."""


class BlockedError(NotApplicableError):
    """A check that this one needs has failed."""


class DataAbsentError(DataError, NotApplicableError):
    """The data of a source is not there, so that the source cannot be checked."""


# -- declaring checks -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """The declaration of a check.

    :param name: unique among the checks of that kind of record, e.g. ``order``.
    :param description: what holds when the check passes, one line for the docs.
    :param run: called with the subject; returns if all is well.
    :param needs: checks of the same subject that must have passed, or this one would only repeat their failure.
    :param skip_reason: called with the subject; why the check does not apply to it, or an empty text.
    """

    name: str
    description: str
    run: Callable[[Any], None]
    needs: tuple[str, ...] = ()
    skip_reason: Callable[[Any], str] = lambda subject: ""


class CheckSet:
    """The checks of one kind of record, in the order in which they are declared."""

    def __init__(self, *specs: CheckSpec) -> None:
        self.specs = specs

    def check(
        self, name: str, *, needs: tuple[str, ...] = (), skip_reason: Callable[[Any], str] = lambda subject: ""
    ) -> Callable[[Function], Function]:
        """Return a decorator that declares a function as a check, whose docstring is the description."""

        def declare(function: Function) -> Function:
            description = (function.__doc__ or "").removesuffix(".")
            self.specs = (*self.specs, CheckSpec(name, description, function, needs, skip_reason))
            return function

        return declare


# -- running checks ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class CheckRunner:
    """The checks of one subject, each of which runs at most once.

    :param prefix: what the names of its checks begin with, e.g. ``metric-exact``.
    """

    prefix: str
    subject: Any
    specs: tuple[CheckSpec, ...]
    _results: dict[str, Exception | None] = field(default_factory=dict)

    def run(self, name: str) -> None:
        """Run a check, or repeat the result of its first run.

        :raises Broken: the check fails.
        :raises NotApplicableError: the check does not apply, or one that it needs fails.
        """
        __tracebackhide__ = True
        if name not in self._results:
            spec = next(spec for spec in self.specs if spec.name == name)
            self._results[name] = None
            try:
                if reason := spec.skip_reason(self.subject):
                    raise NotApplicableError(reason)
                for need in spec.needs:
                    self._require(need)
                spec.run(self.subject)
            except Exception as error:
                self._results[name] = error
        if (result := self._results[name]) is not None:
            raise result

    def _require(self, name: str) -> None:
        """Run a check that another one needs; that it does not apply is no obstacle."""
        try:
            self.run(name)
        except (DataAbsentError, BlockedError):
            raise
        except NotApplicableError:
            pass
        except Exception as error:
            raise BlockedError(f"{self.prefix}-{name} fails") from error


@dataclass(frozen=True, slots=True)
class Check:
    """One named check of a plugin; calling it runs it.

    :param name: unique for a plugin and readable, e.g. ``task-ner-examples``.
    :param inapplicable: why it does not apply, as far as that is known before it runs; else empty.
    """

    name: str
    run: Callable[[], None]
    inapplicable: str = ""

    def __call__(self) -> None:
        """Return if all is well.

        :raises Broken: the check fails.
        :raises NotApplicableError: it does not apply; a :class:`DataAbsentError` where it needs data that is absent.
        """
        __tracebackhide__ = True
        self.run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a check.

    :param status: ``expected`` for a failure that was declared.
    :param why: what is wrong, or why the check does not apply or may fail; empty when all is well.
    :param change: what to do about a failure.
    """

    check: str
    status: Literal["ok", "failed", "expected", "not applicable"]
    why: str = ""
    change: str = ""

    @property
    def failed(self) -> bool:
        """Whether something has to be changed."""
        return self.status == "failed"

    @property
    def reason(self) -> str:
        """Why and what to do, in one text."""
        return f"{self.why}: {self.change}" if self.change else self.why


# -- reporting failures -----------------------------------------------------------------------------------------------


def require(condition: object, why: str, change: str) -> None:
    """Raise :class:`Broken` unless ``condition`` is true."""
    __tracebackhide__ = True
    if not condition:
        raise Broken(why, change)


def require_none(faults: Iterable[str], change: str) -> None:
    """Raise :class:`Broken` with the first ten ``faults`` if any is not empty."""
    __tracebackhide__ = True
    found = [fault for fault in faults if fault]
    if found:
        more = [f"… and {len(found) - 10} more"] if len(found) > 10 else []
        raise Broken("\n  ".join(found[:10] + more), change)


def check_kind(record: Any) -> None:
    """Require that a record is of a known kind."""
    require(record.kind in KINDS, f"kind of '{record.name}' is {record.kind!r}", "write 'token' or 'text'")


KIND = CheckSpec("kind", "Its kind is `token` or `text`", check_kind)


@contextlib.contextmanager
def plugin_call(what: str, change: str, *, may: MayRaise = NotApplicableError) -> Iterator[None]:
    """Turn whatever a plugin's function raises into :class:`Broken`.

    :param what: the function, for the message.
    :param may: what it may raise.
    """
    __tracebackhide__ = True
    try:
        yield
    except (Broken, NotApplicableError, KeyboardInterrupt, GeneratorExit):
        raise
    except may:
        raise
    except BaseException as error:  # sys.exit() too
        raise Broken(f"{what} fails with {explanation(error)}", change) from error


@contextlib.contextmanager
def offline_call(what: str, change: str, *, may: MayRaise = NotApplicableError) -> Iterator[None]:
    """Do as :func:`plugin_call`; reaching for the network is :class:`Broken`, too, even where the plugin catches it."""
    __tracebackhide__ = True
    hosts: list[str] = []
    try:
        with plugin_call(what, change, may=may), block_network(hosts):
            yield
    finally:
        if hosts:
            raise Broken(
                f"{what} reaches for the network ({hosts[0]})",
                "take what is installed, lies in ctx.cache or in a folder; a source or an encoder for which that is "
                "not enough raises labelkit.errors.NetworkError when ctx.offline is set",
            )
