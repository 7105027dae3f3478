"""The formats of tables and records: what they read, and what they say about files that cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.reading import kind_of, read_raw_corpus
from labelkit.data.resolution import resolve_reference
from labelkit.data.show import load_without_task
from labelkit.errors import DataError, LabelkitError
from labelkit.formats import json_files
from labelkit.formats.builtin import FORMATS
from labelkit.plugins.catalog import Catalog
from labelkit.records import DataSettings, Example, Kind, LoadContext, Scheme
from reading_contexts import OnePlugin, reading

BY_NAME = {known.name: known for known in FORMATS}
HF = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
HF_TAGS = {"tags": {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "List"}}


class Shelf(OnePlugin):
    """A catalog of core's formats."""

    def __init__(self) -> None:
        self.sources: dict[str, Any] = {}
        self.schemas: dict[str, Any] = {}
        self.formats = BY_NAME


def read(path: Path, kind: Kind | None = None, layer: str | None = None, **how: Any) -> list[Example]:
    settings = DataSettings(**how.pop("settings", {}))
    known = next(f for f in FORMATS if path.name.removesuffix(".gz").endswith(f.suffixes) or path.is_dir())
    known = BY_NAME["arrow"] if path.is_dir() else known
    assert known.read is not None
    return list(known.read(path, LoadContext(columns=how, kind=kind, layer=layer, settings=settings)))


def load(reference: object, kind: Kind, layer: str, scheme: Scheme | None = None, **settings: Any) -> Corpus:
    ctx = LoadContext(settings=DataSettings(**settings))
    return load_corpus(str(reference), layer=layer, kind=kind, scheme=scheme, catalog=Shelf(), ctx=ctx)


def failure(ask: Any, *arguments: Any, **how: Any) -> LabelkitError:
    with pytest.raises(LabelkitError) as caught:
        ask(*arguments, **how)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def jsonl(path: Path, *records: Any) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def parquet(path: Path, rows: list[dict[str, Any]], features: dict[str, Any] | None = None) -> Path:
    table = pa.Table.from_pylist(rows)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
    return path


