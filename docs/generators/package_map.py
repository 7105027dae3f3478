"""Draw the map of packages, ``docs/images/packages.svg``, from the layers that import-linter checks.

``python docs/generators/package_map.py`` writes the file; cog fails where it is stale.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "images" / "packages.svg"
#: package → what it does, in a few words
CAPTIONS = {
    "cli": "commands",
    "testing": "contract checks for plugins",
    "api": "run, resume, load",
    "builtin": "the plugin 'core'",
    "ui": "pages for a browser",
    "report": "a run as HTML",
    "serve": "labellers over HTTP",
    "exports": "for other programs",
    "search": "hyperparameters",
    "publish": "the Hub, with cards",
    "active_learning": "what to annotate next",
    "evaluation": "scores, errors, comparison",
    "train": "training runs",
    "label": "labelling jobs",
    "registry": "recorded runs",
    "checks": "checks of data",
    "config": "settings, recipes, plan",
    "data": "corpora and splits",
    "plugins": "discovery and isolation",
    "inference": "engine and decoders",
    "encode": "windows and batches",
    "models": "encoders, checkpoints",
    "metrics": "scores",
    "formats": "file formats",
    "sample": "sample corpus",
    "hub": "Hugging Face Hub",
    "label_studio": "Label Studio's API",
    "console": "tables, colours",
    "hardware": "devices",
    "labels": "schemes, spans",
    "text": "words, sentences",
    "events": "events of a run",
    "hookspecs": "hooks",
    "records": "records of plugins",
    "files": "atomic writes, reading",
    "settings": "types and defaults",
    "errors": "exceptions",
}
#: fill of the boxes → the layers that have it, counted from the top
FILLS = {"#d7ecff": range(4), "#dff3e4": range(4, 8), "#fff1d6": range(8, 14), "#eeeeee": range(14, 30)}
WIDTH, ROW, BOX, GAP = 800, 58, 44, 12


def layers() -> list[list[str]]:
    """Return the packages of each layer, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.split(" | ") for layer in found]


def svg() -> str:
    """Return the map as SVG: one row for each layer."""
    rows = layers()
    height = ROW * len(rows) + 2 * GAP
    boxes = [line for number, row in enumerate(rows) for line in _row(number, row)]
    style = "text{font-family:sans-serif;text-anchor:middle;fill:#1a1a1a}.name{font-size:15px;font-weight:bold}"
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The packages of labelkit in layers; each imports only packages of lower layers</title>",
        f"<style>{style}.what{{font-size:11px}}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<path d="M24 {2 * GAP}V{height - 40}M18 {height - 42}H30L24 {height - 28}z" stroke="#666" fill="#666"/>',
        f'<text class="what" transform="translate(16 {height // 2}) rotate(-90)">imports point down</text>',
        *boxes,
        "</svg>",
    )
    return "\n".join(lines) + "\n"


def _row(number: int, packages: list[str]) -> Iterator[str]:
    left, right = 44, WIDTH - GAP
    width = min(220, (right - left - GAP * (len(packages) - 1)) // len(packages))
    start = (left + right - width * len(packages) - GAP * (len(packages) - 1)) // 2
    top = GAP + ROW * number + (ROW - BOX) // 2
    fill = next(fill for fill, rows in FILLS.items() if number in rows)
    for place, name in enumerate(packages):
        x = start + place * (width + GAP)
        middle = x + width // 2
        yield f'<rect x="{x}" y="{top}" width="{width}" height="{BOX}" rx="6" fill="{fill}" stroke="#8a8a8a"/>'
        yield f'<text class="name" x="{middle}" y="{top + 19}">{name}</text>'
        yield f'<text class="what" x="{middle}" y="{top + 35}">{CAPTIONS[name]}</text>'


def image() -> str:
    """Return the Markdown that shows the map.

    :raises ValueError: the file is stale.
    """
    if not FILE.exists() or FILE.read_text(encoding="utf-8") != svg():
        raise ValueError(f"{FILE} is stale: run python docs/generators/package_map.py")
    return "![The packages of labelkit in layers: each imports only lower ones](../images/packages.svg)"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(svg(), encoding="utf-8")
