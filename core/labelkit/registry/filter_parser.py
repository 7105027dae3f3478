"""Conditions on runs as people write them: ``validation.f1 > 0.4 and lr < 1e-4``, read into a small tree.

A parser of its own, and not Python's: dates, ages, data references with hyphens and ``=`` are no Python, and what is
wrong is said in words of this language, with the place. Nothing here knows the database; ``fields`` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from labelkit.errors import RegistryError

_LONGEST, _DEEPEST, _MOST = 10_000, 40, 100
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?P<sign><=|>=|==|!=|<>|[<>=~(),\[\]])"""
    r"""|(?P<word>[^\s<>=!~(),\[\]"']+))""",
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_AGE = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d|w)")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?)?(Z|[+-]\d\d:\d\d)?")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIGNS = {"==": "=", "<>": "!="}
_KEYWORDS = ("and", "or", "not", "in", "is", "contains")
HINT = "for example: validation.f1 > 0.4 and lr < 1e-4, status in (failed, stale), name ~ base, started > 3d"

Operator = Literal["<", "<=", ">", ">=", "=", "~", "null", "true"]


@dataclass(frozen=True, slots=True)
class Name:
    """What is compared: a column of runs, a setting, or a figure.

    :param parts: one, as written; or three for ``split["type"].figure``.
    """

    text: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What it is compared with; ``quoted`` text is never a number, a time or null."""

    text: str
    quoted: bool = False

    @property
    def number(self) -> int | float | None:
        """The value as a number, where it is one."""
        if self.quoted or not _NUMBER.fullmatch(self.text):
            return None
        value = float(self.text)
        # 64 bits are what databases take as whole numbers
        return int(self.text) if re.fullmatch(r"[+-]?\d{1,18}", self.text) else value

    @property
    def null(self) -> bool:
        """Whether it says that there is no value."""
        return not self.quoted and self.text.lower() in ("null", "none")


@dataclass(frozen=True, slots=True)
class Comparison:
    """``name operator value``; ``null`` and ``true`` have no value."""

    name: Name
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever does not meet ``inner``."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class All:
    """What meets all ``parts``."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What meets one of ``parts``."""

    parts: tuple[Expression, ...]


Expression: TypeAlias = Comparison | Not | All | AnyOf


def parse(text: str) -> Expression:
    """Return the condition that ``text`` statements.

    ``!=`` and ``not in`` are the opposite of ``=`` and ``in``, so a run without the value meets them.

    >>> parse("lr < 1e-4")
    Comparison(name=Name(text='lr', parts=('lr',)), operator='<', value=Value(text='1e-4', quoted=False))

    :raises RegistryError: it is none, with the place.
    """
    parser = _Parser(text)
    found = parser.either()
    if parser.here.kind != "end":
        raise parser.wrong("expected and, or, or the end")
    return found


def parse_name(text: str) -> Name:
    """Return the name that ``text`` writes, of a column to show or to sort by.

    :raises RegistryError: it is none, with the place.
    """
    parser = _Parser(text)
    found = parser.name()
    if parser.here.kind != "end":
        raise parser.wrong("expected the end of the name")
    return found


