"""``labelkit errors``: mistakes by kind, likely annotation mistakes, cross-validation of train, and what is written."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelkit
from conftest import a_sentence, as_conll
from labelkit.cli import main
from labelkit.errors import LabelkitError
from labelkit.evaluation import label_errors
from labelkit.evaluation.cross_validation import split_folds
from labelkit.evaluation.error_analysis import SPAN_KINDS, analyse_errors
from labelkit.evaluation.inspection import hide_run_names
from labelkit.evaluation.label_errors import label_classes, rank_labels
from labelkit.evaluation.label_review import find_label_errors, review_records
from labelkit.events import CheckpointSaved, Event, Noted, RunStarted, Stage
from labelkit.labels.schemes import SCHEMES, spans_of, tags_of
from labelkit.records import Example, Schema, Scheme
from labelkit.registry import Home, Registry

SCHEMA = Schema.bio("ner", "PER", "LOC")
#: no mistakes of any kind
NONE: dict[str, int] = dict.fromkeys(SPAN_KINDS, 0)


def example(number: int, tags: str, words: str | None = None) -> Example:
    labels = tuple(tags.split())
    given_words = tuple(words.split()) if words else tuple(f"w{place}" for place in range(len(labels)))
    return Example(id=str(number), words=given_words, labels={"ner": labels})


# -- kinds of mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gold", "guess", "kinds"),
    [
        ("B-PER I-PER O", "B-PER I-PER O", {}),
        ("B-PER I-PER O", "O O O", {"missed": 1}),
        ("O O O", "O B-LOC O", {"spurious": 1}),
        ("B-PER I-PER O", "B-LOC I-LOC O", {"wrong type": 1}),
        ("B-PER I-PER O", "B-PER I-PER I-PER", {"wrong borders": 1}),
        ("B-PER I-PER O", "O B-LOC O", {"wrong type and borders": 1}),
        # one long span over two: the better half is the partner, the other one is missed
        ("B-PER O B-LOC I-LOC", "B-LOC I-LOC I-LOC I-LOC", {"wrong borders": 1, "missed": 1}),
        ("B-PER I-PER I-PER O", "B-PER O B-PER O", {"wrong borders": 1, "spurious": 1}),
        # the same borders come before more shared words
        ("B-PER I-PER", "B-LOC I-PER", {"wrong borders": 1, "spurious": 1}),
    ],
)
def test_each_mistake_has_its_kind(gold: str, guess: str, kinds: dict[str, int]) -> None:
    found = analyse_errors([example(1, gold)], "ner", [tuple(guess.split())], SCHEMA)
    assert found.kinds == {**NONE, **kinds}


@given(st.sampled_from(SCHEMES), st.data())
def test_every_span_is_right_or_in_one_mistake(scheme: Scheme, data: st.DataObject) -> None:
    schema = Schema(name="ner", kind="token", types=("PER", "LOC"), scheme=scheme)
    names = st.lists(st.sampled_from(schema.label_names), min_size=7, max_size=7)
    gold, guess = (tuple(data.draw(names)) for _ in range(2))
    gold = tags_of(spans_of(gold, scheme), 7, scheme)
    found = analyse_errors([example(1, " ".join(gold))], "ner", [guess], schema)
    wanted, given_ = spans_of(gold, scheme), spans_of(guess, scheme)
    wrong = Counter(mistake.gold for mistake in found.mistakes if mistake.gold)
    other = Counter(mistake.predicted for mistake in found.mistakes if mistake.predicted)
    same = set(wanted) & set(given_)
    assert wrong == Counter(span for span in wanted if span not in same)
    assert other == Counter(span for span in given_ if span not in same)
    assert sum(row.get("right", 0) for row in found.by_type.values()) == len(same)
    assert sum(row.get("gold", 0) for row in found.by_type.values()) == len(wanted)


def test_mistakes_are_counted_by_type_and_by_frequency() -> None:
    rows = [
        example(1, "B-LOC O", "Rome sleeps"),
        example(2, "O B-LOC", "in ROME"),
        example(3, "B-PER O", "Bob slept"),
    ]
    found = analyse_errors(rows, "ner", [("O", "O"), ("O", "O"), ("B-LOC", "B-PER")], SCHEMA)
    assert found.by_type == {
        "LOC": {"gold": 2, "right": 0, **NONE, "missed": 2},
        "PER": {"gold": 1, "right": 0, **NONE, "wrong type": 1, "spurious": 1},
    }
    first = found.frequent[0]
    assert (first.kind, first.text, first.gold, first.predicted, first.count) == ("missed", "rome", "LOC", "O", 2)
    assert [place.example for place in first.places] == [0, 1]


def test_plain_labels_and_texts_are_taken_for_one_another() -> None:
    tags = Schema(name="ner", kind="token", labels=("NOUN", "VERB"))
    found = analyse_errors([example(1, "NOUN VERB", "dogs bark")], "ner", [("NOUN", "NOUN")], tags)
    assert found.kinds == {"wrong label": 1}
    assert found.by_type["VERB"] == {"gold": 1, "right": 0, "wrong label": 1}
    assert found.by_type["NOUN"] == {"gold": 1, "right": 1, "wrong label": 0}
    assert found.frequent[0].text == "bark"
    classes = Schema(name="ner", kind="text", labels=("good", "bad"))
    texts = [Example(id=str(n), text=f"text {n}", labels={"ner": "good"}) for n in range(2)]
    found = analyse_errors(texts, "ner", ["bad", "bad"], classes)
    assert [(one.gold, one.predicted, one.count, one.text) for one in found.frequent] == [("good", "bad", 2, "")]


# -- likely annotation mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_are_looked_at_by_type(scheme: Scheme) -> None:
    schema = Schema(name="x", kind="token", types=("PER", "LOC"), scheme=scheme)
    classes, class_of = label_classes(schema)
    names = ["O" if name == "O" else name.split("-")[1] for name in schema.label_names]
    assert [classes[number] for number in class_of] == names


def noisy(count: int = 2000, share: float = 0.02) -> tuple[Any, Any, Any]:
    """Return log-probabilities of words that favour their label, labels some of which were changed, and which."""
    random = np.random.default_rng(0)
    labels = random.integers(0, len(SCHEMA.label_names), count)
    values = random.normal(size=(count, len(SCHEMA.label_names)))
    values[np.arange(count), labels] += 6
    values -= np.logaddexp.reduce(values, axis=1, keepdims=True)
    wrong = random.choice(count, round(share * count), replace=False)
    classes = label_classes(SCHEMA)[1]
    changed = labels.copy()
    for word in wrong:
        changed[word] = random.choice(np.flatnonzero(classes != classes[labels[word]]))
    return values.astype(np.float32), changed, wrong


def test_changed_labels_stand_at_the_top() -> None:
    values, labels, wrong = noisy()
    found = rank_labels(values, labels, SCHEMA)
    top = set(found.order[:100].tolist())
    assert len(top & set(wrong.tolist())) >= 0.9 * len(wrong)
    assert found.flagged[wrong].mean() > 0.7
    assert not found.unreliable
    assert rank_labels(*noisy(share=0.4)[:2], SCHEMA).unreliable
    assert sorted(found.order.tolist()) == list(range(len(labels)))
    assert (np.diff(found.quality[found.order]) >= 0).all()
    assert all(found.suggested[word] != found.given[word] for word in found.errors)


def test_labels_are_flagged_that_are_improbable_where_another_is_likelier() -> None:
    schema = Schema(name="x", kind="token", labels=("X", "Y", "Z"))
    chances = [[0.96, 0.03, 0.01], [0.94, 0.06, 0.0], [0.04, 0.93, 0.03], [0.04, 0.95, 0.01]]
    found = rank_labels(np.log(np.array(chances, np.float32) + 1e-9), np.array([1, 1, 1, 0]), schema)
    assert found.flagged.tolist() == [True, False, False, True]
    assert found.order.tolist() == [0, 3, 1, 2]
    assert found.suggested.tolist() == [0, 0, 1, 1]


def test_nothing_and_a_single_class_have_no_suspects() -> None:
    empty = rank_labels(np.zeros((0, 5), np.float32), np.zeros(0, np.int64), SCHEMA)
    assert len(empty.order) == 0
    assert not empty.unreliable
    only = Schema(name="x", kind="token", labels=("X",))
    assert len(rank_labels(np.zeros((3, 1), np.float32), np.zeros(3, np.int64), only).errors) == 0


def test_suspects_are_reviewed_example_by_example_the_likeliest_first() -> None:
    names = SCHEMA.label_names
    rows = [example(1, "O O"), example(2, "B-PER O O"), example(3, "O B-LOC")]
    labels = [names.index(tag) for row in rows for tag in row.labels["ner"]]
    values = np.full((7, len(names)), np.log(0.01 / 4), np.float32)
    likely = [*labels]
    likely[3], likely[6] = names.index("B-LOC"), 0
    values[np.arange(7), likely] = np.log(0.99)
    values[6] = np.log([0.9, 0.025, 0.025, 0.025, 0.025])
    many = np.concatenate([values] + [values[[0, 2, 6]]] * 0)
    ranking = rank_labels(many, np.array(labels), SCHEMA)
    forced = np.isin(np.arange(7), [3, 6])
    object.__setattr__(ranking, "flagged", forced)
    found = find_label_errors(ranking, rows, np.array([2, 3, 2]))
    assert [(one.rank, one.example, one.word, one.given, one.suggested) for one in found] == [
        (1, 1, 1, "O", "LOC"),
        (2, 2, 1, "LOC", "O"),
    ]
    records = list(review_records(found, rows, "ner"))
    assert [record.id for record in records] == ["2", "3"]
    assert records[0].labels == ("B-PER", "O", "O")
    assert records[0].extra["suspects"][0]["suggested"] == "LOC"


# -- folds ------------------------------------------------------------------------------------------------------------


def test_folds_hold_every_example_once_and_keep_the_same_words_together() -> None:
    rows = [example(n, "O O", f"word{n % 30} x") for n in range(100)]
    parts = split_folds(rows, 5, seed=1)
    assert sorted(place for part in parts for place in part) == list(range(100))
    assert max(map(len, parts)) - min(map(len, parts)) <= 4
    where = {place: number for number, part in enumerate(parts) for place in part}
    assert all(where[n] == where[n + 30] for n in range(70))
    assert parts != split_folds(rows, 5, seed=2)
    assert parts == split_folds(rows, 5, seed=1)


def test_documents_stay_whole() -> None:
    rows = [Example(id=str(n), words=(f"w{n}",), labels={"ner": ("O",)}, document=f"d{n // 4}") for n in range(80)]
    where = {place: number for number, part in enumerate(split_folds(rows, 5, seed=0)) for place in part}
    assert all(where[n] == where[n // 4 * 4] for n in range(80))


def test_too_few_examples_for_the_folds() -> None:
    with pytest.raises(LabelkitError, match="only 1 different examples, too few for 5 folds"):
        split_folds([example(n, "O", "same") for n in range(9)], 5, seed=0)


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_home(home: Path, trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["errors", *arguments, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.fixture
def spoiled(home: Path, trained: labelkit.RunResult, tmp_path: Path) -> Path:
    """Return a file that the shared run labelled itself, but for each lone Bob, now a place, and each Rome, now O."""
    random = Random(0)
    words = [[word for word, _ in a_sentence(random)] for _ in range(60)]
    rows = []
    for record in labelkit.load("shared", home=home).label_all(words):
        tags = list(record.labels or ())
        for start, stop, type_ in spans_of(tags, "IOB2"):
            if (record.words or ())[start:stop] == ("Bob",) and type_ == "PER":
                tags[start] = "B-LOC"
            if (record.words or ())[start:stop] == ("Rome",):
                tags[start] = "O"
        rows.append(list(zip(record.words or (), tags, strict=True)))
    file = tmp_path / "spoiled.conll"
    file.write_text(as_conll(rows), encoding="utf-8")
    return file


def test_the_runs_validation_is_looked_at_by_default(
    at_home: None, trained: labelkit.RunResult, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(capsys, "shared")
    assert answer["split"] == "validation"
    figures = trained.metrics["validation"]["ner"]
    rows = answer["mistakes"]["by_type"]
    assert {name: row["gold"] for name, row in rows.items()} == {
        name: row["support"] for name, row in figures["per_type"].items()
    }
    right = sum(row["right"] for row in rows.values())
    assert right == round(figures["recall"] * figures["support"])
    assert answer["suspects"]["words"] > 12


@pytest.mark.slow
def test_a_look_at_test_counts_as_a_score_on_it_does_and_other_looks_do_not(
    at_home: None, home: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def looks() -> list[int]:
        with Registry.open(Home(root=home), create=False) as registry:
            run = registry.runs.get(registry.runs.find("shared").id)
        return [run.test_scored, sum(one.source == "errors" for one in run.evaluations)]

    before = looks()
    ask(capsys, "shared")
    assert looks() == before
    ask(capsys, "shared", "--split", "test")
    ask(capsys, "shared", "--data", str(corpus / "test.conll"))
    assert looks() == [number + 2 for number in before]
    assert main(["runs", "show", "shared"]) == 0
    assert "read by labelkit errors" in capsys.readouterr().out


def test_who_looks_at_test_or_train_is_told_what_it_means(at_home: None, capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for split in ("validation", "test", "train"):
        assert main(["errors", "shared", "--split", split, "--limit", "0"]) == 0
        told[split] = capsys.readouterr().err
    assert "note:" not in told["validation"]
    assert "no longer a test" in told["test"]
    assert "its inspection is counted" in told["test"]
    assert "trained on train" in told["train"]


def test_mistakes_and_suspects_of_spoiled_data(
    at_home: None, spoiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(capsys, "shared", "--data", str(spoiled), "--limit", "500")
    frequent = {one["text"]: one for one in answer["mistakes"]["frequent"]}
    assert set(frequent) == {"rome", "bob"}
    assert (frequent["rome"]["kind"], frequent["rome"]["gold"]) == ("spurious", "O")
    bob = frequent["bob"]
    assert (bob["kind"], bob["gold"], bob["predicted"]) == ("wrong type", "LOC", "PER")
    place = bob["places"][0]
    assert place["words"][place["gold"]["start"]] == "Bob"
    counted = {one["kind"]: one["count"] for one in frequent.values()}
    assert answer["mistakes"]["kinds"] == {**NONE, **counted}
    listed = answer["suspects"]["list"]
    assert len(listed) == answer["suspects"]["flagged"]
    assert {one["text"] for one in listed} <= {"Bob", "Rome"}
    assert len(listed) >= (bob["count"] + frequent["rome"]["count"]) / 2
    lines = spoiled.read_text(encoding="utf-8").splitlines()
    first = listed[0]
    wrong = "B-LOC" if first["text"] == "Bob" else "O"
    assert lines[int(first["place"].rpartition(":")[2]) - 1] == f"{first['text']} {wrong}"
    places = [place for one in frequent.values() for place in one["places"]]
    starts = [(place["gold"] or place["predicted"])["start"] for place in places]
    assert any(starts)
    for place, start in zip(places, starts, strict=True):
        assert lines[int(place["place"].rpartition(":")[2]) - 1].split()[0] == place["words"][start]


def test_a_model_that_flags_too_many_words_is_too_weak_to_judge(
    at_home: None, spoiled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(label_errors, "MAX_FLAGGED", 1.0)
    assert main(["errors", "shared", "--data", str(spoiled)]) == 0
    assert "too weak" not in capsys.readouterr().err
    monkeypatch.setattr(label_errors, "MAX_FLAGGED", 0.0)
    answer = ask(capsys, "shared", "--data", str(spoiled))["suspects"]
    assert main(["errors", "shared", "--data", str(spoiled)]) == 0
    flagged = f"{answer['flagged']:,} of {answer['words']:,}"
    assert f"note: {flagged} labels are flagged as errors: the model is too" in capsys.readouterr().err


def test_the_names_of_runs_that_go_again_are_not_shown() -> None:
    heard: list[Event] = []
    listener = hide_run_names(heard.append)
    common: dict[str, Any] = {"run": "ner-1"}
    events = [
        RunStarted(task="ner", plan={}, **common),
        Stage(name="encoding", **common),
        CheckpointSaved(path=Path("x"), step=1, epoch=1.0, best=True, **common),
        Noted(text="look", **common),
    ]
    for event in events:
        listener(event)
    assert heard == [events[1], events[3]]


def test_the_sentences_are_shown_as_they_are(at_home: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "[red]Bob[/red]\x1b[31m"
    file = tmp_path / "hostile.conll"
    file.write_text(f"{hostile} B-LOC\nsleeps O\n", encoding="utf-8")
    assert main(["errors", "shared", "--data", str(file)]) == 0
    out = capsys.readouterr().out
    assert "[red]Bob[/red]␛[31m" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("to", ["doccano", "conll", "jsonl", "label-studio", "prodigy", "brat", "html"])
def test_what_is_odd_is_written_for_review(
    to: str, at_home: None, spoiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "review.out"
    assert main(["errors", "shared", "--data", str(spoiled), "--to", to, "-o", str(file), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["output"] == str(file)
    assert (f"format '{to}' cannot hold the field 'suspects'" in err) == (to in ("conll", "brat"))
    text = file.read_text(encoding="utf-8")
    assert "Bob" in text
    if to == "jsonl":
        records = [json.loads(line) for line in text.splitlines()]
        labels = [
            (word, tag) for record in records for word, tag in zip(record["words"], record["labels"], strict=True)
        ]
        assert ("Bob", "B-LOC") in labels  # as it is annotated: people are to correct it
        assert all(record["suspects"] for record in records)
    assert main(["errors", "shared", "--data", str(spoiled), "-o", str(file), "--to", to]) == 1


@pytest.mark.slow
def test_labels_of_texts_and_of_words_are_looked_at_too(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    texts = [
        {"text": f"{word} day {n}", "label": label} for n in range(20) for word, label in (("fine", "a"), ("bad", "b"))
    ]
    for name in ("train", "validation"):
        lines = "".join(json.dumps(one) + "\n" for one in texts)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    data = f"train={tmp_path / 'train.jsonl'},validation={tmp_path / 'validation.jsonl'}"
    settings = {"train.freeze_embeddings": False}  # the encoder is random
    labelkit.run("textcls", data=data, model=str(tiny), epochs=4, lr=1e-2, home=home, name="texts", settings=settings)
    wrong = [{"text": f"bad day {n}", "label": "a"} for n in range(0, 20, 3)]
    file = tmp_path / "gold.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in (*texts, *wrong)), encoding="utf-8")
    review = tmp_path / "review.jsonl"
    answer = ask(capsys, "texts", "--data", str(file), "-o", str(review))
    assert answer["mistakes"]["kinds"] == {"wrong label": len(wrong)}
    assert [one["gold"] for one in answer["mistakes"]["frequent"]] == ["a"]
    odd = [json.loads(line) for line in review.read_text(encoding="utf-8").splitlines()]
    assert odd
    assert {(one["text"][:3], one["label"], one["suspects"][0]["suggested"]) for one in odd} == {("bad", "a", "b")}
    assert main(["errors", "texts", "--data", str(file)]) == 0
    assert odd[0]["text"] in capsys.readouterr().out

    tags = (corpus / "train.conll").read_text(encoding="utf-8").replace("B-", "").replace("I-", "")
    (tmp_path / "train.conll").write_text(tags, encoding="utf-8")
    labelkit.run("pos", data=str(tmp_path / "train.conll"), model=str(tiny), max_steps=1, home=home, name="words")
    answer = ask(capsys, "words")
    assert set(answer["mistakes"]["kinds"]) == {"wrong label"}
    assert main(["errors", "words"]) == 0
    assert "wrong label" in capsys.readouterr().out


def test_what_does_not_go_together_is_wrong_usage(at_home: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["errors", "shared", "--train", "--split", "test"]) == 2
    assert main(["errors", "shared", "--train", "--data", "x"]) == 2
    assert main(["errors", "shared", "--to", "conll"]) == 2


@pytest.mark.slow
def test_train_is_looked_at_by_cross_validation(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong labels of train are found by models that did not learn from them, and nothing is left behind."""
    random = Random(1)
    openings = ["Today", "Then", "Again", "There", "Now", "Maybe", "So", "Well", "Still", "Later"]

    def longer() -> list[tuple[str, str]]:
        return [(word, "O") for word in (*random.choices(openings, k=3), ":")] + a_sentence(random)

    sentences = [longer() for _ in range(200)]
    bobs = [place for place, sentence in enumerate(sentences) if any(word == "Bob" for word, _ in sentence)]
    wrong = set(bobs[:3])
    data = tmp_path / "data"
    data.mkdir()
    rows = [
        [(word, "B-LOC" if word == "Bob" and place in wrong else tag) for word, tag in sentence]
        for place, sentence in enumerate(sentences)
    ]
    (data / "train.conll").write_text(as_conll(rows), encoding="utf-8")
    (data / "dev.conll").write_text(as_conll([longer() for _ in range(12)]), encoding="utf-8")
    home = tmp_path / "home"
    labelkit.run(
        "ner",
        data=str(data),
        model=str(tiny),
        recipe=str(Path(__file__).parent / "plain.toml"),
        epochs=6,
        lr=1e-2,
        settings={"train.precision": "fp32"},
        home=home,
        name="noisy",
    )
    before = {path.relative_to(home) for path in home.rglob("*") if "cache" not in path.parts}
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    assert main(["errors", "noisy", "--train", "--folds", "3", "--limit", "400", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "3 trainings, each on 2 of 3 folds of 200 train examples" in err
    assert err.index("3 trainings") < err.index("fold 1 of 3")
    assert "folds-" not in err
    answer = json.loads(out)
    assert answer["split"] == "train"
    assert answer["examples"] == 200
    found = {(one["id"], one["text"]) for one in answer["suspects"]["list"]}
    assert len({(str(place + 1), "Bob") for place in wrong} & found) >= 2
    assert len(found) < 20
    assert {path.relative_to(home) for path in home.rglob("*") if "cache" not in path.parts} == before
    assert not list((home / "cache").glob("folds-*"))
