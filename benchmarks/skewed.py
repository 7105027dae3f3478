"""Compare labelling by labelkit and by ``transformers.pipeline`` where one text in 64 is a hundred times longer.

    python benchmarks/skewed.py RUN FILE [--records N] [--engine auto]

RUN labels words; FILE is anything that ``labelkit label`` reads. The pipeline is given a stride, so that it reads long
texts to their end as labelkit does. Each way runs in a process of its own; printed are words per second, without
the start, and the most memory that the process took.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelling import texts_of

from labelkit import Example, Labeller
from labelkit.hardware import peak_memory
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

#: one text in so many is so many times longer
ONE_IN, LONGER = 64, 100
#: sizes of the pipeline's batches
SIZES = (1, 8, 32)


def skewed(texts: Sequence[str]) -> list[str]:
    """Return the texts, one in 64 a hundred times longer: joined with those that come after it."""
    around = [*texts, *texts[:LONGER]]
    while len(around) < len(texts) + LONGER:
        around.extend(texts)
    return [
        " ".join(around[number : number + LONGER]) if number % ONE_IN == ONE_IN - 1 else text
        for number, text in enumerate(texts)
    ]


def pipeline_of(labeller: Labeller, size: int) -> Any:
    """Return what labels texts with the pipeline in batches of ``size``."""
    from transformers import pipeline

    info = labeller.info
    made: Any = pipeline(
        "token-classification",
        model=str(labeller.folder),
        device=labeller.engine.torch_model.device,
        aggregation_strategy="simple",
        stride=info.overlap,
    )
    made.tokenizer.model_max_length = info.max_length
    return lambda texts: made(list(texts), batch_size=size)


def alone(labeller: Labeller, way: str, texts: Sequence[str]) -> dict[str, float]:
    """Label in this process and return seconds and bytes."""
    label = labeller.stream if way == "labelkit" else pipeline_of(labeller, int(way))
    for _ in label(texts[:32]):
        pass
    started = time.perf_counter()
    for _ in label(texts):
        pass
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak": peak_memory(labeller.engine.torch_model.device.type)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("file")
    parser.add_argument("--records", type=int, default=1024)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    catalog, home = Catalog.load(), Home.find(os.environ, cwd=Path.cwd())
    engine = asked.engine if asked.only == "labelkit" else "torch"
    labeller = Labeller.open(asked.run, home, catalog, "auto", engine=engine)
    texts = skewed(texts_of(labeller, catalog, asked.file, asked.records))
    if asked.only:
        print(json.dumps(alone(labeller, asked.only, texts)))
        return
    examples = [Example(id=str(number), text=text) for number, text in enumerate(texts)]
    words = sum(len(example.words or ()) for example in labeller.prepare(examples).examples)
    found = {}
    for way in ("labelkit", *map(str, SIZES)):
        done = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--only", way], stdout=subprocess.PIPE, check=True, text=True
        )
        found[way] = json.loads(done.stdout.splitlines()[-1])
    best = min(found[str(size)]["seconds"] for size in SIZES)
    print(f"{len(texts):,} texts, {words:,} words, one text in {ONE_IN} is {LONGER} times longer")
    for way, one in found.items():
        name = way if way == "labelkit" else f"pipeline, batch {way}"
        print(
            f"{name:20} {words / one['seconds']:8,.0f} words/s {best / one['seconds']:6.2f} × the pipeline's best, "
            f"peak {one['peak'] / 1e6:,.0f} MB"
        )


if __name__ == "__main__":
    main()
