"""Text of users, shown literally."""

from __future__ import annotations

#: control characters → their visible pictures, so that no text can steer the terminal; a newline becomes one too
_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    # half a surrogate pair, as which bytes that are no UTF-8 come in: no stream would take it
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
    # marks that turn the direction of whatever follows them in the terminal
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}
_KEEP_LINES = {code: picture for code, picture in _PICTURES.items() if code != 0x0A}


def literal(text: str, *, lines: bool = True) -> str:
    r"""Return ``text`` with control characters made visible.

    :param lines: keep line ends.

    >>> literal("a\x1b[31mb")
    'a␛[31mb'
    """
    return text.translate(_KEEP_LINES if lines else _PICTURES)


def shorten(text: str, width: int) -> str:
    """Return ``text`` in ``width`` places at most, with … for what is left out of its middle.

    >>> shorten("/data/corpora/wnut17/train.conll", 16)
    '/data/c…in.conll'
    """
    from rich.cells import cell_len, set_cell_size  # errors are told without rich

    if cell_len(text) <= width:
        return text
    end = width // 2
    tail = set_cell_size(text[::-1], end)[::-1]
    return f"{set_cell_size(text, width - 1 - end)}…{tail}" if width > 1 else "…"[:width]
