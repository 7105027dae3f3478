"""Try every architecture that transformers maps to token or sequence classification, for docs/reference/encoders.md.

    python benchmarks/encoders.py [ARCHITECTURE ...]            # show their rows, or all
    python benchmarks/encoders.py [ARCHITECTURE ...] --write    # and put them into the table

What is asked of each is in encoder_trials.py. A slow test compares the table.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill

import torch
import transformers
from encoder_trials import Outcome, outcome_of

from labelkit.models.architectures import kinds_of, tokenizer_class_of
from labelkit.models.tiny_tokenizers import TOKENIZERS
from labelkit.records import Kind

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "encoders.md"
BEGIN, END = "<!-- table: python benchmarks/encoders.py --write -->\n", "<!-- end of table -->\n"
HEAD = ("| architecture | labels words | labels texts | of note |", "| --- | --- | --- | --- |")
ROW = re.compile(r"^\| `([\w-]+)` \| (.*) \| (.*) \|(.*)\|$", re.MULTILINE)
WORKS, SLOW, NO_TEXT, UNMAPPED = "works", "needs a fast tokenizer", "not text", "–"
NOT_FAST = "the tokenizer that transformers has for it is not fast"
#: transformers names its tokenizer only where sentencepiece is installed
SENTENCEPIECE = frozenset({"gpt-sw3"})


def has_fast_tokenizer(architecture: str) -> bool:
    """Return whether what transformers names as an architecture's tokenizer is a fast one."""
    from transformers.models.auto.tokenization_auto import tokenizer_class_from_name
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

    name = tokenizer_class_of(architecture)
    found = tokenizer_class_from_name(name) if name else TokenizersBackend
    return architecture not in SENTENCEPIECE and found is not None and issubclass(found, TokenizersBackend)


def row(architecture: str, kinds: Sequence[Kind], cache: Path) -> str:
    """Try an architecture for all that it is mapped to with each of our tokenizers, and return its row."""
    outcomes = {kind: {name: outcome_of(architecture, kind, name, cache) for name in TOKENIZERS} for kind in kinds}
    fast = has_fast_tokenizer(architecture)
    notes = sorted({note for tried in outcomes.values() for one in tried.values() for note in one.notes})
    if not fast:
        notes.append(NOT_FAST)
    cells = (said(outcomes.get(kind, {}), fast=fast) for kind in ("token", "text"))
    return f"| `{architecture}` | {' | '.join(cells)} | {'; '.join(notes)} |"


def said(tried: Mapping[str, Outcome], *, fast: bool) -> str:
    """Return the cell of what was tried.

    :param tried: tokenizer → outcome; empty: transformers maps the architecture to no such classifier.
    """
    if not tried:
        return UNMAPPED
    whys = {name: one.why.replace("|", "\\|").replace("<", "&lt;") for name, one in tried.items() if one.why}
    works = WORKS if fast else SLOW
    if len(whys) == len(tried):
        return "; ".join(dict.fromkeys(whys.values()))
    return "; ".join([works, *(f"with {name}: {why}" for name, why in whys.items())])


def rows(architectures: Sequence[str]) -> Iterator[str]:
    """Try some architectures, or all, and yield the rows of the table."""
    kinds = kinds_of()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        for architecture in architectures or kinds:
            yield row(architecture, kinds[architecture], Path(cache))


def table(page: str) -> dict[str, str]:
    """Return the rows of the table in a page, by architecture."""
    return {found[1]: found[0] for found in ROW.finditer(page)}


def cells(line: str) -> tuple[str, str, str]:
    """Return what a row says of words, of texts, and what is of note."""
    found = ROW.match(line)
    assert found is not None
    return found[2], found[3], found[4].strip()


def summary(found: Mapping[str, str]) -> str:
    """Return in words how many of the architectures in a table work."""
    counts = Counter(_group(*cells(line)[:2]) for line in found.values())
    groups = {
        WORKS: "can be trained",
        SLOW: "can be once they have a fast tokenizer",
        NO_TEXT: "read no text",
        "": "cannot be trained",
    }
    told = ", ".join(f"{counts[name]} {text}" for name, text in groups.items())
    return fill(f"transformers {transformers.__version__} maps {len(found)} architectures: {told}.", 100)


def _group(*both: str) -> str:
    return next((name for name in (WORKS, SLOW, NO_TEXT) if any(cell.startswith(name) for cell in both)), "")


def written(page: str, lines: Sequence[str]) -> str:
    """Return the page with some rows of its table made new; those that transformers maps no more are left out."""
    before, _, rest = page.partition(BEGIN)
    old, new = table(page), table("\n".join(lines))
    found = {name: new.get(name, old.get(name, "")) for name in kinds_of() if name in new or name in old}
    content = "\n".join([summary(found), "", *HEAD, *found.values()])
    return f"{before}{BEGIN}\n{content}\n\n{END}{rest.partition(END)[2]}"


def main(arguments: Sequence[str]) -> int:
    """Show the rows of some architectures, or of all; ``--write`` them."""
    lines = []
    for line in rows([name for name in arguments if name != "--write"]):
        print(line, flush=True)
        lines.append(line)
    if "--write" in arguments:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
