"""Generate the tables of checks in ``docs/reference/contract.md``; cog calls it, and CI fails when they are stale."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from labelkit.testing.checks import RECORD_CHECKS
from labelkit.testing.framework import CheckSpec
from labelkit.testing.plugins import CHECKS

#: kind of record → what its checks apply to and what they use
BEFORE = {
    "plugin": """These apply to every plugin, whatever it yields. *Another process* is a fresh Python that is given the
        name of the entry point and nothing else. So the plugin has to be installed. An observer receives made-up
        events with `ctx.trial` set, if it takes `ctx`; one that does not receives none.""",
    "settings": "These apply to the settings that a plugin declares.",
    "schema": "These apply to each schema.",
    "metric": """These apply to each metric. It receives sentences (or texts) that are labelled correctly, partly wrong
        and all wrong, and input for which figures are undefined.""",
    "decoder": """These apply to each decoder. It receives scores in all four tagging schemes and for plain labels, for
        many sentences, one, none, and sentences without words.""",
    "head": """These apply to each head. It receives made-up outputs of the linear layer, in all four tagging schemes
        and for plain labels, with labels for some sentences or texts.""",
    "preprocessor": "These apply to each preprocessor. It receives ordinary examples and adversarial ones.",
    "format": "These apply to each format, for each kind of example that it declares.",
    "encoder": "These apply to each kind of model reference.",
    "source": """These apply to each source, without a network and with an empty cache. Where its folder is absent, or
        it raises `labelkit.errors.MissingDataError`, or `labelkit.errors.NetworkError` because `ctx.offline` is set,
        only its record is checked.""",
    "task": """These apply to each task. The last five train it for sixteen steps on its own examples, with a tiny
        random encoder and through the same code as `labelkit run`. `joins` trains it for eight steps together with
        another task, which the kit makes up; each of the two has an example without labels of the other. These runs
        go into a folder that is removed, and no observer receives their events.""",
}


def checks() -> str:
    """Return a section for each kind of record with a table of its checks."""
    specs = {"plugin": CHECKS.specs, **{kind: found.specs() for kind, found in RECORD_CHECKS.items()}}
    return "\n".join(line for kind, found in specs.items() for line in _section(kind, found))


def _section(kind: str, specs: tuple[CheckSpec, ...]) -> Iterator[str]:
    heading = "The plugin as a whole" if kind == "plugin" else f"{kind.capitalize().removesuffix('s')}s"
    prefix = "plugin" if kind == "plugin" else f"{kind}-NAME"
    yield from (
        f"### {heading}",
        "",
        textwrap.fill(" ".join(BEFORE[kind].split()), 100),
        "",
        "| check | what holds | only once these have passed |",
    )
    yield "| --- | --- | --- |"
    for spec in specs:
        needs = ", ".join(f"`{need}`" for need in spec.needs)
        yield f"| `{prefix}-{spec.name}` | {spec.description} | {needs} |"
    yield ""
