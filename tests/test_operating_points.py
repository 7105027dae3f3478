"""Operating points: thresholds that reach a precision or a recall on validation, and what they leave out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelkit
from label_command import SENTENCES, Label, label, opened, write
from labelkit.cli import main
from labelkit.errors import LabelkitError, ModelError
from labelkit.inference.decoding import repair_label_ids
from labelkit.inference.engine import WordScores
from labelkit.inference.label_ids import LabelSequences
from labelkit.inference.scored_labels import labels_above, scored_labels, threshold_of_types
from labelkit.label.operating_points import OperatingTarget, choose_thresholds, find_operating_points, parse_targets
from labelkit.label.records import apply_thresholds, drop_low_scores
from labelkit.metrics import CURVES
from labelkit.metrics.entities import entity_scores
from labelkit.metrics.multilabel import set_figures
from labelkit.metrics.threshold_curves import POINTS, SplitCurves, ThresholdCurve, scores_at
from labelkit.metrics.unknown_labels import known_part
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.records import Coverage, Labelled, Predictions, Schema, Scheme, Scores
from labelkit.records.heads import IGNORE_INDEX
from labelkit.registry import Home

__all__ = ["label", "opened"]

Array = np.ndarray[Any, Any]
SCORES = st.lists(st.integers(0, 20).map(lambda number: number / 20), min_size=1, max_size=60)


@st.composite
def curves(draw: st.DrawFn) -> ThresholdCurve:
    scores = np.array(draw(SCORES))
    right = np.array(draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    missed = draw(st.integers(0, 5))
    return ThresholdCurve.of(scores, right, int(right.sum()) + missed, most=draw(st.sampled_from([3, 10, POINTS])))


# -- curves and their points ------------------------------------------------------------------------------------------


@given(curves(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_higher_precision_never_lowers_the_threshold_and_a_higher_recall_never_raises_it(
    curve: ThresholdCurve, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    for figure, sign in (("precision", 1), ("recall", -1)):
        strict = curve.reaching(figure, high)  # type: ignore[arg-type]
        if strict is None:
            continue
        mild = curve.reaching(figure, low)  # type: ignore[arg-type]
        assert mild is not None
        assert sign * mild.threshold <= sign * strict.threshold


@given(curves(), st.floats(0.01, 1), st.sampled_from([("precision", "recall"), ("recall", "precision")]))
def test_of_the_thresholds_that_reach_a_target_the_other_figure_is_best(
    curve: ThresholdCurve, value: float, figures: tuple[Any, Any]
) -> None:
    figure, other = figures
    reached = [one for one in curve.points if getattr(one, figure) >= value]
    found = curve.reaching(figure, value)
    assert (found is None) == (not reached)
    if found is not None:
        assert getattr(found, figure) >= value
        assert getattr(found, other) == max(getattr(one, other) for one in reached)
        assert curve.highest(figure) >= getattr(found, figure)


def test_a_curve_counts_equal_scores_together() -> None:
    scores, right = np.array([0.9, 0.5, 0.9, 0.5, 0.1]), np.array([True, True, True, False, False])
    curve = ThresholdCurve.of(scores, right, 4)
    assert curve == ThresholdCurve(4, [0.9, 0.5, 0.1], [2, 3, 3], [0, 1, 2])
    found = [(one.precision, one.recall, one.predicted) for one in curve.points]
    assert found == [
        (1, 0.5, 2),
        (0.75, 0.75, 4),
        (0.6, 0.75, 5),
    ]
    assert [curve.reaching("precision", value).threshold for value in (0.5, 0.75, 0.8, 1)] == [0.5, 0.5, 0.9, 0.9]  # type: ignore[union-attr]
    assert curve.reaching("recall", 0.75).threshold == 0.5  # type: ignore[union-attr]
    assert curve.reaching("recall", 0.8) is None
    assert curve.highest("recall") == 0.75


def test_a_long_curve_keeps_points_at_equal_distances_with_their_own_counts() -> None:
    scores = np.arange(1, 1001) / 1000
    whole, thin = (ThresholdCurve.of(scores, scores > 0.3, 700, most=most) for most in (1000, POINTS))
    assert len(thin.thresholds) == POINTS
    assert (thin.thresholds[0], thin.thresholds[-1]) == (1.0, 0.001)
    assert set(thin.points) <= set(whole.points)


@pytest.mark.parametrize(
    "content",
    [
        None, [], {}, {"micro": {}, "per_type": {}},
        {"micro": {"support": 1, "thresholds": [0.5], "tp": [1]}, "per_type": {}},
        {"micro": {"support": 1, "thresholds": [0.5], "tp": [1, 2], "fp": [0]}, "per_type": {}},
        {"micro": {"support": 1, "thresholds": [0.5, 0.6], "tp": [1, 2], "fp": [0, 0]}, "per_type": {}},
        {"micro": {"support": 1, "thresholds": [0.5, 0.4], "tp": [2, 1], "fp": [0, 0]}, "per_type": {}},
        {"micro": {"support": 1, "thresholds": [1.5], "tp": [1], "fp": [0]}, "per_type": {}},
        {"micro": {"support": 1, "thresholds": [0.5], "tp": [0.5], "fp": [0]}, "per_type": {}},
        {"micro": {"support": "1", "thresholds": [0.5], "tp": [1], "fp": [0]}, "per_type": {}},
        {"micro": {"support": 1, "thresholds": ["x"], "tp": [1], "fp": [0]}, "per_type": {}},
        {"micro": {"support": 1, "thresholds": [], "tp": [], "fp": []}, "per_type": []},
    ],
)  # fmt: skip
def test_damaged_curves_are_one_error(content: Any) -> None:
    with pytest.raises(ValueError, match=r"curve"):
        SplitCurves.from_json(content)


# -- counts are those of the filtered output --------------------------------------------------------------------------


def made_up(schema: Schema, seed: int, *, unknown: bool = False) -> tuple[WordScores, Array, Array]:
    """Return scores of some sentences (or texts), gold label ids, and predicted ones."""
    random = np.random.default_rng(seed)
    lengths = random.integers(0, 9, size=12) if schema.kind == "token" else np.ones(40, np.int64)
    labels = len(schema.label_names)
    logits = random.normal(size=(int(lengths.sum()), labels)) * 2
    values = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)
    ids = values.argmax(axis=1)
    gold = np.where(random.random(len(ids)) < 0.6, ids, random.integers(0, labels, size=len(ids)))
    found = WordScores(values, lengths, np.ones(len(ids), np.bool_))
    gold = repair_label_ids(gold, Scores(values=values, lengths=lengths, schema=schema))
    return found, np.where(random.random(len(ids)) < 0.15, IGNORE_INDEX, gold) if unknown else gold, ids


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
@given(seed=st.integers(0, 999), least=st.tuples(*[st.sampled_from([None, 0.0, 0.3, 0.5, 0.7, 0.9])] * 2))
@settings(max_examples=15)
def test_counts_at_thresholds_are_those_of_the_filtered_spans(
    scheme: Scheme, seed: int, least: tuple[float | None, float | None], unknown: bool
) -> None:
    schema = replace(Schema.bio("ner", "A", "B"), scheme=scheme)
    found, gold, ids = made_up(schema, seed, unknown=unknown)
    labels = scored_labels(found, gold, ids, schema, 1.5)
    thresholds = threshold_of_types(dict(zip("AB", least, strict=True)), schema)
    if len(labels.score):  # a threshold that a span just reaches
        thresholds[0] = labels.score[seed % len(labels.score)]
    above = labels_above(found, ids, schema, 1.5, thresholds)
    given = Predictions(
        references=LabelSequences(gold, found.lengths, schema),
        predictions=LabelSequences(above, found.lengths, schema),
        schema=schema,
    )
    known = known_part(given)
    expected = entity_scores(known.references, known.predictions, scheme)
    counted = scores_at(labels, thresholds)
    for name in ("precision", "recall", "f1", "support"):
        assert counted[name] == pytest.approx(expected[name])
        for type_, row in counted["per_type"].items():
            assert row[name] == pytest.approx(expected["per_type"].get(type_, {}).get(name, 0))


@given(seed=st.integers(0, 999))
@settings(max_examples=15)
def test_points_of_the_curve_are_those_counts(seed: int) -> None:
    schema = Schema.bio("ner", "A", "B")
    found, gold, ids = made_up(schema, seed)
    labels = scored_labels(found, gold, ids, schema, 1.0)
    for type_, curve in SplitCurves.of(labels).per_type.items():
        for point in curve.points:
            counted = scores_at(labels, threshold_of_types({type_: point.threshold}, schema))
            row = counted["per_type"][type_]
            assert (row["precision"], row["recall"]) == (point.precision, point.recall)


def test_labels_of_words_and_texts_are_counted_without_unknown_ones() -> None:
    for kind in ("token", "text"):
        schema = Schema(name="x", kind=kind, labels=("a", "b", "c"))
        found, gold, ids = made_up(schema, 3, unknown=True)
        labels = scored_labels(found, gold, ids, schema, 1.0)
        scores, known = np.round(np.exp(found.values.max(axis=1)).astype(np.float64), 4), gold != IGNORE_INDEX
        kept = known & (scores >= 0.5)
        counted = scores_at(labels, threshold_of_types(dict.fromkeys("abc", 0.5), schema))
        assert counted["precision"] == (ids == gold)[kept].mean()
        assert counted["recall"] == (ids == gold)[kept].sum() / known.sum()
        assert counted["kept"] == kept.sum() / known.sum()
        assert (labels_above(found, ids, schema, 1.0, threshold_of_types({"a": None}, schema)) == ids).all()


def test_sets_of_labels_are_chosen_by_the_thresholds() -> None:
    schema = Schema(name="x", kind="text", labels=("a", "b", "c"), multilabel=True)
    random = np.random.default_rng(5)
    chances = random.random((50, 3))
    values, gold = np.log(chances).astype(np.float32), random.random((50, 3)) < chances
    found = WordScores(values, np.ones(50, np.int64), np.ones(50, np.bool_))
    predicted = chances >= 0.5
    labels = scored_labels(found, gold, predicted, schema, 1.0)
    thresholds = threshold_of_types({"a": 0.25, "b": None}, schema)  # c as decoded
    above = labels_above(found, predicted, schema, 1.0, thresholds)
    assert (above[:, 0] == (np.round(chances[:, 0], 4) >= 0.25)).all()
    assert not above[:, 1].any()
    assert (above[:, 2] == predicted[:, 2]).all()
    point = SplitCurves.of(labels).per_type["a"].reaching("recall", 0.9)
    assert point is not None
    chosen = labels_above(found, predicted, schema, 1.0, threshold_of_types({"a": point.threshold}, schema))
    right = gold & chosen
    sums = np.concatenate((right.sum(axis=0), chosen.sum(axis=0), gold.sum(axis=0), [0, 0, 50]))
    figures = set_figures(sums.astype(np.float64), schema.label_names)["per_type"]["a"]
    assert (float(figures["precision"]), float(figures["recall"])) == (point.precision, point.recall)


def test_a_score_that_is_no_number_counts_as_zero() -> None:
    schema = Schema(name="x", kind="text", labels=("a", "b"))
    values = np.full((3, 2), np.nan, np.float32)
    found = WordScores(values, np.ones(3, np.int64), np.ones(3, np.bool_))
    ids = np.zeros(3, np.int64)
    assert SplitCurves.of(scored_labels(found, ids, ids, schema, 1.0)).micro.thresholds == [0.0]


# -- records ----------------------------------------------------------------------------------------------------------

SPANS = tuple(
    labelkit.Span(start=2 * index, end=2 * index + 1, label=type_, text="abc"[index], score=score)
    for index, (type_, score) in enumerate((("A", 0.6), ("B", 0.6), ("A", 0.9)))
)
RECORD = Labelled(
    id="1", text="a b c", words=("a", "b", "c"), labels=("B-A", "B-B", "B-A"), spans=SPANS,
    offsets=((0, 1), (2, 3), (4, 5)), coverage=Coverage(words=3, windows=1),
)  # fmt: skip


def test_spans_below_the_threshold_of_their_type_are_dropped_and_counted() -> None:
    found = apply_thresholds(RECORD, {"A": 0.7}, "IOB2")
    assert (found.labels, found.spans) == (("O", "B-B", "B-A"), SPANS[1:])
    assert (found.coverage.below_threshold, found.coverage.below_min_score) == (1, 0)
    assert apply_thresholds(RECORD, {"A": 0.6, "B": 0.0}, "IOB2") is RECORD
    assert apply_thresholds(RECORD, {"A": None, "B": None}, "IOB2").labels == ("O", "O", "O")


def test_the_higher_of_min_score_and_threshold_wins() -> None:
    found = drop_low_scores(apply_thresholds(RECORD, {"B": 0.8}, "IOB2"), 0.7, "IOB2")
    assert found.spans == SPANS[2:]
    assert (found.coverage.below_threshold, found.coverage.below_min_score) == (1, 1)
    assert apply_thresholds(RECORD, {"A": 0.95}, "IOB2") == drop_low_scores(
        apply_thresholds(RECORD, {"A": 0.95}, "IOB2"), 0.1, "IOB2"
    )


def test_texts_below_the_threshold_have_no_label_and_sets_get_those_that_reach_it() -> None:
    text = Labelled(
        id="1", text="x", label="a", score=0.6, scores={"a": 0.6, "b": 0.4}, coverage=Coverage(words=1, windows=1)
    )
    found = apply_thresholds(text, {"a": 0.7}, None)
    assert (found.label, found.score, found.coverage.below_threshold) == (None, 0.6, 1)
    assert apply_thresholds(text, {"b": 0.7}, None) is text
    several = replace(text, label=None, score=None, labels=("a",))
    found = apply_thresholds(several, {"a": 0.7, "b": 0.3}, None)
    assert (found.labels, found.coverage.below_threshold) == (("b",), 1)
    assert apply_thresholds(several, {"b": 0.5}, None).labels == ("a",)


# -- targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("precision=0.95", {None: ("precision", 0.95)}),
        ("recall=1", {None: ("recall", 1.0)}),
        (" precision=.5", {None: ("precision", 0.5)}),
        ("PER:precision=0.98,recall=0.8", {"PER": ("precision", 0.98), None: ("recall", 0.8)}),
        ("precision=0.9,PER:precision=0.98", {None: ("precision", 0.9), "PER": ("precision", 0.98)}),
        ("precision=0.9, a,b: c:recall=0.5", {None: ("precision", 0.9), "a,b: c": ("recall", 0.5)}),
    ],
)
def test_targets_are_read(text: str, expected: dict[str | None, Any]) -> None:
    assert parse_targets(text) == {type_: OperatingTarget(*target) for type_, target in expected.items()}


BAD = ("", "0.95", "f1=0.9", "precision", "precision=", "precision=95%", "precision=0", "precision=1.01",
       "precision=nan",
       "precision=0.9,recall=0.8", "PER:precision=0.9,PER:recall=0.8", "precision=0.9;recall=0.5", ":precision=0.9",
       "precision=0.9,x")  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_a_bad_target_is_one_line(text: str, label: Label) -> None:
    with pytest.raises(LabelkitError, match=r"operating point") as error:
        parse_targets(text)
    assert error.value.hint
    done = label("--text", "Ada", "--operating-point", text)
    assert (done.status, done.out) == (2, "")
    assert "operating point" in done.err.splitlines()[-1]


def info_with(per_type: dict[str, ThresholdCurve], schema: Schema) -> tuple[CheckpointInfo, SplitCurves]:
    info = CheckpointInfo(
        labelkit="0", run="r", task="t", kind=schema.kind, layer="t", schema=schema, decoder="viterbi",
        preprocessors=(), splitter="words", fallback="" if schema.labels else "O", max_length=8, overlap=0, step=1,
        epoch=1.0,
    )  # fmt: skip
    return info, SplitCurves(ThresholdCurve(0, [], [], []), per_type)


def test_what_a_type_never_reaches_is_said_with_what_is_done() -> None:
    schema = Schema.bio("ner", "good", "bad", "silent", "absent")
    curves = {
        "good": ThresholdCurve(40, [0.9, 0.5], [30, 35], [0, 5]),
        "bad": ThresholdCurve(40, [0.9, 0.5], [1, 3], [1, 5]),
        "silent": ThresholdCurve(2, [], [], []),
    }
    info, found = info_with(curves, schema)
    point = choose_thresholds("precision=0.9", parse_targets("precision=0.9"), info, found)
    assert point.thresholds == {"good": 0.9, "bad": None, "silent": None, "absent": None}
    (note,) = point.notes
    assert note == (
        "precision 0.9 is not reached on validation by bad (0.5000 at most), silent (never predicted), "
        "absent (not in validation): their labels are left out"
    )
    point = choose_thresholds("recall=0.5", parse_targets("recall=0.5"), info, found)
    assert point.thresholds == {"good": 0.9}
    (note,) = point.notes
    assert note == (
        "recall 0.5 is not reached on validation by bad (0.0750 at most), silent (never predicted), "
        "absent (not in validation): all their labels are kept"
    )
    point = choose_thresholds("bad:precision=0.4", parse_targets("bad:precision=0.4"), info, found)
    assert point.thresholds == {"bad": 0.9}
    assert point.notes == (
        "fewer than 20 labels of validation reach the threshold of bad (2): their precision is uncertain",
    )


def test_a_recall_that_sets_of_labels_never_reach_takes_the_lowest_threshold() -> None:
    schema = Schema(name="x", kind="text", labels=("a", "b"), multilabel=True)
    info, found = info_with({"a": ThresholdCurve(9, [0.9, 0.2], [3, 4], [0, 1])}, schema)
    assert choose_thresholds("recall=1", parse_targets("recall=1"), info, found).thresholds == {"a": 0.2}


def test_numbers_have_no_operating_point(tmp_path: Path) -> None:
    info, _ = info_with({}, Schema.bio("ner", "A"))
    numbers = replace(info, schema=Schema(name="x", kind="text", numeric=True), kind="text", fallback="0")
    with pytest.raises(LabelkitError, match=r"^an operating point is for labels, this labeller predicts numbers"):
        find_operating_points("precision=0.9", {"t": numbers}, Home(root=tmp_path))


# -- the commands -----------------------------------------------------------------------------------------------------


def least_scores(run: labelkit.RunResult) -> dict[str, float]:
    """Return the lowest score of each type's spans on validation."""
    curves = SplitCurves.from_json(run.metrics["validation"]["ner"][CURVES])
    return {type_: curve.thresholds[-1] for type_, curve in curves.per_type.items()}


