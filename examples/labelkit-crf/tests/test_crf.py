"""The contract of the plugin ``crf``, the numbers of its loss and decoder, and a labeller trained with it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import labelkit
import labelkit_crf.module
from labelkit.testing import Check, contract
from labelkit_crf.decoding import viterbi
from labelkit_crf.module import negative_log_likelihood

SCHEMA = labelkit.Schema(name="tags", kind="token", labels=("A", "B", "C"))


@contract("crf")
def test_contract(check: Check) -> None:
    check()


def test_the_loss_is_that_of_all_paths() -> None:
    emissions, transitions = torch.randn(2, 5, 3), torch.randn(3, 3)
    labels = torch.tensor([[-100, 1, -100, 0, 2], [2, -100, -100, -100, -100]])
    found = negative_log_likelihood(emissions, labels, labels != -100, transitions)
    for window, losses in enumerate(found):
        words = [position for position in range(5) if labels[window, position] >= 0]

        def path(ids: tuple[int, ...], window: int = window, words: list[int] = words) -> float:
            steps = sum(float(transitions[a, b]) for a, b in itertools.pairwise(ids))
            return steps + sum(float(emissions[window, word, label]) for word, label in zip(words, ids, strict=True))

        paths = [path(ids) for ids in itertools.product(range(3), repeat=len(words))]
        gold = path(tuple(int(labels[window, word]) for word in words))
        assert float(losses) == pytest.approx(float(np.logaddexp.reduce(paths)) - gold, abs=1e-5)


def test_a_word_of_unknown_label_may_have_any() -> None:
    emissions, transitions = torch.randn(2, 6, 3), torch.randn(3, 3)
    labels = torch.tensor([[1, -100, -100, 2, -100, -100], [-100, -100, 0, -100, 1, -100]])
    unknown = torch.tensor([[0, 0, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0]]).bool()
    found = negative_log_likelihood(emissions, labels, labels != -100, transitions, unknown)
    for window, loss in enumerate(found):
        words = [position for position in range(6) if labels[window, position] >= 0 or unknown[window, position]]
        scores, fitting = [], []
        for ids in itertools.product(range(3), repeat=len(words)):
            steps = sum(float(transitions[a, b]) for a, b in itertools.pairwise(ids))
            score = steps + sum(float(emissions[window, word, label]) for word, label in zip(words, ids, strict=True))
            scores.append(score)
            if all(labels[window, word] in (-100, label) for word, label in zip(words, ids, strict=True)):
                fitting.append(score)
        expected = np.logaddexp.reduce(scores) - np.logaddexp.reduce(fitting)
        assert float(loss) == pytest.approx(float(expected), abs=1e-5)
    given = emissions.requires_grad_(), transitions.requires_grad_()
    negative_log_likelihood(given[0], labels, labels != -100, given[1], unknown).sum().backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in given)


def test_words_that_are_all_unknown_teach_nothing() -> None:
    emissions, transitions = torch.randn(1, 3, 3, requires_grad=True), torch.zeros(3, 3)
    labels = torch.full((1, 3), -100)
    loss = negative_log_likelihood(emissions, labels, labels != -100, transitions, torch.tensor([[True, False, True]]))
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
    loss.sum().backward()
    assert emissions.grad is not None
    assert emissions.grad.abs().max() < 1e-6


def test_the_decoder_finds_the_best_of_all_paths() -> None:
    random = np.random.default_rng(5)
    values, transitions = random.normal(size=(6, 3)).astype(np.float32), random.normal(size=(3, 3)).astype(np.float32)
    lengths = np.array([4, 0, 2])
    scores = labelkit.Scores(values=values, lengths=lengths, schema=SCHEMA, parameters={"transitions": transitions})
    found = viterbi(scores).tolist()
    for ids, rows in ((found[:4], values[:4]), (found[4:], values[4:])):

        def path(labels: tuple[int, ...], rows: np.ndarray = rows) -> float:
            steps = sum(transitions[a, b] for a, b in itertools.pairwise(labels))
            return float(steps + rows[np.arange(len(labels)), list(labels)].sum())

        assert tuple(ids) == max(itertools.product(range(3), repeat=len(ids)), key=path)


def test_a_labeller_learns_and_keeps_its_transitions(tmp_path: Path) -> None:
    run = labelkit.run(
        "ner", model="tiny:bert", max_steps=20, lr=0.01, settings={"train.head": "crf"}, home=tmp_path / "home"
    )
    described = json.loads((run.checkpoint / "labelkit.json").read_text())
    assert (described["head"], described["decoder"]) == ("crf", "crf")
    transitions = load_file(run.checkpoint / "head.safetensors")["transitions"]
    names = described["schema"]["types"]
    assert transitions.shape == (2 * len(names) + 1,) * 2
    assert np.abs(transitions).max() > 0.01
    labeller = labelkit.load(str(run.checkpoint))
    first = labeller.label("Ada Lovelace lives in London .")
    assert labelkit.load(str(run.checkpoint)).label("Ada Lovelace lives in London .") == first
    found, _ = labeller.scores([labelkit.Example(id="1", words=("Ada", "lives"))])
    np.testing.assert_array_equal(found.parameters["transitions"], transitions)


@pytest.mark.filterwarnings("ignore:.*unknown", "ignore:assumed")  # the labels of some words are, which is said
def test_a_labeller_learns_from_partly_annotated_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    loss = labelkit_crf.module.negative_log_likelihood

    def spy(*given: Any) -> Any:
        told.append(0 if given[4] is None else int(given[4].sum()))
        return loss(*given)

    monkeypatch.setattr(labelkit_crf.module, "negative_log_likelihood", spy)
    text = "Ada B-PER\nLovelace I-PER\nmet _\nBob B-PER\n\n" * 20
    for split in ("train", "dev"):
        (tmp_path / f"{split}.conll").write_text(text)
    run = labelkit.run(
        "ner", data=tmp_path, model="tiny:bert", max_steps=2, settings={"train.head": "crf"}, home=tmp_path / "home"
    )
    assert run.status == "finished"
    assert max(told) > 0