def moment(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return when the time that ``text`` means begins and ends; both are the same for an age.

    :param text: a day (``2026-11-21``), a minute or second of it (``2026-11-21T15:30``), in local time unless it says
        otherwise; or an age (``45min``, ``12h``, ``3d``, ``2w`` ago).
    :raises RegistryError: it is none of these.
    """
    try:
        if age := _AGE.fullmatch(text):
            at = now - timedelta(**{_UNITS[age[2]]: float(age[1])})
            return at, at
        if found := _MOMENT.fullmatch(text):
            unit = "seconds" if found[3] else "minutes" if found[2] else "days"
            start = datetime.fromisoformat(text)
            return start.astimezone(), (start + timedelta(**{unit: 1})).astimezone()
    except (ValueError, OverflowError, OSError):
        pass
    raise RegistryError(
        f"'{text}' is no time", hint="a day as 2026-11-21, a minute as 2026-11-21T15:30, or an age as 3d"
    )


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["text", "sign", "word", "end"]
    text: str
    start: int
    stop: int


def _tokens(text: str) -> list[_Token]:
    if len(text) > _LONGEST:
        raise RegistryError(f"a condition of {len(text):,} characters is too long", hint=HINT)
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            position += len(text[position:]) - len(text[position:].lstrip())
            problem = "this quote is not closed" if text[position] in "\"'" else "expected != here"
            raise _wrong(text, position, problem)
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind), match.end()))  # type: ignore[arg-type]
        position = match.end()
    return [*found, _Token("end", "", end, end)]


def _wrong(text: str, position: int, problem: str, hint: str = HINT) -> RegistryError:
    rest = " ".join(text[position:].split())
    place = f"at '{rest[:30]}{'…' * (len(rest) > 30)}' (character {position + 1})" if rest else "at the end"
    shown = " ".join(text.split())
    return RegistryError(f"cannot read '{shown[:80]}{'…' * (len(shown) > 80)}' {place}: {problem}", hint=hint)


class _Parser:
    """Recursive descent: one method for each rule, from the loosest to the tightest."""

    def __init__(self, text: str) -> None:
        for character in ("\0", *(found[0] for found in re.finditer("[\ud800-\udfff]", text))):
            if character in text:
                raise _wrong(text.replace("\0", "␀"), text.index(character), "no database holds this character")
        self._text, self._tokens, self._index = text, _tokens(text), 0
        self._depth = self._comparisons = 0

    @property
    def here(self) -> _Token:
        return self._tokens[self._index]

    def wrong(self, problem: str, hint: str = HINT) -> RegistryError:
        return _wrong(self._text, self.here.start, problem, hint)

    def either(self) -> Expression:
        return self._several("or", lambda: self._several("and", self._opposite, All), AnyOf)

    def name(self) -> Name:
        token = self.here
        if token.kind != "word" or self._is(*_KEYWORDS) or _NUMBER.fullmatch(token.text):
            raise self.wrong("expected the name of a column, setting or figure")
        self._index += 1
        if not self._is("["):
            return Name(token.text, (token.text,))
        self._index += 1
        type_ = self._value().text
        self._expect("]")
        figure = self.here
        if figure.kind != "word" or len(figure.text) < 2 or figure.text[0] != ".":
            raise self.wrong("expected the figure", 'for example validation["creative-work"].f1')
        self._index += 1
        return Name(self._text[token.start : figure.stop], (token.text, type_, figure.text[1:]))

    def _several(
        self, word: str, one: Callable[[], Expression], kind: Callable[[tuple[Expression, ...]], Expression]
    ) -> Expression:
        parts = [one()]
        while self._is(word):
            self._index += 1
            parts.append(one())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def _opposite(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.wrong("this is nested too deeply")
        try:
            if self._is("not"):
                self._index += 1
                return Not(self._opposite())
            if self._is("("):
                self._index += 1
                inner = self.either()
                self._expect(")")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Expression:
        name = self.name()
        negated = self._is("not")
        if negated:
            self._index += 1
        found = self._list(name) or (None if negated else self._null(name) or self._sign(name))
        if found is None and negated:
            raise self.wrong("expected in after not")
        self._count()
        found = found or Comparison(name, "true", Value("true"))
        return Not(found) if negated else found

    def _list(self, name: Name) -> Expression | None:
        if not self._is("in"):
            return None
        self._index += 1
        self._expect("(")
        values = [self._value()]
        while self._is(","):
            self._index += 1
            values.append(self._value())
        self._expect(")")
        self._count(len(values) - 1)
        return AnyOf(tuple(Comparison(name, "=", value) for value in values))

    def _null(self, name: Name) -> Expression | None:
        if not self._is("is"):
            return None
        self._index += 1
        negated = self._is("not")
        self._index += negated
        if not self._is("null", "none"):
            raise self.wrong("expected null after is")
        self._index += 1
        found = Comparison(name, "null", Value("null"))
        return Not(found) if negated else found

    def _sign(self, name: Name) -> Expression | None:
        if not self._is("<", "<=", ">", ">=", "=", "==", "!=", "<>", "~", "contains"):
            return None
        sign = _SIGNS.get(self.here.text, self.here.text)
        sign = "~" if sign.lower() == "contains" else sign
        self._index += 1
        value = self._value()
        if sign == "!=":
            return Not(Comparison(name, "=", value))
        return Comparison(name, sign, value)  # type: ignore[arg-type]

    def _value(self) -> Value:
        token = self.here
        if token.kind not in ("word", "text") or self._is(*_KEYWORDS):
            raise self.wrong("expected a value", "text with spaces, signs or the words of a condition goes into quotes")
        self._index += 1
        if token.kind == "word":
            return Value(token.text)
        quote = token.text[0]
        return Value(token.text[1:-1].replace(quote * 2, quote), quoted=True)

    def _expect(self, sign: str) -> None:
        if not self._is(sign):
            raise self.wrong(f"expected {sign}")
        self._index += 1

    def _count(self, more: int = 1) -> None:
        self._comparisons += more
        if self._comparisons > _MOST:
            raise self.wrong(f"more than {_MOST} comparisons")

    def _is(self, *words: str) -> bool:
        return self.here.kind in ("sign", "word") and self.here.text.lower() in words
