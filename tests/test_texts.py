"""Kind ``text``: windows that weigh one together, merged scores, and a labeller that loses no text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import labelkit
from labelkit.cli import main
from labelkit.encode.alignment import Encoding, encode_texts
from labelkit.inference.engine import Engine
from labelkit.models.heads import BoundHead
from labelkit.models.loading import load_classifier
from labelkit.models.tokenizer import load_tokenizer
from labelkit.records import Schema

SCHEMA = Schema(name="mood", kind="text", labels=("bad", "good", "mixed"))
LONG = "the film was slow and then it was good " * 60


@pytest.fixture(scope="module")
def engine(tiny: Path) -> Engine:
    torch.manual_seed(0)
    encoding = Encoding.of(load_tokenizer(tiny), 32, 8)
    return Engine(load_classifier(tiny, BoundHead.linear(SCHEMA)), encoding, "fp32", 256, 0, BoundHead.linear(SCHEMA))


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[labelkit.RunResult, Path]:
    """Return a run on reviews of which some are far longer than a window."""
    folder = tmp_path_factory.mktemp("reviews")
    rows = [("good " * (1 + 90 * (n % 4 == 0)) + "film", "good") for n in range(24)]
    rows += [("dull " * (1 + 90 * (n % 4 == 0)) + "film", "bad") for n in range(24)]
    for split in ("train", "dev", "test"):
        lines = "".join(f"{text},{label}\n" for text, label in rows)
        (folder / f"{split}.csv").write_text("text,label\n" + lines, encoding="utf-8")
    home = folder / "home"
    settings = {"train.precision": "fp32"}
    done = labelkit.run("textcls", data=str(folder), model=str(tiny), epochs=6, lr=5e-3, home=home, settings=settings)
    return done, home


def test_the_windows_of_a_text_weigh_one_together(engine: Engine) -> None:
    encoded = encode_texts(engine.encoding, ["short", LONG, "", "good film"])
    weights = [sum(w.weight for w in encoded.windows if w.example == text) for text in range(4)]
    assert weights == pytest.approx([1, 1, 0, 1])
    assert encoded.coverage[1].windows > 10
    assert all(len(window.ids) <= 32 for window in encoded.windows)


def test_every_sub_token_of_a_long_text_is_owned_once(engine: Engine, tiny: Path) -> None:
    encoded = encode_texts(engine.encoding, [LONG])
    whole = load_tokenizer(tiny)(LONG, add_special_tokens=False)["input_ids"]
    owned = [
        id_ for w in encoded.windows for id_, word in zip(w.ids.tolist(), w.words.tolist(), strict=True) if word == 0
    ]
    assert owned == whole


def test_a_text_in_one_window_scores_as_the_model_says(engine: Engine, tiny: Path) -> None:
    encoded = encode_texts(engine.encoding, ["a good film"])
    found = engine.score_texts(encoded.windows, 1)
    inputs = load_tokenizer(tiny)("a good film", return_tensors="pt")
    with torch.inference_mode():
        expected = torch.log_softmax(engine.torch_model.eval()(**inputs).logits, dim=-1).numpy()
    assert found.values == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_a_long_text_scores_the_weighted_mean_of_its_windows(engine: Engine) -> None:
    encoded = encode_texts(engine.encoding, [LONG])
    found = engine.score_texts(encoded.windows, 1).values[0]
    each = np.stack([engine.forward([window], pooled=True)[0] for window in encoded.windows])
    mean = (each * np.array([[window.weight] for window in encoded.windows])).sum(axis=0)
    assert found == pytest.approx(mean - np.logaddexp.reduce(mean), abs=1e-4)
    assert np.exp(found).sum() == pytest.approx(1)


def test_blank_text_gets_the_fallback_without_pretending_to_know(engine: Engine) -> None:
    found = engine.score_texts(encode_texts(engine.encoding, ["", " \n"]).windows, 2)
    assert found.values.argmax(axis=1).tolist() == [engine.fallback] * 2
    assert np.exp(found.values).max() < 0.4
    assert not found.covered.any()


def test_it_learns_and_scores_every_text(run: tuple[labelkit.RunResult, Path]) -> None:
    figures = run[0].metrics["test"]["textcls"]
    assert figures["support"] == 48
    assert figures["accuracy"] > 0.9
    assert set(figures["per_type"]) == {"good", "bad"}
    assert {"precision", "recall", "f1", "support"} == set(figures["per_type"]["good"])


def test_the_labeller_gives_label_score_and_all_scores(run: tuple[labelkit.RunResult, Path]) -> None:
    done, home = run
    labeller = labelkit.load(done.run, home=home)
    record = labeller.label("good " * 300)
    assert record.label == "good"
    assert record.scores is not None
    assert record.score == record.scores["good"]
    assert sum(record.scores.values()) == pytest.approx(1, abs=1e-3)
    assert record.coverage.windows > 1
    assert record.words is None


def test_the_checkpoint_opens_in_a_pipeline(run: tuple[labelkit.RunResult, Path]) -> None:
    from transformers import pipeline

    done, home = run
    texts = ["good film", "dull film", "film"]
    theirs = pipeline("text-classification", model=str(done.checkpoint), device=-1)(texts)
    labeller = labelkit.load(done.run, home=home)
    assert [answer["label"] for answer in theirs] == [record.label for record in labeller.label_all(texts)]
    labeller.info = replace(labeller.info, temperature=1.0)  # transformers knows of none
    ours = labeller.label_all(texts)
    scores = [float(record.score or 0) for record in ours]
    assert [answer["score"] for answer in theirs] == pytest.approx(scores, abs=1e-3)


def test_evaluate_repeats_the_test_score(
    run: tuple[labelkit.RunResult, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    done, home = run
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    assert main(["evaluate", done.run, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["split"] == "test"
    assert answer["metrics"]["test"]["textcls"]["accuracy"] == done.metrics["test"]["textcls"]["accuracy"]


@pytest.mark.slow
def test_gradient_weights_do_not_depend_on_the_batch(engine: Engine, tmp_path: Path) -> None:
    """A text's pull on the weights is the same whether its windows fall into one batch or into several."""
    from transformers import TrainerCallback, TrainingArguments

    from labelkit.data.corpus import content_hash
    from labelkit.encode.cache import LabelTarget, cached_windows
    from labelkit.records import Example
    from labelkit.train.trainer import Collator, WordLevelTrainer
    from labelkit.train.training_windows import TrainingWindows

    examples = [Example(id=str(n), text=text, labels={"x": "good"}) for n, text in enumerate([LONG, "good"])]
    target = LabelTarget("x", SCHEMA, label_all_tokens=False)
    store = cached_windows(examples, content_hash(examples, "x", None), engine.encoding, target, tmp_path)
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none")
    trainer = WordLevelTrainer(
        model=engine.torch_model.eval(), args=arguments, train=store, encoding=engine.encoding, head=engine.head,
        batch_tokens=0, evaluate=lambda *_: {}, callbacks=[TrainerCallback()],
    )  # fmt: skip
    items = [TrainingWindows(store)[n] for n in range(len(store))]
    collate = Collator(engine.encoding, SCHEMA)

    def loss(batch: list[Any]) -> float:
        return float(trainer.compute_loss(engine.torch_model, collate(batch), num_items_in_batch=len(items)).detach())

    together, apart = loss(items), sum(loss([item]) for item in items)
    assert together == pytest.approx(apart, rel=1e-4)
    scores = engine.score_texts([store[n] for n in range(len(store))], 2)
    each = [engine.forward([store[n]], pooled=True)[0, 1] * store[n].weight for n in range(len(store))]
    assert together == pytest.approx(-sum(each) / 2, rel=1e-3)
    assert scores.covered.all()
