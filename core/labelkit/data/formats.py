"""The formats that core reads and writes."""

from __future__ import annotations

from labelkit.data import conll, conllu, delimited, jsonl, tables

FORMATS = (*conll.FORMATS, conllu.FORMAT, jsonl.FORMAT, *delimited.FORMATS, *tables.FORMATS)
