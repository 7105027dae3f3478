"""Which checks a plugin has to pass, and a way to run them without pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import get_args

from labelkit.catalog import Catalog, PluginInfo, find_candidates
from labelkit.errors import nearest
from labelkit.records import Kind, Metric, Source, Task
from labelkit.testing import metrics, sources, tasks
from labelkit.testing.base import Broken, Check, DataAbsentError, Outcome, plainly, require

#: what no plugin may load when it is imported: each costs every command seconds
HEAVY = ("torch", "transformers", "datasets", "evaluate")
_SCRIPT = """
import json, sys
from labelkit.catalog import Catalog
Catalog.load(only=[sys.argv[1]])
json.dump(sorted(set(sys.argv[2:]) & sys.modules.keys()), sys.stderr)
"""


def checks(plugin: str, catalog: Catalog | None = None) -> Iterator[Check]:
    """Yield the checks that apply to ``plugin``, by what it yields; none has run yet.

    :param plugin: the name of its entry point.
    :param catalog: where to look for it; default: what is installed.
    """
    found = Catalog.load() if catalog is None else catalog
    yield Check("plugin-loads", partial(_loads, plugin, found))
    if plugin in {candidate.name for candidate in find_candidates()}:
        yield Check("plugin-imports-light", partial(_imports_light, plugin))
    if not any(info.name == plugin and info.status == "loaded" for info in found.plugins):
        return
    for what, record in found.supplied_by(plugin):
        for question, ask in _questions(record, found):
            yield Check(f"{what}-{record.name}-{question}", ask)


def _questions(record: object, catalog: Catalog) -> Iterator[tuple[str, Callable[[], None]]]:
    if not isinstance(record, Task | Source | Metric):
        return
    yield "kind", partial(_kind, record)
    if record.kind not in get_args(Kind):
        return
    if isinstance(record, Task):
        yield from tasks.questions(record, catalog)
    elif isinstance(record, Source):
        yield from sources.questions(record, catalog)
    else:
        yield from metrics.questions(record)


def check_plugin(plugin: str, *, catalog: Catalog | None = None) -> list[Outcome]:
    """Run every check that applies to ``plugin`` and return what each found.

    >>> [outcome.check for outcome in check_plugin("ner") if not outcome.passed]
    []
    """
    return [_outcome(check) for check in checks(plugin, catalog)]


def _outcome(check: Check) -> Outcome:
    try:
        check()
    except DataAbsentError as absent:
        return Outcome(check.name, "skipped", str(absent))
    except Broken as broken:
        return Outcome(check.name, "failed", str(broken))
    except Exception as error:
        return Outcome(check.name, "failed", f"the check itself failed, please report it: {plainly(error)}")
    return Outcome(check.name, "passed")


# -- the plugin as a whole --------------------------------------------------------------------------------------------


def _loads(plugin: str, catalog: Catalog) -> None:
    found = [info for info in catalog.plugins if info.name == plugin]
    require(found, _unknown(plugin, catalog.plugins))
    loaded = [info for info in found if info.status == "loaded"]
    require(loaded, f"plugin '{plugin}' is {found[0].status}: {found[0].reason}")
    require(
        loaded[0].hooks,
        f"plugin '{plugin}' implements no hook: let its entry point name the module that holds the functions marked "
        "@labelkit.hookimpl",
    )


def _kind(record: Task | Source | Metric) -> None:
    what = type(record).__name__
    require(
        record.kind in get_args(Kind), f"kind of {what} '{record.name}' is {record.kind!r}: write 'token' or 'text'"
    )


def _unknown(plugin: str, known: tuple[PluginInfo, ...]) -> str:
    hint = nearest(plugin, [info.name for info in known])
    return (
        f"no installed plugin is called '{plugin}' ({hint}): install the package, and declare it under "
        f'[project.entry-points.labelkit] in its pyproject.toml as {plugin} = "its_module"'
    )


def _imports_light(plugin: str) -> None:
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, plugin, *HEAVY], env=surroundings, capture_output=True, text=True, check=False
    )
    try:
        loaded = json.loads(done.stderr.splitlines()[-1])
    except (IndexError, ValueError):
        raise Broken(f"importing plugin '{plugin}' ends the process: {done.stderr[-500:]}") from None
    require(
        not loaded,
        f"importing plugin '{plugin}' loads {', '.join(loaded)}: import {loaded and loaded[0]} inside the function "
        "that needs it, every command pays for it otherwise",
    )
