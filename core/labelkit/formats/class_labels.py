"""Labels of texts and of words from the values of records: names, numbers, lists, and what stands for a missing one."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labelkit.errors import DataError
from labelkit.formats.cells import parse_cell
from labelkit.formats.doubtful_classes import doubtful_classes
from labelkit.labels.label_sets import HOW, SeveralLabelsError, label_set
from labelkit.labels.numbers import number_label
from labelkit.records import Labels, LoadContext

UNLABELLED = "records without a label were left out"
SKIP_HINT = "--set data.unlabelled=skip leaves records without a label out"
#: characters that tools and people write between several labels of one cell
SEPARATORS = "|#;,/+"
#: the value of ``data.label_separator`` for classes that hold such a character
NO_SEPARATOR = "none"
_FRACTION = re.compile(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+")
_TAG = re.compile(r"[BIESLU][-_]\S")
_WHOLE = re.compile(r"[-+]?\d+(?=\.0*$)")
#: how pandas and databases write in a cell that there is no value; ``None`` and ``NA`` may be classes
_MISSING_CELLS = frozenset(("nan", "NaN", "<NA>"))
_MAX_CLASSES = 10_000  # remembered while several labels in one are looked for


class MissingLabelError(DataError):
    """A text, or a word, has no label: its record is left out and counted, never read as one with a label.

    :param counted_as: what it is counted as.
    """

    def __init__(self, message: str, *, hint: str | None = None, counted_as: str = UNLABELLED) -> None:
        super().__init__(message, hint=hint)
        self.counted_as = counted_as


class EmptyLabelsError(MissingLabelError):
    """The list of a text's labels is empty: no label is missing where other texts have several."""


