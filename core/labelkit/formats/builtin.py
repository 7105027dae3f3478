"""The formats that core reads and writes."""

from __future__ import annotations

from labelkit.formats import class_folders, conll, conllu, delimited, fasttext, json_files, tables
from labelkit.formats.tools import brat, doccano, html, label_studio, prodigy, spacy_docbin, webanno

FORMATS = (
    *conll.FORMATS,
    conllu.FORMAT,
    *json_files.FORMATS,
    *delimited.FORMATS,
    fasttext.FORMAT,
    class_folders.FORMAT,
    *tables.FORMATS,
    brat.FORMAT,
    doccano.FORMAT,
    label_studio.FORMAT,
    prodigy.FORMAT,
    spacy_docbin.FORMAT,
    webanno.FORMAT,
    html.FORMAT,
)
