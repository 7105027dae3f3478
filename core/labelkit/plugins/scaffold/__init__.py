"""Scaffold a plugin (``labelkit plugins new``): a package that installs, passes its own tests and runs at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from labelkit.errors import LabelkitError, nearest
from labelkit.files.atomic import new_folder, storage_errors
from labelkit.files.compression import compression_named
from labelkit.plugins.catalog import Catalog
from labelkit.plugins.discovery import CORE, DISTRIBUTION, normalized_name
from labelkit.plugins.versioning import HOOK_API

TEMPLATES = Path(__file__).parent / "templates"
MAX_NAME_LENGTH = 50

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = frozenset({"best", "latest", CORE, DISTRIBUTION})


@dataclass(frozen=True, slots=True)
class PluginKind:
    """A kind of plugin that can be scaffolded. In its texts, ``$name`` and ``$module`` are replaced.

    :param templates: the folders of :data:`TEMPLATES` that its package is made of.
    :param records: the kinds of record that it yields under its own name.
    :param description: one line.
    :param first_use: the command that tries it out.
    :param what_to_change: what its author edits next.
    """

    templates: tuple[str, ...]
    records: tuple[str, ...]
    description: str
    first_use: str
    what_to_change: str


def _task_kind(templates: tuple[str, str], unit: str, units: str) -> PluginKind:
    return PluginKind(
        templates,
        ("task", "source", "schema"),
        f"The labelling task $name: a label for each {unit}",
        "labelkit run $name",
        "`$module/__init__.py` holds the labels, a few examples and how the data is read; `$module/data` holds a "
        f"handful of {units}\nto begin with. Put your own there, or name a folder: `--set data.path=FOLDER`.",
    )


KINDS: Mapping[str, PluginKind] = {
    "token": _task_kind(("token", "sentences"), "word", "sentences"),
    "text": _task_kind(("text", "texts"), "text", "texts"),
    "metric": PluginKind(
        ("metric",),
        ("metric",),
        "The metric $name",
        "labelkit run ner --metric $name",
        "`$module/__init__.py` holds `compute`: gold labels and predictions in, figures out.",
    ),
    "source": PluginKind(
        ("source", "sentences"),
        ("source", "schema"),
        "The corpus $name",
        "labelkit run ner --data $name",
        "`$module/__init__.py` holds how the corpus is read, `$module/data` a handful of sentences to begin with. "
        "Read your own from\nwherever it lies: a folder, a database, a service.",
    ),
    "format": PluginKind(
        ("format",),
        ("format",),
        "The file format $name",
        "labelkit data convert sample sentences.$name --to $name --layer ner --drop id",
        "`$module/__init__.py` holds `read` and `write`; leave one out if the format only goes one way.",
    ),
    "decoder": PluginKind(
        ("decoder",),
        ("decoder",),
        "The decoder $name",
        "labelkit run ner --decoder $name",
        "`$module/__init__.py` holds `decode`: log-probabilities in, label ids out. `labelkit evaluate latest "
        "--decoder $name`\ncompares it with the decoder of a run that is trained already.",
    ),
    "head": PluginKind(
        ("head",),
        ("head",),
        "The head $name",
        "labelkit run ner --set train.head=$name",
        "`$module/__init__.py` holds `loss`: what the linear layer gives and the labels in, losses out. A head may "
        "also change the\noutputs, bring a module with parameters of its own, and name the decoder that fits it.",
    ),
    "preprocessor": PluginKind(
        ("preprocessor",),
        ("preprocessor", "task"),
        "The preprocessor $name",
        "labelkit run $name",
        "`$module/__init__.py` holds `apply`, which changes what the encoder sees, and a task that uses it. Recipes of "
        'other\ntasks use it with `preprocess = ["$name"]`.',
    ),
    "encoder": PluginKind(
        ("encoder",),
        ("encoder",),
        "The encoders $name:NAME",
        "labelkit run ner --model $name:first",
        "`$module/__init__.py` holds `resolve`: the name of a model in, its folder out. The two to begin with are tiny "
        "and have\nrandom weights; put your own there.",
    ),
    "observer": PluginKind(
        ("observer",),
        (),
        "The observer $name",
        "labelkit run ner",
        "`$module/__init__.py` holds `labelkit_event`, which gets every event of a run: print it, log it, send it "
        "anywhere.",
    ),
}


def create(name: str, kind: str, folder: Path, catalog: Catalog) -> Path:
    """Write the package of a new plugin; it appears whole or not at all.

    :param name: of the plugin and of what it yields: a-z, 0-9 and hyphens.
    :param kind: one of :data:`KINDS`.
    :param folder: where the package's own folder ``labelkit-NAME`` is created, together with missing parents.
    :param catalog: the installed plugins, whose names are taken.
    :returns: the package's folder.
    :raises LabelkitError: the name is invalid or taken, the kind is unknown, or the folder exists.
    """
    if kind not in KINDS:
        raise LabelkitError(f"unknown kind of plugin '{kind}'", hint=nearest(kind, KINDS))
    validate_name(name)
    if user := next(_users_of(name, KINDS[kind], catalog), None):
        raise LabelkitError(f"'{name}' is taken by {user}", hint="choose another name")
    target = folder / f"{DISTRIBUTION}-{name}"
    if target.exists() or target.is_symlink():
        raise LabelkitError(f"{target} exists already", hint="choose another name, or another folder with --folder")
    with storage_errors(target), new_folder(target) as package:
        for path, content in render_package(name, KINDS[kind]):
            file = package / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8", newline="\n")
    return target


def validate_name(name: str) -> None:
    """Refuse what cannot be the name of a plugin.

    :raises LabelkitError: it is malformed, too long or reserved, or repeats the prefix of the distribution.
    """
    prefix, _, rest = normalized_name(name).partition("-")
    if prefix == DISTRIBUTION and rest:
        raise LabelkitError(f"the package will be called '{prefix}-{rest}' anyway", hint=f"give only '{rest}'")
    if name in _RESERVED:
        raise LabelkitError(f"a plugin cannot be called '{name}', which is a reserved word", hint="choose another name")
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        rule = f"a-z, 0-9 and single hyphens between them, at most {MAX_NAME_LENGTH} characters, e.g. sentence-ends"
        raise LabelkitError(f"a plugin cannot be called '{name}'", hint=f"use {rule}")


def _users_of(name: str, kind: PluginKind, catalog: Catalog) -> Iterator[str]:
    """Yield what has the name already: a name that two plugins claim is unusable."""
    yield from (f"a plugin of {info.origin}" for info in catalog.plugins if info.name == name)
    for record in kind.records:
        if name in catalog.usable(record):
            yield f"the {record} of plugin '{catalog.owner(record, name).name}'"
    if "format" in kind.records:
        used = (other.name for other in catalog.formats.values() if f".{name}" in other.suffixes)
        yield from (f"the file ending of format '{format_}'" for format_ in used)
        if compression := compression_named(f".{name}"):
            yield f"files that are packed with {compression.name}: their ending is taken off before"


def render_package(name: str, kind: PluginKind) -> Iterator[tuple[Path, str]]:
    """Yield path and content of every file of the package.

    In the paths of templates ``MODULE`` is the module, and ``dot_`` a dot at the beginning; only ``.tmpl`` files hold
    names to replace.
    """
    from labelkit import __version__

    distribution = f"{DISTRIBUTION}-{name}"
    module = distribution.replace("-", "_")
    names = {"name": name, "module": module, "distribution": distribution}
    names |= {"version": ".".join(__version__.split(".")[:2]), "hook_api": str(HOOK_API)}
    for text in ("description", "first_use", "what_to_change"):
        names[text] = Template(getattr(kind, text)).substitute(names)
    for folder in ("common", *kind.templates):
        for file in sorted((TEMPLATES / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                content = file.read_text(encoding="utf-8")
                parts = file.relative_to(TEMPLATES / folder).as_posix().removesuffix(".tmpl").split("/")
                path = Path(*(re.sub("^dot_", ".", module if part == "MODULE" else part) for part in parts))
                yield path, Template(content).substitute(names) if file.suffix == ".tmpl" else content
