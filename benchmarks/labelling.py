"""Compare labelling by labelkit with ``transformers.pipeline`` on the same texts, in turn, in one process.

    python benchmarks/labelling.py RUN FILE [--records N] [--rounds N] [--engines torch-fp32,openvino,openvino-int8,…]

FILE is anything that ``labelkit label`` reads. Prints words per second of each way, the ratio of labelkit to the best
setting of the pipeline, and which share of the words gets the same label as from torch in fp32. Words are those of the
labeller's own splitter, for both. Engines are torch-fp32, torch-bf16, and those of ``labelkit label --engine``, which
need ``labelkit[fast]``, in int8 also ``labelkit onnx RUN --int8``, whose difference in the validation score is repeated
here.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from labelkit import Example, Labeller, LoadContext
from labelkit.inference.onnx.export import find_model
from labelkit.label.inputs import find_inputs, read_inputs
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home

Way = Callable[[], Iterable[Any]]


def texts_of(labeller: Labeller, catalog: Catalog, path: str, records: int) -> list[str]:
    """Return the texts of the first ``records`` records that are not blank; given words are joined by spaces."""
    info = labeller.info
    found = read_inputs(find_inputs([path], catalog.formats), info.kind, info.layer, LoadContext(), strict=True)
    examples = (item for item in found if isinstance(item, Example))
    texts = (one.text if one.text is not None else " ".join(one.words or ()) for one in examples)
    return list(islice((text for text in texts if text.strip()), records))


def ways_of(labellers: dict[str, Labeller], texts: Sequence[str]) -> dict[str, Way]:
    """Return what is compared by name: labelkit in each precision, the pipeline with each size of batch."""
    from transformers import pipeline

    one = next(iter(labellers.values()))
    task: Any = "token-classification" if one.info.kind == "token" else "text-classification"
    options = {} if one.info.kind == "token" else {"truncation": True}
    pipe: Any = pipeline(task, model=str(one.folder), device=one.engine.torch_model.device)
    ours: dict[str, Way] = {name: lambda it=labeller: it.stream(texts) for name, labeller in labellers.items()}  # type: ignore[misc]
    theirs: dict[str, Way] = {
        f"pipeline, batch {size}": lambda size=size: pipe(list(texts), batch_size=size, **options)  # type: ignore[misc]
        for size in (1, 32)
    }
    return ours | theirs


def measure(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """Return the median seconds of each way; in each round all of them run, one after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            for _ in way():
                pass
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def same_labels(one: Labeller, other: Labeller, texts: Sequence[str]) -> tuple[int, int]:
    """Return how many words (or texts) both label alike, and how many there are."""
    same = total = 0
    for a, b in zip(one.stream(texts), other.stream(texts), strict=True):
        pairs = list(zip(a.labels or (a.label,), b.labels or (b.label,), strict=True))
        same, total = same + sum(x == y for x, y in pairs), total + len(pairs)
    return same, total


def opened(reference: str, home: Home, catalog: Catalog, engine: str) -> Labeller:
    """Return the labeller with one of the engines of ``--engines``."""
    name, _, precision = engine.partition("-")
    if name == "torch":
        return Labeller.open(reference, home, catalog, precision, engine="torch")
    return Labeller.open(reference, home, catalog, "auto", engine=engine)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("file")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="torch-fp32,torch-bf16", help="several by commas; torch-fp32 comes first")
    asked = parser.parse_args()

    catalog, home = Catalog.load(), Home.find(os.environ, cwd=Path.cwd())
    names = list(dict.fromkeys(("torch-fp32", *asked.engines.split(","))))
    labellers = {f"labelkit, {name}": opened(asked.run, home, catalog, name) for name in names}
    exact = labellers["labelkit, torch-fp32"]
    texts = texts_of(exact, catalog, asked.file, asked.records)
    words = sum(len(record.words or record.text.split()) for record in exact.stream(texts))
    measured = measure(ways_of(labellers, texts), asked.rounds)
    best = min(seconds for name, seconds in measured.items() if name.startswith("pipeline"))
    print(f"{len(texts):,} records, {words:,} words, {exact.engine.torch_model.device.type}, medians of {asked.rounds}")
    for name, seconds in measured.items():
        print(f"{name:22} {words / seconds:10,.0f} words/s  {best / seconds:6.2f} × the pipeline's best")
    for name, labeller in labellers.items():
        if labeller is not exact:
            same, total = same_labels(exact, labeller, texts)
            print(f"{name}: {same:,} of {total:,} labels as torch in fp32: {same / max(total, 1):.4%}")
    model = find_model(exact.folder, "int8", home.cache) if any("int8" in name for name in names) else None
    if model is not None and (check := model.check):
        print(f"{check['engine']}: {check['metric']} on validation {check['difference']:+.4f} beside torch in fp32")


if __name__ == "__main__":
    main()
