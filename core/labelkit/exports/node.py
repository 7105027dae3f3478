"""Run an exported folder in Node, with the packages that the user names."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from labelkit.errors import LabelkitError
from labelkit.exports.transformers_folder import Comparison
from labelkit.exports.trial_texts import trial_examples
from labelkit.label.labeller import Labeller
from labelkit.records import Labelled, Task

PACKAGE = "@huggingface/transformers"
#: precision → its name in transformers.js
DTYPES = {"fp32": "fp32", "int8": "q8"}
#: seconds that Node gets
_TIMEOUT = 600


def check_node(packages: Path) -> str:
    """Return the path of Node.

    :param packages: the folder whose ``node_modules`` hold transformers.js.
    :raises LabelkitError: one of them is missing.
    """
    node = shutil.which("node")
    if node is None:
        raise LabelkitError("node is not installed", hint="install Node 20, or leave out --check-in")
    if not (packages / "node_modules" / PACKAGE / "package.json").is_file():
        raise LabelkitError(
            f"{packages} has no {PACKAGE}", hint=f"cd {packages} && npm install {PACKAGE}, or leave out --check-in"
        )
    return node


def compare_node(
    labeller: Labeller, folder: Path, packages: Path, precisions: Sequence[str], tasks: Mapping[str, Task]
) -> Comparison:
    """Run the pipeline of transformers.js and ``labelkit.js`` on trial texts and count the labels that are the same.

    Those of an int8 model are compared with torch on gold data before; here it has to run.

    :param labeller: on torch, in fp32.
    :raises LabelkitError: Node fails.
    """
    examples = trial_examples(labeller.info, tasks)
    records = labeller.finish(labeller.prepare(examples))
    texts = [list(example.words) if example.words is not None else example.text for example in examples]
    request = {"texts": texts, "kind": labeller.info.kind, "models": [DTYPES[one] for one in precisions]}
    answer = _run_node(folder, packages, request)
    found = answer["found"][DTYPES["fp32"]]["records"]
    pairs = [pair for record, other in zip(records, found, strict=True) for pair in _label_pairs(record, other)]
    program = f"transformers.js {answer['version']} in Node {answer['node'].removeprefix('v')}"
    return Comparison(program=program, compared=len(pairs), same=sum(own == other for own, other in pairs))


def _label_pairs(record: Labelled, other: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    if record.words is None:
        own = record.label if record.labels is None else sorted(record.labels)
        return [(own, sorted(other["labels"]) if record.labels is not None else other["label"])]
    return list(zip(record.labels or (), other["labels"], strict=True))


def _run_node(folder: Path, packages: Path, request: Mapping[str, Any]) -> Any:
    node = check_node(packages)
    with as_file(files("labelkit.exports").joinpath("javascript", "check.mjs")) as script:
        try:
            done = subprocess.run(
                [node, str(script), str(folder), str(packages)],
                input=json.dumps(request, allow_nan=False),
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabelkitError(
                f"Node has not run the exported folder within {_TIMEOUT:,} seconds",
                hint="nothing was exported; try again, or leave out --check-in",
            ) from None
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "Error" in line), done.stderr)
        raise LabelkitError(
            f"Node cannot run the exported folder: {' '.join(reason.split())[:300]}",
            hint="nothing was exported; label with labelkit",
        )
    return json.loads(done.stdout)
