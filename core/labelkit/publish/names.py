"""Names of data and models as strangers may read them: without folders of this machine. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from labelkit.registry import RunDetails

#: the model on the Hub that the bundled encoder is, by the checksum of its weights
BUNDLED_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_HUB_DATA = re.compile(r"hub:([^@:]+)(?:@([^:]+))?(?::(.+))?")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~&])")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataName:
    """Data as a card names it.

    :param name: of a source, a dataset of the Hub, or files without their folders.
    :param hub: the id of the dataset on the Hub; None for others.
    :param revision: its commit.
    """

    name: str
    hub: str | None = None
    revision: str | None = None


def data_name(reference: str) -> DataName:
    """Return the name of a data reference, or of a split's.

    >>> data_name("hub:org/set@0a1b:test").hub, data_name("/home/ada/mine.conll").name
    ('org/set', 'mine.conll')
    >>> data_name("train=/a/x.conll,test=/a/y.conll").name, data_name("sample:train").name
    ('train=x.conll, test=y.conll', 'sample')
    """
    if found := _HUB_DATA.fullmatch(reference):
        return DataName(name=found[1], hub=found[1], revision=found[2])
    parts = []
    for part in reference.split(","):
        key, equals, value = part.partition("=")
        parts.append(f"{key}={_last(value)}" if equals else _last(part))
    return DataName(name=", ".join(parts))


def model_name(details: RunDetails) -> tuple[str, str | None]:
    """Return the name of the encoder of a run, and its id on the Hub where it has one."""
    record = details.record
    reference = record.model.removeprefix("hub:")
    if record.model == "bundled":
        return BUNDLED_MODEL, BUNDLED_MODEL
    local = record.model_revision in ("local", None) or reference.startswith((".", "/", "~")) or "\\" in reference
    name = reference.partition("@")[0]
    if not local and name.count("/") == 1 and ":" not in name:
        return name, name
    return _last(reference), None


def escape(text: object) -> str:
    """Return a text on one line that Markdown shows literally.

    >>> escape("a|b *c*")
    'a\\\\|b \\\\*c\\\\*'
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def _last(reference: str) -> str:
    """Return a path without its folders; the split after a source's name is left out."""
    text = reference.strip().replace("\\", "/").rstrip("/")
    if "/" in text:
        return PurePosixPath(text).name
    return text.partition(":")[0]
