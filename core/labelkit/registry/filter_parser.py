"""The parser of filter expressions such as ``validation.f1 > 0.4 and lr < 1e-4``.

Not Python's parser: dates, ages, data references with hyphens and ``=`` are no Python, and syntax errors are in terms
of this language, with their place. ``filters`` turns the expressions into SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from labelkit.errors import RegistryError

_MAX_LENGTH, _MAX_DEPTH, _MAX_COMPARISONS = 10_000, 40, 100
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"]|"")*"|'(?:[^']|'')*')|(?P<sign><=|>=|==|!=|<>|[<>=~(),\[\]])"""
    r"""|(?P<word>[^\s<>=!~(),\[\]"']+))""",
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_AGE = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d|w)")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?)?(Z|[+-]\d\d:\d\d)?")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIGNS = ("<", "<=", ">", ">=", "=", "==", "!=", "<>", "~", "contains")
_SYNONYMS = {"==": "=", "<>": "!=", "contains": "~"}
_KEYWORDS = ("and", "or", "not", "in", "is", "contains")
HINT = "for example: validation.f1 > 0.4 and lr < 1e-4, status in (failed, stale), name ~ base, started > 3d"

Operator = Literal["<", "<=", ">", ">=", "=", "~", "null", "true"]


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a column, a setting or a metric.

    :param parts: the text itself; or three parts for ``split["type"].metric``.
    """

    text: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """The value to compare with; ``quoted`` text is never a number, a time or null."""

    text: str
    quoted: bool = False

    @property
    def number(self) -> int | float | None:
        """The value as a number, None if it is none."""
        if self.quoted or not _NUMBER.fullmatch(self.text):
            return None
        value = float(self.text)
        # Databases take integers of 64 bits.
        return int(self.text) if re.fullmatch(r"[+-]?\d{1,18}", self.text) else value

    @property
    def null(self) -> bool:
        """Whether it means a missing value."""
        return not self.quoted and self.text.lower() in ("null", "none")


@dataclass(frozen=True, slots=True)
class Predicate:
    """``name operator value``; the operators ``null`` and ``true`` ignore the value."""

    name: Name
    operator: Operator
    value: Value

    @property
    def tests_null(self) -> bool:
        """Whether it tests that the value is missing."""
        return self.operator == "null" or (self.operator == "=" and self.value.null)


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of ``inner``."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class And:
    """The conjunction of ``parts``."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """The disjunction of ``parts``."""

    parts: tuple[Expression, ...]


Expression: TypeAlias = Predicate | Not | And | Or


def parse(text: str) -> Expression:
    """Parse a filter expression.

    ``!=`` and ``not in`` negate ``=`` and ``in``, so runs without the value meet them.

    >>> parse("lr < 1e-4")
    Predicate(name=Name(text='lr', parts=('lr',)), operator='<', value=Value(text='1e-4', quoted=False))

    :raises RegistryError: a syntax error, with its place.
    """
    parser = _Parser(text)
    found = parser.disjunction()
    if parser.token.kind != "end":
        raise parser.error("expected and, or, or the end")
    return found


def split_names(text: str | None) -> list[str]:
    """Split names at commas; a comma in quotes is part of a name."""
    parts = re.findall(r"""(?:"[^"]*"|'[^']*'|[^,"'])+""", text or "")
    return [name.strip() for name in parts if name.strip()]


def parse_name(text: str) -> Name:
    """Parse the name of a column to show or to sort by.

    :raises RegistryError: a syntax error, with its place.
    """
    parser = _Parser(text)
    found = parser.name()
    if parser.token.kind != "end":
        raise parser.error("expected the end of the name")
    return found


def parse_time(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Parse a time and return its begin and end, which are equal for an age.

    :param text: a day (``2026-11-21``), or a minute or second (``2026-11-21T15:30``), in local time unless it has a UTC
        offset; or an age (``45min``, ``12h``, ``3d``, ``2w``).
    :param now: the time that ages count from.
    :raises RegistryError: an invalid time.
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
        f"invalid time '{text}'", hint="a day as 2026-11-21, a minute as 2026-11-21T15:30, or an age as 3d"
    )


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["text", "sign", "word", "end"]
    text: str
    start: int
    stop: int


def _tokenize(text: str) -> list[_Token]:
    if len(text) > _MAX_LENGTH:
        raise RegistryError(f"a condition of {len(text):,} characters is too long", hint=HINT)
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            position += len(text[position:]) - len(text[position:].lstrip())
            problem = "this quote is not closed" if text[position] in "\"'" else "expected != here"
            raise _syntax_error(text, position, problem)
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind), match.end()))  # type: ignore[arg-type]
        position = match.end()
    return [*found, _Token("end", "", end, end)]


