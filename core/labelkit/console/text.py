"""Make text of users safe to print: control characters become visible."""

from __future__ import annotations

#: control characters, newlines included → visible pictures, so that no text can control the terminal
_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    # surrogates, which stand for bytes that are not UTF-8: no stream can encode them
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
    # bidirectional control characters: they reverse the text that follows in the terminal
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}
_KEEP_LINES = {code: picture for code, picture in _PICTURES.items() if code != 0x0A}
_KEEP_TABS = {code: picture for code, picture in _KEEP_LINES.items() if code != 0x09}


def literal(text: str, *, lines: bool = True, tabs: bool = False) -> str:
    r"""Return ``text`` with control characters made visible.

    :param lines: keep newlines.
    :param tabs: keep newlines and tabs.

    >>> literal("a\x1b[31mb")
    'a␛[31mb'
    """
    return text.translate(_KEEP_TABS if tabs else _KEEP_LINES if lines else _PICTURES)


def shorten(text: str, width: int) -> str:
    """Return ``text`` in ``width`` columns at most; … replaces its middle where it is longer.

    >>> shorten("/data/corpora/wnut17/train.conll", 16)
    '/data/c…in.conll'
    """
    from rich.cells import cell_len, set_cell_size  # errors are printed without loading rich

    if cell_len(text) <= width:
        return text
    end = width // 2
    tail = set_cell_size(text[::-1], end)[::-1]
    return f"{set_cell_size(text, width - 1 - end)}…{tail}" if width > 1 else "…"[:width]