def saved(folder: Path, rows: list[dict[str, Any]], features: dict[str, Any] | None = None) -> Path:
    """Make a folder as ``Dataset.save_to_disk`` does, of two files."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    for name, part in zip(names, (table.slice(0, 1), table.slice(1)), strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(part)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    return folder


# JSON Lines


def test_jsonl_of_words_and_tags(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "a.jsonl",
        {"tokens": ["Ada", "ran"], "ner": ["B-PER", "O"], "url": "x", "document": 7},
        {"id": "b", "tokens": [], "ner": [], "url": None, "document": None},
    )
    one, two = read(path, "token", "ner")
    assert (one.id, one.words, one.labels, one.document) == ("1", ("Ada", "ran"), {"ner": ("B-PER", "O")}, "7")
    assert one.extra == {"url": "x", "document": 7}
    assert (two.id, two.words, two.labels, str(two.place)) == ("b", (), {"ner": ()}, f"{path}:2")


@pytest.mark.parametrize("name", ["ner", "labels", "tags", "ner_tags", "label"])
def test_jsonl_finds_tags_by_the_usual_names(tmp_path: Path, name: str) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"words": ["Ada"], name: ["B-PER"]})
    assert read(path, "token", "ner")[0].labels == {"ner": ("B-PER",)}


def test_entities_are_never_taken_for_the_tags_of_another_task(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"words": ["Ada"], "ner_tags": ["B-PER"]})
    assert read(path, "token", "pos")[0].labels == {}


def test_all_parts_of_a_split_are_read_and_numbered_through(tmp_path: Path) -> None:
    for part in range(2):
        rows = [{"words": [word], "ner": ["O"]} for word in ("a", str(part))]
        jsonl(tmp_path / f"train-0000{part}-of-00002.jsonl", *rows)
    catalog, ctx = Catalog.load(only=()), LoadContext(cache=tmp_path / "no", layer="ner")
    expected = [("1", ("a",)), ("2", ("0",)), ("3", ("a",)), ("4", ("1",))]
    examples = resolve_reference(str(tmp_path), "token", catalog, ctx).open("train", ctx)
    assert [(example.id, example.words) for example in examples] == expected
    examples = read_raw_corpus(str(tmp_path), "token", catalog, ctx).splits["train"]
    assert [(example.id, example.words) for example in examples] == expected


def test_jsonl_columns(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"text": "no", "review": "good", "stars": 5, "label": "x"})
    (only,) = read(path, "text", "rating", text="review", label="stars")
    assert (only.text, only.labels, only.extra) == ("good", {"rating": "5"}, {"text": "no", "label": "x"})
    path = jsonl(tmp_path / "b.jsonl", {"w": ["a"], "p": ["NN"], "n": ["O"]})
    assert read(path, "token", "ner", tokens="w", pos="p", ner="n")[0].labels == {"pos": ("NN",), "ner": ("O",)}


@pytest.mark.parametrize(("value", "label"), [("x", "x"), (3, "3"), (True, "true"), (["x"], "x"), (" x ", " x ")])
def test_labels_of_texts(tmp_path: Path, value: Any, label: str) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"text": "", "label": value})
    assert read(path, "text", "label")[0].labels == {"label": label}


def test_jsonl_of_text_and_words_places_the_words(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "a.jsonl",
        {"text": "Ada ran!", "words": ["Ada", "ran", "!"], "labels": ["O"] * 3},
        {"text": "Ada ran", "words": ["Ada", "walked"], "labels": ["O"] * 2},
    )
    one, two = read(path, "token", "ner")
    assert one.offsets == ((0, 3), (4, 7), (7, 8))
    assert (two.text, two.offsets) == ("Ada ran", None)


def test_what_labelkit_wrote_is_read_as_data(tmp_path: Path) -> None:
    coverage = {"words": 1, "windows": 1, "fallback": 0}
    ours = {"id": "a", "text": "Ada", "words": ["Ada"], "labels": ["O"], "spans": [], "coverage": coverage, "url": "x"}
    path = jsonl(tmp_path / "a.jsonl", ours)
    with pytest.raises(DataError, match=r"a\.jsonl:1: the labels of this record are predictions of labelkit"):
        read(path, "token", "ner")
    (only,) = json_files.read_lines(path, reading(kind="token", layer="ner", predictions_as_gold=True))
    assert (only.labels, only.extra) == ({"ner": ("O",)}, {"url": "x"})


def test_blank_lines_and_line_separators(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress('{"text": "a\u2028b", "label": "x"}\r\n\n \n{"text": "c", "label": "y"}'.encode()))
    assert [(e.text, e.place and e.place.line) for e in read(path, "text", "label")] == [("a\u2028b", 1), ("c", 4)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a"', "broken JSON: Expecting ',' delimiter at column 13"),
        ("[1]", "an object is needed on each line, this is a list"),
        ('{"label": "x"}', "no column of the text, the columns are 'label'"),
        ('{"text": null, "label": "x"}', "the text is missing"),
        ('{"text": 7, "label": "x"}', "the text must be a string, not 7"),
        ('{"text": "a", "label": null}', "the label is missing"),
        ('{"text": "a", "label": ""}', "the label is missing"),
        ('{"text": "a", "label": 4.5}', "the label 4.5 is a fraction, labels are classes"),
        ('{"text": "a", "label": NaN}', "the label is missing"),
        ('{"text": "a", "label": {"x": 1}}', "a label is text or a whole number, not {'x': 1}"),
        ('{"text": "a"}', "no labels of 'label' in train, nor any other"),
    ],
)
def test_bad_texts(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "fine", "label": "x"}}\n\n{line}\n')
    assert failure(load, path, "text", "label").message == f"{path}:3: {message}"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"words": ["a", "b"], "labels": ["O"]}, "2 words have 1 labels of 'ner'"),
        ({"words": ["a"], "labels": ["O", "O"]}, "1 words have 2 labels of 'ner'"),
        ({"words": None, "labels": ["O"]}, "the words are missing"),
        ({"words": ["a"], "labels": None}, "the labels are missing"),
        ({"words": ["a"], "labels": [None]}, "the label is missing"),
        ({"words": ["a"], "labels": "x"}, "the labels of words must be a list, not 'x'"),
        ({"words": ["a", 1], "labels": ["O", "O"]}, "the words must be a list of strings, not ['a', 1]"),
        ({"words": ["a"], "labels": [0.5]}, "the label 0.5 is a fraction, labels are classes"),
        ({"words": ["a"], "url": "x"}, "no labels of 'ner' in train, nor any other"),
        ({"url": "x"}, "no column of the tokens, the columns are 'url'"),
    ],
)
def test_bad_words(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"words": ["a"], "labels": ["B-x"]}, record)
    assert failure(load, path, "token", "ner", "IOB2").message == f"{path}:2: {message}"


def test_a_missing_layer_names_the_fields(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"text": "a", "stars": 3})
    hint = "say which field holds them: --columns label=FIELD, with one of stars"
    assert failure(load, path, "text", "label").hint == hint


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.conllu", "a.tsv"])
def test_wrong_encodings_name_the_byte(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    kind: Kind = "token" if name.endswith("conllu") else "text"
    path.write_bytes(b"\xe9\n")
    assert failure(load, path, kind, "label").message == f"{path}:1: not UTF-8 at byte offset 0 (0xe9)"


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.conllu"])
def test_empty_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    kind: Kind = "token" if name.endswith("conllu") else "text"
    for content in ("", "\n\n", *(["text\tlabel\n"] if name == "a.tsv" else [])):
        path.write_text(content)
        assert failure(load, path, kind, "label").message == f"{path} is empty: it holds no examples"


# CSV and TSV


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbftext, label ,n\r\n"a, ""b""\r\nc",x,1\r\n\r\nd,007,\r\n')
    one, two = read(path, "text", "label")
    assert (one.text, one.labels, one.extra) == ('a, "b"\r\nc', {"label": "x"}, {"n": "1"})
    assert (two.text, two.labels, two.extra) == ("d", {"label": "007"}, {"n": None})
    assert [str(e.place) for e in (one, two)] == [f"{path}:2", f"{path}:5"]


def test_csv_holds_words_and_spans_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,words,labels\nx,"[""Ada"", ""ran""]","[""B-PER"", ""O""]"\n')
    (one,) = read(path, "token", "ner")
    assert (one.words, one.labels) == (("Ada", "ran"), {"ner": ("B-PER", "O")})
    path.write_text('text,spans,own\nAda ran,"[{""start"": 0, ""end"": 3, ""label"": ""PER""}]",[1]\n')
    (two,) = read(path, "token", "ner")
    assert (two.words, two.labels, two.extra) == (("Ada", "ran"), {"ner": ("B-PER", "O")}, {"own": "[1]"})
    path.write_text("words,labels\n[Ada,[]\n")
    assert failure(load, path, "token", "ner").message == f"{path}:2: the words must be a list of strings, not '[Ada'"


def test_quotes_are_text_in_tsv_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"Good" he said\tx\n"a ""b"""\ty\n')
    assert [e.text for e in read(path, "text", "label")] == ['"Good" he said', '"a ""b"""']
    path.write_text('text\tlabel\n"a ""b"""\ty\n')
    assert [e.text for e in read(path, "text", "label", settings={"quotes": True})] == ['a "b"']


