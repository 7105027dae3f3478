"""Cut pairs of texts into windows that read a part of both, so that nothing of either is lost. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labelkit.encode.windows import WindowBounds, split_into_windows

#: where the second text of a window begins that has none
NO_PAIR = -1
#: windows of a pair above which not every part of one text is read beside every part of the other
MOST_WINDOWS = 64

#: the bounds of a window in the first and in the second text, and its weight in the pair
PairBounds = tuple[WindowBounds, WindowBounds, float]


def split_pair(first: int, second: int, capacity: int, stride: int) -> Iterator[PairBounds]:
    """Yield the windows of a pair of texts; their weights sum to one.

    A pair that fits is one window. Else the shorter text is kept whole where it takes at most half of a window, and
    the windows move over the longer one. Where both are longer than that, each is cut into parts of half a window, and
    every part of one is read beside every part of the other, as overflowing tokens of ``tokenizers`` are. That grows
    with the product of the lengths, so above :data:`MOST_WINDOWS` each part of the text with more parts is read once,
    beside the part of the other one that is as far from its start.

    :param first: number of subwords of the first text.
    :param second: of the second; a pair without any has no windows.
    :param capacity: subwords in a window, special tokens not counted; 2 at least.
    :param stride: subwords that neighbouring parts of a text share.

    >>> [(a.start, a.stop, b.start, b.stop, weight) for a, b, weight in split_pair(1, 6, 4, 0)]
    [(0, 1, 0, 3, 0.5), (0, 1, 3, 6, 0.5)]
    """
    if not first and not second:
        return
    half = capacity // 2
    if first + second <= capacity:
        rooms = first, second
    elif min(first, second) <= half:
        shorter = min(first, second)
        rooms = (first, capacity - first) if first == shorter else (capacity - second, second)
    else:
        rooms = half, capacity - half
    ones, others = (_parts(size, room, stride) for size, room in zip((first, second), rooms, strict=True))
    if len(ones) * len(others) <= MOST_WINDOWS:
        for one in ones:
            yield from ((one, other, _share(one, first) * _share(other, second)) for other in others)
    elif len(ones) >= len(others):
        for number, one in enumerate(ones):
            yield one, others[number * len(others) // len(ones)], _share(one, first)
    else:
        for number, other in enumerate(others):
            yield ones[number * len(ones) // len(others)], other, _share(other, second)


def _parts(size: int, room: int, stride: int) -> list[WindowBounds]:
    """Return the parts of a text; an empty one has an empty part."""
    if size <= room:
        return [WindowBounds(0, size, 0, size)]
    return split_into_windows(np.arange(size, dtype=np.int32), room, stride)


def _share(part: WindowBounds, size: int) -> float:
    """Return the share of a text that a part of it answers for."""
    return (part.own_stop - part.own_start) / size if size else 1.0