def test_the_curve_is_kept_in_the_checkpoint_and_in_the_registry(
    trained: labelkit.RunResult, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = json.loads((trained.checkpoint / "labelkit.json").read_text())["metrics"]["validation"][CURVES]
    assert kept == trained.metrics["validation"]["ner"][CURVES]
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    assert main(["evaluate", "shared", "--split", "validation", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["validation"]["ner"][CURVES] == kept
    figures = trained.metrics["validation"]["ner"]
    curves = SplitCurves.from_json(kept)
    last = list(curves.micro.points)[-1]
    assert (last.precision, last.recall) == pytest.approx((figures["precision"], figures["recall"]))
    for type_, row in figures["per_type"].items():
        last = list(curves.per_type[type_].points)[-1]
        assert (last.precision, last.recall) == pytest.approx((row["precision"], row["recall"]))


def test_tables_of_runs_leave_the_curve_out(trained: labelkit.RunResult, home: Path) -> None:
    from labelkit.registry import Registry

    with Registry.open(Home(root=home), create=False) as registry:
        assert not [name for name in registry.runs.export().columns if CURVES in name]
        found = registry.runs.export(long=True)
    assert CURVES in {row[found.columns.index("name")] for row in found.rows}


def test_a_precision_is_reached_on_validation_and_scored(
    trained: labelkit.RunResult, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    at = ("evaluate", "shared", "--split", "validation", "--operating-point", "precision=1")
    assert main([*at, "--json", "-o", str(home.parent / "kept.jsonl"), "--force"]) == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)["metrics"]["validation"]["ner"]
    assert figures["precision"] == 1.0
    assert figures["operating_point"] == "precision=1"
    assert not {CURVES, "ece"} & set(figures)
    line = next(line for line in err.splitlines() if line.startswith("operating point precision=1: "))
    assert set(figures["thresholds"]) == {"PER", "LOC"}
    records = [json.loads(line) for line in (home.parent / "kept.jsonl").read_text().splitlines()]
    spans = sum(len(record["spans"]) for record in records)
    assert spans == sum(round(row["recall"] * row["support"]) for row in figures["per_type"].values())
    for type_, least in figures["thresholds"].items():
        assert f"{type_} {least:.4f}" in line
        assert all(span["score"] >= least for record in records for span in record["spans"] if span["label"] == type_)


def test_evaluate_shows_the_curve(
    home: Path, trained: labelkit.RunResult, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    assert main(["evaluate", "shared", "--split", "validation"]) == 0
    out = capsys.readouterr().out
    assert "labels above a threshold of their score" in out
    curves = SplitCurves.from_json(trained.metrics["validation"]["ner"][CURVES])
    point = curves.micro.reaching("precision", 0.9)
    assert point is not None
    (row,) = [line.split() for line in out.splitlines() if line.split()[:2] == ["micro", "0.9"]]
    assert row[2:] == [f"{value:.4f}" for value in (point.threshold, point.precision, point.recall, point.f1)]


def test_labels_below_the_threshold_are_left_out_and_counted(label: Label, trained: labelkit.RunResult) -> None:
    write("a.txt", "\n".join(SENTENCES))
    every = label("a.txt").records
    done = label("a.txt", "-o", "b.jsonl", "--operating-point", "PER:recall=0.01", "--json")
    thresholds = json.loads(done.out)["operating_point"]["thresholds"]["ner"]
    assert json.loads(done.out)["operating_point"]["target"] == "PER:recall=0.01"
    assert set(thresholds) == {"PER"}
    kept = [json.loads(line) for line in Path("b.jsonl").read_text().splitlines()]
    below = 0
    for whole, part in zip(every, kept, strict=True):
        spans = [span for span in whole["spans"] if span["score"] >= thresholds.get(span["label"], 0)]
        assert part["spans"] == spans
        assert part["coverage"].get("below_threshold", 0) == len(whole["spans"]) - len(spans)
        below += len(whole["spans"]) - len(spans)
    assert json.loads(done.out)["below_threshold"] == below
    assert f"operating point PER:recall=0.01: PER {thresholds['PER']:.4f}; {below} label" in done.err


def test_an_interrupted_command_resumes_with_the_same_thresholds_only(label: Label) -> None:
    write("a.txt", "\n".join(SENTENCES))
    assert label("a.txt", "-o", "b.jsonl", "--operating-point", "recall=0.5").status == 0
    write(".c.jsonl.part", "")
    header = {"labelkit": 1, "operating_point": None}
    Path(".c.jsonl.part").write_text(json.dumps(header) + "\n")
    done = label("a.txt", "-o", "c.jsonl", "--operating-point", "recall=0.5", "--resume")
    assert done.status == 1
    assert "operating_point" in done.err


def test_a_text_is_labelled_at_the_point_too(label: Label) -> None:
    done = label("--text", SENTENCES[0], "--operating-point", "precision=1,LOC:recall=0.01", "--json")
    assert done.status == 0
    assert "operating point precision=1,LOC:recall=0.01: " in done.err
    record = json.loads(done.out)
    assert len(record["labels"]) == len(record["words"])


def test_an_unknown_type_is_one_line(label: Label) -> None:
    done = label("--text", "Ada", "--operating-point", "PERS:precision=0.9")
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines() == ["error: operating point: unknown type 'PERS'", "  did you mean PER?"]


def test_python_loads_it_and_the_columns_of_a_dataset_differ(trained: labelkit.RunResult, home: Path) -> None:
    import datasets

    every = labelkit.load(trained.checkpoint, home=home)
    with pytest.warns(UserWarning, match=r"^fewer than 20 labels of validation"):
        kept = labelkit.load(trained.checkpoint, home=home, operating_point="PER:precision=0.5")
    assert (dict(every.operating_points), kept.operating_points["ner"].target) == ({}, "PER:precision=0.5")
    kept._points = {"ner": replace(kept.operating_points["ner"], thresholds={"PER": None})}
    for found in (kept.label(SENTENCES[0]), *kept.label_all([SENTENCES[0]]), *kept.stream([SENTENCES[0]])):
        assert "PER" not in {span.label for span in found.spans or ()}
    rows = datasets.Dataset.from_dict({"text": [SENTENCES[0]]})
    both = [one.label_dataset(rows) for one in (every, kept)]
    assert both[0]._fingerprint != both[1]._fingerprint


def test_workers_label_at_it(trained: labelkit.RunResult, home: Path) -> None:
    batches = labelkit.BatchLabeller(trained.checkpoint, home=home, operating_point="PER:recall=0.5")
    expected = labelkit.load(trained.checkpoint, home=home, operating_point="PER:recall=0.5").operating_points
    assert batches.labeller.operating_points == expected


def test_python_evaluates_at_it(trained: labelkit.RunResult, home: Path) -> None:
    with pytest.warns(UserWarning, match=r"fewer than 20 labels"):
        found = labelkit.evaluate("shared", split="validation", operating_point="precision=1", home=home)
    assert (found.metrics["precision"], found.metrics["operating_point"]) == (1.0, "precision=1")


def without_curve(folder: Path, copy: Path) -> Path:
    """Return a copy of a checkpoint as an earlier version of labelkit wrote it."""
    shutil.copytree(folder, copy)
    file = copy / "labelkit.json"
    content = json.loads(file.read_text())
    del content["metrics"]["validation"][CURVES]
    file.write_text(json.dumps(content))
    return copy


def test_of_an_old_checkpoint_one_line_says_how_to_get_the_curve_and_then_it_works(
    trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    root = tmp_path / "home"
    shutil.copytree(home, root)
    from labelkit.registry import Registry

    monkeypatch.setenv("LABELKIT_HOME", str(root))
    old = f"{without_curve(trained.checkpoint, tmp_path / 'old')}/"
    with Registry.open(Home(root=root), create=False) as registry:  # evaluations of other tests
        before = registry.runs.get(trained.run).evaluations
    ask = ["label", old, "--text", SENTENCES[0], "--operating-point", "recall=0.5", "--decoder", "argmax"]
    assert not [one for one in before if one.metrics.get("decoder") == "argmax" and one.split == "validation"]
    assert main(ask) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"error: run '{trained.run}' has no precision-recall curve of validation by decoder 'argmax'",
        f"  compute it: labelkit evaluate {trained.run} --split validation --decoder argmax",
    ]
    for decoder in ("argmax", "viterbi"):
        assert main(["evaluate", "shared", "--split", "validation", "--decoder", decoder]) == 0
        capsys.readouterr()
    assert main(ask) == 0
    assert main(ask[:-2]) == 0
    assert "operating point recall=0.5: " in capsys.readouterr().err
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "empty"))
    assert main(ask[:-2]) == 1
    assert "the run is not in this registry" in capsys.readouterr().err.splitlines()[-1]


def test_a_damaged_curve_is_one_error(trained: labelkit.RunResult, home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained.checkpoint, copy)
    content = json.loads((copy / "labelkit.json").read_text())
    content["metrics"]["validation"][CURVES]["micro"]["tp"] = "x"
    (copy / "labelkit.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"is damaged"):
        labelkit.load(copy, home=home, operating_point="recall=0.5")
    assert labelkit.load(copy, home=home).label("Ada").words == ("Ada",)
