"""One page of HTML with the labels shown in the text: nothing from elsewhere, no script, everything escaped.

Written record by record. The legend, known only at the end, stands at the end of the page and is shown at the top.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from labelkit.errors import DataError
from labelkit.formats.delimited import as_text
from labelkit.formats.tools.writing import marked
from labelkit.records import Format, Labelled, Output, Span

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
# HTML holds neither control characters nor halves of surrogate pairs; they are shown as what they are.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def write(records: Iterable[Labelled], output: Output) -> None:
    """Write the page.

    :raises DataError: spans of a record overlap.
    """
    labels: dict[str, int] = {}
    count = 0
    output.stream.write(_HEAD.encode())
    for labelled in records:
        output.stream.write("".join(_article(labelled, labels)).encode())
        count += 1
    output.stream.write("".join(_foot(count, labels)).encode())


FORMAT = Format(
    name="html",
    kinds=("token", "text"),
    suffixes=(".html",),
    write=write,
    summary="one page to look at: labels and scores shown in the text",
)


def _article(labelled: Labelled, labels: dict[str, int]) -> Iterator[str]:
    yield f'<article><h2 dir="auto">{_shown(labelled.id)}</h2>\n'
    if labelled.words is None:
        yield f'<p dir="auto">{_shown(labelled.text)}</p>\n'
        yield f"<div>{_chip(str(labelled.label), labelled.score, labels)}</div>\n"
    else:
        yield f'<p dir="auto">{"".join(_inline(labelled, labels))}</p>\n'
    yield from _details(labelled)
    yield "</article>\n"


def _inline(labelled: Labelled, labels: dict[str, int]) -> Iterator[str]:
    text, cursor = labelled.text, 0
    for span in sorted(marked(labelled).spans, key=_start):
        if span.start < cursor:
            raise DataError(
                f"record '{labelled.id}': spans overlap at {span.start}, a page shows them side by side only",
                hint="another format can hold them, e.g. --to doccano",
            )
        yield _shown(text[cursor : span.start])
        score = "" if span.score is None else f" {span.score:.2f}"
        inside = _shown(text[span.start : span.end])
        yield f'<mark dir="auto" style="--n:{_number(span.label, labels)}">{inside}'
        yield f"<bdi>{_shown(span.label)}{score}</bdi></mark>"
        cursor = span.end
    yield _shown(text[cursor:])


def _start(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _details(labelled: Labelled) -> Iterator[str]:
    """Yield the scores of all classes, words that could not be read, and the caller's own fields, folded away."""
    scores = sorted((labelled.scores or {}).items(), key=lambda pair: -pair[1])
    rows = [(name, f"{score:.4f}") for name, score in scores]
    if labelled.coverage.fallback:
        rows.append(("words without a label of their own", str(labelled.coverage.fallback)))
    rows += [(name, as_text(value)) for name, value in labelled.extra.items()]
    if rows:
        cells = "".join(
            f'<dt dir="auto">{_shown(name)}</dt><dd dir="auto">{_shown(value)}</dd>' for name, value in rows
        )
        yield f"<details><summary>more</summary><dl>{cells}</dl></details>\n"


def _foot(count: int, labels: dict[str, int]) -> Iterator[str]:
    chips = "".join(_chip(label, None, labels) for label in list(labels))
    yield f"<footer>{chips}<small>{count:,} record{'' if count == 1 else 's'}</small></footer>\n</body>\n</html>\n"


def _chip(label: str, score: float | None, labels: dict[str, int]) -> str:
    shown = "" if score is None else f" {score:.2f}"
    return f'<bdi class="label" style="--n:{_number(label, labels)}">{_shown(label)}{shown}</bdi>'


def _number(label: str, labels: dict[str, int]) -> int:
    """Return the number of a label, which is its colour; labels are numbered as they come."""
    return labels.setdefault(label, len(labels))


def visible(text: str) -> str:
    """Return text with pictures, or numbers, in place of what a page of HTML cannot hold; nothing is escaped yet."""
    return _UNSEEN.sub(_picture, text)


def _shown(text: str) -> str:
    return escape(visible(text))


def _picture(match: re.Match[str]) -> str:
    """Return the picture of a control character, or the number of what has none."""
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else f"\\u{code:04x}"