def test_a_long_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\n{'a' * 200_000},x\n")
    assert len(read(path, "text", "label")[0].text or "") == 200_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("review,stars\na,x\n", ": no column of the text, the columns are 'review', 'stars'"),
        ("text,text\na,x\n", ": duplicate column 'text'"),
        ("text,label\na\n", ":2: 2 columns expected as in the header, 1 found"),
        ("text,label\na,b,c\n", ":2: 2 columns expected as in the header, 3 found"),
        ('text,label\n"a,x\n', ":2: unexpected end of data"),
        ('text,label\na,x\n"a"b,x\n', ":3: ',' expected after '\"'"),
        ("text,label\na,x\n,x\n", ":3: the text is missing"),
        ("text,label\na,x\nb,\n", ":3: the label is missing"),
        ("text,label\na,3.5\n", ":2: the label 3.5 is a fraction, labels are classes"),
        ("text,label\na,x\nb,1e-3\n", ":3: the label 1e-3 is a fraction, labels are classes"),
    ],
)
def test_bad_csv(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert failure(load, path, "text", "label").message == f"{path}{message}"


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,x\n")
    error = failure(read, path, "text", "label", text="review")
    assert error.message == f"{path}: no column 'review' for 'text', the columns are 'text', 'label'"


def test_tsv_is_a_table_for_texts_and_columns_for_words(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("Ada\tB-PER\nran\tO\n\nBob\tB-PER\n")
    assert kind_of(str(path), Shelf(), LoadContext()) == "token"
    assert load(path, "token", "ner", "IOB2").schema.types == ("PER",)
    path.write_text("text\tlabel\na b\tx\nc\ty\n")
    assert kind_of(str(path), Shelf(), LoadContext()) == "text"


# Texts through load_corpus


@pytest.mark.parametrize(("texts", "labels", "refused"), [(400, 200, False), (402, 201, True), (41, 21, True)])
def test_too_many_labels(tmp_path: Path, texts: int, labels: int, refused: bool) -> None:
    records = [{"text": "a", "label": f"label {n % labels}"} for n in range(texts)]
    path = jsonl(tmp_path / "a.jsonl", *records)
    if not refused:
        assert len(load(path, "text", "label").schema.labels) == labels
        return
    error = failure(load, path, "text", "label")
    assert error.message.startswith(f"train has {labels} different labels of 'label' for {texts} texts: 'label 0'")
    assert "--columns label=" in str(error.hint)
    if labels > 200:
        assert load(path, "text", "label", max_labels=201).schema.labels


def test_a_label_that_train_lacks(tmp_path: Path) -> None:
    jsonl(tmp_path / "train.jsonl", {"text": "a", "label": "x"}, {"text": "b", "label": "y"})
    jsonl(tmp_path / "test.jsonl", {"text": "a", "label": "x"}, {"text": "b", "label": "z"})
    error = failure(load, tmp_path, "text", "label")
    assert error.message == f"{tmp_path}/test.jsonl:2: label 'z' occurs in test but never in train"


# Parquet and Arrow


def test_numbers_become_names_where_the_file_has_them(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": 0}, {"text": "b", "label": 1}]
    assert [e.labels["label"] for e in read(parquet(tmp_path / "a.parquet", rows, HF), "text")] == ["neg", "pos"]
    assert [e.labels["label"] for e in read(parquet(tmp_path / "b.parquet", rows), "text")] == ["0", "1"]
    tags = parquet(tmp_path / "c.parquet", [{"tokens": ["Ada", "ran"], "tags": [1, 0]}], HF_TAGS)
    assert read(tags, "token", "ner")[0].labels == {"ner": ("B-PER", "O")}
    unlabelled = parquet(tmp_path / "d.parquet", [{"text": "a", "label": -1}], HF)
    assert failure(read, unlabelled, "text").message == f"{unlabelled}:1: label -1 has no name, there are 2"


def test_real_datasets_folders(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner": datasets.List(datasets.ClassLabel(names=["O", "B-x"])),
        }
    )
    rows = {"tokens": [["a", "b"], ["c"]], "ner": [[1, 0], [0]]}
    split = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": split, "dev": split, "other": split}).save_to_disk(str(tmp_path / "both"))
    corpus = load(tmp_path / "both", "token", "ner", "IOB2")
    assert [e.labels["ner"] for e in corpus.splits["validation"].examples] == [("B-x", "O"), ("O",)]
    assert list(corpus.splits) == ["train", "validation"]
    split.save_to_disk(str(tmp_path / "one"))
    split.to_parquet(str(tmp_path / "one.parquet"))
    for place in (tmp_path / "one", tmp_path / "one.parquet"):
        assert [e.labels["ner"] for e in read(place, "token", "ner")] == [("B-x", "O"), ("O",)]


def test_arrow_files_and_folders(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": 0}]
    folder = saved(tmp_path / "saved", rows, HF)
    assert [(e.id, e.text, e.labels["label"]) for e in read(folder, "text")] == [("1", "a", "pos"), ("2", "b", "neg")]
    assert [e.text for e in read(folder / "data-00001-of-00002.arrow", "text")] == ["b"]
    with pa.OSFile(str(tmp_path / "f.arrow"), "wb") as sink:
        table = pa.Table.from_pylist(rows)
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    assert [e.labels["label"] for e in read(tmp_path / "f.arrow", "text")] == ["1", "0"]


def test_values_that_json_has_not(tmp_path: Path) -> None:
    import datetime

    row = {"text": "a", "label": "x", "day": datetime.date(2020, 1, 2), "raw": b"\xff", "more": [{"n": 1.5}]}
    (only,) = read(parquet(tmp_path / "a.parquet", [row]), "text")
    assert only.extra == {"day": "2020-01-02", "raw": "/w==", "more": [{"n": 1.5}]}


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_what_is_no_table(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in (b"", b"text,label\n" * 20, b"PAR1" + bytes(50) + b"PAR1", b"ARROW1" + bytes(50)):
        path.write_bytes(content)
        what = "Parquet" if name == "a.parquet" else "Arrow"
        assert failure(read, path, "text").message.startswith(f"{path} is not a valid {what} file: ")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": None, "label": "x"}, "the text is missing"),
        ({"text": "a", "label": None}, "the label is missing"),
        ({"text": "a", "label": 0.5}, "the label 0.5 is a fraction, labels are classes"),
    ],
)
def test_bad_rows(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    rows = [row] if row["label"] == 0.5 else [{"text": "a", "label": "x"}, row]
    path = parquet(tmp_path / "a.parquet", rows)
    assert failure(load, path, "text", "label").message == f"{path}:{len(rows)}: {message}"


def test_a_table_without_the_columns(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", [{"a": 1, "b": 2}])
    assert failure(read, path, "text").message == f"{path}: no column of the text, the columns are 'a', 'b'"


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"test": 1, "other": 2}, "{0} has no train split, it holds test, other"),
        ({"train": 1, "dev": 2, "validation": 3}, "two datasets for the validation split: {0}/dev and {0}/validation"),
    ],
)
def test_bad_folders_of_datasets(tmp_path: Path, splits: dict[str, int], message: str) -> None:
    folder = tmp_path / "all"
    for name in splits:
        saved(folder / name, [{"text": "a", "label": "x"}])
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))
    assert failure(load, folder, "text", "label").message == message.format(folder)


