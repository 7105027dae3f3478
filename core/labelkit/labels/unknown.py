"""Words whose label is unknown, in partly annotated data: they are ignored in loss and scores, and are never O."""

from __future__ import annotations

from collections.abc import Collection, Sequence

#: the label of a word whose label is unknown, however files write it
UNKNOWN = "<unknown>"
#: how files write it where no setting says so; among plain labels of words ``?`` may be that of a question mark
SPELLINGS, PLAIN_SPELLINGS = ("_", "?", "-100"), ("_", "-100")


def spellings(setting: str | None, *, plain: bool) -> tuple[str, ...]:
    """Return the labels of files that mean that the label is unknown.

    :param setting: ``data.unknown_label``; empty for none.
    :param plain: the labels are plain labels of words.
    """
    if setting is not None:
        return (setting,) if setting else ()
    return PLAIN_SPELLINGS if plain else SPELLINGS


def keep_unknown(before: Sequence[str], after: Sequence[str], unknown: Collection[str] = (UNKNOWN,)) -> tuple[str, ...]:
    """Return ``after``, with the labels that are ``unknown`` in ``before``, label by label.

    >>> keep_unknown(("B-PER", "<unknown>"), ("B-PER", "I-PER"))
    ('B-PER', '<unknown>')
    """
    return tuple([one if one in unknown else other for one, other in zip(before, after, strict=True)])


def unknown_outside(
    labels: Sequence[str], words: Sequence[tuple[int, int]], reviewed: Sequence[tuple[int, int]]
) -> tuple[str, ...]:
    """Return tags with :data:`UNKNOWN` for each O of a word that lies in no region that somebody has reviewed.

    :param words: start and end of each word.
    :param reviewed: start and end of each region, as the words count.

    >>> unknown_outside(("B-PER", "O", "O"), ((0, 3), (4, 7), (8, 9)), [(0, 7)])
    ('B-PER', 'O', '<unknown>')
    """
    return tuple(
        [
            UNKNOWN if label == "O" and not any(first <= start and end <= last for first, last in reviewed) else label
            for label, (start, end) in zip(labels, words, strict=True)
        ]
    )


def hide_unknown(labels: tuple[str, ...], unknown: Collection[str] = (UNKNOWN,)) -> tuple[str, ...]:
    """Return tags with O in place of what is unknown, for what reads notations: :func:`keep_unknown` undoes it."""
    return tuple(["O" if label in unknown else label for label in labels])
