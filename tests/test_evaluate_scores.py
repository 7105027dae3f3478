"""Scores against independent scorers: seqeval, the CoNLL shared task's rules, scikit-learn; and wrapped metrics."""

from __future__ import annotations

import importlib
import io
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import labelkit
from labelkit.cli.score_display import print_scores
from labelkit.errors import LabelkitError
from labelkit.labels.schemes import SCHEMES, spans_of, tags_of, violations
from labelkit.metrics.chunks import Mode, SpanArrays, TagVocabulary, find_spans, transition_rules
from labelkit.metrics.classification import METRICS as CLASSES
from labelkit.metrics.entities import entity_scores
from labelkit.metrics.evaluate_modules import metric_at
from labelkit.metrics.scoring import score
from labelkit.metrics.seqeval_metrics import METRICS as SPANS
from labelkit.records import Metric, Predictions, Schema, Scheme

PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}
TYPES = ("PER", "LOC", "creative-work")
MANY = 10_000
Rows = list[tuple[str, ...]]


def tags_in(scheme: Scheme) -> list[str]:
    return ["O", *(f"{prefix}-{type_}" for prefix in PREFIXES[scheme] for type_ in TYPES)]


def random_rows(scheme: Scheme, count: int = MANY, seed: int = 0) -> tuple[Rows, Rows]:
    """Return sequences that respect nothing, and others that agree with them on most words."""
    random, tags = Random(seed), tags_in(scheme)
    gold = [tuple(random.choices(tags, k=random.randrange(9))) for _ in range(count)]
    guess = [tuple(tag if random.random() < 0.7 else random.choice(tags) for tag in row) for row in gold]
    return gold, guess


def found(rows: Rows, scheme: Scheme, mode: Mode) -> list[set[tuple[int, int, str]]]:
    """Return the spans of each sequence."""
    vocabulary = TagVocabulary()
    tags = vocabulary.encode(rows)
    types, type_of = vocabulary.types()
    spans: SpanArrays = find_spans(tags, vocabulary.prefixes(mode), type_of, transition_rules(mode, scheme))
    begins = np.concatenate(([0], np.cumsum(tags.lengths)))
    sets: list[set[tuple[int, int, str]]] = [set() for _ in rows]
    for sentence, first, stop, type_ in zip(spans.sentence, spans.first, spans.stop, spans.type, strict=True):
        sets[sentence].add((int(first - begins[sentence]), int(stop - begins[sentence]), types[type_]))
    assert sum(map(len, sets)) == len(spans)
    return sets


def strictly(row: Sequence[str], scheme: Scheme) -> set[tuple[int, int, str]]:
    """Return the spans of a sequence as seqeval's strict mode reads it."""
    from seqeval import scheme as schemes
    from seqeval.scheme import Tokens

    tokens = Tokens(list(row), getattr(schemes, "IOBES" if scheme == "BIOES" else scheme))
    return {(entity.start, entity.end, entity.tag) for entity in tokens.entities}


def loosely(row: Sequence[str]) -> set[tuple[int, int, str]]:
    """Return the spans of a sequence as seqeval's default mode reads it."""
    from seqeval.metrics.sequence_labeling import get_entities

    return {(start, end + 1, type_) for type_, start, end in get_entities(list(row))}


def as_bioes(row: Sequence[str]) -> tuple[str, ...]:
    return tuple({"L": "E", "U": "S"}.get(tag[0], tag[0]) + tag[1:] for tag in row)


# -- spans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_strict_mode_reads_the_spans_that_seqeval_reads(scheme: Scheme) -> None:
    rows = [row for rows in random_rows(scheme) for row in rows]
    assert found(rows, scheme, "strict") == [strictly(row, scheme) for row in rows]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_default_mode_reads_the_spans_that_seqeval_reads(scheme: Scheme) -> None:
    rows = [row for rows in random_rows(scheme) for row in rows]
    read = [loosely(as_bioes(row)) if scheme == "BILOU" else loosely(row) for row in rows]
    assert found(rows, scheme, "default") == read


def test_bilou_is_not_what_seqevals_default_mode_makes_of_it() -> None:
    row = ("U-LOC", "U-LOC")
    with pytest.warns(UserWarning, match="seems not to be NE tag"):
        assert len(loosely(row)) == 1
    assert found([row], "BILOU", "default") == [{(0, 1, "LOC"), (1, 2, "LOC")}]


