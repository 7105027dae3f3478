"""Read a data reference for its words or texts alone, whatever labels they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from labelkit.data.reading import RawCorpus, kind_of, read_raw_corpus
from labelkit.data.resolved_splits import DataCatalog, NamedPlugin
from labelkit.formats.plain_text import text_format
from labelkit.records import DataSettings, Format, LoadContext, ReadingPolicy, Schema, Source


@dataclass(frozen=True, slots=True)
class _WithPlainText:
    """A catalog in which files of plain text are data, a text per line: they need no labels here."""

    owner: Callable[[str, str], NamedPlugin]
    sources: Mapping[str, Source]
    formats: Mapping[str, Format]
    schemas: Mapping[str, Schema]


def read_unlabelled(reference: str, catalog: DataCatalog, ctx: LoadContext) -> RawCorpus:
    """Read every split of a data reference without its labels; the settings for other data do not hold for it.

    :param ctx: only where data lie, what may be fetched, and the encoding of text files are taken from it.
    :raises DataError: something is missing, empty, or not readable.
    :raises UnknownNameError: no source, path or folder has this name; the nearest are suggested.
    """
    formats = {**catalog.formats, "text": text_format()}
    within = replace(
        ctx, path=None, columns={}, settings=DataSettings(encoding=ctx.encoding), layer=None, kind=None,
        policy=ReadingPolicy(labels="ignored"), origins={}, formats=catalog.formats,
    )  # fmt: skip
    known = _WithPlainText(catalog.owner, catalog.sources, formats, catalog.schemas)
    return read_raw_corpus(reference, kind_of(reference, known, within), known, within)
