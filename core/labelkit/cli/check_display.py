"""Print the findings of ``labelkit data check``, and return them for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from labelkit.checks.findings import Finding
from labelkit.cli.common import assumed_lines
from labelkit.console.tables import cell

if TYPE_CHECKING:
    from labelkit.checks.loading import CheckedDataset
    from labelkit.checks.run import CheckReport
    from labelkit.encode.alignment import Encoding

#: severity → its colour, the gravest first
COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def report_document(
    data: CheckedDataset, report: CheckReport, encoding: Encoding | None, skipped: Mapping[str, str]
) -> dict[str, Any]:
    """Return a report ready for JSON.

    :param skipped: check → the reason why it was skipped.
    """
    counts = Counter(finding.severity for finding in report.findings)
    return {
        "reference": data.reference,
        "kind": data.kind,
        "splits": {
            split: {
                "examples": size,
                "from": data.refs[split if split in data.refs else "train"],
                "held_out": split not in data.refs,
            }
            for split, size in data.sizes.items()
        },
        "layers": {layer: {"scheme": scheme} for layer, scheme in report.schemes.items()},
        "max_length": encoding.max_length if encoding else None,
        "skipped": dict(skipped),
        "notes": list(data.notes),
        "assumptions": list(data.assumptions),
        "counts": {severity: counts[severity] for severity in ("error", "warning", "note")},
        "findings": [{**asdict(finding), "share": finding.share} for finding in report.findings],
    }


def print_report(console: Console, data: CheckedDataset, report: CheckReport, skipped: Mapping[str, str]) -> None:
    """Print the findings with examples and advice, the gravest first.

    :param skipped: check → the reason why it was skipped.
    """
    sizes = ", ".join(
        f"{split} {size:,}{'' if split in data.refs else ' (held out)'}" for split, size in data.sizes.items()
    )
    console.print(cell(f"{data.reference}: {sizes} examples"), soft_wrap=True)
    layers = ", ".join(f"{layer} ({scheme or 'plain labels'})" for layer, scheme in report.schemes.items())
    console.print(cell(f"layers: {layers}"), soft_wrap=True)
    order = list(COLOURS)
    for finding in sorted(report.findings, key=lambda finding: order.index(finding.severity)):
        head = Text.assemble((f"{finding.severity:<8}", COLOURS[finding.severity]), (finding.check, "bold"), "  ")
        console.print()
        console.print(head.append_text(cell(headline(finding))), soft_wrap=True)
        for case in finding.examples:
            line = Text.assemble((f"{cell(case.place).plain}  " if case.place else "", "dim"), cell(case.text).plain)
            console.print(Padding(line, (0, 0, 0, 8), expand=False))
        console.print(Padding(Text(f"→ {cell(finding.advice).plain}", style="italic"), (0, 0, 0, 8), expand=False))
    console.print()
    unchecked = (f"{check} was not checked: {reason}" for check, reason in skipped.items())
    notes = (f"note: {note}" for note in (*data.notes, *unchecked))
    for said in (*notes, *assumed_lines(data.assumptions)):
        console.print(cell(said), soft_wrap=True)
    console.print(cell(count_findings(report.findings)), soft_wrap=True)


def headline(finding: Finding) -> str:
    """Return split, layer, message and count of a finding, with its share where the total is known.

    >>> how = {"check": "labels", "severity": "error", "split": "test", "examples": (), "advice": ""}
    >>> headline(Finding(**how, count=3, total=40, message="examples without labels"))
    'test: examples without labels (3 of 40, 7.5%)'
    """
    where = f"{finding.split}, {finding.layer}" if finding.layer else finding.split
    count, share = f"{finding.count:,}", finding.share
    if share is not None:
        count += f" of {finding.total:,}, {'under 0.1%' if share < 0.0005 else f'{share:.1%}'}"
    return f"{where}: {finding.message} ({count})"


def count_findings(findings: Sequence[Finding]) -> str:
    """Return the number of findings by severity in words: ``3 findings: 1 error, 2 notes``."""
    counts = Counter[str](finding.severity for finding in findings)
    parts = [f"{counts[name]} {name}{'s' * (counts[name] != 1)}" for name in COLOURS if counts[name]]
    total = f"{len(findings) or 'no'} finding{'s' * (len(findings) != 1)}"
    return f"{total}: {', '.join(parts)}" if parts else total
