"""``labelkit data convert``: labels as they are, nothing lost, or an error that says what."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelkit.cli import main
from labelkit.data.convert import Conversion, convert, to_labelled
from labelkit.errors import DataError, LabelkitError
from labelkit.files.output import new_output
from labelkit.formats.builtin import FORMATS
from labelkit.records import Coverage, DataSettings, Example, Format, Kind, Labelled, LoadContext, Source, Span
from labelkit.sample import SCHEMAS
from reading_contexts import OnePlugin

CONLL = "-DOCSTART-\tO\n\nAda\tB-PER\nran\tO\n\n-DOCSTART-\tO\n\nRome\tI-LOC\n\n"


class Shelf(OnePlugin):
    def __init__(self, *more: Format) -> None:
        self.sources: dict[str, Source] = {}
        self.schemas = {schema.name: schema for schema in SCHEMAS}
        self.formats = {known.name: known for known in (*FORMATS, *more)}


def run(reference: object, target: Path, to: str, shelf: Shelf | None = None, **how: Any) -> int:
    ctx = LoadContext(columns=how.pop("columns", {}), settings=how.pop("settings", DataSettings()))
    asked = Conversion(reference=str(reference), target=target, to=to, **how)
    return convert(asked, shelf or Shelf(), ctx).examples


def failure(*arguments: Any, **how: Any) -> LabelkitError:
    with pytest.raises(LabelkitError) as caught:
        run(*arguments, **how)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def there_and_back(folder: Path, examples: Sequence[Example], name: str) -> list[Example]:
    """Write examples in a format and read them again."""
    known = next(f for f in FORMATS if f.name == name)
    assert known.write is not None
    assert known.read is not None
    path = folder / f"a{known.suffixes[0]}"
    with new_output(path, force=True) as output:
        known.write(map(to_labelled, examples), output)
    kind: Kind = "text" if examples and examples[0].words is None else "token"
    return list(known.read(path, LoadContext(kind=kind)))


# Labels hold no blanks at their ends in columns, nor line ends; texts and words of tables hold anything at all.
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# In cells of CSV nan is no label; a label in a list or in JSON may have any name.
labels = st.one_of(
    st.sampled_from(["nan", "NaN", "<NA>"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=4),
)
sentences = st.lists(st.lists(st.tuples(anything, labels), max_size=4), min_size=1, max_size=4)
documents = st.lists(st.tuples(anything, labels), min_size=1, max_size=4)


def token_examples(found: list[list[tuple[str, str]]]) -> list[Example]:
    return [
        Example(
            id=str(number),
            words=tuple(word for word, _ in pairs),
            labels={"labels": tuple(label for _, label in pairs)},
            extra={"n": number, "own": [1, None]},
        )
        for number, pairs in enumerate(found, start=1)
    ]


@pytest.mark.parametrize("name", ["jsonl", "parquet"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=sentences)
def test_words_there_and_back(tmp_path: Path, name: str, found: list[list[tuple[str, str]]]) -> None:
    examples = token_examples(found)
    again = there_and_back(tmp_path, examples, name)
    assert [(e.id, e.words, e.labels, e.extra) for e in again] == [(e.id, e.words, e.labels, e.extra) for e in examples]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=sentences)
def test_words_there_and_back_as_csv(tmp_path: Path, found: list[list[tuple[str, str]]]) -> None:
    examples = [replace(example, extra={"own": "[1]"}) for example in token_examples(found)]
    again = there_and_back(tmp_path, examples, "csv")
    assert [(e.id, e.words, e.labels, e.extra) for e in again] == [(e.id, e.words, e.labels, e.extra) for e in examples]


@pytest.mark.parametrize("name", ["jsonl", "parquet", "csv"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=documents)
def test_texts_there_and_back(tmp_path: Path, name: str, found: list[tuple[str, str]]) -> None:
    examples = [
        Example(id=str(number), text=f"x{text}", labels={"label": f"l{label}"}, extra={"own": text or None})
        for number, (text, label) in enumerate(found, start=1)
    ]
    again = there_and_back(tmp_path, examples, name)
    assert [(e.id, e.text, e.labels, e.extra) for e in again] == [(e.id, e.text, e.labels, e.extra) for e in examples]


tidy = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6).filter(lambda w: w == w.strip())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(st.lists(st.tuples(tidy, labels), min_size=1, max_size=4), min_size=1, max_size=4))
def test_conllu_there_and_back(tmp_path: Path, found: list[list[tuple[str, str]]]) -> None:
    examples = [Example(id=e.id, words=e.words, labels=e.labels, document="d 1") for e in token_examples(found)]
    again = there_and_back(tmp_path, examples, "conllu")
    assert [(e.id, e.words, e.document) for e in again] == [(e.id, e.words, e.document) for e in examples]
    assert [list(e.labels.values()) for e in again] == [list(e.labels.values()) for e in examples]
    assert [e.text for e in again] == [" ".join(e.words or ()) for e in examples]


def test_comments_of_conllu_there_and_back(tmp_path: Path) -> None:
    start = tmp_path / "a.conllu"
    start.write_text("# sent_id = s1\n# speaker = Ada\n# newpar\n# text = ran\n1\tran\t_\tVERB\t_\t_\t_\t_\t_\t_\n\n")
    run(start, tmp_path / "b.jsonl", "jsonl")
    assert json.loads((tmp_path / "b.jsonl").read_text())["comments"] == ["speaker = Ada", "newpar"]
    run(tmp_path / "b.jsonl", tmp_path / "c.conllu", "conllu")
    assert (tmp_path / "c.conllu").read_text().splitlines()[:3] == ["# sent_id = s1", "# speaker = Ada", "# newpar"]


# The command's core


def test_documents_and_raw_labels_come_through(tmp_path: Path) -> None:
    start = tmp_path / "a.conll"
    start.write_text(CONLL)
    assert run(start, tmp_path / "b.jsonl", "jsonl") == 2
    one, two = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert one == {"id": "1", "text": "Ada ran", "words": ["Ada", "ran"], "labels": ["B-PER", "O"], "document": "1"}
    assert two["labels"] == ["I-LOC"]
    run(tmp_path / "b.jsonl", tmp_path / "c.parquet", "parquet")
    run(tmp_path / "c.parquet", tmp_path / "d.conll", "conll", drop=("text",))
    assert (tmp_path / "d.conll").read_text() == CONLL


def test_all_layers_are_kept(tmp_path: Path) -> None:
    start = tmp_path / "a.conll"
    start.write_text("Ada NNP B-PER\n")
    columns = {"tokens": "0", "pos": "1", "ner": "2"}
    run(start, tmp_path / "b.jsonl", "jsonl", columns=columns)
    record = json.loads((tmp_path / "b.jsonl").read_text())
    assert (record["labels"], record["ner"]) == (["NNP"], ["B-PER"])
    error = failure(start, tmp_path / "b.conll", "conll", columns=columns)
    assert error.message == f"{start}:1: format 'conll' cannot hold the field 'ner' of example '1'"
    assert error.hint == (
        "convert one layer, --layer pos, or leave it out with --drop ner, or use another format, e.g. --to jsonl"
    )
    run(start, tmp_path / "b.conll", "conll", columns=columns, layer="ner")
    assert (tmp_path / "b.conll").read_text() == "Ada\tB-PER\n\n"
    error = failure(start, tmp_path / "c.conll", "conll", columns=columns, layer="chunk")
    assert error.message == f"{start}:1: no labels of 'chunk' in train, only pos, ner"


def test_csv_and_back(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"id": "a", "text": 'x, "y"\r\nz', "label": "1", "n": 3},
        {"id": "b", "text": "t", "label": "2", "n": None},
    ]
    start = write(tmp_path / "a.jsonl", *records)
    run(start, tmp_path / "b.csv.gz", "csv")
    assert gzip.decompress((tmp_path / "b.csv.gz").read_bytes()).startswith(b"id,text,label,n\r\n")
    run(tmp_path / "b.csv.gz", tmp_path / "c.jsonl", "jsonl")
    again = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    assert again == [{**records[0], "n": "3"}, records[1]]


LOST = {"text": "Ada ran!", "words": ["Ada", "ran", "!"], "labels": ["B-PER", "O", "O"], "id": "x", "url": "u"}


def test_what_is_lost_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    start = write(tmp_path / "a.jsonl", LOST)
    error = failure(start, tmp_path / "b.conll", "conll")
    assert error.message == f"{start}:1: format 'conll' cannot hold the text, the id, the field 'url' of example 'x'"
    assert error.hint == "leave it out with --drop text,id,url, or use another format, e.g. --to jsonl"
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]
    run(start, tmp_path / "b.conll", "conll", drop=("text", "id", "url"))
    assert failure(start, tmp_path / "b.conll", "conll", drop=("text", "id", "url")).message.endswith("exists already")
    run(start, tmp_path / "b.conll", "conll", drop=("text", "id", "extra"), force=True)


@pytest.mark.parametrize(
    ("record", "to", "message"),
    [
        ({"words": ["a\tb"], "labels": ["O"]}, "conllu", "record '1': 'a\\tb' cannot be written in CoNLL-U"),
        ({"words": ["a", ""], "labels": ["O", "O"]}, "conll", "record '1': '' cannot be written in CoNLL columns"),
        ({"words": ["a", "b"], "labels": ["O"]}, "jsonl", "{}:1: 2 words have 1 labels of 'labels'"),
        ({"words": [], "labels": []}, "conll", "format 'conll' does not give back as many examples as were written"),
        ({"words": ["a\ud800"], "labels": ["O"]}, "csv", "record '1' holds half a surrogate pair, which CSV cannot"),
        ({"text": "a", "label": "x"}, "conll", "format 'conll' cannot hold text examples"),
        ({"text": "a", "label": "x", "review": "b"}, "nonesuch", "unknown format 'nonesuch'"),
        ({"text": "a", "label": "x"}, "arrow", "format 'arrow' cannot be written"),
        ({"text": "a", "stars": "x"}, "csv", "{}:1: no labels of 'label' in train, nor any other"),
        ({"text": "a\ud800", "label": "x"}, "csv", "record '1' holds half a surrogate pair, which CSV cannot"),
        ({"text": "a", "label": "x", "score": {}, "n": 1}, "parquet", "Parquet cannot hold these records: "),
    ],
)
def test_what_cannot_be_converted(tmp_path: Path, record: dict[str, Any], to: str, message: str) -> None:
    start = write(tmp_path / "a.jsonl", record)
    assert failure(start, tmp_path / "out", to).message.startswith(message.format(start))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_a_table_has_the_fields_of_all_records(tmp_path: Path, to: str) -> None:
    many = [{"text": "a", "label": "x"}] * 1000
    start = write(tmp_path / "a.jsonl", *many, {"text": "a", "label": "x", "late": "y"})
    assert run(start, tmp_path / f"out.{to}", to) == 1001
    run(tmp_path / f"out.{to}", tmp_path / "b.jsonl", "jsonl")
    *others, last = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert (others[0]["late"], last["late"]) == (None, "y")


def test_a_field_called_like_ours(tmp_path: Path) -> None:
    start = write(tmp_path / "a.jsonl", {"tokens": ["a"], "ner": ["O"], "labels": "mine"})
    error = failure(start, tmp_path / "b.jsonl", "jsonl", columns={"tokens": "tokens", "ner": "ner"})
    assert error.message == "record '1': its own field 'labels' would be overwritten by labelkit's"


def test_half_a_surrogate_pair_in_json(tmp_path: Path) -> None:
    start = write(tmp_path / "a.jsonl", {"text": "a\ud800", "label": "x"})
    assert run(start, tmp_path / "b.jsonl", "jsonl") == 1


def test_an_empty_file(tmp_path: Path) -> None:
    start = write(tmp_path / "a.jsonl")
    assert failure(start, tmp_path / "b.jsonl", "jsonl").message == f"'{start}' is empty: it holds no examples"


def test_a_plugin_that_loses_labels_is_found_out(tmp_path: Path) -> None:
    def read(path: Path, ctx: LoadContext) -> list[Example]:
        return [Example(id="1", words=("a",), labels={"x": ("O",)})]

    def write_(records: Any, output: Any) -> None:
        output.beside(".more").write(b"more")
        output.stream.write(b"".join(b"x" for _ in records))

    lossy = Format(name="lossy", kinds=("token",), suffixes=(".lossy",), read=read, write=write_)
    start = write(tmp_path / "a.jsonl", {"words": ["a"], "labels": ["B-x"]})
    error = failure(start, tmp_path / "b.lossy", "lossy", Shelf(lossy))
    assert error.message == f"{start}:1: format 'lossy' cannot hold the labels of example '1'"
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]
    start = write(tmp_path / "a.jsonl", {"words": ["a"], "labels": ["O"]})
    run(start, tmp_path / "b.lossy", "lossy", Shelf(lossy))
    assert (tmp_path / "b.more").read_bytes() == b"more"


def test_a_plugin_whose_writer_raises_is_named(tmp_path: Path) -> None:
    def write_(records: Any, output: Any) -> None:
        raise ValueError(f"no such {next(iter(records)).id}")

    broken = Format(name="broken", kinds=("token",), suffixes=(".broken",), read=lambda path, ctx: [], write=write_)
    start = write(tmp_path / "a.jsonl", {"words": ["a"], "labels": ["B-x"]})
    error = failure(start, tmp_path / "b.broken", "broken", Shelf(broken))
    assert error.message == "format 'broken' (package test_convert): write() failed with ValueError: no such 1"
    assert not (tmp_path / "b.broken").exists()


def test_a_labelled_record_keeps_scores_and_coverage(tmp_path: Path) -> None:
    known = next(f for f in FORMATS if f.name == "jsonl")
    assert known.write is not None
    coverage = Coverage(words=1, windows=1)
    labelled = Labelled(id="1", text="a", label="x", score=0.5, scores={"x": 0.5}, coverage=coverage, extra={"n": 1})
    with new_output(tmp_path / "a.jsonl") as output:
        known.write([labelled], output)
    record = json.loads((tmp_path / "a.jsonl").read_text())
    assert (record["score"], record["coverage"]["windows"], record["n"]) == (0.5, 1, 1)


@pytest.mark.parametrize("kind", ["token", "text"])
def test_what_labelkit_wrote_in_parquet_is_converted_as_data(tmp_path: Path, kind: str) -> None:
    known = next(f for f in FORMATS if f.name == "parquet")
    assert known.write is not None
    coverage = Coverage(words=1, windows=1)
    spans = (Span(start=0, end=3, label="PER", text="Ada", score=0.5),)
    found: dict[str, Any] = {"words": ("Ada",), "labels": ("B-PER",), "spans": spans, "offsets": ((0, 3),)}
    if kind == "text":
        found = {"label": "x", "score": 0.5, "scores": {"x": 0.5}}
    labelled = Labelled(id="1", text="Ada", coverage=coverage, extra={"n": 1}, engine="torch-fp32", **found)
    with new_output(tmp_path / "a.parquet") as output:
        known.write([labelled], output)
    assert "predictions of labelkit" in failure(tmp_path / "a.parquet", tmp_path / "b.jsonl", "jsonl").message
    gold = DataSettings(predictions_as_gold=True)
    assert run(tmp_path / "a.parquet", tmp_path / "b.jsonl", "jsonl", settings=gold) == 1
    ours = {"words": ["Ada"], "labels": ["B-PER"]} if kind == "token" else {"label": "x"}
    assert json.loads((tmp_path / "b.jsonl").read_text()) == {"id": "1", "text": "Ada", **ours, "n": 1}


def test_what_the_coverage_says_late_is_kept_in_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    known = next(f for f in FORMATS if f.name == "parquet")
    assert known.write is not None
    records = [
        Labelled(
            id=str(i), text="a", words=("a",), labels=("B-x",), spans=(Span(start=0, end=1, label="x", text="a"),),
            coverage=Coverage(words=1, windows=1, repaired=i // 1000),
        )
        for i in range(1001)
    ]  # fmt: skip
    with new_output(tmp_path / "a.parquet") as output:
        known.write(records, output)
    column = pq.read_table(tmp_path / "a.parquet")["coverage"].to_pylist()
    assert (column[0]["repaired"], column[1000]["repaired"]) == (0, 1)


@pytest.mark.parametrize(("to", "named"), [("jsonl", False), ("conll", True)])
def test_no_hint_names_the_format_that_did_not_do(tmp_path: Path, to: str, named: bool) -> None:
    def read(path: Path, ctx: LoadContext) -> list[Example]:
        return []

    def one(path: Path, ctx: LoadContext) -> list[Example]:
        return [Example(id="1", words=("a",), labels={"labels": ("other",)})]

    start = write(tmp_path / "a.jsonl", {"words": ["a"], "labels": ["B-x"]}).rename(tmp_path / "a.data")
    source = replace(next(f for f in FORMATS if f.name == "jsonl"), name="data", suffixes=(".data",))
    for reading in (read, one):
        shelf = Shelf(source)
        shelf.formats[to] = replace(shelf.formats[to], read=reading)
        error = failure(start, tmp_path / "b", to, shelf)
        assert f"format '{to}'" in error.message
        assert ("--to jsonl" in (error.hint or "")) == named, error.hint


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"), new_output(tmp_path, force=True):
        pass


# The command


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    start = tmp_path / "a.csv"
    start.write_text("review,stars\ngood,5\nbad,1\n")
    convert_ = ["data", "convert", str(start), "b.jsonl", "--to", "jsonl", "--columns", "text=review,label=stars"]
    assert main([*convert_, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document == {
        "input": str(start), "output": "b.jsonl", "format": "jsonl", "examples": 2, "kind": "text", "checked": True,
        "notes": [], "assumptions": [],
    }  # fmt: skip
    assert main(convert_) == 1
    assert "b.jsonl exists already" in capfd.readouterr().err
    assert main([*convert_, "--force"]) == 0
    assert capfd.readouterr().err == "b.jsonl: 2 examples in jsonl, read back and compared\n"
    assert json.loads(Path("b.jsonl").read_text().splitlines()[0]) == {"id": "1", "text": "good", "label": "5"}
    assert main(["data", "convert", "sample", "c.parquet", "--to", "parquet", "--split", "test"]) == 0
    assert main(["data", "show", "c.parquet", "--count", "1", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["labels"][0] == "O"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.csv", "b.jsonl", "c.parquet"]


def test_settings_of_data_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = write(tmp_path / "a.jsonl", {"text": "Ada ran", "spans": [[0, 3, "A"], [0, 7, "B"]]})
    common = ["data", "convert", str(start), str(tmp_path / "b.jsonl"), "--to", "jsonl"]
    assert main(common) == 1
    assert "data.drop_overlaps=true" in capfd.readouterr().err
    assert main([*common, "--set", "train.seed=1"]) == 1
    assert "only data settings apply here" in capfd.readouterr().err
    assert main([*common, "--set", "data.drop_overlaps=true"]) == 0
    assert json.loads((tmp_path / "b.jsonl").read_text())["labels"] == ["B-B", "I-B"]


FOUR = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nBob NNP B-NP B-PER\n\n"
CONLLU = (
    "# sent_id = 1\n1\tAda\tAda\tPROPN\tNNP\tNumber=Sing\t2\tnsubj\t_\t_\n2\tran\trun\tVERB\tVBD\t_\t0\troot\t_\t_\n\n"
)


def test_columns_that_nobody_asked_for_are_carried_through(tmp_path: Path) -> None:
    start = tmp_path / "a.conll"
    start.write_text(FOUR)
    run(start, tmp_path / "b.jsonl", "jsonl")
    first = json.loads((tmp_path / "b.jsonl").read_text().splitlines()[0])
    assert (first["labels"], first["column1"], first["column2"]) == (["B-ORG", "O"], ["NNP", "VBZ"], ["B-NP", "B-VP"])
    run(tmp_path / "b.jsonl", tmp_path / "c.conll", "conll", drop=("id", "text"))
    assert (tmp_path / "c.conll").read_text() == FOUR.replace(" ", "\t")
    run(start, tmp_path / "d.conll", "conll")
    assert (tmp_path / "d.conll").read_text() == FOUR.replace(" ", "\t")
    run(start, tmp_path / "e.conll", "conll", drop=("column1", "column2"))
    assert (tmp_path / "e.conll").read_text() == "EU\tB-ORG\nrejects\tO\n\nBob\tB-PER\n\n"


def test_columns_of_conllu_are_carried_through(tmp_path: Path) -> None:
    start = tmp_path / "a.conllu"
    start.write_text(CONLLU)
    run(start, tmp_path / "b.jsonl", "jsonl")
    record = json.loads((tmp_path / "b.jsonl").read_text())
    assert (record["labels"], record["lemma"], record["deprel"]) == (
        ["PROPN", "VERB"],
        ["Ada", "run"],
        ["nsubj", "root"],
    )
    run(start, tmp_path / "c.conllu", "conllu")
    assert (tmp_path / "c.conllu").read_text() == CONLLU.replace("1\n1", "1\n# text = Ada ran\n1")
    error = failure(start, tmp_path / "d.conll", "conll")
    assert "--drop lemma,xpos,feats,head,deprel" in str(error.hint)
    run(start, tmp_path / "d.conll", "conll", drop=["lemma", "xpos", "feats", "head", "deprel", "id"])


def test_one_hint_names_all_that_is_lost(tmp_path: Path) -> None:
    start = tmp_path / "a.jsonl"
    records = [
        {"words": ["Ada", "ran"], "labels": ["B-PER", "O"], "text": "Ada ran"},
        {"id": "x", "words": ["Ada", "."], "labels": ["B-PER", "O"], "text": "Ada.", "source": "web"},
    ]
    start.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    error = failure(start, tmp_path / "b.conll", "conll")
    assert "--drop text,id,source" in str(error.hint)
    run(start, tmp_path / "b.conll", "conll", drop=("text", "id", "source"))
    # a text that is only the joined words is nothing more than the words
    start.write_text(f"{json.dumps(records[0])}\n")
    run(start, tmp_path / "c.conll", "conll")


def test_blank_examples_can_be_left_out_and_are_counted(tmp_path: Path) -> None:
    start = tmp_path / "a.jsonl"
    rows = [{"words": ["Ada"], "labels": ["B-PER"]}, {"words": [], "labels": []}, {"words": ["ran"], "labels": ["O"]}]
    start.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    for target in ("conll", "conllu"):
        error = failure(start, tmp_path / f"b.{target}", target, drop=("id",))
        assert "--drop blank leaves them out" in str(error.hint)
        asked = Conversion(reference=str(start), target=tmp_path / f"b.{target}", to=target, drop=("id", "blank"))
        done = convert(asked, Shelf(), LoadContext())
        assert done.examples == 2
        assert "examples without words or text were left out: 1" in done.notes
