"""The formats that core reads and writes."""

from __future__ import annotations

from collections.abc import Iterable

from labelkit.formats import conll, conllu, delimited, jsonl, tables
from labelkit.formats.tools import brat, doccano, html, label_studio, prodigy, spacy_docbin
from labelkit.records import Format

FORMATS = (
    *conll.FORMATS,
    conllu.FORMAT,
    jsonl.FORMAT,
    *delimited.FORMATS,
    *tables.FORMATS,
    brat.FORMAT,
    doccano.FORMAT,
    label_studio.FORMAT,
    prodigy.FORMAT,
    spacy_docbin.FORMAT,
    html.FORMAT,
)


def core_first(fitting: Iterable[Format]) -> list[Format]:
    """Return which of the formats that claim a file's ending are core's, or all of them where none is.

    So no plugin that is installed changes what a command makes of a file; it can be asked for by its name.
    """
    found = list(fitting)
    return [known for known in found if known in FORMATS] or found
