"""``labelkit plugins new``: a package with a plugin that installs, passes its own tests and runs at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Template

from labelkit.errors import LabelkitError, nearest
from labelkit.files.atomic import new_folder, storage_errors
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.discovery import CORE, DISTRIBUTION, normal

TEMPLATES = Path(__file__).parent / "templates"
#: the ending of files in which names are put
TEMPLATE = ".tmpl"
LONGEST = 50

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = frozenset({"best", "latest", CORE, DISTRIBUTION})


@dataclass(frozen=True, slots=True)
class Kind:
    """What a new package adds.

    :param parts: folders of :data:`TEMPLATES` that it is made of.
    :param records: the kinds of record that it yields under its own name.
    :param description: one line; ``$name`` stands for the plugin's name.
    :param first_use: the command that uses it at once.
    :param what_to_change: what its author does next.
    """

    parts: tuple[str, ...]
    records: tuple[str, ...]
    description: str
    first_use: str
    what_to_change: str


KINDS: Mapping[str, Kind] = {
    "token": Kind(
        ("token", "sentences"),
        ("task", "source", "schema"),
        "The labelling task $name: a label for each word",
        "labelkit run $name",
        "`$module/__init__.py` holds the labels, a few examples and how the data is read; `$module/data` holds a "
        "handful of sentences\nto begin with. Put your own there, or name a folder: `--set data.path=FOLDER`.",
    ),
    "text": Kind(
        ("text", "texts"),
        ("task", "source", "schema"),
        "The labelling task $name: a label for each text",
        "labelkit run $name",
        "`$module/__init__.py` holds the labels, a few examples and how the data is read; `$module/data` holds a "
        "handful of texts\nto begin with. Put your own there, or name a folder: `--set data.path=FOLDER`.",
    ),
    "metric": Kind(
        ("metric",),
        ("metric",),
        "The metric $name",
        "labelkit run ner --metric $name",
        "`$module/__init__.py` holds `compute`: gold labels and predictions in, figures out.",
    ),
    "source": Kind(
        ("source", "sentences"),
        ("source", "schema"),
        "The corpus $name",
        "labelkit run ner --data $name",
        "`$module/__init__.py` holds how the corpus is read, `$module/data` a handful of sentences to begin with. "
        "Read your own from\nwherever it lies: a folder, a database, a service.",
    ),
    "format": Kind(
        ("format",),
        ("format",),
        "The file format $name",
        "labelkit data convert sample sentences.$name --to $name --layer ner --drop id",
        "`$module/__init__.py` holds `read` and `write`; leave one out if the format only goes one way.",
    ),
}


def create(name: str, kind: str, folder: Path, catalog: Catalog) -> Path:
    """Write the package of a new plugin; it appears whole or not at all.

    :param name: of the plugin and of what it yields: a-z, 0-9 and hyphens.
    :param kind: one of :data:`KINDS`.
    :param folder: where the package's own folder ``labelkit-NAME`` is made; made itself where it does not exist.
    :param catalog: what is there already.
    :returns: the package's folder.
    :raises LabelkitError: the name cannot be used or is taken, there is no such kind, or the folder exists.
    """
    if kind not in KINDS:
        raise LabelkitError(f"there is no kind of plugin '{kind}'", hint=nearest(kind, KINDS))
    _check_name(name)
    _check_free(name, KINDS[kind], catalog)
    target = folder / _distribution(name)
    if target.exists() or target.is_symlink():
        raise LabelkitError(f"{target} exists already", hint="choose another name, or another folder with --folder")
    with storage_errors(target), new_folder(target) as made:
        for place, content in _files(name, KINDS[kind]):
            file = made / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8", newline="\n")
    return target


def _check_name(name: str) -> None:
    if normal(name).startswith(f"{DISTRIBUTION}-"):
        short = normal(name).removeprefix(f"{DISTRIBUTION}-")
        raise LabelkitError(f"a package of labelkit is called '{normal(name)}' anyway", hint=f"give only '{short}'")
    if name in _RESERVED:
        raise LabelkitError(f"a plugin cannot be called '{name}', which is a reserved word", hint="choose another name")
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        raise LabelkitError(
            f"a plugin cannot be called '{name}'",
            hint=f"use a-z, 0-9 and single hyphens between them, at most {LONGEST} characters, e.g. sentence-ends",
        )


def _check_free(name: str, kind: Kind, catalog: Catalog) -> None:
    """Refuse a name that is taken already: of two that yield it, nobody could use either."""
    taken = [f"a plugin of {info.origin}" for info in catalog.plugins if info.name == name]
    for record in kind.records:
        taken += [f"the {record} of plugin '{catalog.owner(record, name).name}'"] if _has(catalog, record, name) else []
    if "format" in kind.records:
        fitting = [one.name for one in catalog.formats.values() if f".{name}" in one.suffixes]
        taken += [f"the file ending of format '{format_}'" for format_ in fitting]
        taken += ["files that are packed with gzip: their ending is taken off before"] if name == "gz" else []
    if taken:
        raise LabelkitError(f"'{name}' is taken by {taken[0]}", hint="choose another name")


def _has(catalog: Catalog, record: str, name: str) -> bool:
    return name in getattr(catalog, f"{record}s")


def _distribution(name: str) -> str:
    return f"{DISTRIBUTION}-{name}"


def _files(name: str, kind: Kind) -> Iterator[tuple[Path, str]]:
    """Yield place and content of every file of the package."""
    names = _names(name, kind)
    for part in ("common", *kind.parts):
        for file in sorted((TEMPLATES / part).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                content = file.read_text(encoding="utf-8")
                text = Template(content).substitute(names) if file.suffix == TEMPLATE else content
                yield _place(PurePosixPath(file.relative_to(TEMPLATES / part).as_posix()), names["module"]), text


def _names(name: str, kind: Kind) -> dict[str, str]:
    from labelkit import __version__

    names = {
        "name": name,
        "module": _distribution(name).replace("-", "_"),
        "distribution": _distribution(name),
        "version": ".".join(__version__.split(".")[:2]),
    }
    texts = {"description": kind.description, "first_use": kind.first_use, "what_to_change": kind.what_to_change}
    return {**names, **{key: Template(text).substitute(names) for key, text in texts.items()}}


def _place(template: PurePosixPath, module: str) -> Path:
    """Return where a template's file goes: ``MODULE`` is the package, ``dot_`` a dot at the beginning."""
    parts = [module if part == "MODULE" else part for part in template.parts]
    plain = [f".{part.removeprefix('dot_')}" if part.startswith("dot_") else part for part in parts]
    return Path(*plain[:-1], plain[-1].removesuffix(TEMPLATE))
