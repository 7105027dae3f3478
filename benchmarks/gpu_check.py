"""Compare the guides' recipe and labelkit on the GPU of this machine, whole processes in turn, and print a table.

    LABELKIT_DATA=FOLDER python benchmarks/gpu_check.py [--only NAME ...] [--model MODEL] [--max-steps N]

Takes those of the corpora that LABELKIT_DATA holds. ``--max-steps`` only tries whether all of it runs; its figures mean
nothing. Without a GPU it says so and ends with 2, unless ``--cpu`` is given.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training import pair


@dataclass(frozen=True)
class Row:
    """What both sides train.

    :param epochs: and ``lr``, of the guide; labelkit takes its ``best`` recipe.
    :param accuracy: what labelkit must reach on test, where that is asked.
    """

    name: str
    task: str
    epochs: str
    lr: str
    accuracy: float | None = None


ROWS = (
    Row("imdb", "textcls", "2", "2e-5", accuracy=0.90),
    Row("wnut17", "ner", "2", "2e-5"),
    Row("conll2003", "ner", "3", "2e-5"),
)
SPEED = 3.0  #: so many times the guide's sub-tokens a second
COLUMNS = "{:10} {:>10} {:>10} {:>7} {:>7} {:>7} {:>9} {:>9} {:>9}  {}"
HEADINGS = ("", "guide", "labelkit", "ratio", "guide", "labelkit", "guide:", "labelkit:", "ratio", "")
UNITS = ("", "sub-tok/s", "sub-tok/s", "", "test", "test", "s to its", "s past", "of time", "floors")


def device_of(*, cpu: bool) -> str:
    """Return what it runs on, in a line; ends with 2 where that is no GPU and none was waived."""
    import torch
    import transformers

    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}"
    if torch.cuda.is_available():
        facts = torch.cuda.get_device_properties(0)
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, {bf16}; {versions}"
    if cpu:
        return f"no GPU; {versions}"
    print("gpu_check: torch finds no GPU on this machine (--cpu goes on all the same)", file=sys.stderr)
    raise SystemExit(2)


def report(row: Row, figures: dict[str, float]) -> str:
    """Return the row of the table."""
    speed, score = figures["ratio of speed"], figures["labelkit: test"]
    misses = [f"speed below {SPEED:g} x"] if speed < SPEED else []
    if row.accuracy is not None and score < row.accuracy:
        misses.append(f"accuracy below {row.accuracy:g}")
    return COLUMNS.format(
        row.name,
        f"{figures['guide: sub-tokens/s']:,.0f}",
        f"{figures['labelkit: sub-tokens/s']:,.0f}",
        f"{speed:.1f} x",
        f"{figures['guide: test']:.3f}",
        f"{score:.3f}",
        f"{figures['guide: seconds until it']:.0f}",
        f"{figures['labelkit: seconds until past it']:.0f}",
        f"{figures['ratio of time']:.1f} x",
        "; ".join(misses) or "ok",
    )


def chosen(only: Sequence[str]) -> list[Row]:
    """Return the rows whose corpus is here."""
    here = Path(os.environ["LABELKIT_DATA"])
    return [row for row in ROWS if row.name in (only or row.name) and (here / row.name).is_dir()]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[row.name for row in ROWS], default=())
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--max-steps")
    parser.add_argument("--cpu", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if "LABELKIT_DATA" not in os.environ:
        parser.error("set LABELKIT_DATA to the folder of the corpora")
    print(device_of(cpu=asked.cpu), flush=True)
    print(COLUMNS.format(*HEADINGS).rstrip(), COLUMNS.format(*UNITS).rstrip(), sep="\n", flush=True)
    both = ["--model", asked.model, *(["--max-steps", asked.max_steps] if asked.max_steps else [])]
    for row in chosen(asked.only):
        guide = ["--epochs", row.epochs, "--lr", row.lr, *both]
        print(report(row, pair(row.task, row.name, guide, both)), flush=True)


if __name__ == "__main__":
    main()