@given(st.sampled_from(SCHEMES), st.data())
def test_proper_tags_mean_the_same_in_both_modes_but_for_iob1(scheme: Scheme, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(st.sampled_from(tags_in(scheme)), max_size=6).map(tuple), max_size=4))
    proper = [tags_of(spans_of(row, scheme), len(row), scheme) for row in rows]
    assert found(proper, scheme, "default") == [set(spans_of(row, scheme)) for row in proper]
    if scheme != "IOB1":
        assert found(proper, scheme, "strict") == found(proper, scheme, "default")


# -- figures of spans -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("mode", ["default", "strict"])
def test_micro_macro_and_per_type_scores_are_seqevals(scheme: Scheme, mode: Mode) -> None:
    gold, guess = random_rows(scheme, 2000, seed=1)
    figures = entity_scores(gold, guess, scheme, mode)
    for average in ("micro", "macro"):
        expected = seqeval_scores(gold, guess, scheme, mode, average)
        names = [name if average == "micro" else f"macro_{name}" for name in ("precision", "recall", "f1")]
        assert [figures[name] for name in names] == pytest.approx(expected[:3], abs=1e-12)
    columns = seqeval_scores(gold, guess, scheme, mode, None)
    for type_, *row in zip(sorted(TYPES), *columns, strict=True):
        assert list(figures["per_type"][type_].values()) == pytest.approx(row, abs=1e-12)
    assert figures["support"] == sum(columns[3])
    assert (figures["scheme"], figures["mode"]) == (scheme, mode)


def seqeval_scores(gold: Rows, guess: Rows, scheme: Scheme, mode: Mode, average: str | None) -> Any:
    from seqeval import scheme as schemes
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as by_default
    from seqeval.metrics.v1 import precision_recall_fscore_support as by_scheme

    both = [[list(as_bioes(row) if mode == "default" else row) for row in rows] for rows in (gold, guess)]
    if mode == "default":
        return by_default(*both, average=average, zero_division=0)
    known = getattr(schemes, "IOBES" if scheme == "BIOES" else scheme)
    return by_scheme(*both, average=average, zero_division=0, scheme=known)


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2"])
def test_default_mode_counts_as_the_conll_scorer_does(scheme: Scheme) -> None:
    gold, guess = random_rows(scheme, seed=2)
    right, guessed, wanted = conll_counts(gold, guess)
    figures = entity_scores(gold, guess, scheme)
    assert figures["support"] == sum(wanted.values())
    assert figures["precision"] == pytest.approx(sum(right.values()) / sum(guessed.values()), abs=1e-12)
    assert figures["recall"] == pytest.approx(sum(right.values()) / sum(wanted.values()), abs=1e-12)
    for type_ in TYPES:
        row = figures["per_type"][type_]
        assert row["precision"] * guessed[type_] == pytest.approx(right[type_], abs=1e-9)
        assert row["recall"] * wanted[type_] == pytest.approx(right[type_], abs=1e-9)
        assert row["support"] == wanted[type_]


