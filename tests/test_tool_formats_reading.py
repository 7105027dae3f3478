"""What annotation tools export, in the forms that they document, and what is said about files that cannot be read."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labelkit.cli import main
from labelkit.data.reading import kind_of, read_raw_corpus
from labelkit.errors import DataError, LabelkitError
from labelkit.records import Coverage, Example, Labelled, LoadContext, Source, Span
from labelkit.sample import SCHEMAS
from reading_contexts import OnePlugin, reading
from tool_documents import BY_NAME, FAMILY, GRIN, read, spans_in, there_and_back, write

GOLDEN = Path(__file__).parent / "golden"
TEXT = f"{GRIN} Alice met שלמה {FAMILY} in New York."
SPANS = [("Alice", "PER", 2), ("שלמה", "PER", 12), ("New York", "LOC", 26)]


class Shelf(OnePlugin):
    sources: dict[str, Source] = {}  # noqa: RUF012
    schemas = {schema.name: schema for schema in SCHEMAS}  # noqa: RUF012
    formats = BY_NAME


def failure(path: Path, name: str, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, name, **{"kind": "token", **options})
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert str(path.parent) in caught.value.message
    return caught.value


def saved(path: Path, *values: Any, array: bool = False) -> Path:
    path.write_text(json.dumps(values) if array else "".join(f"{json.dumps(value)}\n" for value in values))
    return path


# -- golden files: the forms that the tools document, with emoji before every span ------------------------------------


@pytest.mark.parametrize(
    ("file", "name", "extra"),
    [
        ("doccano/spans.jsonl", "doccano", {"Comments": []}),
        ("doccano/labels.jsonl", "doccano", {}),
        ("doccano/relations.jsonl", "doccano", {
            "relations": [{"id": 273, "from_id": 1661, "to_id": 1662, "type": "met"}], "Comments": [],
        }),
        ("label_studio/export.json", "label-studio", {"source": "page 1"}),
        ("label_studio/utf16.json", "label-studio", {"source": "page 1"}),
        ("label_studio/export_min.json", "label-studio", {"source": "page 1"}),
        ("prodigy/ner.jsonl", "prodigy", {"source": "page 1"}),
        ("brat/note.ann", "brat", {}),
    ],
)  # fmt: skip
def test_spans_of_a_tool(file: str, name: str, extra: dict[str, Any]) -> None:
    first = read(GOLDEN / file, name, kind="token", layer="ner")[0]
    assert first.text == TEXT
    assert spans_in(first) == SPANS
    assert first.extra == extra
    assert (first.words or ())[-3:] == ("New", "York", ".")
    assert list(first.labels) == ["ner"]
    assert kind_of(str(GOLDEN / file), Shelf(), reading(format=name)) == "token"


@pytest.mark.parametrize(
    ("file", "name", "labels"),
    [
        ("doccano/classes.jsonl", "doccano", ["POSITIVE", "NEGATIVE"]),
        ("label_studio/choices.json", "label-studio", ["POSITIVE"]),
        ("label_studio/choices_min.json", "label-studio", ["POSITIVE"]),
        ("prodigy/textcat.jsonl", "prodigy", ["POSITIVE"]),
        ("prodigy/choice.jsonl", "prodigy", ["POSITIVE"]),
    ],
)
def test_classes_of_a_tool(file: str, name: str, labels: list[str]) -> None:
    found = read(GOLDEN / file, name, kind="text", layer="stars")
    assert [one.labels for one in found] == [{"stars": label} for label in labels]
    assert found[0].text == f"{GRIN} Great!"
    assert kind_of(str(GOLDEN / file), Shelf(), reading(format=name)) == "text"


def test_all_of_a_brat_file() -> None:
    counts: Counter[str] = Counter()
    first, second = read(GOLDEN / "brat/note.ann", "brat", kind="token", counts=counts)
    assert second.text == f"{FAMILY} Bob, Eve"
    assert spans_in(second) == [("Bob", "PER", 6), ("Eve", "PER", 11)]
    assert (str(first.place), str(second.place)) == (f"{GOLDEN}/brat/note.txt:1", f"{GOLDEN}/brat/note.txt:3")
    assert counts == {"relations, events, attributes and notes of brat were left out": 5}
    (whole,) = read(GOLDEN / "brat/note.ann", "brat", kind="token", unit="document")
    assert whole.text == (GOLDEN / "brat/note.txt").read_bytes().decode()
    assert spans_in(whole) == [*SPANS, ("Bob", "PER", 43), ("Eve", "PER", 48)]


WRITTEN = (
    Labelled(
        id="7", text=f"{GRIN} New York Paris",
        words=(GRIN, "New", "York", "Paris"), offsets=((0, 1), (2, 5), (6, 10), (11, 16)),
        labels=("O", "B-LOC", "I-LOC", "B-LOC"), coverage=Coverage(words=4, windows=1), extra={"url": "u"},
        spans=(Span(start=2, end=10, label="LOC", text="New York", score=0.75),
               Span(start=11, end=16, label="LOC", text="Paris", score=0.5)),
    ),
    Labelled(
        id="8", text=f"{FAMILY}\tשלמה\nleft", words=(FAMILY, "שלמה", "left"), labels=("O", "S-PER", "O"),
        coverage=Coverage(words=3, windows=0),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("doccano", "doccano.jsonl"), ("label-studio", "label_studio.json"), ("prodigy", "prodigy.jsonl"),
        ("brat", "brat.ann"), ("html", "page.html"),
    ],
)  # fmt: skip
def test_what_is_written_stays_the_same(tmp_path: Path, name: str, file: str) -> None:
    path = write(tmp_path / file, WRITTEN, name)
    assert path.read_bytes() == (GOLDEN / "written" / file).read_bytes()
    if name == "brat":
        assert path.with_suffix(".txt").read_bytes() == (GOLDEN / "written/brat.txt").read_bytes()


# -- what is left out is counted --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name", "kind", "what"),
    [
        ("doccano/classes.jsonl", "doccano", "text", "texts without a class were left out"),
        ("label_studio/export.json", "label-studio", "token", "tasks without an annotation were left out"),
        ("prodigy/ner.jsonl", "prodigy", "token", "examples that were rejected or ignored in Prodigy were left out"),
        ("prodigy/choice.jsonl", "prodigy", "text", "examples without a chosen option were left out"),
        ("label_studio/utf16.json", "label-studio", "token", "spans counted in UTF-16 units were moved to code points"),
    ],
)
def test_what_is_left_out_is_counted(file: str, name: str, kind: str, what: str) -> None:
    counts: Counter[str] = Counter()
    read(GOLDEN / file, name, kind=kind, counts=counts)
    assert counts[what] == (3 if "UTF-16" in what else 1)


def test_convert_tells_what_was_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "data",
        "convert",
        str(GOLDEN / "label_studio/export.json"),
        str(tmp_path / "a.jsonl"),
        "--to",
        "jsonl",
    ]
    assert main([*arguments, "--from", "label-studio"]) == 0
    error = capfd.readouterr().err.splitlines()
    assert error[1:] == [
        "results that are neither labels of text nor choices were left out: 1",
        "tasks without an annotation were left out: 1",
    ]
    assert main(["data", "convert", arguments[2], str(tmp_path / "b.jsonl"), "--to", "jsonl"]) == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


# -- offsets ----------------------------------------------------------------------------------------------------------


def test_utf16_when_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jsonl", {"text": f"{GRIN} Alice", "label": [[3, 8, "PER"]]})
    (found,) = read(path, "doccano", kind="token", utf16=True)
    assert spans_in(found) == [("Alice", "PER", 2)]
    path = saved(tmp_path / "a.jsonl", {"text": f"{GRIN} Alice", "label": [[1, 8, "PER"]]})
    assert "halves a character" in failure(path, "doccano", utf16=True).message
    assert failure(path, "doccano").message.endswith("does not lie in a text of 7 characters")


def test_brat_offsets_in_utf16(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{GRIN} Alice\n")
    (tmp_path / "a.ann").write_text("T1\tPER 3 8\tAlice\n")
    (found,) = read(tmp_path / "a.ann", "brat", kind="token")
    assert spans_in(found) == [("Alice", "PER", 2)]


def test_a_byte_order_mark_counts_in_brat(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffAlice ran\r\nBob\r\n".encode())
    (tmp_path / "a.ann").write_text("T1\tPER 1 6\tAlice\nT2\tPER 12 15\tBob\n")
    one, two = read(tmp_path / "a.ann", "brat", kind="token", unit="line")
    assert (one.text, two.text) == ("\ufeffAlice ran", "Bob")
    assert spans_in(two) == [("Bob", "PER", 0)]


# -- words that labelkit wrote beside the text ------------------------------------------------------------------------


def test_changed_spans_win(tmp_path: Path) -> None:
    before = Example(id="1", words=("can", "'t", "go"), text="can't go", offsets=((0, 3), (3, 5), (6, 8)),
                     labels={"labels": ("O", "B-NEG", "O")})  # fmt: skip
    path = write(tmp_path / "a.jsonl", [before], "doccano")
    record = json.loads(path.read_text())
    saved(path, {**record, "label": [[0, 5, "NEG"], [6, 8, "V"]]})
    (after,) = read(path, "doccano", kind="token")
    assert (after.words, after.labels["labels"]) == (before.words, ("B-NEG", "I-NEG", "B-V"))
    saved(path, {**record, "label": [[1, 5, "NEG"]]}, {**record, "label": [[6, 7, "V"]]})
    error = failure(path, "doccano")
    assert error.message == (
        "2 spans cannot be written as tags of words: "
        f"{path}:1: 'an't' (1-5, NEG) cuts the word 'can'; {path}:2: 'g' (6-7, V) cuts the word 'go'"
    )
    saved(path, {**record, "text": "cannot go"})
    assert "are not those of the text" in failure(path, "doccano").message
    for broken in ({"words": "x"}, {"words": ["can", "'t", "go"], "offsets": [[0, 3]]}, {"words": ["a"], "offsets": 5}):
        saved(path, {**record, "labelkit": broken})
        failure(path, "doccano")


@pytest.mark.parametrize("label", [5, "A", True])
def test_doccano_labels_that_are_not_spans_are_errors_of_their_record(tmp_path: Path, label: object) -> None:
    path = saved(tmp_path / "a.jsonl", {"text": "Ada ran off", "label": label})
    assert failure(path, "doccano").message == f"{path}:1: a span is [start, end, label], not {label!r}"


def test_plain_labels_need_one_for_each_word(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jsonl", {"text": "Ada ran off", "label": [[0, 3, "PROPN"], [4, 7, "VERB"]]})
    assert "the word 'off' has no label" in failure(path, "doccano", plain_labels=True).message
    (found,) = read(path, "doccano", kind="token")
    assert found.labels["labels"] == ("B-PROPN", "B-VERB", "O")


def test_records_to_be_labelled_need_no_labels(tmp_path: Path) -> None:
    files = (
        "doccano/classes.jsonl",
        "label_studio/export.json",
        "prodigy/choice.jsonl",
        "label_studio/choices_min.json",
    )
    for file in files:
        name = file.partition("/")[0].replace("_", "-")
        for kind in ("token", "text"):
            found = read(GOLDEN / file, name, kind=kind, labels="ignored")
            assert [one.labels for one in found] == [{}] * len(found)
            assert len(found) == {"doccano": 3, "prodigy": 2}.get(name, 1 if "min" in file else 2)
    (first, _) = read(GOLDEN / "prodigy/ner.jsonl", "prodigy", labels="ignored")
    assert len(first.words or ()) == 9
    path = saved(tmp_path / "a.jsonl", {"nothing": 1}, {"text": "a"})
    skipped: list[DataError] = []
    assert [one.text for one in read(path, "doccano", labels="ignored", on_bad_record=skipped.append)] == ["a"]
    assert len(skipped) == 1


# -- Label Studio -----------------------------------------------------------------------------------------------------


def region(start: int, end: int, label: str, name: str = "label") -> dict[str, Any]:
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]}
    return {"from_name": name, "to_name": "text", "type": "labels", "value": value}


def task(*results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": 5, "data": {"text": TEXT}, "annotations": [{"result": result} for result in results], **more}


def test_annotators_who_differ(tmp_path: Path) -> None:
    one, two = [region(2, 7, "PER")], [region(2, 7, "ORG")]
    path = saved(tmp_path / "a.json", task(one, two), array=True)
    assert failure(path, "label-studio").message == f"{path}:1: 2 annotations of this task differ"
    truth = task(one, two)
    truth["annotations"][1]["ground_truth"] = True
    (found,) = read(saved(path, truth, array=True), "label-studio", kind="token")
    assert spans_in(found) == [("Alice", "ORG", 2)]
    (found,) = read(saved(path, task(one, one), array=True), "label-studio", kind="token")
    assert (spans_in(found), found.id) == ([("Alice", "PER", 2)], "5")


def test_predictions_count_only_where_nobody_annotates(tmp_path: Path) -> None:
    prediction = {"predictions": [{"result": [region(2, 7, "PER")]}]}
    path = saved(tmp_path / "a.json", {"data": {"text": TEXT}, **prediction}, array=True)
    assert failure(path, "label-studio").message.endswith(
        "labels of this record are predictions of a model, not gold labels"
    )
    assert len(read(path, "label-studio", kind="token", predictions_as_gold=True)) == 1
    path = saved(tmp_path / "a.json", {**task(), **prediction}, array=True)
    assert read(path, "label-studio", kind="token") == []


def test_labels_of_several_tags(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", task([region(2, 7, "PER", "a"), region(2, 7, "N", "b")]), array=True)
    error = failure(path, "label-studio", layer="ner")
    assert (error.message, error.hint) == (
        f"{path}:1: labels come from several tags of the labelling configuration: a, b",
        "say which: --columns ner=a or ner=b",
    )  # fmt: skip
    (found,) = read(path, "label-studio", columns={"ner": "b"}, kind="token")
    assert spans_in(found) == [("Alice", "N", 2)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"text": "a"}, "{}.json is not a JSON array of tasks"),
        ([{"data": {}}], "{}.json:1: no text in 'text'"),
        ([{"data": {"text": 5}}], "{}.json:1: the text in 'text' must be a string, not 5"),
        ([5], "{}.json:1: a task must be an object, not 5"),
        ([{"data": {"text": "ab"}, "annotations": 5}], "{}.json:1: the annotations must be a list of objects"),
        ([{"data": {"text": "ab"}, "annotations": [{"result": "x"}]}], "{}.json:1: the result of an annotation must"),
        ([{"data": {"text": "ab"}, "annotations": [{"result": [{"type": "labels", "value": {"start": "/div"}}]}]}],
         "{}.json:1: a region needs start, end and labels, this is "),
        ([{"id": 1, "text": "ab"}, {"id": 1, "text": "ab"}], "{}.json:2: duplicate task 1"),
    ],
)  # fmt: skip
def test_label_studio_files_that_cannot_be_read(tmp_path: Path, value: Any, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    assert failure(path, "label-studio").message.startswith(message.format(tmp_path / "a"))


def test_broken_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"data": {"text": "a"}, "annotations": []},')
    assert failure(path, "label-studio").message.startswith(f"{path}: broken JSON: ")
    path.write_text("[]")
    assert read(path, "label-studio") == []
    path.write_bytes(b"\xef\xbb\xbf " + json.dumps([task([region(2, 7, "PER")])]).encode())
    assert len(read(path, "label-studio")) == 1


def test_the_class_of_json_min(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.json", {"id": 1, "text": "a", "tone": "x", "kind": "y"}, array=True)
    error = failure(path, "label-studio", kind="text")
    assert (error.message, error.hint) == (
        f"{path}:1: no field of the class, there are 'tone', 'kind'", "name it: --columns label=FIELD",
    )  # fmt: skip
    (found,) = read(path, "label-studio", columns={"label": "kind"}, kind="text")
    assert (found.labels, found.extra) == ({"label": "y"}, {"tone": "x"})
    path = saved(tmp_path / "a.json", {"id": 1, "text": "a", "tone": {"choices": ["x", "y"]}}, array=True)
    assert "one label is needed, this text has 2" in failure(path, "label-studio", kind="text").message


def test_tasks_are_read_one_by_one(tmp_path: Path) -> None:
    reader = BY_NAME["label-studio"].read
    assert reader is not None
    path = tmp_path / "a.json"
    path.write_text(f"[{','.join([json.dumps(task([region(2, 7, 'PER')]))] * 2000)}, broken")
    found = iter(reader(path, LoadContext(kind="token")))
    assert [spans_in(next(found)) for _ in range(100)] == [[("Alice", "PER", 2)]] * 100
    with pytest.raises(DataError, match="broken JSON"):
        list(found)


# -- brat -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("T1\tPER 0 3;8 11\tAda off", "the span 0 3;8 11 (PER) is discontinuous, which tags of words cannot express"),
        ("T1\tPER 0 2\tAda", "span 'Ad' (0-2, PER) does not match the text 'Ada' in the file"),
        ("T1\tPER 0 99\tAda", "span 0-99 (PER) does not lie in a text of 16 characters"),
        ("T1\tPER 0\tAda", "invalid span 'PER 0', a type and offsets are needed"),
        ("T1\tPER 8 16\toff Bob.", "the span 8-16 (PER) reaches beyond its line"),
    ],
)
def test_brat_lines_that_cannot_be_read(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.txt").write_text("Ada ran off\nBob.")
    (tmp_path / "a.ann").write_text(f"T9\tPER 12 15\tBob\n{line}\n")
    assert failure(tmp_path / "a.ann", "brat").message == f"{tmp_path}/a.ann:2: {message}"


def test_brat_needs_both_files(tmp_path: Path) -> None:
    (tmp_path / "a.ann").write_text("")
    assert failure(tmp_path / "a.ann", "brat").message == f"{tmp_path}/a.txt does not exist"
    (tmp_path / "a.txt").write_bytes(b"\xff")
    assert failure(tmp_path / "a.ann", "brat").message == f"{tmp_path}/a.txt: not UTF-8 at byte offset 0"


def test_overlapping_spans(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("New York Times")
    (tmp_path / "a.ann").write_text("T1\tLOC 0 8\tNew York\nT2\tORG 0 14\tNew York Times\n")
    assert "data.drop_overlaps=true" in str(failure(tmp_path / "a.ann", "brat"))
    counts: Counter[str] = Counter()
    (found,) = read(tmp_path / "a.ann", "brat", kind="token", drop_overlaps=True, counts=counts)
    assert spans_in(found) == [("New York Times", "ORG", 0)]
    assert counts.total() == 1


def brat_pair(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / f"{name}.txt").write_text("Ada ran\nBob slept\n")
    (folder / f"{name}.ann").write_text("T1\tPER 0 3\tAda\nT2\tPER 8 11\tBob\n")


def test_folders_of_brat(tmp_path: Path) -> None:
    def splits(reference: str) -> dict[str, list[tuple[str, str | None]]]:
        raw = read_raw_corpus(reference, "token", Shelf(), LoadContext(cache=tmp_path / "cache"))
        return {name: [(one.id, one.document) for one in found] for name, found in raw.splits.items()}

    documents = [("one:1", "one"), ("one:2", "one"), ("two:1", "two"), ("two:2", "two")]
    for name in ("one", "two"):
        brat_pair(tmp_path / "flat", name)
        brat_pair(tmp_path / "split/train", name)
    brat_pair(tmp_path / "split/dev", "x")
    assert splits(str(tmp_path / "flat")) == {"train": documents}
    assert splits(str(tmp_path / "split")) == {"train": documents, "validation": [("x:1", "x"), ("x:2", "x")]}
    assert splits(f"train={tmp_path}/flat,test={tmp_path}/split/dev")["test"] == [("x:1", "x"), ("x:2", "x")]
    brat_pair(tmp_path / "files", "train")
    brat_pair(tmp_path / "files", "test")
    assert splits(str(tmp_path / "files")) == {name: [("1", None), ("2", None)] for name in ("train", "test")}


# -- what cannot be written -------------------------------------------------------------------------------------------

GOLD = Labelled(
    id="1", text="Ada ran", words=("Ada", "ran"), labels=("B-PER", "O"), coverage=Coverage(words=2, windows=0)
)


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        ({"extra": {"text": 1}}, "label-studio", "record '1': its own field 'text' has a name that Label Studio"),
        ({"extra": {"entities": 1}}, "doccano", "record '1': its own field 'entities' has a name that doccano"),
        ({"extra": {"x": {1, 2}}}, "doccano", "record '1' cannot be written as JSON"),
        ({"extra": {"x": {1, 2}}}, "label-studio", "record '1' cannot be written as JSON"),
        ({"extra": {"x": {1, 2}}}, "spacy", "record '1' cannot be written as JSON"),
        ({"text": "other"}, "prodigy", "record '1': the words are not those of the text, so spans cannot be placed"),
        ({"words": ("", "Ada"), "text": " Ada"}, "doccano", "record '1': words that are empty or share a place"),
        ({"labels": ("B-a b", "O")}, "brat", "record '1': the label 'a b' cannot be written in brat"),
        ({"text": "\ud800 ran", "words": ("\ud800", "ran")}, "brat", "record '1' holds half a surrogate pair"),
        ({"text": "\ud800 ran", "words": ("\ud800", "ran")}, "spacy", "record '1': spaCy cannot hold its text"),
        ({"text": "\ud800 ran", "words": ("\ud800", "ran")}, "label-studio", "record '1' cannot be written as JSON"),
        ({"spans": (Span(start=0, end=2, label="X", text="Ad"),)}, "spacy", "record '1': the span 0-2 (X) cuts a word"),
        ({"spans": (Span(start=3, end=4, label="X", text=" "),)}, "prodigy", "record '1': the span 3-4 (X) holds no"),
        ({"spans": (Span(start=0, end=3, label="X", text="Ada"),) * 2}, "html", "record '1': spans overlap at 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_written(tmp_path: Path, change: dict[str, Any], name: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        write(tmp_path / "a.out", [replace(GOLD, **change)], name)
    assert caught.value.message.startswith(message)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_file_for_two(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needed for a second file"):
        write(tmp_path / "a.txt", [GOLD], "brat")


def test_spacy_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spacy.tokens", None)
    (tmp_path / "a.spacy").write_bytes(b"x")
    for action in (lambda: read(tmp_path / "a.spacy", "spacy"), lambda: write(tmp_path / "b.spacy", [GOLD], "spacy")):
        with pytest.raises(LabelkitError) as caught:
            action()
        assert caught.value.hint == "install it: pip install 'labelkit[spacy]'"


def test_a_docbin_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.spacy").write_bytes(b"junk")
    assert failure(tmp_path / "a.spacy", "spacy").message.startswith(f"{tmp_path}/a.spacy is not a DocBin: ")


# -- labelkit data convert --------------------------------------------------------------------------------------------


def converted(source: Path, target: Path, *more: str) -> int:
    return main(["data", "convert", str(source), str(target), "--force", *more])


def test_schemes_are_kept_or_dropped_knowingly(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = tmp_path / "a.conll"
    start.write_text("Ada\tS-PER\nran\tO\n\n")
    for name in ("doccano", "label-studio", "prodigy", "spacy"):
        assert converted(start, tmp_path / "b", "--to", name) == 0
        assert converted(tmp_path / "b", tmp_path / "c.conll", "--from", name, "--to", "conll", "--drop", "text") == 0
        assert (tmp_path / "c.conll").read_text() == start.read_text()
    capfd.readouterr()
    assert converted(start, tmp_path / "b.ann", "--to", "brat") == 1
    assert capfd.readouterr().err.splitlines() == [
        f"error: {start}:1: format 'brat' cannot hold the scheme of example '1'",
        "  leave it out with --drop scheme, or use another format, e.g. --to jsonl",
    ]
    assert not (tmp_path / "b.ann").exists()
    assert converted(start, tmp_path / "b.ann", "--to", "brat", "--drop", "scheme") == 0
    assert converted(tmp_path / "b.ann", tmp_path / "c.conll", "--to", "conll", "--drop", "text") == 0
    assert (tmp_path / "c.conll").read_text() == "Ada\tB-PER\nran\tO\n\n"


def test_words_that_brat_cannot_hold(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = tmp_path / "a.conll"
    start.write_text("(x\tB-PER\ny)\tO\n\n")
    assert converted(start, tmp_path / "b.ann", "--to", "brat") == 1
    assert "format 'brat' cannot hold the words" in capfd.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.conll"]


def test_fields_and_plain_labels(tmp_path: Path) -> None:
    record = {
        "id": "x",
        "text": "Ada ran",
        "words": ["Ada", "ran"],
        "labels": ["N", "V"],
        "ner": ["B-P", "O"],
        "url": "u",
    }
    start = saved(tmp_path / "a.jsonl", record)
    for name in ("doccano", "label-studio", "prodigy", "spacy"):
        assert converted(start, tmp_path / "b", "--to", name) == 0
        assert converted(tmp_path / "b", tmp_path / "c.jsonl", "--from", name, "--to", "jsonl") == 0
        assert json.loads((tmp_path / "c.jsonl").read_text()) == record
    assert converted(start, tmp_path / "b.ann", "--to", "brat") == 1
    assert converted(start, tmp_path / "b.ann", "--to", "brat", "--drop", "extra,id") == 0


def test_a_folder_of_brat_is_converted(tmp_path: Path) -> None:
    brat_pair(tmp_path / "flat", "one")
    assert converted(tmp_path / "flat", tmp_path / "c.jsonl", "--to", "jsonl") == 0
    assert len((tmp_path / "c.jsonl").read_text().splitlines()) == 2


def test_there_and_back_keeps_documents(tmp_path: Path) -> None:
    before = Example(id="1", words=("a",), labels={"labels": ("O",)}, document="d 1")
    for name in ("doccano", "label-studio", "prodigy", "spacy"):
        (after,) = there_and_back(tmp_path, [before], name)
        assert after.document == "d 1"
