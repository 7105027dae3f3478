"""Run a plugin in another process that is given nothing but names, and compare what it makes there.

``python -m labelkit.testing.subprocess_checks REQUEST ANSWER``: both are JSON files, as plugins may print to stdout.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.testing.framework import Broken, CheckSpec, require, require_none

#: libraries that plugins may not load when they are imported: each costs every command seconds
HEAVY = ("torch", "transformers", "datasets", "evaluate")
#: seconds after which a process counts as hanging
TIMEOUT = 300
Answer = Mapping[str, Any]

ADVICE = "let it depend on nothing but the installed package: no set in its own order, no hash() of text, no state"


@dataclass(frozen=True, slots=True)
class Reproducible:
    """What a record makes that has to be the same in every process.

    :param what: for the docs and for messages, e.g. ``bytes``.
    :param digests: called with the subject; returns what is made → its :func:`digest`.
    :param needs: checks of the record that must have passed.
    :param skip_reason: called with the subject; why the check does not apply, or an empty text.
    """

    what: str
    digests: Callable[[Any], Mapping[str, str]]
    needs: tuple[str, ...]
    skip_reason: Callable[[Any], str] = lambda subject: ""

    def spec(self, kind: str, plugin: str, settings: Mapping[str, Any]) -> CheckSpec:
        """Return the check that a record of ``kind``, yielded by ``plugin``, makes the same in another process."""

        def run(subject: Any) -> None:
            request = {"plugin": plugin, "kind": kind, "name": subject.name, "settings": dict(settings)}
            found = run_in_subprocess("digests", **request)
            record = f"{kind} '{subject.name}'"
            error = found.get("error")
            require(not error, f"in a process that is given only its name, {record} fails: {error}", ADVICE)
            require_none(
                (
                    f"{record} gives other {self.what} in another process ({made})"
                    for made, here in self.digests(subject).items()
                    if found["digests"].get(made) != here
                ),
                ADVICE,
            )

        def skip_reason(subject: Any) -> str:
            return self.skip_reason(subject) or not_installed(plugin)

        description = f"Another process that is given only its name gives the same {self.what}"
        return CheckSpec("subprocess", description, run, self.needs, skip_reason)


def digest(made: object) -> str:
    """Return the SHA-256 of the ``repr`` of what was made."""
    return hashlib.sha256(repr(made).encode("utf-8", "surrogatepass")).hexdigest()


def run_in_subprocess(task: str, **request: Any) -> Answer:
    """Start a process, let it run one of :data:`TASKS` and return its answer.

    :raises Broken: it ends without an answer, or hangs.
    """
    with tempfile.TemporaryDirectory(prefix="labelkit-contract-") as folder:
        request_file, answer_file = Path(folder) / "request.json", Path(folder) / "answer.json"
        request_file.write_text(json.dumps({"task": task, **request}, allow_nan=False), encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            # another seed than this process has, so that a use of hash() shows
            "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0",
        }
        command = [sys.executable, "-m", "labelkit.testing.subprocess_checks", str(request_file), str(answer_file)]
        advice = "make it importable by its name alone, without help of the process that started it"
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                errors="replace",
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise Broken(f"a process that loads plugin '{request['plugin']}' does not end", advice) from None
        if not answer_file.is_file():
            last = (done.stderr.strip().splitlines() or ["no error message"])[-1]
            raise Broken(f"loading plugin '{request['plugin']}' ends the process: {last:.300}", advice)
        answer: Answer = json.loads(answer_file.read_text(encoding="utf-8"))
        return answer


def not_installed(plugin: str) -> str:
    """Return why other processes cannot find a plugin by its name, or an empty text."""
    from labelkit.plugins.catalog import find_candidates

    found = {candidate.name for candidate in find_candidates()}
    return "" if plugin in found else f"'{plugin}' is not installed, so no other process finds it"


# -- in the other process ---------------------------------------------------------------------------------------------


def load_plugin(plugin: str) -> Answer:
    """Load one plugin beside core; return its status, its records, and what loading it took and changed."""
    from labelkit.plugins.catalog import Catalog

    Catalog.load(only=[])  # the plugin is not charged with core
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


def label(plugin: str, folder: str, inputs: Sequence[Any], only: Sequence[str]) -> Answer:
    """Label ``inputs`` with the checkpoint in ``folder``, whose parts are found by their names.

    :param only: the plugins to load beside core.
    """
    from labelkit.errors import LabelkitError
    from labelkit.label.labeller import Labeller
    from labelkit.plugins.catalog import Catalog
    from labelkit.records import TextPair
    from labelkit.registry import Home
    from labelkit.testing.label_losses import labels_of

    try:
        catalog = Catalog.load(only=only)
        labeller = Labeller.open(f"{folder}/", Home(root=Path(folder) / "home"), catalog, trial=True)
        found = labeller.label_all(TextPair(**one) if isinstance(one, dict) else one for one in inputs)
    except LabelkitError as error:
        return {"error": str(error)}
    return {"labels": [labels_of(record) for record in found]}


def digests(plugin: str, kind: str, name: str, settings: Mapping[str, Any]) -> Answer:
    """Return the digests of what a record makes, with these settings, that has to be reproducible."""
    from labelkit.errors import LabelkitError
    from labelkit.plugins.catalog import Catalog
    from labelkit.testing.checks import RECORD_CHECKS
    from labelkit.testing.contexts import Setup

    checks, catalog = RECORD_CHECKS[kind], Catalog.load(only=[plugin])
    assert checks.reproducible is not None  # else there is no such check
    setup = Setup(catalog, settings)
    try:
        return {"digests": checks.reproducible.digests(checks.subject(catalog.find(kind, name), setup))}
    except (LabelkitError, Broken) as error:
        return {"error": str(error)}


TASKS: Mapping[str, Callable[..., Answer]] = {"load": load_plugin, "digests": digests, "label": label}


def main(request_file: str, answer_file: str) -> None:
    """Run the task of a request and write its answer."""
    request: dict[str, Any] = json.loads(Path(request_file).read_text(encoding="utf-8"))
    Path(answer_file).write_text(json.dumps(TASKS[request.pop("task")](**request), allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
