"""Figures of structure, and the limits that CI holds them to.

    python .ci/structure.py            print the figures, exit 1 where a limit is passed
    python .ci/structure.py --ref REV  print the figures of a commit beside today's

Imports inside functions count like any other; those under TYPE_CHECKING do not.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
#: figure → the most it may be
LIMITS = {
    "package cycles": 0,
    "mutual package pairs": 0,
    "flat modules": 9,
    "one-use private helpers, % of functions": 18,
    "function lines, median": 10,
    "function lines, 90th percentile": 25,
    "function lines, longest": 50,
    "Markdown prose lines over 100 characters": 0,
    "lines of core": 77_450,
}


def figures(root: Path) -> dict[str, float]:
    """Return every figure of the checkout at ``root``, by name."""
    core = root / "core" / "labelkit"
    edges = package_edges(core)
    return {
        "package cycles": len(cycles(edges)),
        "mutual package pairs": sum((b, a) in edges for a, b in edges) // 2,
        "flat modules": len(list(core.glob("*.py"))),
        **function_figures(core),
        "Markdown prose lines over 100 characters": sum(1 for _ in long_prose(root)),
        "lines of core": sum(len(path.read_text(encoding="utf-8").splitlines()) for path in core.rglob("*.py")),
        "lines of tests": sum(
            len(path.read_text(encoding="utf-8").splitlines()) for path in root.glob("tests/**/*.py")
        ),
    }


def package_edges(core: Path) -> set[tuple[str, str]]:
    """Return which package or flat module of labelkit imports which other one; the package itself does not count."""
    sys.path.insert(0, str(core.parent))
    try:
        graph = grimp.build_graph("labelkit", exclude_type_checking_imports=True, cache_dir=None)
    finally:
        sys.path.pop(0)
    pairs = {
        (importer.split(".")[1], imported.split(".")[1])
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if importer != "labelkit" and imported != "labelkit"
    }
    return {(a, b) for a, b in pairs if a != b}


def cycles(edges: set[tuple[str, str]]) -> list[set[str]]:
    """Return the groups of packages that reach one another."""
    nodes = {node for edge in edges for node in edge}
    reach = {node: {b for a, b in edges if a == node} for node in nodes}
    for middle in nodes:
        for start in nodes:
            if middle in reach[start]:
                reach[start] |= reach[middle]
    groups = {frozenset(b for b in reach[a] if a in reach[b]) for a in nodes}
    return [set(group) for group in groups if group]


def function_figures(core: Path) -> dict[str, float]:
    """Return how long functions are, and how many are private and used once in their module."""
    lengths: list[int] = []
    used_once = 0
    for path in core.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        functions = [
            node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        # functions of the Python API have many parameters, whose descriptions are no code
        documented = path.parent.name == "api"
        lengths += [length(node) - (length(node.body[0]) if documented else 0) for node in functions]
        private = Counter(node.name for node in functions if re.match(r"_(?!_)", node.name))
        used_once += sum(len(re.findall(rf"\b{name}\b", text)) - times == 1 for name, times in private.items())
    return {
        "functions": len(lengths),
        "one-use private helpers, % of functions": round(100 * used_once / len(lengths), 1),
        "function lines, median": statistics.median(lengths),
        "function lines, 90th percentile": sorted(lengths)[int(0.9 * len(lengths))],
        "function lines, longest": max(lengths),
    }


def long_prose(root: Path) -> Iterator[str]:
    """Yield ``file:line`` of each line of Markdown over 100 characters that is no table row, link or comment."""
    for path in sorted({*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("benchmarks/*.md")}):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if len(line) > 100 and not line.lstrip().startswith(("|", "http", "<!--")):
                yield f"{path.relative_to(root)}:{number}"


def length(node: ast.stmt) -> int:
    """Return the number of lines of a statement."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def figures_at(revision: str) -> dict[str, float]:
    """Return the figures of a commit, from a copy of its files; in a process of its own, as modules share a name."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
        return figures(Path(folder))


def main() -> int:
    """Print the figures; return 1 where one is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ref", help="a commit to compare with")
    revision = parser.parse_args().ref
    before = figures_at(revision) if revision else {}
    now = figures(ROOT)
    failed = False
    for name, value in now.items():
        limit = LIMITS.get(name)
        over = limit is not None and value > limit
        failed = failed or over
        beside = f"{before[name]:>10,} → " if before else ""
        print(
            f"{name:44} {beside}{value:>10,}" + (f"   limit {limit:,}" if limit is not None else "") + ("  OVER" * over)
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
