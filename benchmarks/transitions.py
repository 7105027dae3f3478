"""Measure whether transitions fitted to a corpus would label spans better than the rules of the scheme alone.

    LABELKIT_DATA=FOLDER python benchmarks/transitions.py RUN [--weights 0.25 0.5 0.75 1.0]

RUN has a task of words with a tagging scheme. Its validation split is scored once by its model, which saw none of it,
and divided in halves: even and odd sentences. A transition from one label to another gets a score that is added to the
log-probabilities of the words, in two ways:

- counted: how much likelier the second label is in train after the first than anywhere, in logarithms, times a weight
  that does best on one half;
- fitted: the transitions of a CRF over these log-probabilities, trained on one half (L-BFGS, weight decay 0.01).

Both are scored on the other half, in both directions. So nothing is scored on what chose it, and test is not read.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from seqeval.metrics import f1_score

from labelkit.config.environment import Environment
from labelkit.evaluation.recorded_data import gold_split, read_run_corpus
from labelkit.inference.label_ids import gold_ids
from labelkit.label.labeller import Labeller
from labelkit.labels.schemes import may_follow
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Schema
from labelkit.registry import Home, Registry

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
IMPOSSIBLE = -1e4
SMOOTHING, DECAY = 0.1, 0.01
#: the scores and the gold label ids of a sentence
Sentence = tuple[Floats, Ids]


def scheme_rules(schema: Schema) -> tuple[Floats, Floats, Floats]:
    """Return 0 or :data:`IMPOSSIBLE` for each first label, transition and last label."""
    scheme, names = schema.scheme, schema.label_names
    assert scheme is not None

    def penalty(allowed: bool) -> float:
        return 0.0 if allowed else IMPOSSIBLE

    first = np.array([penalty(may_follow(None, name, scheme)) for name in names])
    last = np.array([penalty(may_follow(name, None, scheme)) for name in names])
    between = np.array([[penalty(may_follow(before, name, scheme)) for name in names] for before in names])
    return first, between, last


def decoded(values: Floats, first: Floats, between: Floats, last: Floats) -> Ids:
    """Return the label ids of the best path through a sentence."""
    total, back = first + values[0], []
    for row in values[1:]:
        paths = total[:, None] + between
        back.append(paths.argmax(axis=0))
        total = paths.max(axis=0) + row
    best = [int((total + last).argmax())]
    for step in reversed(back):
        best.append(int(step[best[-1]]))
    return np.array(best[::-1], np.int64)


def f1(sentences: Sequence[Sentence], schema: Schema, between: Floats) -> float:
    """Return the F1 of a half with some scores of transitions beside the rules."""
    first, rules, last = scheme_rules(schema)
    names = schema.label_names
    found = [[names[one] for one in decoded(values, first, rules + between, last)] for values, _ in sentences]
    return float(f1_score([[names[one] for one in gold] for _, gold in sentences], found))


def counted(gold: Sequence[Ids], labels: int) -> Floats:
    """Return the logarithm of how much likelier a label is after another one than anywhere."""
    pairs = np.full((labels, labels), SMOOTHING)
    for ids in gold:
        np.add.at(pairs, (ids[:-1], ids[1:]), 1)
    after: Floats = np.log(pairs / pairs.sum(axis=1, keepdims=True)) - np.log(pairs.sum(axis=0) / pairs.sum())
    return after


def fitted(sentences: Sequence[Sentence], schema: Schema) -> Floats:
    """Return the transitions of a CRF over fixed scores of words, which likelihood prefers."""
    first, rules, last = (torch.tensor(one) for one in scheme_rules(schema))
    between = torch.zeros_like(rules, requires_grad=True)
    by_length: dict[int, list[Sentence]] = {}
    for values, gold in sentences:
        by_length.setdefault(len(gold), []).append((values, gold))
    batches = [
        (torch.tensor(np.stack([values for values, _ in same])), torch.tensor(np.stack([gold for _, gold in same])))
        for same in by_length.values()
    ]
    words = sum(gold.numel() for _, gold in batches)
    optimizer = torch.optim.LBFGS([between], max_iter=40, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        moves, total = rules + between, torch.zeros((), dtype=torch.float64)
        for values, gold in batches:
            alpha = first + values[:, 0]
            for step in range(1, values.shape[1]):
                alpha = torch.logsumexp(alpha[:, :, None] + moves, dim=1) + values[:, step]
            path = first[gold[:, 0]] + values.gather(2, gold[..., None]).sum(dim=(1, 2)) + last[gold[:, -1]]
            path = path + moves[gold[:, :-1], gold[:, 1:]].sum(dim=1)
            total = total + (torch.logsumexp(alpha + last, dim=1) - path).sum()
        mean = total / words + DECAY * between.pow(2).mean()
        mean.backward()
        return mean

    optimizer.step(loss)
    found: Floats = between.detach().numpy()
    return found


def sentences_of(examples: Sequence[Example], layer: str, schema: Schema) -> list[Ids]:
    """Return the gold label ids of each sentence."""
    ids, lengths = gold_ids(examples, layer, schema)
    return np.split(ids, np.cumsum(lengths)[:-1])


def main() -> None:
    """Print the F1 of each half with and without transitions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="as in labelkit label")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.1, 0.25, 0.5, 0.75, 1.0])
    asked = parser.parse_args()
    home, environment = Home.find(os.environ), Environment.read()
    catalog = Catalog.load(only=environment.plugins)
    with Registry.open(home, create=False) as registry:
        details = registry.runs.get(registry.runs.find(asked.run, finished=True).id)
    corpus = read_run_corpus(details, catalog, environment, home)
    labeller = Labeller.open(asked.run, home, catalog)
    schema, layer = labeller.info.schema, labeller.info.layer
    train = sentences_of(corpus.splits["train"].examples, layer, schema)
    examples = gold_split(corpus, details, "validation").examples
    scores, _ = labeller.scores(examples)
    cuts = np.cumsum(scores.lengths)[:-1]
    values = np.split(scores.values.astype(np.float64), cuts)
    gold = sentences_of(examples, layer, schema)
    judged = [pair for pair in zip(values, gold, strict=True) if len(pair[1])]
    halves = judged[::2], judged[1::2]
    gains = counted(train, len(schema.label_names))
    nothing = np.zeros_like(gains)
    for chosen, scored, name in ((*halves, "odd sentences"), (*halves[::-1], "even sentences")):
        base = f1(scored, schema, nothing)
        weight = max(asked.weights, key=lambda one: f1(chosen, schema, one * gains))
        by_counts, by_fit = f1(scored, schema, weight * gains), f1(scored, schema, fitted(chosen, schema))
        print(
            f"{name}: rules alone {base:.4f}, counted at {weight:g} {by_counts:.4f} ({by_counts - base:+.4f}), "
            f"fitted {by_fit:.4f} ({by_fit - base:+.4f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
