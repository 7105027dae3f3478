"""Classes of texts that may not be what they seem. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labelkit.records import Assumption

#: classes that may stand for a missing label
_PERHAPS_MISSING = frozenset(("none", "null", "n/a", "na", "nil", "missing", "-"))
_WORDS = 2  # of a class on average, by which it looks like a text where none occurs twice
_FEWEST = 3  # texts by which that is judged
_SHOWN = 40


def doubtful_classes(
    classes: Sequence[str], texts: int, file: str, *, layer: str, settled: bool
) -> Iterator[Assumption]:
    """Yield a line for what looks like a missing label, for classes that hardly differ, and for swapped columns.

    :param texts: how many texts have these classes.
    :param settled: the user has said which label means a missing one.

    >>> list(doubtful_classes(["pos", "neg"], 10, "a.csv", layer="label", settled=False))
    []
    """
    for label in classes if len(classes) > 1 and not settled else ():
        if label.strip().lower() in _PERHAPS_MISSING:
            yield Assumption(
                f"'{label}' is a class of {file}", f"--set data.unknown_label={label} reads it as a missing label"
            )
    alike: dict[str, list[str]] = {}
    for label in classes:
        alike.setdefault(" ".join(label.split()).casefold(), []).append(label)
    for same in alike.values():
        if len(same) > 1:
            shown = " and ".join(f"'{label}'" for label in same[:3])
            yield Assumption(f"{shown} are different classes of {file}", "write them alike to say otherwise")
    words = sum(len(label.split()) for label in classes)
    if texts == len(classes) >= _FEWEST and words > _WORDS * texts:
        yield Assumption(
            f"each text of {file} has a class of its own, such as '{classes[0][:_SHOWN]}'",
            f"--columns text=…,{layer}=… names the columns, if they are swapped",
        )