def test_a_split_that_is_there_twice(tmp_path: Path) -> None:
    for name in ("train.jsonl", "train.csv"):
        (tmp_path / name).write_text("")
    error = failure(load, tmp_path, "text", "label")
    assert error.message == f"two files for the train split: {tmp_path}/train.csv and {tmp_path}/train.jsonl"


def test_a_folder_without_data(tmp_path: Path) -> None:
    error = failure(read, tmp_path)
    assert error.message == f"{tmp_path} is not a dataset saved by datasets.save_to_disk"


# CoNLL-U

UD = """\
# newdoc id = d1
# sent_id = s1
# text = I don't know ma'am.
1\tI\tI\tPRON\tPRP\t_\t0\t_\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\tTense=Pres\t0\t_\t_\t_
3\tn't\tnot\tPART\tRB\t_\t0\t_\t_\t_
3.1\tgone\tgo\tVERB\tVB\t_\t_\t_\t_\t_
4\tknow\tknow\tVERB\tVB\t_\t0\t_\t_\t_
5-6\tma'am\t_\t_\t_\t_\t_\t_\t_\t_
5\tmy\tmy\tPRON\tPRP\t_\t0\t_\t_\t_
6\tmadam\tmadam\tNOUN\tNN\t_\t0\t_\t_\tSpaceAfter=No
7\t.\t.\tPUNCT\t.\t_\t0\t_\t_\t_

# newdoc
1\t#\t_\tSYM\t_\t_\t0\t_\t_\t_
"""


