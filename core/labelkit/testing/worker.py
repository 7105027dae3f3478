"""A process of its own that is given nothing but names: how a plugin looks from there.

``python -m labelkit.testing.worker REQUEST ANSWER``: both are JSON files, as stdout belongs to whoever prints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labelkit.testing.base import Broken

#: what no plugin may load when it is imported: each costs every command seconds
HEAVY = ("torch", "transformers", "datasets", "evaluate")
#: seconds after which a process counts as hanging
PATIENCE = 300
Answer = Mapping[str, Any]


def ask(what: str, **request: Any) -> Answer:
    """Start a process, let it do ``what`` and return its answer.

    :raises Broken: it ended before it had one, or never did.
    """
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
        given, answer = Path(folder) / "request.json", Path(folder) / "answer.json"
        given.write_text(json.dumps({"what": what, **request}), encoding="utf-8")
        surroundings = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            # of its own even where the parent's is fixed: what depends on hash() is to show
            "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0",
        }
        command = [sys.executable, "-m", "labelkit.testing.worker", str(given), str(answer)]
        advice = "make it importable by its name alone, without help of the process that started it"
        try:
            done = subprocess.run(
                command,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise Broken(f"a process that loads plugin '{request['plugin']}' does not end", advice) from None
        if not answer.is_file():
            last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
            raise Broken(f"loading plugin '{request['plugin']}' ends the process: {last:.300}", advice)
        found: Answer = json.loads(answer.read_text(encoding="utf-8"))
        return found


def not_installed(plugin: str) -> str:
    """Return why other processes cannot find a plugin by its name, or an empty text."""
    from labelkit.plugins.catalog import find_candidates

    found = {candidate.name for candidate in find_candidates()}
    return "" if plugin in found else f"'{plugin}' is not installed, so no other process finds it"


def look(plugin: str) -> Answer:
    """Load one plugin beside core and return what it yields, loaded, took and did."""
    from labelkit.plugins.catalog import Catalog

    Catalog.load(only=[])  # core is not the plugin's to answer for
    before, started = set(sys.modules), time.perf_counter()
    catalog = Catalog.load(only=[plugin])
    seconds = time.perf_counter() - started
    info = next((info for info in catalog.plugins if info.name == plugin), None)
    return {
        "status": info.status if info else "absent",
        "reason": info.reason if info else "no entry point of that name is found",
        "notes": info.notes if info else (),
        "heavy": sorted(set(HEAVY) & (sys.modules.keys() - before)),
        "seconds": seconds,
        "records": [[kind, record.name] for kind, record in catalog.supplied_by(plugin)],
    }


def label(folder: str, inputs: Sequence[Any], only: Sequence[str]) -> Answer:
    """Label ``inputs`` with the checkpoint in ``folder``, with what its names stand for here.

    :param only: the plugins to load beside core.
    """
    from labelkit.errors import LabelkitError
    from labelkit.label.labeller import Labeller
    from labelkit.plugins.catalog import Catalog
    from labelkit.registry import Home

    try:
        catalog = Catalog.load(only=only)
        labeller = Labeller.open(f"{folder}/", Home(root=Path(folder) / "home"), catalog)
        found = labeller.label_all(inputs)
    except LabelkitError as error:
        return {"error": str(error)}
    return {"labels": [record.label if record.words is None else record.labels for record in found]}


def repeat(plugin: str, kind: str, name: str) -> Answer:
    """Let a record make what it has to make the same everywhere, and return short prints of that."""
    from labelkit.errors import LabelkitError
    from labelkit.plugins.catalog import Catalog
    from labelkit.testing.checks import ABOUT

    about, catalog = ABOUT[kind], Catalog.load(only=[plugin])
    assert about.repeatable is not None  # else there is no question
    try:
        return {"prints": about.repeatable.prints(about.thing(catalog.find(kind, name), catalog))}
    except (LabelkitError, Broken) as error:
        return {"error": str(error)}


def main(request: str, answer: str) -> None:
    """Answer a request."""
    asked: dict[str, Any] = json.loads(Path(request).read_text(encoding="utf-8"))
    what, plugin = asked.pop("what"), asked.pop("plugin")
    ways = {"look": lambda: look(plugin), "repeat": lambda: repeat(plugin, **asked), "label": lambda: label(**asked)}
    Path(answer).write_text(json.dumps(ways[what]()), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
