"""The plugins that a page of the documentation shows: its blocks of code by section, written and loaded."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from labelkit.plugins.catalog import Candidate, Catalog, find_candidates
from plugin_environment import PluginEnvironment

HEADING = re.compile(r"^##+ (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: a file that the sentence before a block names last: `labelkit_pets.py`:
_FILE = re.compile(r"`([\w./-]+\.(?:py|toml|txt|conllu|jsonl))`:\s*(?:<!-- fmt: off -->\s*)?$")
#: the package of a plugin that a page shows as a single module
_PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "labelkit-{name}"
version = "0.1.0"
dependencies = ["labelkit"]

[project.entry-points.labelkit]
{name} = "labelkit_{name}"

[tool.hatch.build.targets.wheel]
include = ["labelkit_*.py"]
"""


@dataclass(frozen=True)
class Block:
    """A block of code.

    :param file: the name of the file that it is; empty for commands, and for a program that is run as it stands.
    """

    language: str
    text: str
    file: str = ""

    @property
    def is_plugin(self) -> bool:
        """Whether it is the module of a plugin."""
        return self.file.startswith("labelkit_") and self.file.endswith(".py")


def sections(page: str) -> dict[str, list[Block]]:
    """Return the blocks of each section of a page by its heading."""
    _, *parts = HEADING.split(page)
    return {heading: list(_blocks(text)) for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def _blocks(text: str) -> Iterator[Block]:
    for found in _BLOCK.finditer(text):
        named = _FILE.search(text[: found.start()])
        yield Block(found[1], found[2], named[1] if named else "")


def modules(blocks: Sequence[Block]) -> dict[str, ModuleType]:
    """Return the plugins of a section by their names."""
    found = {}
    for block in blocks:
        if block.is_plugin:
            module = ModuleType(block.file.removesuffix(".py"))
            exec(compile(block.text, block.file, "exec", dont_inherit=True), module.__dict__)
            found[module.__name__.removeprefix("labelkit_")] = module
    return found


def lay_out(blocks: Sequence[Block], folder: Path) -> None:
    """Write the files of a section, and run its programs."""
    for block in blocks:
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            subprocess.run([sys.executable, "-c", block.text], cwd=folder, check=True)


def catalog_of(found: Mapping[str, ModuleType]) -> Catalog:
    """Return a catalog of core and these plugins."""
    plugins = [Candidate(name, "1", "docs", f"labelkit_{name}", lambda name=name: found[name]) for name in found]  # type: ignore[misc]
    return Catalog([*find_candidates()[:1], *plugins])


def install_modules(blocks: Sequence[Block], environment: PluginEnvironment, folder: Path) -> None:
    """Install each plugin of a section as a package of its own, unless the section has a package."""
    if "pyproject.toml" in [block.file for block in blocks]:
        return
    for name in modules(blocks):
        package = folder / "packages" / name
        package.mkdir(parents=True)
        (package / f"labelkit_{name}.py").write_bytes((folder / f"labelkit_{name}.py").read_bytes())
        (package / "pyproject.toml").write_text(_PYPROJECT.format(name=name), encoding="utf-8")
        environment.install(package)


def shortened(line: str) -> str:
    """Let training be a moment with a tiny encoder; everything else is given as it stands."""
    return f"{line} --model tiny:bert --max-steps 2" if line.startswith("labelkit run ") else line
