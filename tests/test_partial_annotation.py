"""Words and texts whose label is unknown are ignored in loss and scores, counted and shown, and never taken as O."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelkit
from documented_plugins import catalog_of, modules
from labelkit.builtin import labelkit_metrics
from labelkit.data.convert import Conversion
from labelkit.data.convert import convert as convert_file
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.gold import read_gold
from labelkit.encode.cache import LabelTarget
from labelkit.errors import DataError
from labelkit.evaluation.error_analysis import analyse_errors
from labelkit.evaluation.label_errors import rank_labels
from labelkit.inference.engine import WordScores
from labelkit.inference.label_ids import LabelSequences, gold_ids
from labelkit.inference.prediction import ScoredPredictions
from labelkit.labels.schemes import convert, repair, tags_of
from labelkit.labels.unknown import UNKNOWN, hide_unknown, keep_unknown
from labelkit.metrics.scoring import score
from labelkit.metrics.unknown_labels import known_part
from labelkit.models.heads import BoundHead
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Labels, LoadContext, Predictions, Schema
from labelkit.records.heads import IGNORE_INDEX
from labelkit.settings import DataSettings, Scheme
from labelkit.train.class_weights import balanced_weights
from labelkit.train.resolution import fallback_label
from labelkit.train.trials import trial_scores, try_metric
from test_docs_recipes import SECTIONS

CONLL = "Ada B-PER\nLovelace I-PER\nran _\nhome O\n\nBob ?\nsat O\n\n"
NER = Schema.bio("ner", "PER", "LOC")
METRICS = {metric.name: metric for metric in labelkit_metrics()}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def load(path: Path, catalog: Catalog, *, kind: str = "token", layer: str = "ner", **settings: object) -> Corpus:
    ctx = LoadContext(cache=path.parent / "cache", settings=DataSettings(**settings))  # type: ignore[arg-type]
    scheme: Scheme | None = "IOB2" if layer == "ner" else None
    return load_corpus(str(path), layer=layer, kind=kind, scheme=scheme, catalog=catalog, ctx=ctx)  # type: ignore[arg-type]


def predictions(
    references: Sequence[Labels], guesses: Sequence[Labels], schema: Schema = NER, scores: object = None
) -> Predictions:
    return Predictions(references=references, predictions=guesses, schema=schema, scores=scores)  # type: ignore[arg-type]


def test_marks_of_files_are_unknown_labels_and_are_counted(tmp_path: Path, catalog: Catalog) -> None:
    (tmp_path / "train.conll").write_text(CONLL * 9 + "_ O\n")
    corpus = load(tmp_path / "train.conll", catalog)
    labels = [example.labels["ner"] for split in corpus.splits.values() for example in split.examples]
    assert ("B-PER", "I-PER", UNKNOWN, "O") in labels
    assert (UNKNOWN, "O") in labels
    assert corpus.schema.types == ("PER",)
    assert any(line.startswith("'?', '_' of 'ner' means words whose label is unknown") for line in corpus.assumptions)
    assert any("of 6 words" in note or "words (3" in note for note in corpus.notes)
    assert all("ignored in loss and scores" in note for note in corpus.notes if "is unknown" in note)


def test_the_setting_names_the_mark_or_none(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "train.conll"
    path.write_text(CONLL.replace("_", "XX").replace("?", "XX") * 9)
    corpus = load(path, catalog, unknown_label="XX")
    assert any(UNKNOWN in example.labels["ner"] for example in corpus.splits["train"].examples)
    path.write_text(CONLL * 9)
    with pytest.raises(DataError, match="'_' is not a tag"):
        load(path, catalog, unknown_label="")
    with pytest.raises(DataError, match="'_' is not a tag"):
        load(path, catalog, unknown_label="?")


def test_the_label_of_a_question_mark_is_a_label_of_words(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "train.conll"
    path.write_text("Why ADV\n? ?\n\nso _\nwhat PRON\n\n" * 9)
    corpus = load(path, catalog, layer="pos", columns="tokens=0,pos=1")
    assert corpus.schema.labels == ("?", "ADV", "PRON")
    corpus = load(path, catalog, layer="pos", columns="tokens=0,pos=1", unknown_label="")
    assert corpus.schema.labels == ("?", "ADV", "PRON", "_")


def test_the_mark_is_a_label_where_a_source_gives_it(tmp_path: Path) -> None:
    name = "Morphology"
    found = catalog_of(modules(SECTIONS[name]))
    rows = "1\tRex\t_\t_\t_\tNumber=Sing\t_\t_\t_\t_\n2\tbarks\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
    (tmp_path / "train.conllu").write_text(rows * 9)
    ctx = LoadContext(cache=tmp_path / "cache", path=tmp_path)
    corpus = load_corpus("treebank", layer="feats", kind="token", scheme=None, catalog=found, ctx=ctx)
    assert corpus.schema.labels == ("Number=Sing", "_")
    assert not any("unknown" in note for note in (*corpus.notes, *corpus.assumptions))
    file = str(tmp_path / "train.conllu")
    gold = read_gold(file, None, layer="feats", schema=corpus.schema, catalog=found, ctx=ctx)
    assert gold.examples[0].labels["feats"] == ("Number=Sing", "_")
    marked = replace(ctx, settings=DataSettings(unknown_label="_"))
    corpus = load_corpus("treebank", layer="feats", kind="token", scheme=None, catalog=found, ctx=marked)
    assert corpus.schema.labels == ("Number=Sing",)


def test_the_fallback_is_a_label_although_most_are_unknown(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "train.conll"
    path.write_text("Why ADV\nso _\nthen _\nthere _\n\n" * 9)
    assert fallback_label(load(path, catalog, layer="pos", columns="tokens=0,pos=1")) == "ADV"


def test_parts_are_tried_on_partly_annotated_examples() -> None:
    rows = [example(("B-PER", UNKNOWN, "O"))]
    scores = trial_scores(rows, "ner", NER)
    assert scores.values.shape == (3, len(NER.label_names))
    try_metric(METRICS["seqeval"], predictions([rows[0].labels["ner"]], [("B-PER", "O", "O")], scores=scores.values))


def test_partly_annotated_data_is_not_the_data_with_o(tmp_path: Path, catalog: Catalog) -> None:
    hashes = set()
    for number, mark in enumerate("_?O"):
        path = tmp_path / f"{number}.conll"
        path.write_text(f"Ada S-PER\nran {mark}\n\nBob B-PER\nDoe E-PER\n\n" * 9)
        hashes.add(load(path, catalog, scheme="BIOES").splits["train"].content_hash)
    assert len(hashes) == 2


def test_texts_without_a_label_are_left_out_and_counted(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "train.csv"
    rows = "".join(f'"text {number}",{("good", "bad", "_", "?")[number % 4]}\n' for number in range(40))
    path.write_text("text,label\n" + rows)
    corpus = load(path, catalog, kind="text", layer="label")
    assert corpus.schema.labels == ("bad", "good")
    assert sum(len(split.examples) for split in corpus.splits.values()) == 20
    said = "train: 20 texts are left out, as their label is unknown"
    assert any(line.startswith(said) for line in corpus.assumptions)
    path.write_text("text,label\na,_\nb,_\n")
    with pytest.raises(DataError, match="no text of train has a label, all are '_'"):
        load(path, catalog, kind="text", layer="label")


def test_conversion_of_schemes_keeps_what_is_unknown() -> None:
    assert convert(("S-PER", UNKNOWN, "B-LOC", "E-LOC"), "BIOES", "IOB2") == ("B-PER", UNKNOWN, "B-LOC", "I-LOC")
    assert repair((UNKNOWN, "I-PER"), "IOB2") == ((UNKNOWN, "B-PER"), 1)
    assert keep_unknown((UNKNOWN, "O"), hide_unknown((UNKNOWN, "O"))) == (UNKNOWN, "O")


def example(labels: Labels) -> Example:
    return Example(id="1", words=tuple(f"w{number}" for number in range(len(labels))), labels={"ner": labels})


def test_unknown_labels_have_no_id_and_no_weight() -> None:
    row = example(("B-PER", UNKNOWN, "O"))
    target = LabelTarget(layer="ner", schema=NER, label_all_tokens=False)
    assert target.label_ids([row]) == [[1, IGNORE_INDEX, 0]]
    assert gold_ids([row], "ner", NER)[0].tolist() == [1, IGNORE_INDEX, 0]
    assert balanced_weights([row], "ner", NER) == balanced_weights([example(("B-PER", "O"))], "ner", NER)


@pytest.mark.parametrize("metric", ["seqeval", "seqeval-strict"])
@pytest.mark.parametrize(
    ("gold", "guess", "f1"),
    [
        (("B-PER", "I-PER", UNKNOWN), ("B-PER", "I-PER", "I-PER"), 1.0),  # what is unknown is cut off both
        (("B-PER", UNKNOWN, "O"), ("B-PER", "B-LOC", "O"), 1.0),  # and what is predicted there does not count
        ((UNKNOWN, "I-PER", "O"), ("B-PER", "I-PER", "O"), 1.0),
        (("B-PER", UNKNOWN, "O"), ("B-LOC", "O", "O"), 0.0),
        (("B-PER", UNKNOWN, "B-PER"), ("B-PER", "I-PER", "I-PER"), 1.0),  # one entity over it is two
    ],
)
def test_entities_are_scored_by_their_known_words(metric: str, gold: Labels, guess: Labels, f1: float) -> None:
    found = score([METRICS[metric]], known_part(predictions([gold], [guess])))
    assert found["f1"] == f1
    known = [index for index, label in enumerate(gold) if label != UNKNOWN]
    right = sum(guess[index] == gold[index] for index in known)
    assert found["accuracy"] >= right / len(known)
    assert found.get("repaired", 0) == 0


tags = st.sampled_from(("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
sentences = st.lists(st.lists(st.tuples(tags, tags, st.booleans()), min_size=1, max_size=9), min_size=1, max_size=5)


@given(rows=sentences)
def test_the_scores_are_those_of_seqeval_on_the_known_part(rows: list[list[tuple[str, str, bool]]]) -> None:
    from seqeval.metrics import f1_score

    gold = [repair(tuple(tag for tag, _, _ in row), "IOB2")[0] for row in rows]
    hidden = [
        tuple(UNKNOWN if unknown else tag for tag, (_, _, unknown) in zip(labels, row, strict=True))
        for labels, row in zip(gold, rows, strict=True)
    ]
    guess = [repair(tuple(tag for _, tag, _ in row), "IOB2")[0] for row in rows]
    if not any(label != UNKNOWN for row in hidden for label in row):
        return

    # what seqeval sees: O at unknown words, on both sides, which ends entities as well
    def masked(side: list[tuple[str, ...]]) -> list[list[str]]:
        pairs = (zip(row, labels, strict=True) for row, labels in zip(hidden, side, strict=True))
        return [["O" if one == UNKNOWN else tag for one, tag in pair] for pair in pairs]

    expected = f1_score(masked(gold), masked(guess))
    found = score([METRICS["seqeval"]], known_part(predictions(hidden, guess)))
    assert found["f1"] == pytest.approx(expected)
    words = sum(label != UNKNOWN for row in hidden for label in row)
    assert found["accuracy"] * words == pytest.approx(round(found["accuracy"] * words))


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
def test_a_cut_is_no_invalid_transition(scheme: Scheme) -> None:
    tags = tags_of([(0, 3, "PER"), (3, 5, "PER")], 5, scheme)
    schema = replace(NER, scheme=scheme)
    for word in range(5):
        gold = tuple(UNKNOWN if index == word else tag for index, tag in enumerate(tags))
        part = known_part(predictions([gold], [tags], schema))
        assert list(part.references) == list(part.predictions)
        strict = score([METRICS["seqeval-strict"]], part)
        assert strict["f1"] == 1.0


def test_scored_predictions_leave_unknown_words_out_of_all_figures() -> None:
    gold = np.array([1, IGNORE_INDEX, 0, 0, IGNORE_INDEX])
    values = np.log(np.full((5, 5), 0.2, np.float32))
    found = WordScores(values=values, covered=np.ones(5, np.bool_), lengths=np.array([3, 2]))
    judged = ScoredPredictions(found, gold, np.array([1, 2, 0, 0, 3]), NER)
    assert list(LabelSequences(gold, found.lengths, NER)) == [("B-PER", UNKNOWN, "O"), ("O", UNKNOWN)]
    part = judged.predictions
    assert part.scores is not None
    assert part.scores.shape == (3, 5)
    figures = judged.figures([METRICS["seqeval"]], 1.0).figures
    assert (figures["f1"], figures["accuracy"]) == (1.0, 1.0)
    assert figures["loss"] == pytest.approx(np.log(5))


def test_mistakes_and_label_errors_are_never_at_unknown_words() -> None:
    rows = [example(("B-PER", UNKNOWN, "O", UNKNOWN))]
    analysis = analyse_errors(rows, "ner", [("B-PER", "I-PER", "O", "B-LOC")], NER)
    assert not any(analysis.kinds.values())
    pos = Schema(name="ner", kind="token", labels=("a", "b"))
    analysis = analyse_errors([example(("a", UNKNOWN))], "ner", [("b", "a")], pos)
    assert analysis.kinds["wrong label"] == 1
    values = np.log(np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]], np.float32))
    ranked = rank_labels(values, np.array([0, IGNORE_INDEX, 1, IGNORE_INDEX]), pos)
    assert not ranked.flagged[[1, 3]].any()
    assert set(ranked.order[:2].tolist()) == {0, 2}


def test_a_loss_is_told_which_words_are_unknown_and_not_which_subwords_continue_one() -> None:
    from labelkit.train.trainer import unknown_words

    words = [np.array([-1, 0, 0, 1, 1, -1], np.int32), np.array([-1, 3, -1], np.int32)]
    labels = np.array([[-100, 4, -100, -100, -100, -100], [-100, 2, -100, -100, -100, -100]])
    found = unknown_words(words, labels, left=False)
    assert found is not None
    assert np.argwhere(found).tolist() == [[0, 3]]
    moved = unknown_words(words, np.array([[-100, 4, -100, -100, -100, -100], [-100] * 6]), left=True)
    assert moved is not None
    assert np.argwhere(moved).tolist() == [[0, 3], [1, 4]]
    assert unknown_words(words[1:], labels[1:, :3], left=False) is None


def test_a_loss_of_several_tasks_is_told_what_is_unknown_of_each() -> None:
    from labelkit.train.joint_windows import JointCollator

    special = SimpleNamespace(types=None)
    encoding: Any = SimpleNamespace(pad_left=False, special_tokens=special, pad_id=0)
    ids, words = np.array([2, 7, 8, 3], np.int32), np.array([-1, 0, 1, -1], np.int32)
    both = {
        "input_ids": ids, "second": -1,
        "labels:ner": np.array([-100, 1, -100, -100], np.int32), "words:ner": words,
        "labels:pos": np.array([-100, 0, 1, -100], np.int32), "words:pos": words,
    }  # fmt: skip
    alone = {name: value for name, value in both.items() if not name.endswith("ner")}
    pos = Schema(name="pos", kind="token", labels=("A", "B"))
    batch = JointCollator(encoding, {"ner": NER, "pos": pos})([alone, both])
    assert batch["unknown:ner"].nonzero().tolist() == [[1, 2]]
    assert "unknown:pos" not in batch


@pytest.mark.slow
def test_what_is_unknown_changes_no_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import labelkit

    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    text = "Ada B-PER\nran _\nhome O\n\nBob B-PER\nsat _\n\n" * 20
    (tmp_path / "train.conll").write_text(text + "dumb _\n\n" * 20)
    (tmp_path / "dev.conll").write_text(text)
    told: list[Any] = []
    losses = BoundHead.losses

    def spy(head: BoundHead, outputs: Any, labels: Any, parameters: Any, unknown: Any = None) -> Any:
        told.append(unknown)
        return losses(head, outputs, labels, parameters, unknown)

    monkeypatch.setattr(BoundHead, "losses", spy)
    result = labelkit.run("ner", data=tmp_path, model="tiny:bert", epochs=1, max_steps=3)
    assert result.status == "finished"
    assert any(unknown is not None and int(unknown.sum()) for unknown in told)
    assert np.isfinite(result.metrics["validation"]["ner"]["loss"])


# -- formats of spans -------------------------------------------------------------------------------------------------

SPANS = {"text": "Ada met Bob in Rome .", "entities": [[0, 3, "PER"], [15, 19, "LOC"]]}


@pytest.mark.parametrize("regions", [[[0, 7]], [{"start": 0, "end": 7}]])
@pytest.mark.parametrize("tool", [False, True])
def test_words_outside_reviewed_regions_are_unknown(regions: Any, tool: bool, tmp_path: Path, catalog: Catalog) -> None:
    record: dict[str, Any] = {**SPANS, "reviewed": regions}
    if tool:  # doccano
        record = {"id": 1, "Comments": [], "text": SPANS["text"], "label": SPANS["entities"], "reviewed": regions}
    (tmp_path / "train.jsonl").write_text(f"{json.dumps(record)}\n" * 6)
    corpus = load(tmp_path / "train.jsonl", catalog)
    expected = ("B-PER", "O", UNKNOWN, UNKNOWN, "B-LOC", UNKNOWN)
    assert {one.labels["ner"] for split in corpus.splits.values() for one in split.examples} == {expected}
    assert any("outside the regions in 'reviewed'" in line for line in corpus.assumptions)
    assert any("3" in note or "50.0%" in note for note in corpus.notes if "is unknown" in note)


def test_a_field_that_lists_no_regions_means_nothing_and_a_wrong_region_is_refused(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(f"{json.dumps({**SPANS, 'reviewed': True})}\n" * 6)
    labels = {one.labels["ner"] for one in load(path, catalog).splits["train"].examples}
    assert labels == {("B-PER", "O", "O", "O", "B-LOC", "O")}
    path.write_text(json.dumps({**SPANS, "reviewed": [[0, 99]]}) + "\n")
    with pytest.raises(DataError, match=r"train\.jsonl:1: the reviewed region 0 to 99 is not in the text"):
        load(path, catalog)


def test_unknown_labels_survive_a_conversion(tmp_path: Path, catalog: Catalog) -> None:
    source, there, back = (tmp_path / name for name in ("a.conll", "b.jsonl", "c.conll"))
    source.write_text("Ada B-PER\nmet _\nBob O\n\n")
    ctx = LoadContext(cache=tmp_path)
    for before, after, to in ((source, there, "jsonl"), (there, back, "conll")):
        assert convert_file(Conversion(reference=str(before), target=after, to=to), catalog, ctx).checked
    assert json.loads(there.read_text())["labels"] == ["B-PER", "_", "O"]
    (example,) = labelkit.read(back)
    assert example.labels["labels"] == ("B-PER", "_", "O")