def _syntax_error(text: str, position: int, problem: str, hint: str = HINT) -> RegistryError:
    rest = " ".join(text[position:].split())
    place = f"at '{rest[:30]}{'…' * (len(rest) > 30)}' (character {position + 1})" if rest else "at the end"
    shown = " ".join(text.split())
    return RegistryError(f"cannot read '{shown[:80]}{'…' * (len(shown) > 80)}' {place}: {problem}", hint=hint)


class _Parser:
    """A recursive-descent parser with a method for each rule of the grammar, from the loosest to the tightest."""

    def __init__(self, text: str) -> None:
        for character in ("\0", *(found[0] for found in re.finditer("[\ud800-\udfff]", text))):
            if character in text:
                place = text.index(character)
                raise _syntax_error(text.replace("\0", "␀"), place, "no database holds this character")
        self._text, self._tokens, self._index = text, _tokenize(text), 0
        self._depth = self._comparisons = 0

    @property
    def token(self) -> _Token:
        """The next token."""
        return self._tokens[self._index]

    def error(self, problem: str, hint: str = HINT) -> RegistryError:
        """Return a syntax error at the next token."""
        return _syntax_error(self._text, self.token.start, problem, hint)

    def disjunction(self) -> Expression:
        """Parse ``a or b …``."""
        return self._joined("or", self.conjunction, Or)

    def conjunction(self) -> Expression:
        """Parse ``a and b …``."""
        return self._joined("and", self.negation, And)

    def negation(self) -> Expression:
        """Parse ``not a``, an expression in parentheses or a comparison."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self.error("this is nested too deeply")
        found: Expression
        if self._accept("not"):
            found = Not(self.negation())
        elif self._accept("("):
            found = self.disjunction()
            self._expect(")")
        else:
            found = self.comparison()
        self._depth -= 1
        return found

    def comparison(self) -> Expression:
        """Parse ``name in (…)``, ``name is null``, ``name operator value`` or a name alone."""
        name = self.name()
        negated, count = bool(self._accept("not")), 1
        found: Expression = Predicate(name, "true", Value("true"))
        if self._accept("in"):
            values = self.values()
            count = len(values)
            found = Or(tuple(Predicate(name, "=", value) for value in values))
        elif negated:
            raise self.error("expected in after not")
        elif self._accept("is"):
            negated = bool(self._accept("not"))
            if not self._accept("null", "none"):
                raise self.error("expected null after is")
            found = Predicate(name, "null", Value("null"))
        elif sign := self._accept(*_SIGNS):
            operator, value = _SYNONYMS.get(sign, sign), self.value()
            negated = operator == "!="
            found = Predicate(name, "=" if negated else operator, value)  # type: ignore[arg-type]
        self._comparisons += count
        if self._comparisons > _MAX_COMPARISONS:
            raise self.error(f"more than {_MAX_COMPARISONS} comparisons")
        return Not(found) if negated else found

    def name(self) -> Name:
        """Parse the name of a column, a setting or a metric."""
        token = self.token
        if token.kind != "word" or token.text.lower() in _KEYWORDS or _NUMBER.fullmatch(token.text):
            raise self.error("expected the name of a column, setting or figure")
        self._index += 1
        if not self._accept("["):
            return Name(token.text, (token.text,))
        type_ = self.value().text
        self._expect("]")
        figure = self.token
        if figure.kind != "word" or len(figure.text) < 2 or figure.text[0] != ".":
            raise self.error("expected the figure", 'for example validation["creative-work"].f1')
        self._index += 1
        return Name(self._text[token.start : figure.stop], (token.text, type_, figure.text[1:]))

    def value(self) -> Value:
        """Parse a word or a quoted text."""
        token = self.token
        if token.kind not in ("word", "text") or (token.kind == "word" and token.text.lower() in _KEYWORDS):
            raise self.error("expected a value", "text with spaces, signs or the words of a condition goes into quotes")
        self._index += 1
        if token.kind == "word":
            return Value(token.text)
        quote = token.text[0]
        return Value(token.text[1:-1].replace(quote * 2, quote), quoted=True)

    def values(self) -> list[Value]:
        """Parse a list of values in parentheses."""
        self._expect("(")
        values = [self.value()]
        while self._accept(","):
            values.append(self.value())
        self._expect(")")
        return values

    def _joined(
        self, word: str, rule: Callable[[], Expression], kind: Callable[[tuple[Expression, ...]], Expression]
    ) -> Expression:
        parts = [rule()]
        while self._accept(word):
            parts.append(rule())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def _accept(self, *words: str) -> str:
        """Consume the next token if it is one of ``words``, and return it; empty if it is not."""
        text = self.token.text.lower()
        if self.token.kind not in ("sign", "word") or text not in words:
            return ""
        self._index += 1
        return text

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise self.error(f"expected {sign}")