def test_conllu(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(UD)
    one, two = read(path, "token", "pos")
    assert one.words == ("I", "do", "n't", "know", "my", "madam", ".")
    assert one.labels == {"pos": ("PRON", "AUX", "PART", "VERB", "PRON", "NOUN", "PUNCT")}
    assert one.offsets == ((0, 1), (2, 4), (4, 7), (8, 12), (13, 18), (13, 18), (18, 19))
    assert (one.id, one.document, one.text) == ("s1", "d1", "I don't know ma'am.")
    assert one.place is not None
    assert [one.place.of_word(index) for index in (0, 1, 3)] == [f"{path}:{line}" for line in (4, 6, 9)]
    assert (two.id, two.document, two.words, two.text, two.offsets) == ("2", "2", ("#",), None, None)


@pytest.mark.parametrize(
    ("columns", "labels"),
    [
        ({"pos": "xpos"}, {"pos": "PRP VBP RB VB PRP NN ."}),
        ({"tokens": "lemma", "pos": "UPOS", "x": "feats"},
         {"pos": "PRON AUX PART VERB PRON NOUN PUNCT", "x": "_ Tense=Pres _ _ _ _ _"}),
    ],
)  # fmt: skip
def test_columns_of_conllu(tmp_path: Path, columns: dict[str, str], labels: dict[str, str]) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(UD)
    first = read(path, "token", "pos", **columns)[0]
    assert first.labels == {layer: tuple(values.split()) for layer, values in labels.items()}
    assert (first.words or ())[2] == ("not" if "tokens" in columns else "n't")


def test_a_layer_called_like_a_column(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(UD)
    assert read(path, "token", "lemma")[1].labels == {"lemma": ("_",)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\ta\t_\tX\n", "{}:1: 10 columns separated by tabs expected, 4 found"),
        ("\nx\ta" + "\t_" * 8 + "\n", "{}:2: invalid word number 'x'"),
        ("1\ta\t_\t\t_\t_\t_\t_\t_\t_\n", "{}:1: the column UPOS is empty"),
    ],
)
def test_bad_conllu(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(content)
    assert failure(read, path, "token", "pos").message == message.format(path)


def test_an_unknown_column_of_conllu(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(UD)
    error = failure(read, path, "token", "pos", pos="3")
    assert error.message == "CoNLL-U has no column '3' for 'pos'"


# Looking at data


def test_show_finds_the_kind(tmp_path: Path) -> None:
    catalog = Catalog.load(only=())
    table = tmp_path / "a.csv"
    table.write_text("review,stars\na,x\nb,y\nc,x\n")
    columns = {"text": "review", "label": "stars"}
    corpus = load_without_task(str(table), None, catalog, LoadContext(columns=columns))
    assert (corpus.kind, corpus.layer, corpus.schema.labels) == ("text", "label", ("x", "y"))
    tags = jsonl(
        tmp_path / "b.jsonl", {"words": ["a", "b"], "ner_tags": ["B-x", "O"]}, {"words": ["c"], "ner_tags": ["O"]}
    )
    corpus = load_without_task(str(tags), None, catalog, LoadContext(cache=tmp_path / "no"))
    assert (corpus.kind, corpus.schema.types) == ("token", ("x",))
    assert not (tmp_path / "no").exists()


def test_named_columns_must_be_there_on_every_line(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"review": "a", "stars": 1}, {"review": "b"})
    with pytest.raises(DataError, match=r"a\.jsonl:2: no column 'stars' for 'label', the columns are 'review'"):
        read(path, "text", "label", text="review", label="stars")
