"""HTML for notebooks: tables, scores, and texts with coloured spans. Text of users is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelkit.records.labelled import Labelled

#: background colours of labels, by their order; dark text is readable on each
COLOURS = ("#ffd8a8", "#a5d8ff", "#b2f2bb", "#eebefa", "#ffec99", "#ffc9c9", "#99e9f2", "#d8f5a2", "#d0bfff", "#e9ecef")
_MAX_CHARACTERS = 20_000  # of a text that is shown
_DETAILS = ("support", "repaired", "temperature")
_TRIPLE = ("precision", "recall", "f1", "support")


def figure(value: object) -> str:
    """Return a figure as tables show it: four places, counts whole, a dash for none.

    >>> figure(0.5), figure(12), figure(None)
    ('0.5000', '12', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def html_table(header: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> str:
    """Return a table; the first column is text, the others are figures.

    >>> html_table(("a", "b"), [("<", 1)]).count("&lt;")
    1
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(
        f'<tr><th style="text-align:left">{escape(str(first))}</th>'
        + "".join(f'<td style="text-align:right">{escape(figure(value))}</td>' for value in rest)
        + "</tr>"
        for first, *rest in rows
    )
    caption = f'<caption style="text-align:left">{escape(title)}</caption>' if title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def score_tables(title: str, figures: Mapping[str, Any], note: str = "") -> str:
    """Return the scores of a split: by type where there are types, and the whole ones.

    :param figures: name → figure, with ``per_type`` inside.
    """
    per_type = figures.get("per_type") or {}
    rows = [(name, *(row.get(each) for each in _TRIPLE)) for name, row in per_type.items()]
    parts = [html_table(("", *_TRIPLE), rows, title=title)] if rows else []
    whole = [(name, value) for name, value in figures.items() if isinstance(value, int | float) and _is_shown(name)]
    parts.append(html_table(("score", ""), whole, title="" if rows else title))
    return "".join(parts) + (f"<p>{escape(note)}</p>" if note else "")


def _is_shown(name: str) -> bool:
    """Return whether a score is one to look at first; all of them are in the record."""
    return "." not in name and name not in _DETAILS and not name.startswith(("span_", "macro_p", "macro_r", "ece"))


def labelled_html(record: Labelled) -> str:
    """Return a labelled record: its text with coloured spans, or with its label."""
    if record.words is None:
        if record.labels is not None:
            tags = " ".join(_tag(label, "", COLOURS[0]) for label in record.labels or ("–",))
            return f"<div>{_texts(record)} {tags}</div>"
        score = "" if record.score is None else f" {record.score:.2f}"
        return f"<div>{_texts(record)} {_tag(record.label or '–', score, COLOURS[0])}</div>"
    if record.spans is None:
        pairs = zip(record.words, record.labels or (), strict=True)
        return f"<div>{' '.join(f'{_text(word)}<sub>{escape(label)}</sub>' for word, label in pairs)}</div>"
    names = sorted({span.label for span in record.spans})
    parts, end = [], 0
    for span in sorted(record.spans, key=lambda one: one.start):
        if span.start < end or span.end > _MAX_CHARACTERS:
            continue  # overlapping, or beyond what is shown
        colour = COLOURS[names.index(span.label) % len(COLOURS)]
        title = "" if span.score is None else f' title="{span.score:.2f}"'
        shown = f'<mark style="background:{colour};color:#212529;border-radius:3px;padding:0 2px"{title}>'
        shown += f'{_text(span.text)} <small style="font-weight:bold">{escape(span.label)}</small></mark>'
        parts += [_text(record.text[end : span.start]), shown]
        end = span.end
    parts.append(_text(record.text[end:]))
    return f'<div style="line-height:1.8">{"".join(parts)}</div>'


def _tag(label: str, more: str, colour: str) -> str:
    style = f"background:{colour};color:#212529;border-radius:3px;padding:0 4px"
    return f'<mark style="{style}"><b>{escape(label)}</b>{escape(more)}</mark>'


def _texts(record: Labelled) -> str:
    """Return the text, or both texts of a pair, each on a line."""
    return _text(record.text) if record.pair is None else f"{_text(record.text)}<br>{_text(record.pair)}"


def _text(text: str) -> str:
    cut = text[:_MAX_CHARACTERS] + ("…" if len(text) > _MAX_CHARACTERS else "")
    return escape(cut).replace("\n", "<br>")
