"""``labelkit errors --apply``: corrected labels change their lines of the data, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelkit
from labelkit.cli import main
from labelkit.data.gold import read_gold
from labelkit.data.line_edits import CorrectedFile, correct_files
from labelkit.errors import DataError
from labelkit.evaluation.corrections import find_corrections
from labelkit.evaluation.label_review import LabelError, review_records
from labelkit.files.output import new_output
from labelkit.formats.recognition import writer_for
from labelkit.labels.schemes import SCHEMES, spans_of, tags_of
from labelkit.plugins.catalog import Catalog
from labelkit.records import DataSettings, Example, LoadContext, Schema, Scheme

CATALOG = Catalog.load()
SCHEMA = Schema.bio("ner", "LOC", "PER")
#: with a document border, blanks in a row, a tail without a line end, and two equal sentences
COLUMNS = (
    "-DOCSTART- -X- O\n\nAda NNP  I-PER\r\nmet VBD O\nBob NNP I-PER\n\n"
    "in IN O\nLima NNP I-LOC\n\n\nin IN O\nLima NNP I-LOC"
)


def gold_of(path: Path, schema: Schema = SCHEMA, layer: str = "ner", **settings: Any) -> list[Example]:
    ctx = LoadContext(settings=DataSettings(**settings))
    return list(read_gold(str(path), None, layer=layer, schema=schema, catalog=CATALOG, ctx=ctx).examples)


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def export(examples: list[Example], path: Path, layer: str = "ner") -> Path:
    """Write all examples as ``labelkit errors -o`` does, each with a suspect."""
    errors = [
        LabelError(rank=number + 1, example=number, word=None if one.words is None else 0, text="", given="O",
                   suggested="PER", chance=0.9, quality=0.1)
        for number, one in enumerate(examples)
    ]  # fmt: skip
    writer = writer_for(path, CATALOG.formats, "doccano" if path.name.startswith("doccano") else None)
    assert writer.write is not None
    with new_output(path) as output:
        writer.write(review_records(errors, examples, layer), output)
    return path


def corrected(
    data: list[Example], reviewed: list[Example], schema: Schema = SCHEMA, layer: str = "ner"
) -> list[CorrectedFile]:
    labels = {one.example: one.labels for one in find_corrections(reviewed, data, layer, schema)}
    return correct_files(data, labels, layer, schema, "utf-8")


def relabelled(example: Example, *labels: str, layer: str = "ner") -> Example:
    return replace(example, labels={layer: labels})


# -- column files -----------------------------------------------------------------------------------------------------


def test_only_the_corrected_lines_of_a_column_file_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", COLUMNS)  # IOB1, with borders of all kinds
    data = gold_of(path)
    (file,) = corrected(data, [relabelled(data[0], "B-LOC", "O", "O"), *data[1:]])
    expected = COLUMNS.replace("Ada NNP  I-PER\r\n", "Ada NNP  I-LOC\r\n")
    assert file.content.decode() == expected.replace("Bob NNP I-PER", "Bob NNP O")
    assert list(file.changes) == [3, 5]
    assert "\n".join(file.diff()).splitlines()[2:] == [
        "@@ -1,7 +1,7 @@", " -DOCSTART- -X- O", " ", "-Ada NNP  I-PER", "+Ada NNP  I-LOC", " met VBD O",
        "-Bob NNP I-PER", "+Bob NNP O", " ", " in IN O",
    ]  # fmt: skip
    assert path.read_bytes().decode() == COLUMNS


def test_tags_of_the_neighbours_follow_where_the_scheme_asks_for_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", "Ada\tS-PER\nLima\tO\nBob\tO\n")
    data = gold_of(path)
    (file,) = corrected(data, [relabelled(data[0], "B-PER", "I-PER", "B-PER")])
    assert file.content == b"Ada\tB-PER\nLima\tE-PER\nBob\tS-PER\n"


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_a_corrected_file_is_read_as_it_was_corrected(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    tags = st.lists(st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]), min_size=1, max_size=5)
    sentences = [tags_of(spans_of(one, "IOB2"), len(one), "IOB2") for one in data.draw(st.lists(tags, min_size=1))]
    changed = [tuple(data.draw(st.permutations(one))) for one in sentences]
    wanted = [tags_of(spans_of(one, "IOB2"), len(one), "IOB2") for one in changed]
    scheme: Scheme = data.draw(st.sampled_from(SCHEMES))
    written = [tags_of(spans_of(one, "IOB2"), len(one), scheme) for one in sentences]
    rows = ["".join(f"w{n}.{i} x {tag}\n" for i, tag in enumerate(one)) + "\n" for n, one in enumerate(written)]
    path = write(tmp_path_factory.mktemp("corrected") / "a.conll", "x y O\n\n" + "".join(rows))
    gold = gold_of(path, scheme=scheme)
    reviewed = [relabelled(one, *labels) for one, labels in zip(gold[1:], wanted, strict=True)]
    files = corrected(gold, reviewed)
    assert bool(files) == (wanted != sentences)
    for file in files:
        path.write_bytes(file.content)
    assert [one.labels["ner"] for one in gold_of(path, scheme=scheme)[1:]] == wanted
    assert [one.words for one in gold_of(path, scheme=scheme)] == [one.words for one in gold]


def test_plain_labels_are_corrected_in_their_column(tmp_path: Path) -> None:
    schema = Schema(name="pos", kind="token", labels=("DET", "NOUN", "VERB"))
    path = write(tmp_path / "a.conll", "a\tDET\tx\nrun\tVERB\tx\n\nrun\tVERB\ty\n")
    data = gold_of(path, schema, "pos", columns="tokens=0,pos=1")
    (file,) = corrected(data, [relabelled(data[0], "DET", "NOUN", layer="pos")], schema, "pos")
    assert file.content == b"a\tDET\tx\nrun\tNOUN\tx\n\nrun\tVERB\ty\n"


# -- JSON Lines -------------------------------------------------------------------------------------------------------


def test_only_the_corrected_line_of_json_lines_changes(tmp_path: Path) -> None:
    lines = ['{"words":["Ada","ß"],"labels":["B-PER","O"],"n":1}', '{ "words": ["Bob"], "labels": ["O"], "n": 2 }']
    path = write(tmp_path / "a.jsonl", "\n".join(lines) + "\n")
    data = gold_of(path)
    (file,) = corrected(data, [relabelled(data[0], "B-LOC", "I-LOC")])
    expected = '{"words":["Ada","ß"],"labels":["B-LOC","I-LOC"],"n":1}'
    assert file.content.decode() == f"{expected}\n{lines[1]}\n"


def test_the_label_of_a_text_is_corrected(tmp_path: Path) -> None:
    schema = Schema(name="label", kind="text", labels=("bad", "good"))
    path = write(tmp_path / "a.jsonl", '{"text": "fine", "label": "bad"}\n{"text": "poor", "label": "bad"}\n')
    data = gold_of(path, schema, "label")
    (file,) = corrected(data, [replace(data[0], labels={"label": "good"})], schema, "label")
    assert file.content.decode() == '{"text": "fine", "label": "good"}\n{"text": "poor", "label": "bad"}\n'


# -- which example ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["review.jsonl", "doccano.jsonl", "review.conll"])
def test_an_export_without_changes_corrects_nothing(name: str, tmp_path: Path) -> None:
    data = gold_of(write(tmp_path / "a.conll", COLUMNS))
    assert corrected(data, gold_of(export(data, tmp_path / name))) == []


def test_an_export_says_which_of_two_equal_sentences_was_corrected(tmp_path: Path) -> None:
    data = gold_of(write(tmp_path / "a.conll", COLUMNS))
    review = export(data, tmp_path / "review.jsonl")
    records = [json.loads(line) for line in review.read_text().splitlines()]
    assert [record["suspects"][0]["line"] for record in records] == [3, 7, 11]
    assert {record["suspects"][0]["file"] for record in records} == {str(tmp_path / "a.conll")}
    records[2] |= {"labels": ["O", "B-PER"], "id": "any"}
    write(review, "".join(json.dumps(record) + "\n" for record in reversed(records)))
    (file,) = corrected(data, gold_of(review))
    assert [(change.line, change.after) for change in file.changes.values()] == [(12, "Lima NNP I-PER")]


def test_spans_of_an_annotation_tool_are_those_of_the_words_of_the_data(tmp_path: Path) -> None:
    data = gold_of(write(tmp_path / "a.conll", "Ada's B-PER\nwell-known O\nU.S.-based O\n"))
    review = export(data, tmp_path / "doccano.jsonl")
    record = json.loads(review.read_text())
    text, wanted = "Ada's well-known U.S.-based", [6, 16, "LOC"]
    assert (record["text"], record["label"]) == (text, [[0, 5, "PER"]])
    write(review, json.dumps(record | {"label": [wanted]}))
    (file,) = corrected(data, gold_of(review))
    assert file.content == b"Ada's O\nwell-known B-LOC\nU.S.-based O\n"


def says(data: list[Example], *reviewed: Example) -> str:
    with pytest.raises(DataError) as caught:
        corrected(data, list(reviewed))
    return caught.value.message


def test_what_cannot_be_merged_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", COLUMNS)
    data = gold_of(path)
    plain = [replace(one, id="x", place=None) for one in data]
    assert "example 'x': no example of the gold data has this text: 'Ada sat'" in says(
        data, replace(plain[0], words=("Ada", "sat"), labels={"ner": ("O", "O")})
    )
    assert "2 examples have this text, and nothing says which one is meant" in says(
        data, relabelled(plain[1], "O", "O")
    )
    assert "another record has other labels" in says(data, data[0], relabelled(data[0], "O", "O", "O"))
    named = {"suspects": [{"file": str(path), "line": 7}]}
    assert f"its text is not that of {path}:7" in says(data, replace(plain[0], extra=named))
    cut = replace(plain[0], words=("Ada", "m", "et", "Bob"), labels={"ner": ("O", "B-PER", "O", "O")})
    cut = replace(cut, text="Ada met Bob", offsets=((0, 3), (4, 5), (5, 7), (8, 11)))
    assert "cuts the word 'met'" in says(data, cut)


def test_what_is_in_no_line_of_a_file_is_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", COLUMNS)
    data = gold_of(path)
    change = relabelled(data[0], "O", "O", "O")
    assert "it is in no file" in says([replace(data[0], place=None)], change)
    assert "no column has the labels" in says([relabelled(data[0], "O", "O", "B-LOC")], change)
    write(path, COLUMNS.replace(" I-PER", " I-PER I-PER").replace(" O", " O O"))
    assert "two columns hold the same labels" in says(data[:1], change)
    path.write_bytes(COLUMNS.encode("utf-16"))
    assert "compressed, or not in utf-8" in says(data, change)
    path.unlink()
    assert "is not a file on this machine" in says(data, change)
    records = gold_of(write(tmp_path / "a.jsonl", '{"words": ["Ada"], "labels": ["O"], "tags": ["O"]}\n'))
    assert "the fields labels and tags hold its labels" in says(records, relabelled(records[0], "B-PER"))


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_shows_a_diff_and_writes_a_copy(
    trained: labelkit.RunResult, home: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    before = (corpus / "dev.conll").read_bytes()
    data = gold_of(corpus / "dev.conll")
    number = next(number for number, one in enumerate(data) if set(one.labels["ner"]) != {"O"})
    review = export(data[number : number + 1], tmp_path / "review.jsonl")
    record = json.loads(review.read_text())
    write(review, json.dumps(record | {"labels": ["O"] * len(record["words"])}))
    command = ["errors", "shared", "--apply", str(review)]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "+++" in shown.out
    assert "nothing was written" in shown.err
    copy = tmp_path / "copy.conll"
    assert main([*command, "-o", str(copy), "--json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert (file["output"], (corpus / "dev.conll").read_bytes()) == (str(copy), before)
    old, new = before.splitlines(), copy.read_bytes().splitlines()
    assert [n for n, (a, b) in enumerate(zip(old, new, strict=True), 1) if a != b] == [
        change["line"] for change in file["changes"]
    ]
    assert main([*command, "-o", str(copy)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main([*command, "-o", str(corpus / "dev.conll"), "--force"]) == 1
    assert "read and written at once" in capsys.readouterr().err
    assert main([*command, "--to", "conll", "-o", str(copy)]) == 2
