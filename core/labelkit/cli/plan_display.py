"""Print the plan of a dry run, and return it for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from labelkit.cli.common import assumed_lines
from labelkit.console.tables import cell, table

if TYPE_CHECKING:
    from labelkit.data.corpus import Corpus, Split
    from labelkit.records import Schema
    from labelkit.train.preparation import PreparedRun


def print_plan(console: Console, prepared: PreparedRun) -> None:
    """Print each setting with its origin, and of each task the sizes of the splits and the labels; and the encoder."""
    rows = []
    for key, (value, origin) in prepared.entries.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        rows.append((key, "none" if shown in (None, "") else shown, origin))
    title = f"task {prepared.task}, recipe {prepared.plan.recipe}"
    table(console, ("setting", "value", "from"), rows, title=title)
    console.print()
    several = len(prepared.of_tasks) > 1
    columns = (*(("task",) if several else ()), "split", ">examples", ">words", "from")
    counts = [
        (*((task,) if several else ()), s.name, f"{len(s.examples):,}", f"{s.words:,}", _origin(s))
        for task, corpus in prepared.corpora.items()
        for s in corpus.splits.values()
    ]
    table(console, columns, counts)
    console.print()
    continued = [prepared.continued] if prepared.continued else []
    notes = (f"note: {note}" for note in (*continued, *prepared.notes))
    for line in (*notes, *assumed_lines(prepared.assumptions)):
        console.print(cell(line), soft_wrap=True)
    for task, corpus in prepared.corpora.items():
        console.print(cell(f"labels  {f'of {task}: ' if several else ''}{_labels(corpus.schema)}"))
    console.print(
        cell(f"encoder {prepared.encoder.folder} ({prepared.encoder.revision}, {prepared.encoder.sha256[:12]})")
    )


def _origin(split: Split) -> str:
    return split.ref + (" (held out)" if split.held_out else "")


def _labels(schema: Schema) -> str:
    """Return the labels of a schema in one line."""
    return ("numbers" if schema.numeric else " ".join(schema.label_names)) + (
        " (any number of them)" if schema.multilabel else ""
    )


def plan_document(prepared: PreparedRun) -> dict[str, Any]:
    """Return what :func:`print_plan` prints, ready for JSON; splits and labels of several tasks are in ``tasks``."""
    encoder = prepared.encoder
    plan = {key: {"value": value, "from": origin} for key, (value, origin) in prepared.entries.items()}
    found = {
        "task": prepared.task,
        "recipe": prepared.plan.recipe,
        "plan": plan,
        **_corpus_document(prepared.corpus),
        "notes": list(prepared.notes),
        "assumptions": list(prepared.assumptions),
        "continues": asdict(prepared.continues) if prepared.continues else None,
        "encoder": {"folder": str(encoder.folder), "revision": encoder.revision, "sha256": encoder.sha256},
    }
    if prepared.others:
        found["tasks"] = {task: _corpus_document(corpus) for task, corpus in prepared.corpora.items()}
    return found


def _corpus_document(corpus: Corpus) -> dict[str, Any]:
    """Return the splits and labels of a corpus."""
    splits = {
        name: {
            "examples": len(s.examples),
            "words": s.words,
            "from": s.ref,
            "carved": s.held_out,
            "hash": s.content_hash,
        }
        for name, s in corpus.splits.items()
    }
    return {"splits": splits, "labels": list(corpus.schema.label_names)}