def conll_counts(gold: Rows, guess: Rows) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Count right, found and wanted chunks by type, as the shared task's scorer walks through both columns at once.

    A chunk ends where another prefix or type begins; it is right when both columns began and ended it together, of the
    same type in both.
    """
    right: Counter[str] = Counter()
    guessed: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for column, other in zip(gold, guess, strict=True):
        in_step = False
        before, other_before = ("O", ""), ("O", "")
        for tag, other_tag in zip((*column, "O"), (*other, "O"), strict=True):
            now, other_now = parted(tag), parted(other_tag)
            if in_step:
                ended, other_ended = ends(before, now), ends(other_before, other_now)
                if ended and other_ended:
                    right[before[1]] += 1
                    in_step = False
                elif ended != other_ended or now[1] != other_now[1]:
                    in_step = False
            began, other_began = begins(before, now), begins(other_before, other_now)
            if began and other_began and now[1] == other_now[1]:
                in_step = True
            wanted[now[1]] += began
            guessed[other_now[1]] += other_began
            before, other_before = now, other_now
    return right, guessed, wanted


def parted(tag: str) -> tuple[str, str]:
    prefix, _, type_ = tag.partition("-")
    return prefix, type_


def ends(before: tuple[str, str], now: tuple[str, str]) -> bool:
    return before[0] != "O" and (now[0] in "OB" or before[1] != now[1])


def begins(before: tuple[str, str], now: tuple[str, str]) -> bool:
    return now[0] != "O" and (now[0] == "B" or before[0] == "O" or before[1] != now[1])


def test_borders_accuracy_and_confusion_of_a_small_case() -> None:
    gold = [("B-PER", "I-PER", "O", "B-LOC"), ("B-LOC", "O")]
    guess = [("B-LOC", "I-LOC", "O", "B-LOC"), ("O", "B-PER")]
    figures = entity_scores(gold, guess)
    assert figures["f1"] == pytest.approx(1 / 3)
    assert (figures["span_precision"], figures["span_recall"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert figures["accuracy"] == pytest.approx(2 / 6)
    assert figures["confusion"] == {"PER": {"LOC": 1}, "LOC": {"LOC": 1, "O": 1}, "O": {"PER": 1}}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_repaired_counts_what_does_not_fit_the_scheme(scheme: Scheme) -> None:
    gold, guess = random_rows(scheme, 500, seed=3)
    wrong = sum(len(violations(row, scheme)) for row in guess)
    assert wrong > 100
    names = ("repaired", "improper")
    default, strict = (entity_scores(gold, guess, scheme, mode) for mode in ("default", "strict"))
    assert [default.get(name) for name in names] == [wrong, None]
    assert [strict.get(name) for name in names] == [None, wrong]


def test_a_type_may_be_called_o() -> None:
    figures = entity_scores([("B-O", "O")], [("B-O", "B-O")])
    assert figures["confusion"] == {"O": {"O": 1}, "(O)": {"O": 1}}


def test_plain_labels_are_refused() -> None:
    given_ = predictions([("NOUN",)], [("NOUN",)])
    with pytest.raises(LabelkitError, match="'NOUN' is not a tag"):
        score([SPANS[0]], given_)


def predictions(gold: Rows, guess: Rows) -> Predictions:
    return Predictions(references=gold, predictions=guess, schema=Schema.bio("x", *TYPES))


def test_metrics_of_the_same_names_stand_side_by_side() -> None:
    figures = score(SPANS[:2], predictions([("B-PER", "O")], [("I-PER", "O")]))
    assert (figures["f1"], figures["seqeval-strict.f1"]) == (1.0, 0.0)
    assert figures["intervals"]["f1"] == [1.0, 1.0]
    assert figures["intervals"]["seqeval-strict.f1"] == [0.0, 0.0]
    person, bounds = figures["per_type"]["PER"], figures["intervals"]["per_type"]["PER"]
    assert (person["f1"], person["seqeval-strict.f1"]) == (1.0, 0.0)
    assert (bounds["f1"], bounds["seqeval-strict.f1"]) == ([1.0, 1.0], [0.0, 0.0])


def test_scores_by_type_of_several_metrics_stand_together() -> None:
    def by_length(given_: Predictions) -> dict[str, Any]:
        return {"right": 1.0, "per_type": {"short": {"right": 0.5}, "PER": {"f1": 0.25}}}

    own = Metric(name="mine", kind="token", compute=by_length, key="right")
    figures = score([own, SPANS[0]], predictions([("B-PER", "O")], [("B-PER", "O")]))
    assert figures["per_type"]["short"] == {"right": 0.5}
    person = figures["per_type"]["PER"]
    assert (person["f1"], person["seqeval.f1"], person["precision"]) == (0.25, 1.0, 1.0)
    assert figures["intervals"]["per_type"]["PER"]["seqeval.f1"] == [1.0, 1.0]
    assert "seqeval.per_type" not in figures


def test_scores_by_type_of_other_names_have_a_table_of_their_own() -> None:
    console = Console(file=io.StringIO(), width=120)
    person = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 2}
    print_scores(console, "x", {"per_type": {"PER": person, "long": {"right": 0.25}, "short": {"right": 0.5, "n": 3}}})
    printed = [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert printed[1:6] == [
        ["type", "precision", "recall", "F1", "support"],
        ["PER", "1.0000", "1.0000", "1.0000", "2"],
        ["type", "right", "n"],
        ["long", "0.2500", "–"],
        ["short", "0.5000", "3"],
    ]


def test_the_entity_scores_are_an_evaluate_metric() -> None:
    from labelkit.metrics.seqeval_module import Entities

    gold, guess = random_rows("IOB2", 50)
    for mode in ("default", "strict"):
        module = Entities(keep_in_memory=True)
        assert module.compute(predictions=guess, references=gold, mode=mode) == entity_scores(
            gold, guess, "IOB2", mode
        )  # fmt: skip


def shown(figures: dict[str, Any]) -> list[list[str]]:
    """Return the cells of each line that a command prints of figures."""
    console = Console(file=io.StringIO(), width=160)
    print_scores(console, "here", figures)
    return [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_the_row_of_all_types_is_named_by_its_mean() -> None:
    lines = shown(score([CLASSES[1]], texts(("good", "bad"), 30)))
    assert [line[0] for line in lines[2:5]] == ["bad", "good", "macro"]
    assert "average" not in [word for line in lines for word in line]
    names = [line[0] for line in shown(score(SPANS[:1], predictions([("B-PER", "O")], [("B-PER", "O")]))) if line]
    assert names[2:6] == ["PER", "all", "macro", "boundary"]


# -- classes ----------------------------------------------------------------------------------------------------------


def texts(labels: Sequence[str], count: int, seed: int = 0) -> Predictions:
    """Return random classes, with scores that favour the right one."""
    random = np.random.default_rng(seed)
    gold = random.integers(0, len(labels), count)
    values = random.normal(size=(count, len(labels)))
    values[np.arange(count), gold] += 1
    values = np.round(values, 1)  # so that some are equal
    values -= np.logaddexp.reduce(values, axis=1, keepdims=True)
    guess = values.argmax(axis=1)
    return Predictions(
        references=[labels[index] for index in gold],
        predictions=[labels[index] for index in guess],
        schema=Schema(name="x", kind="text", labels=tuple(labels)),
        scores=values.astype(np.float32),
    )


@pytest.mark.parametrize("labels", [("no", "yes"), ("c", "a", "b", "d")])
def test_classes_score_as_scikit_learn_says(labels: Sequence[str]) -> None:
    metrics = importlib.import_module("sklearn.metrics")
    given_ = texts(labels, 300)
    gold, guess = list(given_.references), list(given_.predictions)
    figures = score([CLASSES[1]], given_)
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(gold, guess))
    for name, average in (("f1", "macro"), ("weighted_f1", "weighted")):
        assert figures[name] == pytest.approx(metrics.f1_score(gold, guess, average=average))
    assert figures["precision"] == pytest.approx(metrics.precision_score(gold, guess, average="macro"))
    order = sorted(labels)
    table = [[figures["confusion"][row].get(column, 0) for column in order] for row in order]
    assert table == metrics.confusion_matrix(gold, guess, labels=order).tolist()
    assert given_.scores is not None
    chances = np.exp(given_.scores.astype(np.float64))
    area = (
        metrics.roc_auc_score([label == labels[1] for label in gold], chances[:, 1])
        if len(labels) == 2
        else np.mean([
            metrics.roc_auc_score([label == name for label in gold], chances[:, index])
            for index, name in enumerate(labels)
        ])
    )  # fmt: skip
    assert figures["roc_auc"] == pytest.approx(area)
    low, high = figures["intervals"]["roc_auc"]
    assert low < area < high


def test_roc_auc_is_left_out_where_it_does_not_apply() -> None:
    given_ = texts(("no", "yes"), 20)
    unscored = Predictions(references=given_.references, predictions=given_.predictions, schema=given_.schema)
    assert "roc_auc" not in score([CLASSES[1]], unscored)
    one = Predictions(
        references=["yes"] * 20, predictions=given_.predictions, schema=given_.schema, scores=given_.scores
    )
    assert "roc_auc" not in score([CLASSES[1]], one)


def test_weighted_areas_are_those_of_texts_that_are_there_so_often() -> None:
    from labelkit.metrics.roc_auc import weighted_roc_auc

    given_ = texts(("no", "yes"), 80)
    random = np.random.default_rng(0)
    weights = random.integers(0, 3, (5, 80)).astype(np.float64)
    gold = [label == "yes" for label in given_.references]
    assert given_.scores is not None
    area = importlib.import_module("sklearn.metrics").roc_auc_score
    expected = [area(gold, given_.scores[:, 1], sample_weight=row) for row in weights]
    assert weighted_roc_auc(given_, weights).tolist() == pytest.approx(expected)


def test_tags_of_words_are_counted_word_by_word() -> None:
    rows = [("NOUN", "VERB", "NOUN"), ("VERB",)], [("NOUN", "NOUN", "NOUN"), ("VERB",)]
    figures = score([CLASSES[0]], predictions(*rows))
    assert figures["accuracy"] == 0.75
    assert figures["confusion"] == {"NOUN": {"NOUN": 2}, "VERB": {"NOUN": 1, "VERB": 1}}
    assert figures["weighted_f1"] == pytest.approx((0.8 * 2 + 2 / 3 * 2) / 4)


# -- modules of evaluate ----------------------------------------------------------------------------------------------

MODULE = """
    import datasets
    import evaluate


    class Mine(evaluate.{base}):
        def _info(self):
            return evaluate.{base}Info(
                description="", citation="", inputs_description="",
                features=datasets.Features({features}),
            )

        def _compute(self, **given):
            {body}