class LabelParser:
    """Parses the labels of one file's records by the settings of its context.

    :param cells: strings are the cells of a text table, in which numbers have no type.
    :ivar classes: the classes of texts so far, up to a limit.
    """

    def __init__(self, ctx: LoadContext, *, cells: bool = False) -> None:
        self.classes: dict[str, None] = {}
        self._texts = 0
        self._ctx, self._cells = ctx, cells
        self._separator = ctx.settings.label_separator

    def text(self, value: Any, names: Sequence[str] | None = None) -> Labels:
        """Return the label of a text from a string, a whole number, or a list of one of these, also as a text in CSV.

        Where ``data.numbers`` says so, it is a number; where ``data.multilabel`` does, all labels of a list.

        :param names: the names of class numbers.
        :raises MissingLabelError: there is none; names no file. It is an :class:`EmptyLabelsError` for an empty list.
        :raises SeveralLabelsError: there are several, and no setting says that there may; names no file.
        :raises DataError: there are several labels, or one of another type; names no file.
        """
        if self._ctx.settings.numbers:
            return self._number_label(value)
        given = self._split(value) if isinstance(value, str) else value
        if self._ctx.settings.multilabel:
            values = all_values(given, cell=self._cells)
            labels = label_set(self._label(each, names, cell=self._cells) for each in values)
        elif isinstance(given, list | tuple) and not given:
            raise EmptyLabelsError(
                "the label is missing: the list of labels is empty", hint=f"give each text a label; {SKIP_HINT}; {HOW}"
            )
        else:
            labels = (self._label(given, names, cell=self._cells),)
        self._texts += 1
        if len(self.classes) < _MAX_CLASSES:
            self.classes.update(dict.fromkeys(labels))
        return labels if self._ctx.settings.multilabel else labels[0]

    def words(self, value: Any, names: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the labels of words from a list.

        :param names: the names of class numbers.
        :raises MissingLabelError: all or one are missing; names no file.
        :raises DataError: the labels are not a list, or one is invalid; names no file.
        """
        if value is None:
            hint = f"give each word a label; {SKIP_HINT}"
            raise MissingLabelError("the labels are missing", hint=hint)
        if not isinstance(value, list | tuple):
            hint = f"choose their field: --columns {self._ctx.layer or 'LAYER'}=…"
            if isinstance(value, str) and any(map(_TAG.match, value.split())):
                hint = 'write them as a list, one for each word: ["B-PER", "O"]'
            elif isinstance(value, str | int):
                hint += "; a class of the whole text is for textcls"
            raise DataError(f"the labels of words must be a list, not {value!r}"[:300], hint=hint)
        return tuple([self._label(label if not isinstance(label, list | tuple) else None, names) for label in value])

    def finish(self, path: Path) -> None:
        """Report what the classes of the file look like if it is not classes: several labels in one, or tags of words.

        :raises DataError: a class is several others, as in ``a|b``, and the policy does not skip records; names the
            file.
        """
        tags = {part for label in self.classes for part in label.split()}
        if any(map(_TAG.match, tags)) and all(_TAG.match(tag) or tag == "O" for tag in tags):
            self._ctx.policy.assume(
                f"the classes of {path.name} look like tags of words, each row is read as a text",
                "labelkit run ner reads words, from .conll files or with --set data.format=conll",
            )
        settings, layer = self._ctx.settings, self._ctx.layer or "label"
        settled = settings.unknown_label is not None
        for said in doubtful_classes(list(self.classes), self._texts, path.name, layer=layer, settled=settled):
            self._ctx.policy.assume(*said)
        for label in self.classes if self._separator is None else ():
            if parts := joined_classes(label, self.classes):
                listed = ", ".join(f"'{part}'" for part in parts)
                error = DataError(
                    f"{path}: the class '{label}' looks like several labels of one text: {listed} are classes"[:400],
                    hint=f"--set 'data.label_separator={separator_of(label, parts)}' reads several labels of a text; "
                    f"if it is a class of its own, --set data.label_separator={NO_SEPARATOR}",
                )
                self._ctx.policy.skip_record(error)
                return

    def _number_label(self, value: Any) -> str:
        value = only_value(value)
        if is_missing(value, cell=self._cells):
            raise MissingLabelError("the label is missing", hint=f"give each text a number; {SKIP_HINT}")
        return number_label(value)

    def _split(self, value: str) -> Any:
        """Return the list or object that a cell of a table writes as text, or the labels between separators."""
        value = parse_cell(value)
        if isinstance(value, str) and self._separator not in (None, NO_SEPARATOR):
            return [part.strip() for part in value.split(self._separator) if part.strip()]
        return value

    def _label(self, value: Any, names: Sequence[str] | None, *, cell: bool = False) -> str:
        value = only_value(value)
        label = class_label(None if is_missing(value, cell=cell) else value, names)
        number = cell if isinstance(value, str) else isinstance(value, float) and names is None
        return self._number(label) if number else label

    def _number(self, label: str) -> str:
        """Return the label ``1`` for ``1.0``, which pandas makes of a column with missing values.

        :raises DataError: the label is another fraction, and fractions are not classes; names no file.
        """
        if self._ctx.settings.number_classes or not _FRACTION.fullmatch(label):
            return label
        whole = _WHOLE.match(label)
        if whole is None:
            raise fraction_error(label)
        self._ctx.policy.assume(
            "labels such as 1.0 are read as the class 1", "--set data.number_classes=true keeps them as they are"
        )
        return sys.intern(whole[0])


def class_label(value: Any, names: Sequence[str] | None = None) -> str:
    """Return the label from a string, a number, a list of one of these, or an object of Label Studio's choices.

    :param names: the names of class numbers.
    :raises MissingLabelError: there is none; names no file.
    :raises DataError: there are several, or one has no name or is of another type; names no file.
    """
    value = only_value(value)
    if is_missing(value):
        raise MissingLabelError("the label is missing", hint=f"give each text or word a label; {SKIP_HINT}")
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _named(value, names)
    raise DataError(
        f"a label is text or a whole number, not {value!r}"[:300], hint="choose its column: --columns label=…"
    )


def report_several(error: SeveralLabelsError, ctx: LoadContext) -> None:
    """Skip a record with several labels by the policy; raise where texts may turn out to have several.

    :raises SeveralLabelsError: no setting says whether they have, and the caller may read them again.
    """
    if ctx.settings.multilabel is None and ctx.kind == "text" and not ctx.settings.numbers:
        raise error
    ctx.policy.skip_record(error)


def only_value(value: Any) -> Any:
    """Return the only item of a list, or of Label Studio's choices; None if it is empty, any other value as it is.

    :raises DataError: there are several; names no file.
    """
    if isinstance(value, Mapping) and "choices" in value:
        value = value["choices"]
    if not isinstance(value, list | tuple):
        return value
    _check_flat(value)
    if len(value) > 1:
        raise SeveralLabelsError(
            f"one label is needed, this text has {len(value)}: {', '.join(map(str, value))}"[:200],
            hint=f"keep one; {HOW}",
        )
    return value[0] if value else None


def all_values(value: Any, *, cell: bool = False) -> list[Any]:
    """Return the items of a list, or of Label Studio's choices; any other value as the only item.

    :param cell: see :func:`is_missing`.
    :raises MissingLabelError: the value stands for no label; names no file.
    """
    if isinstance(value, Mapping) and "choices" in value:
        value = value["choices"]
    if is_missing(value, cell=cell) and not isinstance(value, list | tuple):
        hint = f"give each text a list of labels, [] for none; {SKIP_HINT}"
        raise MissingLabelError("the labels are missing", hint=hint)
    if not isinstance(value, list | tuple):
        return [value]
    _check_flat(value)
    return list(value)


def _check_flat(values: Sequence[Any]) -> None:
    """Check that a list of labels of a text holds no spans.

    :raises DataError: it does; names no file.
    """
    if nested := next((one for one in values if isinstance(one, list | tuple | Mapping)), None):
        raise DataError(
            f"the label of a text is a class, not a span: {nested!r}"[:300],
            hint="spans are read by a task for words, e.g. labelkit run ner; data show and check by --layer ner",
        )


def is_missing(value: Any, *, cell: bool = False) -> bool:
    """Return whether a value stands for no label: None, NaN or an empty text.

    :param cell: it is a cell of a text table, where NaN is written as a text; in JSON, ``"nan"`` is one like others.
    """
    if isinstance(value, str):
        return not value.strip() or (cell and value.strip() in _MISSING_CELLS)
    return value is None or (isinstance(value, float) and math.isnan(value))


def joined_classes(label: str, classes: Iterable[str]) -> list[str]:
    """Return the several classes that ``label`` joins by a separator; none if a part is not one of ``classes``.

    >>> joined_classes("a|b", ("a", "b", "a|b"))
    ['a', 'b']
    """
    known = classes if isinstance(classes, Mapping | set | frozenset) else set(classes)
    for separator in SEPARATORS:
        parts = [part.strip() for part in label.split(separator)]
        if len(parts) < 2 or not all(parts):
            continue
        swapped = separator.join(reversed(label.split(separator)))  # tools write several labels in any order
        if all(part in known for part in parts) or (swapped != label and swapped in known):
            return parts
    return []


def separator_of(label: str, parts: Sequence[str]) -> str:
    """Return the character that joins ``parts`` to ``label``."""
    return next(mark for mark in SEPARATORS if [part.strip() for part in label.split(mark)] == list(parts))


def fraction_error(value: object) -> DataError:
    """Return the error for a label that is a fraction."""
    return DataError(
        f"the label {value} is a fraction, labels are classes",
        hint="numbers are learned with --set train.head=regression, and read with --set data.numbers=true; if they are "
        "names of classes, --set data.number_classes=true; or choose another column with --columns label=…",
    )


def _named(value: float, names: Sequence[str] | None) -> str:
    if names is None:
        return sys.intern(str(value))
    if value % 1:
        raise fraction_error(value)
    if not 0 <= value < len(names):
        raise DataError(f"label {value} has no name, there are {len(names)}", hint="-1 often means: not labelled")
    return sys.intern(names[int(value)])
