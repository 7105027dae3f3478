"""Texts with any number of labels: read, learned by the head ``multilabel``, scored, decoded by thresholds, written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

import labelkit
from broken_plugins import a_catalog
from labelkit.config.plan import Request, make_plan
from labelkit.data.convert import Conversion, convert
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.encode.alignment import Encoding, encode_texts
from labelkit.errors import DataError, LabelkitError
from labelkit.evaluation.error_analysis import analyse_errors
from labelkit.evaluation.label_errors import rank_label_sets
from labelkit.evaluation.onnx_export import compare
from labelkit.inference.decoders import DECODERS
from labelkit.inference.engine import Engine, WordScores
from labelkit.inference.label_ids import LabelSequences
from labelkit.inference.prediction import ScoredPredictions, decode_scores
from labelkit.inference.thresholds import tune_threshold, tune_thresholds
from labelkit.metrics.multilabel import METRICS
from labelkit.metrics.scoring import score
from labelkit.models.heads import MULTILABEL, BoundHead
from labelkit.models.loading import bind_head, load_classifier
from labelkit.models.tokenizer import load_tokenizer
from labelkit.plugins.catalog import Catalog
from labelkit.records import Context, Coverage, Example, HeadBatch, HeadContext, Labelled, Predictions, Schema
from labelkit.settings import DataSettings

TOPICS = Schema(name="topics", kind="text", labels=("art", "law", "sports"), multilabel=True)
CATALOG = Catalog.load(only=["ner", "textcls"])
THRESHOLDS = next(decoder for decoder in DECODERS if decoder.name == "thresholds")


# -- reading ----------------------------------------------------------------------------------------------------------


def read(
    text: str, folder: Path, name: str = "train.jsonl", columns: dict[str, str] | None = None, **settings: Any
) -> Corpus:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    ctx = labelkit.LoadContext(cache=folder, settings=DataSettings(**settings), columns=columns or {})
    return load_corpus(str(path), layer="label", kind="text", scheme=None, catalog=CATALOG, ctx=ctx)


def labels_of(corpus: Corpus) -> dict[str, Any]:
    return {str(one.text): one.labels["label"] for split in corpus.splits.values() for one in split.examples}


LISTS = '{"text": "a", "label": ["sports", "art"]}\n{"text": "b", "label": "art"}\n{"text": "c", "label": []}\n'
SETS = {"a": ("art", "sports"), "b": ("art",), "c": ()}
#: how the same three texts are written: file, content, columns, settings
WRITTEN: dict[str, tuple[str, str, dict[str, str], dict[str, Any]]] = {
    "JSON lists": ("a.jsonl", LISTS, {}, {}),
    "one array": ("a.json", f"[{LISTS.strip().replace(chr(10), ',')}]", {}, {}),
    "separator": ("a.csv", "text,label\na,sports|art\nb,art\nc,|\n", {}, {"label_separator": "|"}),
    "lists in CSV": ("a.csv", "text,label\na,\"['sports', 'art']\"\nb,art\nc,[]\n", {}, {}),
    "a column for each": ("a.csv", "text,art,sports\na,1,1\nb,1,0\nc,0,0.0\n", {"label": "art+sports"}, {}),
    "doccano": ("a.jsonl", LISTS.replace('"label"', '"Comments": [], "label"'), {}, {"format": "doccano"}),
    "Prodigy": (
        "a.jsonl",
        "".join(
            json.dumps({"text": text, "accept": accept, "answer": "accept", "_input_hash": 1}) + "\n"
            for text, accept in (("a", ["sports", "art"]), ("b", ["art"]), ("c", []))
        ),
        {}, {"format": "prodigy"},
    ),
    "Label Studio": (
        "a.json",
        json.dumps([
            {"data": {"text": text}, "annotations": [{"result": [
                {"type": "choices", "from_name": "t", "to_name": "text", "value": {"choices": choices}}
            ] if choices else []}]}
            for text, choices in (("a", ["sports", "art"]), ("b", ["art"]), ("c", []))
        ]),
        {}, {"format": "label-studio"},
    ),
    "spaCy": (
        "a.json",
        json.dumps([
            [text, {"cats": {"art": art, "sports": sports}}]
            for text, art, sports in (("a", 1, 1), ("b", 1, 0), ("c", 0, 0))
        ]),
        {}, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", WRITTEN)
def test_sets_of_labels_are_read_and_it_is_said_that_they_are(how: str, tmp_path: Path) -> None:
    name, text, columns, settings = WRITTEN[how]
    corpus = read(text, tmp_path, name, columns, **settings)
    assert labels_of(corpus) == SETS
    assert (corpus.schema.multilabel, corpus.schema.labels) == (True, ("art", "sports"))
    assert any("texts have any number of labels" in line for line in corpus.assumptions)


EMPTY_FIRST = {
    "JSON lists": ("a.jsonl", "".join(reversed(LISTS.splitlines(keepends=True)))),
    "lists in CSV": ("a.csv", "text,label\nc,[]\nb,art\na,\"['sports', 'art']\"\n"),
    "doccano": ("a.jsonl", '{"id": 1, "text": "c", "label": [], "Comments": []}\n' + LISTS),
}


@pytest.mark.parametrize("how", EMPTY_FIRST)
def test_a_text_without_labels_may_come_before_one_with_several(how: str, tmp_path: Path) -> None:
    name, text = EMPTY_FIRST[how]
    corpus = read(text, tmp_path, name)
    assert labels_of(corpus) == SETS
    assert any("some have several" in line for line in corpus.assumptions)


def test_an_empty_list_where_no_text_has_several_labels_is_a_missing_label(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.jsonl:2: the label is missing: the list of labels is empty") as caught:
        read('{"text": "b", "label": ["art"]}\n{"text": "c", "label": []}\n', tmp_path)
    assert "data.multilabel=true" in str(caught.value.hint)


@pytest.mark.parametrize("to", ["csv", "doccano", "prodigy"])
def test_sets_of_labels_are_converted_and_read_back(to: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LISTS, encoding="utf-8")
    target = tmp_path / f"b.{'csv' if to == 'csv' else 'jsonl'}"
    asked = Conversion(reference=str(tmp_path / "a.jsonl"), target=target, to=to, drop=("id",))
    result = convert(asked, CATALOG, labelkit.LoadContext(cache=tmp_path))
    assert (result.examples, result.checked) == (3, True)
    ctx = labelkit.LoadContext(cache=tmp_path, settings=DataSettings(multilabel=True, format=to))
    corpus = load_corpus(str(target), layer="label", kind="text", scheme=None, catalog=CATALOG, ctx=ctx)
    assert labels_of(corpus) == SETS


def test_sets_of_labels_are_loaded_as_lists_of_class_numbers(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(LISTS, encoding="utf-8")
    found = labelkit.data.load(tmp_path / "train.jsonl", home=tmp_path)["train"]
    names = found.features["label"].feature.names
    assert [[names[number] for number in labels] for labels in found["label"]] == [["art", "sports"], ["art"], []]


@pytest.mark.parametrize("how", ["JSON lists", "separator", "a column for each"])
def test_the_content_hash_does_not_depend_on_how_they_are_written(how: str, tmp_path: Path) -> None:
    name, text, columns, settings = WRITTEN[how]
    found = read(text, tmp_path, name, columns, **settings, multilabel=True)
    expected = read(LISTS, tmp_path, "b.jsonl", multilabel=True)
    assert [s.content_hash for s in found.splits.values()] == [s.content_hash for s in expected.splits.values()]
    assert not any("any number" in line for line in found.assumptions)


def test_fasttext_lines_with_several_labels_are_sets(tmp_path: Path) -> None:
    corpus = read("__label__b __label__a one\n__label__a two\n", tmp_path, "a.ft")
    assert labels_of(corpus) == {"one": ("a", "b"), "two": ("a",)}


def test_single_labels_stay_single_labels(tmp_path: Path) -> None:
    corpus = read('{"text": "a", "label": ["x"]}\n{"text": "b", "label": "y"}\n', tmp_path)
    assert labels_of(corpus) == {"a": "x", "b": "y"}
    assert not corpus.schema.multilabel


#: what cannot be read: file, content, columns, settings, message, hint
REFUSED: dict[str, tuple[str, str, dict[str, str], dict[str, Any], str, str]] = {
    "several, where one is learned": (
        "a.jsonl", LISTS, {}, {"multilabel": False}, r"a\.jsonl:1: one label is needed, this text has 2: sports, art",
        "--set data.multilabel=true",
    ),
    "twice": (
        "a.jsonl", '{"text": "a", "label": ["x", "y", "x"]}\n', {}, {"multilabel": True},
        r"a\.jsonl:1: the label 'x' is given twice", "each label once",
    ),
    "missing": (
        "a.jsonl", '{"text": "a", "label": ["x"]}\n{"text": "b", "label": null}\n', {}, {"multilabel": True},
        r"a\.jsonl:2: the labels are missing", r"\[\] for none",
    ),
    "missing in a list": (
        "a.jsonl", '{"text": "a", "label": ["x", null]}\n', {}, {"multilabel": True}, r"jsonl:1: the label is miss", "",
    ),
    "joined without a setting": (
        "a.csv", "text,label\na,x|y\nb,x\nc,y\n", {}, {}, r"'x\|y' looks like several", r"data.label_separator=\|'",
    ),
    "neither 0 nor 1": (
        "a.csv", "text,x,y\na,1,2\n", {"label": "x+y"}, {"multilabel": True}, r"csv:2: the column 'y' of a label holds",
        "",
    ),
    "-1": (
        "a.csv", "text,x,y\na,1,-1\n", {"label": "x+y"}, {"multilabel": True}, r"csv:2: .* often means: not labelled",
        "data.unlabelled=skip",
    ),
    "no such column": (
        "a.csv", "text,x,y\na,1,0\n", {"label": "x+z"}, {"multilabel": True}, "no column 'x.z'", "",
    ),
    "columns, where one is learned": (
        "a.csv", "text,x,y\na,1,0\n", {"label": "x+y"}, {"multilabel": False}, r"x\+y are labels of one text",
        "data.multilabel=true",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_bad_input_is_refused_in_one_line(what: str, tmp_path: Path) -> None:
    name, text, columns, settings, message, hint = REFUSED[what]
    with pytest.raises(DataError, match=message) as caught:
        read(text, tmp_path, name, columns, **settings)
    assert re.search(hint, caught.value.hint or "")


def test_sets_of_labels_of_a_text_are_no_labels_of_words(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LISTS.replace('"art"}', '["art"]}'), encoding="utf-8")
    ctx = labelkit.LoadContext(cache=tmp_path)
    with pytest.raises(DataError) as caught:
        load_corpus(str(tmp_path / "a.jsonl"), layer="ner", kind="token", scheme="IOB2", catalog=CATALOG, ctx=ctx)
    assert caught.value.message.endswith("a.jsonl:1: 1 words have 2 labels of 'ner'")
    assert "labels of the whole text are for textcls" in str(caught.value.hint)


def test_a_label_that_train_lacks_is_refused_with_its_place(tmp_path: Path) -> None:
    for split, text in (("train", LISTS), ("validation", LISTS), ("test", '{"text": "z", "label": ["art", "law"]}\n')):
        (tmp_path / f"{split}.jsonl").write_text(text, encoding="utf-8")
    ctx = labelkit.LoadContext(cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"test\.jsonl:1: .*'law'"):
        load_corpus(str(tmp_path), layer="label", kind="text", scheme=None, catalog=CATALOG, ctx=ctx)


def test_labels_that_validation_cannot_tune_are_noted(tmp_path: Path) -> None:
    for split, text in (
        ("train", LISTS),
        ("validation", '{"text": "z", "label": ["art"]}\n{"text": "y", "label": []}\n'),
    ):
        (tmp_path / f"{split}.jsonl").write_text(text, encoding="utf-8")
    ctx = labelkit.LoadContext(cache=tmp_path / "cache")
    corpus = load_corpus(str(tmp_path), layer="label", kind="text", scheme=None, catalog=CATALOG, ctx=ctx)
    assert [note for note in corpus.notes if "threshold" in note] == [
        "no text of validation has 'sports', or every text has: their threshold stays 0.5, it cannot be tuned"
    ]


# -- plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sets", [("data.multilabel=true",), ("train.head=multilabel",)])
def test_the_setting_and_the_head_bring_each_other(sets: tuple[str, ...]) -> None:
    plan = make_plan(Request(task="textcls", sets=sets), CATALOG)
    assert (plan.head.name, plan.decoder.name, plan.metrics[0].name) == ("multilabel", "thresholds", "multilabel")
    assert plan.data.multilabel is True


def test_what_a_task_names_beside_its_own_head_stays() -> None:
    flags: dict[str, Any] = {"kind": "text", "multilabel": True}
    metric = labelkit.Metric(name="mine", key="x", compute=lambda given: {"x": 1.0}, **flags)
    decoder = labelkit.Decoder(name="mine", decode=lambda scores: scores.values > -1, **flags)
    named = labelkit.Task(
        name="tags", summary="tags", kind="text", layer="label", source="sample-reviews", head="multilabel",
        decoder="mine", metrics=("mine", "multilabel"),
    )  # fmt: skip
    catalog = a_catalog(metric, decoder, named, replace(named, name="bare", decoder=None, metrics=()))
    parts = {
        name: (plan.decoder.name, [one.name for one in plan.metrics])
        for name in ("tags", "bare")
        for plan in [make_plan(Request(task=name), catalog)]
    }
    assert parts == {"tags": ("mine", ["mine", "multilabel"]), "bare": ("thresholds", ["multilabel"])}
    other = make_plan(Request(task="tags", sets=("train.head=regression",)), catalog)
    assert (other.decoder.name, other.metrics[0].name) == ("number", "mse")


def test_a_head_that_is_chosen_says_that_texts_have_one_label() -> None:
    assert make_plan(Request(task="textcls", sets=("train.head=linear",)), CATALOG).data.multilabel is False
    assert make_plan(Request(task="textcls"), CATALOG).data.multilabel is None


@pytest.mark.parametrize(
    ("task", "sets", "overrides", "said"),
    [
        ("ner", ("data.multilabel=true",), {}, "data.multilabel is for labels of texts, this task labels words"),
        ("ner", ("train.head=multilabel",), {}, "head 'multilabel' is for kind text, task 'ner' is of kind token"),
        (
            "textcls",
            ("data.multilabel=true", "train.head=linear"),
            {},
            "learns labels, not sets of labels",
        ),
        (
            "textcls",
            ("train.head=multilabel",),
            {"metric": ("classification", "-m")},
            "is for labels, head 'multilabel'",
        ),
        ("textcls", ("train.head=multilabel",), {"decoder": ("argmax-text", "-d")}, "is for labels, head 'multilabel'"),
        ("textcls", ("train.head=multilabel",), {"metric": ("mse", "-m")}, "is for numbers, head 'multilabel'"),
        ("textcls", (), {"metric": ("multilabel", "-m")}, "metric 'multilabel' is for sets of labels, head 'linear'"),
        (
            "textcls",
            ("data.multilabel=true", "data.numbers=true"),
            {},
            "learns sets of labels, not numbers",
        ),
        ("textcls", ("train.head=multilabel", "train.class_weights=balanced"), {}, "does not obey train.class_weights"),
        ("textcls", ("train.problem_type=regression",), {}, "problem_type"),
    ],
)
def test_what_does_not_fit_sets_of_labels_is_refused(task: str, sets: Any, overrides: Any, said: str) -> None:
    with pytest.raises(LabelkitError) as caught:
        make_plan(Request(task=task, sets=sets, overrides=overrides), CATALOG)
    assert said in str(caught.value)


# -- metrics ----------------------------------------------------------------------------------------------------------


def drawn(
    texts: int = 300, *, ties: bool = False
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(5)
    gold = random.random((texts, 3)) < np.array([0.4, 0.1, 0.3])
    values = -np.logaddexp(0, -(random.normal(size=gold.shape) + 2 * gold)).astype(np.float32)
    if ties:
        values = np.round(values, 1)
    return gold, np.exp(values) > 0.6, values


def predictions(gold: Any, predicted: Any, values: Any = None) -> Predictions:
    lengths = np.ones(len(gold), np.int64)
    rows = [[*LabelSequences(each, lengths, TOPICS)] for each in (gold, predicted)]
    return Predictions(references=rows[0], predictions=rows[1], schema=TOPICS, scores=values)


@pytest.mark.parametrize("ties", [False, True])
def test_scores_equal_those_of_scikit_learn_to_the_last_digit(ties: bool) -> None:
    gold, predicted, values = drawn(ties=ties)
    found = score(METRICS, predictions(gold, predicted, values))
    for prefix, average in (("", "micro"), ("macro_", "macro")):
        expected = sklearn_metrics.precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
        assert [found[f"{prefix}{name}"] for name in ("precision", "recall", "f1")] == list(expected[:3])
    assert found["weighted_f1"] == pytest.approx(
        sklearn_metrics.f1_score(gold, predicted, average="weighted"), rel=1e-14
    )
    assert found["subset_accuracy"] == sklearn_metrics.accuracy_score(gold, predicted)
    assert found["hamming_loss"] == pytest.approx(sklearn_metrics.hamming_loss(gold, predicted), rel=1e-14)
    assert found["average_precision"] == sklearn_metrics.average_precision_score(gold, values, average="macro")
    each = sklearn_metrics.precision_recall_fscore_support(gold, predicted, average=None, zero_division=0)
    for column, label in enumerate(TOPICS.labels):
        row = found["per_type"][label]
        assert [row[name] for name in ("precision", "recall", "f1", "support")] == [part[column] for part in each]
        assert row["average_precision"] == sklearn_metrics.average_precision_score(gold[:, column], values[:, column])
    for name in ("f1", "macro_f1", "subset_accuracy", "average_precision"):
        low, high = found["intervals"][name]
        assert low < found[name] < high


def test_scores_without_texts_and_without_labels_are_zero() -> None:
    for texts in (0, 2):
        nothing = np.zeros((texts, 3), np.bool_)
        found = score(METRICS, predictions(nothing, nothing, np.zeros((texts, 3), np.float32)))
        assert found["f1"] == found["macro_f1"] == 0
        assert found["subset_accuracy"] == (1 if texts else 0)
        assert "average_precision" not in found


# -- thresholds -------------------------------------------------------------------------------------------------------


def test_a_tuned_threshold_has_the_highest_f1() -> None:
    gold, _, values = drawn(ties=True)
    found = tune_thresholds(values, gold, TOPICS)
    probabilities = np.exp(values.astype(np.float64))
    for column, label in enumerate(TOPICS.labels):
        mine, wanted = probabilities[:, column], gold[:, column]
        best = max(sklearn_metrics.f1_score(wanted, mine >= at) for at in np.unique(mine))
        assert sklearn_metrics.f1_score(wanted, mine >= found[label]) == best


def test_a_threshold_that_cannot_be_tuned_is_a_half() -> None:
    values, never = np.array([0.1, 0.9]), np.zeros(2, np.bool_)
    assert tune_threshold(values, never) == tune_threshold(values, ~never) == 0.5


def test_the_decoder_gives_the_labels_from_their_thresholds_on() -> None:
    values = np.log(np.array([[0.2, 0.4, 0.9], [0.1, 0.2, 0.3]], np.float32))
    found = WordScores(values, np.ones(2, np.int64), np.ones(2, np.bool_))
    ids = decode_scores(found, THRESHOLDS, TOPICS, {"art": 0.15, "law": 0.5})
    assert [*LabelSequences(ids, found.lengths, TOPICS)] == [("art", "sports"), ()]


def test_loss_and_calibration_are_over_all_decisions() -> None:
    gold, predicted, values = drawn()
    found = ScoredPredictions(
        WordScores(values, np.ones(len(gold), np.int64), np.ones(len(gold), np.bool_)), gold, predicted, TOPICS
    )
    figures, temperature, _ = found.figures(METRICS, None)
    chance = np.exp(values.astype(np.float64))
    assert figures["loss"] == pytest.approx(-np.where(gold, np.log(chance), np.log(1 - chance)).mean(), rel=1e-6)
    assert 0 < figures["ece"] < 0.5
    assert temperature == 1


# -- head and engine --------------------------------------------------------------------------------------------------


def test_the_loss_is_that_of_transformers_and_it_knows_the_problem() -> None:
    context = HeadContext(schema=TOPICS, hidden_size=8)
    outputs, labels = torch.randn(4, 3), torch.tensor([[1.0, 0, 1]] * 4)
    losses = MULTILABEL.loss(HeadBatch(outputs=outputs, labels=labels), context)
    assert losses.shape == (4,)
    assert float(losses.sum() / labels.numel()) == pytest.approx(float(torch.nn.BCEWithLogitsLoss()(outputs, labels)))
    assert BoundHead(MULTILABEL, context).config["problem_type"] == "multi_label_classification"


def test_windows_of_a_long_text_are_merged_by_the_weighted_mean_of_log_odds(tiny: Path) -> None:
    torch.manual_seed(0)
    bound = bind_head(MULTILABEL, tiny, TOPICS, Context())
    encoding = Encoding.of(load_tokenizer(tiny), 32, 8)
    engine = Engine(load_classifier(tiny, bound), encoding, "fp32", 256, 0, bound)
    encoded = encode_texts(encoding, ["it was good " * 60, "", "fine"])
    found = engine.score_texts(encoded.windows, 3)
    mine = [window for window in encoded.windows if window.example == 0]
    assert len(mine) > 2
    raw = engine.forward(mine, pooled=True)
    mean = sum(row * window.weight for row, window in zip(raw, mine, strict=True))
    assert np.exp(found.values[0]) == pytest.approx(1 / (1 + np.exp(-mean)), rel=1e-4)
    assert np.exp(found.values[1]).tolist() == [0, 0, 0]  # a text without subwords has no label
    assert not found.covered[1]


# -- errors -----------------------------------------------------------------------------------------------------------


def test_mistakes_are_missed_and_spurious_labels() -> None:
    rows = [("art", "law"), (), ("sports",)]
    examples = [Example(id=str(n), text="x", labels={"t": row}) for n, row in enumerate(rows)]
    found = analyse_errors(examples, "t", [("art",), ("law",), ("sports",)], TOPICS)
    assert found.kinds == {"missed": 1, "spurious": 1}
    assert found.by_type["law"] == {"gold": 1, "right": 0, "missed": 1, "spurious": 1}
    assert {(one.kind, one.gold, one.predicted) for one in found.frequent} == {
        ("missed", "law", "O"),
        ("spurious", "O", "law"),
    }


def test_likely_label_errors_are_decisions_about_one_label() -> None:
    random = np.random.default_rng(0)
    gold = random.random((200, 3)) < 0.4
    values = np.log(np.where(gold, 0.95, 0.05)).astype(np.float32)
    given = gold.copy()
    given[7, 1] = not given[7, 1]
    found = rank_label_sets(values, given, TOPICS)
    assert found.errors.tolist() == [7 * 3 + 1]
    assert {found.classes[found.given[22]], found.classes[found.suggested[22]]} == {"O", "law"}


def test_labellers_that_predict_other_numbers_of_labels_are_compared_text_by_text() -> None:
    class Stored:
        """A labeller that predicts the same labels whatever it is given."""

        def __init__(self, *found: tuple[str, ...]) -> None:
            self.found = found

        def stream(self, examples: Any) -> Any:
            return (
                Labelled(id=str(n), text="", labels=labels, coverage=Coverage(words=1, windows=1))
                for n, (_, labels) in enumerate(zip(examples, self.found, strict=True))
            )

        def score(self, *given: Any) -> dict[str, float]:
            return {"f1": 0.0}

    first: Any = Stored(("art",), (), ("law",))
    second: Any = Stored(("art", "law"), (), ("law",))
    found = compare(first, second, [Example(id="1", text="x")] * 3, [METRICS[0]])
    assert (found.same, found.words) == (2, 3)
