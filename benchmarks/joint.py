"""Measure one joint model of ner, pos and chunk against one model of ner: a forward pass, and a training step.

    python benchmarks/joint.py [--rounds 15] [--windows 32] [--subwords 32] [--json FILE]

Both have the bundled encoder and read the same random batch in fp32, in turn; the figure is the median of the ratios of
the pairs. Neither decoding nor data is a part of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from labelkit.models.heads import BoundHead
from labelkit.models.joint import JointModel, joint_loss, load_joint
from labelkit.models.loading import silence_transformers
from labelkit.models.references import resolve_bundled
from labelkit.records import LoadContext, Schema

HEADS = {
    "ner": BoundHead.linear(Schema.bio("ner", "PER", "LOC", "ORG", "MISC")),
    "pos": BoundHead.linear(Schema(name="pos", kind="token", labels=tuple(f"P{i}" for i in range(47)))),
    "chunk": BoundHead.linear(Schema.bio("chunk", *(f"C{i}" for i in range(11)))),
}


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(one: Callable[[], object], all_: Callable[[], object], rounds: int) -> float:
    """Return the median ratio of the times of two calls that are made in turn, after one pair to warm up."""
    pairs = [(seconds(one), seconds(all_)) for _ in range(rounds + 1)][1:]
    return statistics.median(three / single for single, three in pairs)


def training_step(model: JointModel, batch: Mapping[str, Any], heads: Mapping[str, BoundHead]) -> Callable[[], None]:
    """Return a function that takes one optimizer step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    shape = batch["input_ids"].shape
    labels = {task: torch.randint(0, head.labels, shape) for task, head in heads.items()}

    def step() -> None:
        optimizer.zero_grad()
        joint_loss(model(**batch), labels, heads, {}).backward()
        optimizer.step()

    return step


@silence_transformers()
def main() -> None:
    """Print the two ratios, and write them where ``--json`` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--windows", type=int, default=32)
    parser.add_argument("--subwords", type=int, default=32)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    folder = resolve_bundled("", LoadContext()).folder
    ids = torch.randint(1000, 20000, (options.windows, options.subwords))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    single = {"ner": HEADS["ner"]}
    one, three = load_joint(folder, single).eval(), load_joint(folder, HEADS).eval()
    with torch.inference_mode():
        forward = ratio(lambda: one(**batch), lambda: three(**batch), options.rounds)
    steps = training_step(one.train(), batch, single), training_step(three.train(), batch, HEADS)
    figures = {"forward_ratio": forward, "training_step_ratio": ratio(*steps, options.rounds)}
    for name, value in figures.items():
        print(f"{name} {value:.3f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
