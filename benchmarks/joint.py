"""Measure joint training of several tasks against the training of each by itself.

    python benchmarks/joint.py steps [--rounds 15] [--windows 32] [--subwords 32] [--json FILE]
    python benchmarks/joint.py labelling JOINT ONE FILE [--records 500] [--rounds 5] [--engine torch]
    LABELKIT_DATA=FOLDER python benchmarks/joint.py layers [--seeds 42 43 44] [--limit N] [--results FILE] [-- FLAGS]
    LABELKIT_DATA=FOLDER python benchmarks/joint.py tenth [the same options]
    LABELKIT_DATA=FOLDER python benchmarks/joint.py corpora [the same options]

``steps``: a forward pass and a training step of one joint model of ner, pos and chunk against one model of ner. Both
have the bundled encoder and read the same random batch in fp32, in turn; the figure is the median of the ratios of the
pairs. Neither decoding nor data is a part of it.

``labelling``: ``labelkit label`` with a run of several tasks against one of a single task, of the records of FILE, in
turn, with decoding and records; the figure is the median of the ratios of their processor time.

The other modes run ``labelkit run`` with FLAGS, each run as a process of its own, in turn: for each seed the joint run
and a run of each task. ``layers``: ner, pos and chunk of CoNLL-2003. ``tenth``: a tenth of the sentences of
CoNLL-2003's train with NER, all of them with POS, against that tenth with NER alone. ``corpora``: NER of WNUT-17 and
UPOS of UD-EWT. They print the scores on test, means over the seeds, and the time of the joint run as a part of that of
the longest single run, the median over the seeds. ``--results FILE`` keeps each finished run, so that a measurement
that was stopped goes on with the next one; it may be printed with ``--seeds`` that are all in it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

Line = dict[str, Any]
SPLITS = ("train", "validation", "test")
#: task → its main score
SCORES = {"ner": "f1", "pos": "accuracy", "chunk": "f1"}


# -- steps: the models alone


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(one: Callable[[], object], all_: Callable[[], object], rounds: int) -> float:
    """Return the median ratio of the times of two calls that are made in turn, after one pair to warm up."""
    pairs = [(seconds(one), seconds(all_)) for _ in range(rounds + 1)][1:]
    return statistics.median(three / single for single, three in pairs)


def training_step(model: Any, batch: Mapping[str, Any], heads: Mapping[str, Any]) -> Callable[[], None]:
    """Return a function that takes one optimizer step."""
    import torch

    from labelkit.models.joint import joint_loss

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    shape = batch["input_ids"].shape
    labels = {task: torch.randint(0, head.labels, shape) for task, head in heads.items()}

    def step() -> None:
        optimizer.zero_grad()
        joint_loss(model(**batch), labels, heads, {}).backward()
        optimizer.step()

    return step


def measure_steps(options: argparse.Namespace) -> None:
    """Print the two ratios, and write them where ``--json`` says."""
    import torch

    from labelkit.models.heads import BoundHead
    from labelkit.models.joint import load_joint
    from labelkit.models.loading import silence_transformers
    from labelkit.models.references import resolve_bundled
    from labelkit.records import LoadContext, Schema

    heads = {
        "ner": BoundHead.linear(Schema.bio("ner", "PER", "LOC", "ORG", "MISC")),
        "pos": BoundHead.linear(Schema(name="pos", kind="token", labels=tuple(f"P{i}" for i in range(47)))),
        "chunk": BoundHead.linear(Schema.bio("chunk", *(f"C{i}" for i in range(11)))),
    }
    torch.manual_seed(0)
    ids = torch.randint(1000, 20000, (options.windows, options.subwords))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    single = {"ner": heads["ner"]}
    with silence_transformers():
        folder = resolve_bundled("", LoadContext()).folder
        one, three = load_joint(folder, single).eval(), load_joint(folder, heads).eval()
    with torch.inference_mode():
        forward = ratio(lambda: one(**batch), lambda: three(**batch), options.rounds)
    steps = training_step(one.train(), batch, single), training_step(three.train(), batch, heads)
    figures = {"forward_ratio": forward, "training_step_ratio": ratio(*steps, options.rounds)}
    for name, value in figures.items():
        print(f"{name} {value:.3f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


# -- labelling


def labelling_seconds(labeller: Any, examples: Sequence[Any]) -> float:
    """Return the processor time of labelling examples as a large input."""
    from labelkit.label.stream import label_stream

    start = time.process_time()
    for _ in label_stream(labeller, examples, strict=True, large=True):
        pass
    return time.process_time() - start


def measure_labelling(options: argparse.Namespace) -> None:
    """Print the processor time of a record with each labeller, and the ratio."""
    from labelkit import Labeller, LoadContext
    from labelkit.label.inputs import find_inputs, read_inputs
    from labelkit.plugins.catalog import Catalog
    from labelkit.records import Example
    from labelkit.registry import Home

    home, catalog = Home.find(os.environ, cwd=Path.cwd()), Catalog.load()
    joint = Labeller.open(options.joint, home, catalog, engine=options.engine, all_tasks=True)
    one = Labeller.open(options.one, home, catalog, engine=options.engine)
    found = read_inputs(
        find_inputs([options.file], catalog.formats), "token", one.info.layer, LoadContext(), strict=True
    )
    examples = list(islice((item for item in found if isinstance(item, Example)), options.records))
    labellers = one, joint
    for labeller in labellers:
        labelling_seconds(labeller, examples)
    pairs = [[labelling_seconds(labeller, examples) for labeller in labellers] for _ in range(options.rounds)]
    for labeller, seconds_ in zip(labellers, zip(*pairs, strict=True), strict=True):
        each = 1000 * statistics.median(seconds_) / len(examples)
        print(
            f"{'+'.join(labeller.info.of_tasks)}: {each:.2f} ms of processor time for a record, {labeller.engine.name}"
        )
    print(f"labelling_ratio {statistics.median(several / single for single, several in pairs):.3f}")


# -- whole runs


@dataclass(frozen=True, slots=True)
class Comparison:
    """A joint run and the single runs that it is compared with.

    :param data: the reference of the joint run.
    :param singles: task → the data reference of its single run.
    """

    tasks: tuple[str, ...]
    data: str
    singles: Mapping[str, str]

    @property
    def joint(self) -> str:
        """The name of the joint run's task."""
        return "+".join(self.tasks)

    def runs(self) -> list[tuple[str, str]]:
        """Return the task and the data of each run, the joint one first."""
        return [(self.joint, self.data), *self.singles.items()]