"""


def a_module(folder: Path, features: str, body: str, base: str = "Metric", name: str = "mine") -> Path:
    file = folder / name / f"{name}.py"
    file.parent.mkdir()
    file.write_text(textwrap.dedent(MODULE).format(base=base, features=features, body=body), encoding="utf-8")
    return file


IDS = "{'predictions': datasets.Value('int64'), 'references': datasets.Value('int64')}"
WORDS = "{'predictions': datasets.Value('string'), 'references': datasets.Value('string')}"
SENTENCES = (
    "{'predictions': datasets.Sequence(datasets.Value('string')), "
    "'references': datasets.Sequence(datasets.Value('string'))}"
)
SENTENCES_OF_IDS = SENTENCES.replace("string", "int64")
SAME = "return {'same': sum(a == b for a, b in zip(given['predictions'], given['references'])), 'first': %s}"


@pytest.mark.parametrize(
    ("features", "first", "same"),
    [
        (IDS, "given['references'][0] + 100", [3, 101]),
        (WORDS, "len(given['references'][0])", [3, 5]),
        (SENTENCES, "len(given['references'][0])", [1, 2]),
        (SENTENCES_OF_IDS, "given['references'][0][0]", [1, 1]),
    ],
)
def test_a_module_on_disk_gets_what_its_features_declare(
    tmp_path: Path, features: str, first: str, same: list[int]
) -> None:
    given_ = predictions([("B-PER", "O"), ("O", "B-LOC")], [("B-PER", "O"), ("O", "O")])
    file = a_module(tmp_path, features, SAME % first)
    figures = metric_at(file, "token").compute(given_)
    assert [figures["same"], figures["first"]] == same
    assert metric_at(file.parent, "token").compute(given_) == figures


def test_a_module_in_code_and_one_by_its_path_make_a_metric(tmp_path: Path) -> None:
    from labelkit.metrics.seqeval_module import Entities

    given_ = predictions([("B-PER", "O")], [("I-PER", "O")])
    ours = labelkit.Metric.from_evaluate(
        lambda: Entities(keep_in_memory=True), name="ours", kind="token", key="f1", options={"mode": "strict"}
    )
    assert score([ours], given_)["f1"] == 0
    file = a_module(tmp_path, WORDS, SAME % "7")
    disk = labelkit.Metric.from_evaluate(file, name="mine", kind="token", key="first")
    assert score([disk], given_)["first"] == 7


def test_a_measurement_looks_at_the_predictions_and_may_import_from_beside_it(tmp_path: Path) -> None:
    features = "{'data': datasets.Value('string')}"
    file = a_module(tmp_path, features, "from .other import ten; return {'n': ten * len(given['data'])}", "Measurement")
    file.with_name("other.py").write_text("ten = 10\n", encoding="utf-8")
    assert metric_at(file, "token").compute(predictions([("O",)], [("O",)])) == {"n": 10}


def test_a_module_prepares_what_it_needs_in_a_folder_of_its_own(tmp_path: Path) -> None:
    file = a_module(tmp_path, WORDS, "return {'ready': self.ready, 'folder': self.data_dir}")
    prepare = "    def _download_and_prepare(self, dl_manager):\n        self.ready = 1.0\n"
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{prepare}", encoding="utf-8")
    given_ = predictions([("O",)], [("O",)])
    first, second = (metric_at(file, "token").compute(given_) for _ in range(2))
    assert first["ready"] == 1
    assert first["folder"] != second["folder"]  # of another user's nothing could be written


def test_a_module_may_want_scores(tmp_path: Path) -> None:
    features = "{'prediction_scores': datasets.Value('float32'), 'references': datasets.Value('int32')}"
    body = "return {'sure': max(s if r else 1 - s for s, r in zip(given['prediction_scores'], given['references']))}"
    given_ = texts(("no", "yes"), 30)
    assert given_.scores is not None
    chance = np.exp(given_.scores[np.arange(30), [("no", "yes").index(str(x)) for x in given_.references]]).max()
    found_ = metric_at(a_module(tmp_path, features, body), "text").compute(given_)
    assert found_["sure"] == pytest.approx(float(chance), abs=1e-5)


def test_what_is_no_module_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabelkitError, match="no evaluation module at"):
        metric_at(tmp_path / "nothing", "token")
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_such\n", encoding="utf-8")
    with pytest.raises(LabelkitError, match=r"broken\.py is not an evaluation module"):
        metric_at(broken, "token").compute(predictions([], []))
