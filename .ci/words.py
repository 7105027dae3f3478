"""Find words that the glossary replaces, in help texts and in the documentation.

    python .ci/words.py      print each place, exit 1 where there is one

Help texts are those of every command, option and argument. In Markdown, code blocks and code spans do not count.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
#: what the glossary (docs/glossary.md) replaces → what it says instead
INSTEAD = {
    r"sub-tokens?": "subword (token)",
    r"carv(e|ed|es|ing)": "hold out",
    r"pass(es)? over train": "epochs",
    r"course of the learning rate": "learning-rate schedule",
    r"how sure": "confidence",
    r"borders only": "boundary F1",
    r"95% of F1": "95% CI",
    r"is no (tag|label|number)": "invalid …",
    r"does not go with": "cannot be combined with",
    r"the memory does not suffice": "out of memory",
    r"died without a word": "stale",
    r"nobody needs": "unreferenced",
    r"a wall (a)?round": "isolation",
    r"(behind|inside) (a|the) wall": "isolated",
    r"doubts itself": "is conservative",
    r"neurons? divided": "weight splitting",
    r"to the last bit\b.{0,20}\bnumber": "bit-identical",
    r"walled": "isolated",
    r"who saw it": "provenance",
    r"as they lie": "as stored",
    r"runs away": "diverges",
    r"warm-up": "warmup",
    r"lone (file|split)": "single file",
    r"keeping house": "housekeeping",
}
PATTERN = re.compile("|".join(f"(?:{pattern})" for pattern in INSTEAD), re.IGNORECASE)
#: decisions and changes of the past quote the words of their time; the glossary names what it replaces
EXEMPT = ("docs/glossary.md", "CHANGELOG.md", "docs/decisions/")


def help_texts(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """Yield each help text of a command and of those below it, with where it is shown."""
    yield f"{name} --help", command.help or ""
    for parameter in command.params:
        yield f"{name} --help, {'/'.join(parameter.opts)}", str(getattr(parameter, "help", None) or "")
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            if (found := command.get_command(context, child)) is not None:
                yield from help_texts(found, f"{name} {child}")


def prose() -> Iterator[tuple[str, str]]:
    """Yield each line of Markdown prose with its place; code is left out."""
    for path in sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")}):
        name = str(path.relative_to(ROOT))
        if name.startswith(EXEMPT):
            continue
        text = re.sub(
            r"^```.*?^```",
            lambda block: "\n" * block[0].count("\n"),
            path.read_text(encoding="utf-8"),
            flags=re.M | re.S,
        )
        for number, line in enumerate(text.splitlines(), start=1):
            yield f"{name}:{number}", re.sub(r"`[^`]*`", "", line)


def main() -> int:
    """Print every place with such a word; return 1 where there is one."""
    from labelkit.cli.main import cli

    found = 0
    for place, text in (*help_texts(cli, "labelkit"), *prose()):
        for match in PATTERN.finditer(text):
            instead = next(new for old, new in INSTEAD.items() if re.fullmatch(old, match[0], re.IGNORECASE))
            print(f"{place}: '{match[0]}': write '{instead}'")
            found += 1
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
