"""Labels that are numbers: read, learned by the head ``regression``, scored, written, and refused elsewhere."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import labelkit
from labelkit.cli import main
from labelkit.config.plan import Request, make_plan
from labelkit.data.corpus import load_corpus
from labelkit.encode.alignment import Encoding, encode_texts
from labelkit.errors import LabelkitError
from labelkit.inference.engine import Engine
from labelkit.labels.numbers import number_label, number_text
from labelkit.metrics.regression import METRICS
from labelkit.metrics.scoring import score
from labelkit.models.heads import REGRESSION, BoundHead
from labelkit.models.loading import bind_head, load_classifier
from labelkit.models.tokenizer import load_tokenizer
from labelkit.plugins.catalog import Catalog
from labelkit.records import Context, HeadBatch, HeadContext, Predictions, Schema
from labelkit.settings import DataSettings
from labelkit.train.trainer import text_labels

NUMBERS = Schema(name="stars", kind="text", numeric=True)
CATALOG = Catalog.load(only=["ner", "textcls"])


# -- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "label"), [(3, "3"), (3.0, "3"), ("3.50", "3.5"), ("1e3", "1000"), (-0.25, "-0.25"), (" 2 ", "2")]
)
def test_a_number_is_written_in_one_way(given: Any, label: str) -> None:
    assert number_label(given) == label
    assert number_text(float(label)) == label


@pytest.mark.parametrize("given", ["good", "nan", "inf", True, None, "", [3], "1,5"])
def test_what_is_no_number_is_refused(given: Any) -> None:
    with pytest.raises(LabelkitError, match=r"is not a number|is missing"):
        number_label(given)


def read(text: str, folder: Path, name: str = "train.csv", *, numbers: bool = True) -> Any:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    ctx = labelkit.LoadContext(cache=folder, settings=DataSettings(numbers=numbers))
    return load_corpus(str(path), layer="label", kind="text", scheme=None, catalog=CATALOG, ctx=ctx)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "text,label\nfine,3.50\nbad,1\n"),
        ("a.jsonl", '{"text": "fine", "label": 3.5}\n{"text": "bad", "label": "1.0"}\n'),
        ("a.jsonl", '{"data": 1, "text": "fine", "label": "35e-1"}\n{"data": 2, "text": "bad", "label": 1}\n'),
    ],
)
def test_the_same_numbers_have_the_same_content_hash(name: str, text: str, tmp_path: Path) -> None:
    corpus = read(text, tmp_path, name)
    rows = {one.text: one.labels["label"] for split in corpus.splits.values() for one in split.examples}
    assert rows == {"fine": "3.5", "bad": "1"}
    assert corpus.schema == Schema(name="label", kind="text", numeric=True)
    reference = read("text,label\nfine,3.5\nbad,1\n", tmp_path, "b.csv")
    assert corpus.splits["train"].content_hash == reference.splits["train"].content_hash


def test_a_label_that_is_no_number_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(LabelkitError, match=r"train\.csv:3: the label 'good' is not a number"):
        read("text,label\na,1\nb,good\n", tmp_path)


def test_fractions_without_the_setting_say_how_they_are_learned(tmp_path: Path) -> None:
    with pytest.raises(LabelkitError, match="is a fraction, labels are classes") as caught:
        read("text,label\na,1.5\nb,2.5\n", tmp_path, numbers=False)
    assert "--set train.head=regression" in (caught.value.hint or "")


# -- metrics ----------------------------------------------------------------------------------------------------------


def figures(gold: list[float], guess: list[float]) -> dict[str, Any]:
    texts = [[*map(number_text, rows)] for rows in (gold, guess)]
    return score(METRICS, Predictions(references=texts[0], predictions=texts[1], schema=NUMBERS))


def test_metrics_are_those_of_numpy() -> None:
    drawn = np.random.default_rng(2)
    gold = np.round(drawn.normal(size=200) * 3, 0)
    guess = gold + drawn.normal(size=200)
    found = figures(gold.tolist(), guess.tolist())
    assert found["mse"] == pytest.approx(((gold - guess) ** 2).mean())
    assert found["mae"] == pytest.approx(abs(gold - guess).mean())
    assert found["pearson"] == pytest.approx(np.corrcoef(gold, guess)[0, 1])
    first, second = (np.array([(x < v).sum() + ((x == v).sum() - 1) / 2 for v in x]) for x in (gold, guess))
    assert found["spearman"] == pytest.approx(np.corrcoef(first, second)[0, 1])
    low, high = found["intervals"]["mse"]
    assert low < found["mse"] < high


@pytest.mark.parametrize(
    ("gold", "guess", "mse", "pearson"),
    [
        ([], [], 0, 0),
        ([2], [3], 1, 0),
        ([1, 2], [2, 2], 0.5, 0),
        ([1, 2], [2, 1], 1, -1),
        ([1e9, 1e9 + 1], [1, 2], None, 1),
    ],
)
def test_metrics_of_few_numbers(gold: list[float], guess: list[float], mse: float | None, pearson: float) -> None:
    found = figures(gold, guess)
    assert found["pearson"] == found["spearman"] == pytest.approx(pearson)
    if mse is not None:
        assert found["mse"] == mse


# -- plans ------------------------------------------------------------------------------------------------------------


def test_the_head_brings_its_metrics_its_decoder_and_how_data_is_read() -> None:
    plan = make_plan(Request(task="textcls", sets=("train.head=regression",)), CATALOG)
    assert [metric.name for metric in plan.metrics] == ["mse", "mae", "pearson", "spearman"]
    assert (plan.decoder.name, plan.data.numbers) == ("number", True)
    chosen = make_plan(
        Request(task="textcls", sets=("train.head=regression",), overrides={"metric": ("spearman", "--metric")}),
        CATALOG,
    )
    assert [metric.name for metric in chosen.metrics][:2] == ["spearman", "mse"]


@pytest.mark.parametrize(
    ("task", "sets", "overrides", "said"),
    [
        ("ner", ("train.head=regression",), {}, "head 'regression' is for kind text, task 'ner' is of kind token"),
        ("textcls", ("data.numbers=true",), {}, "head 'linear' learns labels, not numbers"),
        ("textcls", ("train.head=regression",), {"metric": ("classification", "--metric")}, "is for labels"),
        ("textcls", ("train.head=regression",), {"decoder": ("argmax-text", "--decoder")}, "is for labels"),
        ("textcls", (), {"metric": ("mse", "--metric")}, "metric 'mse' is for numbers"),
        ("textcls", ("train.head=regression", "train.class_weights=balanced"), {}, "does not obey train.class_weights"),
    ],
)
def test_what_does_not_fit_numbers_is_refused(task: str, sets: Any, overrides: Any, said: str) -> None:
    with pytest.raises(LabelkitError) as caught:
        make_plan(Request(task=task, sets=sets, overrides=overrides), CATALOG)
    assert said in caught.value.message


def test_classes_of_a_source_are_not_learned_as_numbers(tmp_path: Path) -> None:
    ctx = labelkit.LoadContext(cache=tmp_path, settings=DataSettings(numbers=True))
    with pytest.raises(LabelkitError, match="are classes, not numbers, by schema 'sample-sentiment'"):
        load_corpus("sample-reviews", layer="label", kind="text", scheme=None, catalog=CATALOG, ctx=ctx)


# -- head and engine --------------------------------------------------------------------------------------------------


def test_the_loss_is_the_squared_error_and_transformers_knows_the_problem() -> None:
    context = HeadContext(schema=NUMBERS, hidden_size=8)
    batch = HeadBatch(outputs=torch.tensor([[1.0], [2.5]]), labels=torch.tensor([3.0, 2.0]))
    assert REGRESSION.loss(batch, context).tolist() == [4.0, 0.25]
    config = BoundHead(REGRESSION, context).config
    assert (config["num_labels"], config["problem_type"]) == (1, "regression")


def test_a_number_that_looks_like_no_label_counts_as_a_label() -> None:
    found = text_labels([np.float32(-100), np.float32(2)])
    assert found.dtype == np.float32
    assert (found != -100).all()
    assert found == pytest.approx([-100, 2])
    assert text_labels([np.int32(1)]).dtype == np.int64


def test_the_number_of_a_long_text_is_the_weighted_mean_of_its_windows(tiny: Path) -> None:
    torch.manual_seed(0)
    bound = bind_head(REGRESSION, tiny, NUMBERS, Context())
    encoding = Encoding.of(load_tokenizer(tiny), 32, 8)
    engine = Engine(load_classifier(tiny, bound), encoding, "fp32", 256, 0, bound, fallback_number=7.5)
    encoded = encode_texts(encoding, ["it was good " * 60, "", "fine"])
    found = engine.score_texts(encoded.windows, 3)
    own = [window for window in encoded.windows if window.example == 0]
    assert len(own) > 2
    each = engine.forward(own, pooled=True)[:, 0]
    assert found.values[0, 0] == pytest.approx(float(np.dot(each, [window.weight for window in own])), abs=1e-5)
    assert found.values[1, 0] == 7.5  # a blank text has the mean of train
    assert found.values.shape == (3, 1)


# -- from the command line --------------------------------------------------------------------------------------------


def stories(folder: Path) -> str:
    """Write texts whose number says how often they praise, and return the data reference."""
    drawn = random.Random(1)
    for split, count in (("train", 96), ("test", 24)):
        rows = []
        for _ in range(count):
            praise = drawn.randrange(4)
            words = ["great"] * praise + drawn.choices(["film", "story", "people"], k=4)
            drawn.shuffle(words)
            rows.append(json.dumps({"text": " ".join(words), "label": praise + 0.5}))
        (folder / f"{split}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return f"train={folder}/train.jsonl,test={folder}/test.jsonl"


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *given: None)  # main() listens for SIGTERM

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (main(arguments), *capsys.readouterr())

    return run


@pytest.mark.slow
def test_numbers_are_learned_scored_written_and_read_back(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path, tiny: Path
) -> None:
    data = stories(tmp_path)
    learn = ("--set", "train.head=regression", "--model", str(tiny), "--epochs", "12", "--lr", "0.005", "--json")
    status, out, err = command("run", "textcls", "--data", data, *learn, "--set", "train.precision=fp32")
    assert status == 0, err
    done = json.loads(out)
    scores = done["metrics"]["test"]["textcls"]
    assert set(scores) >= {"mse", "mae", "pearson", "spearman", "loss"}
    assert "temperature" not in scores
    assert scores["pearson"] > 0.5
    config = json.loads((Path(done["checkpoint"]) / "config.json").read_text(encoding="utf-8"))
    assert config["problem_type"] == "regression"

    assert command("label", "latest", "test.jsonl", "-o", "out.jsonl")[0] == 0
    rows = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(isinstance(row["label"], float) and "score" not in row for row in rows)
    assert command("label", "latest", "test.jsonl", "-o", "out.csv")[0] == 0
    gold = ("--set", "data.predictions_as_gold=true")
    for data in ("out.jsonl", "out.csv"):
        status, out, err = command("evaluate", "latest", "--data", data, "--json", *gold)
        assert status == 0, err
        assert json.loads(out)["metrics"]["all"]["textcls"]["mse"] == pytest.approx(0, abs=1e-8)

    for arguments, said in (
        (("errors", "latest"), "labelkit errors is for labels"),
        (("label", "latest", "test.jsonl", "--min-score", "0.5"), "--min-score is for labels"),
        (("label", "latest", "test.jsonl", "--to", "doccano", "-o", "x.jsonl"), "'doccano' cannot hold numbers"),
        (("evaluate", "latest", "--metric", "classification"), "does not fit a labeller that predicts numbers"),
    ):
        status, _, err = command(*arguments)
        assert (status, said in err) == (1, True), err
    assert command("runs", "report", "latest")[0] == 0
    assert command("runs", "show", "latest")[0] == 0


def test_data_show_gives_the_range_of_numbers(command: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    stories(tmp_path)
    status, out, err = command("data", "show", "test.jsonl", "--set", "data.numbers=true", "--json")
    assert status == 0, err
    shown = json.loads(out)["splits"]["train"]
    assert (shown["numbers"]["min"], shown["numbers"]["max"], shown["labels"]) == (0.5, 3.5, {})
    assert command("data", "check", "test.jsonl", "--set", "data.numbers=true", "--skip", "duplicates")[0] in (0, 1)
