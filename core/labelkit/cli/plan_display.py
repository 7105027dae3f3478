"""Print the plan of a dry run, and return it for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from labelkit.cli.common import assumed_lines
from labelkit.console.tables import cell, table

if TYPE_CHECKING:
    from labelkit.config.plan import Plan
    from labelkit.train.preparation import PreparedRun


def print_plan(console: Console, checked: Plan, prepared: PreparedRun) -> None:
    """Print each setting with its origin, the sizes of the splits, the labels and the encoder."""
    name = f"task {checked.task.name}, recipe {checked.recipe}"
    rows = []
    for key, (value, origin) in checked.entries().items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        rows.append((key, "none" if shown in (None, "") else shown, origin))
    table(console, ("setting", "value", "from"), rows, title=name)
    console.print()
    splits = prepared.corpus.splits.values()
    counts = [
        (s.name, f"{len(s.examples):,}", f"{s.words:,}", s.ref + (" (held out)" if s.held_out else "")) for s in splits
    ]
    table(console, ("split", ">examples", ">words", "from"), counts)
    console.print()
    continued = [prepared.continues.note] if prepared.continues else []
    notes = (f"note: {note}" for note in (*continued, *prepared.corpus.notes))
    for line in (*notes, *assumed_lines(prepared.corpus.assumptions)):
        console.print(cell(line), soft_wrap=True)
    schema = prepared.corpus.schema
    several = " (any number of them)" if schema.multilabel else ""
    console.print(cell(f"labels  {'numbers' if schema.numeric else ' '.join(schema.label_names)}{several}"))
    console.print(
        cell(f"encoder {prepared.encoder.folder} ({prepared.encoder.revision}, {prepared.encoder.sha256[:12]})")
    )


def plan_document(checked: Plan, prepared: PreparedRun) -> dict[str, Any]:
    """Return what :func:`print_plan` prints, ready for JSON."""
    corpus, encoder = prepared.corpus, prepared.encoder
    return {
        "task": checked.task.name,
        "recipe": checked.recipe,
        "plan": checked.as_dict(),
        "splits": {
            name: {
                "examples": len(s.examples),
                "words": s.words,
                "from": s.ref,
                "carved": s.held_out,
                "hash": s.content_hash,
            }
            for name, s in corpus.splits.items()
        },
        "labels": list(corpus.schema.label_names),
        "notes": list(corpus.notes),
        "assumptions": list(corpus.assumptions),
        "continues": asdict(prepared.continues) if prepared.continues else None,
        "encoder": {"folder": str(encoder.folder), "revision": encoder.revision, "sha256": encoder.sha256},
    }
