"""One HTML page that shows the labels in the text, without external resources or scripts, and with all text escaped.

The page is written record by record, so the legend comes last; the style sheet shows it at the top.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from labelkit.errors import DataError
from labelkit.formats.delimited import as_text
from labelkit.formats.tools.span_records import to_spans
from labelkit.records import Format, Labelled, Output

_STYLE = """
:root { color-scheme: light dark; --fill: 88%; --line: 45%; --ink: #1b1b1f; --dim: #63636b; --back: #fff; --edge: #ddd }
@media (prefers-color-scheme: dark) {
  :root { --fill: 26%; --line: 62%; --ink: #e8e8ec; --dim: #a2a2ab; --back: #17171a; --edge: #3a3a40 }
}
body { display: flex; flex-direction: column; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--back); color: var(--ink); font: 1rem/1.9 system-ui, sans-serif }
header, footer { order: -1 }
footer { position: sticky; top: 0; padding: .5rem 0; background: var(--back); border-bottom: 1px solid var(--edge) }
article { padding: .6rem 0; border-bottom: 1px solid var(--edge); content-visibility: auto;
  contain-intrinsic-size: auto 5rem }
p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: plaintext }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: .8rem; font-weight: normal; color: var(--dim); margin: 0 }
mark, .label { --hue: calc(var(--n) * 137.5); color: inherit; background: hsl(var(--hue) 75% var(--fill));
  border-bottom: 2px solid hsl(var(--hue) 70% var(--line)); border-radius: .2rem; padding: .1rem .15rem }
mark > bdi { font-size: .7rem; font-weight: 600; margin-inline-start: .35rem; color: var(--dim) }
.label { margin-inline-end: .5rem; white-space: nowrap }
details { font-size: .8rem; color: var(--dim) } dl { margin: 0; display: grid; grid-template-columns: auto 1fr;
  column-gap: 1rem } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
"""
_HEAD = f"""<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>labelkit</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>Labelled by labelkit</h1></header>
"""
# HTML can hold neither control characters nor halves of surrogate pairs.
_UNREPRESENTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write the page.

    :raises DataError: spans of a record overlap.
    """
    page = _Page()
    output.stream.write(_HEAD.encode())
    for labelled in records:
        output.stream.write(page.article(labelled).encode())
    output.stream.write(page.footer().encode())


FORMAT = Format(
    name="html",
    kinds=("token", "text"),
    suffixes=(".html",),
    write=write,
    multilabel=True,
    summary="one page to look at: labels and scores shown in the text",
)


class _Page:
    """Counts records, and numbers labels in order of appearance: the number selects the colour."""

    def __init__(self) -> None:
        self.records = 0
        self.numbers: dict[str, int] = {}

    def article(self, labelled: Labelled) -> str:
        """Return a record: its id, its text with the labels of each task, and its details."""
        self.records += 1
        body = "".join(
            f'<h3 dir="auto">{_escaped(task)}</h3>\n{self.body(layer)}' for task, layer in labelled.layers.items()
        )
        heading = f'<h2 dir="auto">{_escaped(labelled.id)}</h2>'
        return f"<article>{heading}\n{body or self.body(labelled)}{details(labelled)}</article>\n"

    def body(self, labelled: Labelled) -> str:
        """Return the text of a record with its labels."""
        if labelled.words is None:
            chips = [self.chip(str(labelled.label), labelled.score)]
            if labelled.labels is not None:
                chips = [self.chip(label, (labelled.scores or {}).get(label)) for label in labelled.labels]
            return f'<p dir="auto">{_escaped(labelled.text)}</p>\n<div>{" ".join(chips)}</div>\n'
        return f'<p dir="auto">{"".join(self.marked_text(labelled))}</p>\n'

    def marked_text(self, labelled: Labelled) -> Iterator[str]:
        """Yield the pieces of a text with its spans marked.

        :raises DataError: spans overlap.
        """
        text, cursor = labelled.text, 0
        for span in sorted(to_spans(labelled).spans, key=lambda span: (span.start, span.end)):
            if span.start < cursor:
                raise DataError(
                    f"record '{labelled.id}': spans overlap at {span.start}, a page shows them side by side only",
                    hint="another format can hold them, e.g. --to doccano",
                )
            yield _escaped(text[cursor : span.start])
            score = "" if span.score is None else f" {span.score:.2f}"
            inside = _escaped(text[span.start : span.end])
            yield f'<mark dir="auto" style="--n:{self.number(span.label)}">{inside}'
            yield f"<bdi>{_escaped(span.label)}{score}</bdi></mark>"
            cursor = span.end
        yield _escaped(text[cursor:])

    def chip(self, label: str, score: float | None = None) -> str:
        """Return a label on its colour."""
        figure = "" if score is None else f" {score:.2f}"
        return f'<bdi class="label" style="--n:{self.number(label)}">{_escaped(label)}{figure}</bdi>'

    def number(self, label: str) -> int:
        """Return the number of a label."""
        return self.numbers.setdefault(label, len(self.numbers))

    def footer(self) -> str:
        """Return the legend and the end of the page."""
        chips = "".join(map(self.chip, list(self.numbers)))
        count = f"{self.records:,} record{'' if self.records == 1 else 's'}"
        return f"<footer>{chips}<small>{count}</small></footer>\n</body>\n</html>\n"


def details(labelled: Labelled) -> str:
    """Return a folded list: scores of all classes, words without a label of their own, and the user's own fields."""
    scores = sorted((labelled.scores or {}).items(), key=lambda pair: -pair[1])
    rows = [(name, f"{score:.4f}") for name, score in scores]
    if labelled.coverage.fallback:
        rows.append(("words without a label of their own", str(labelled.coverage.fallback)))
    rows += [(name, as_text(value)) for name, value in labelled.extra.items()]
    if not rows:
        return ""
    cells = (f'<dt dir="auto">{_escaped(name)}</dt><dd dir="auto">{_escaped(value)}</dd>' for name, value in rows)
    return f"<details><summary>more</summary><dl>{''.join(cells)}</dl></details>\n"


def visible(text: str) -> str:
    """Return text with symbols or code points for characters that HTML cannot hold; nothing is escaped yet."""

    def symbol(match: re.Match[str]) -> str:
        code = ord(match[0])
        return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else f"\\u{code:04x}"

    return _UNREPRESENTABLE.sub(symbol, text)


def _escaped(text: str) -> str:
    return escape(visible(text))