def examples_of(source: str, split: str) -> Iterable[Any]:
    """Return the examples of a split of a named corpus."""
    from labelkit.config.environment import Environment
    from labelkit.plugins.catalog import Catalog
    from labelkit.records import DataSettings

    ctx = Environment.read().load_context(DataSettings(), Path("labelkit-runs/cache"))
    return Catalog.load().sources[source].load(split, ctx)


def write_part(source: str, layers: Sequence[str], folder: Path, *, limit: int | None, tenth: bool = False) -> str:
    """Write a part of a named corpus as JSON Lines and return the folder as a data reference.

    :param limit: the first examples of each split; None for all.
    :param tenth: only a random tenth of train, always the same one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        found = list(islice(examples_of(source, split), limit))
        if tenth and split == "train":
            found = [found[row] for row in sorted(random.Random(0).sample(range(len(found)), len(found) // 10))]
        rows = ({"tokens": one.words, **{layer: one.labels[layer] for layer in layers}} for one in found)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return str(folder)


def corpus(source: str, layers: Sequence[str], folder: Path, limit: int | None) -> str:
    """Return a named corpus as a data reference, or with a limit its first examples."""
    return source if limit is None else write_part(source, layers, folder / source, limit=limit)


def layers_of_one_corpus(folder: Path, limit: int | None) -> Comparison:
    """Return the comparison on CoNLL-2003."""
    tasks = ("ner", "pos", "chunk")
    data = corpus("conll2003", tasks, folder, limit)
    return Comparison(tasks, data, dict.fromkeys(tasks, data))


def tenth_of_ner(folder: Path, limit: int | None) -> Comparison:
    """Return the comparison of little NER with and without much POS."""
    ner = write_part("conll2003", ["ner"], folder / "tenth", limit=limit, tenth=True)
    pos = corpus("conll2003", ["pos"], folder, limit)
    return Comparison(("ner", "pos"), f"ner={ner},pos={pos}", {"ner": ner})


def corpus_for_each(folder: Path, limit: int | None) -> Comparison:
    """Return the comparison of two corpora."""
    singles = {"ner": corpus("wnut17", ["ner"], folder, limit), "pos": corpus("ud_ewt", ["pos"], folder, limit)}
    return Comparison(("ner", "pos"), ",".join(f"{task}={ref}" for task, ref in singles.items()), singles)


COMPARISONS = {"layers": layers_of_one_corpus, "tenth": tenth_of_ner, "corpora": corpus_for_each}


def trained(task: str, data: str, seed: int, flags: Sequence[str]) -> Line:
    """Train a run as a process of its own, with a home of its own, and return its figures.

    ``seconds`` are those of training with its evaluations, of the scores on test and of the ONNX model; ``process``
    those of the whole process.
    """
    command = ["run", task, "--data", data, "--seed", str(seed), "--json", *flags]
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "LABELKIT_HOME": home}
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "labelkit", *command], env=environ, stdout=subprocess.PIPE, check=True
        )
        process = time.perf_counter() - started
    result = json.loads(done.stdout)
    scores, validation = (
        {one: result["metrics"][split][one][SCORES[one]] for one in task.split("+")} for split in ("test", "validation")
    )
    return {
        "task": task,
        "seed": seed,
        "scores": scores,
        "validation": validation,
        "seconds": result["seconds"],
        "process": process,
    }


def all_runs(
    compared: Comparison, seeds: Sequence[int], mode: str, limit: int | None, file: Path | None, flags: Sequence[str]
) -> list[Line]:
    """Train the runs that a file of results does not have yet, and return the figures of all.

    The order turns with the seed, so that no run is always the first.
    """
    given: Line = {"mode": mode, "limit": limit, "flags": list(flags)}
    lines = file.read_text(encoding="utf-8").splitlines() if file is not None and file.exists() else []
    known = [line for line in map(json.loads, lines) if given.items() <= line.items()]
    found = []
    for turn, seed in enumerate(seeds):
        runs = compared.runs()
        for task, data in [*runs[turn % len(runs) :], *runs[: turn % len(runs)]]:
            line = next((one for one in known if (one["task"], one["seed"]) == (task, seed)), None)
            if line is None:
                load = f"{os.getloadavg()[0]:.1f}"
                line = {**given, **trained(task, data, seed, flags), "load": load}
                if file is not None:
                    with file.open("a", encoding="utf-8") as results:
                        results.write(json.dumps(line) + "\n")
            print(json.dumps(line), file=sys.stderr, flush=True)
            found.append(line)
    return found


def of_run(lines: Sequence[Line], task: str) -> list[Line]:
    """Return the lines of the runs of a task, in the order of the seeds."""
    return sorted((line for line in lines if line["task"] == task), key=lambda line: int(line["seed"]))


def mean_text(values: Sequence[float]) -> str:
    """Return the mean of scores, with the deviation where there are several."""
    deviation = f" ({statistics.stdev(values):.4f})" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{deviation}"


def print_comparison(compared: Comparison, lines: Sequence[Line]) -> None:
    """Print the tables of scores and of times."""
    joint, seeds = of_run(lines, compared.joint), len({line["seed"] for line in lines})
    print(f"| test, mean of {seeds} seeds (deviation) | alone | joint | difference in points |")
    print("| --- | --- | --- | --- |")
    for task in compared.tasks:
        together = [line["scores"][task] for line in joint]
        alone = [line["scores"][task] for line in of_run(lines, task)]
        points = f"{100 * (statistics.fmean(together) - statistics.fmean(alone)):+.2f}" if alone else ""
        name = f"{task} {SCORES[task]}"
        print(f"| {name} | {mean_text(alone) if alone else ''} | {mean_text(together)} | {points} |")
    print(f"\n| seconds, by seed | {compared.joint} | {' | '.join(compared.singles)} | joint / longest, median |")
    print("| --- |" + " --- |" * (2 + len(compared.singles)))
    for name in ("seconds", "process"):
        ours = [line[name] for line in joint]
        singles = [[line[name] for line in of_run(lines, task)] for task in compared.singles]
        ratios = [mine / max(others) for mine, *others in zip(ours, *singles, strict=True)]
        cells = [", ".join(f"{value:,.0f}" for value in each) for each in (ours, *singles)]
        label = "run" if name == "seconds" else "whole process"
        print(f"| {label} | {' | '.join(cells)} | {statistics.median(ratios):.3f} |", flush=True)


def parser_of_modes() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    modes = parser.add_subparsers(dest="mode", required=True)
    steps = modes.add_parser("steps", help="a forward pass and a training step of the models")
    steps.add_argument("--rounds", type=int, default=15)
    steps.add_argument("--windows", type=int, default=32)
    steps.add_argument("--subwords", type=int, default=32)
    steps.add_argument("--json", type=Path)
    labelling = modes.add_parser("labelling", help="several tasks in one pass")
    labelling.add_argument("joint", help="a run of several tasks")
    labelling.add_argument("one", help="a run of one of them")
    labelling.add_argument("file", help="anything that labelkit label reads")
    labelling.add_argument("--records", type=int, default=500)
    labelling.add_argument("--rounds", type=int, default=5)
    labelling.add_argument("--engine", default="torch", help="as in labelkit label")
    for mode, make in COMPARISONS.items():
        whole = modes.add_parser(mode, help=(make.__doc__ or "").removeprefix("Return the ").rstrip("."))
        whole.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
        whole.add_argument("--limit", type=int, help="the first examples of each split, for a trial")
        whole.add_argument("--results", type=Path, help="JSON lines of the runs that are done")
    return parser


def main() -> None:
    """Measure and print."""
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    options, flags = parser_of_modes().parse_args(given[:split]), given[split + 1 :]
    if options.mode in ("steps", "labelling"):
        (measure_steps if options.mode == "steps" else measure_labelling)(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        compared = COMPARISONS[options.mode](Path(folder), options.limit)
        lines = all_runs(compared, options.seeds, options.mode, options.limit, options.results, flags)
    print_comparison(compared, lines)


if __name__ == "__main__":
    main()
