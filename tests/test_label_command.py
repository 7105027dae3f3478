"""``labelkit label`` on files, folders and streams: what comes in, what goes out, and what goes wrong."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import labelkit
from label_command import SENTENCES, Label, fails, label, lines, opened, write
from labelkit.errors import StorageError
from labelkit.formats.conll import read as read_conll
from labelkit.records import DataSettings, LoadContext
from labelkit.registry.recorder import Recorder

__all__ = ["fails", "label", "opened"]

# -- in ---------------------------------------------------------------------------------------------------------------


def test_each_line_of_a_text_file_is_a_record_blank_ones_too(label: Label) -> None:
    write("a.txt", b"\xef\xbb\xbfAda lives\r\n\r\n  \nBob\tmet \x00 Cleo \xe2\x80\xa8 x")
    found = label("a.txt").records
    assert [record["text"] for record in found] == ["Ada lives", "", "  ", "Bob\tmet \x00 Cleo \u2028 x"]
    assert [record["id"] for record in found] == ["1", "2", "3", "4"]
    assert [len(record["labels"]) for record in found] == [2, 0, 0, 5]
    assert label("a.txt").err.startswith("labelled: 4 records, 7 words, ")


def test_a_document_is_a_record_with_its_line_ends(label: Label) -> None:
    write("a.txt", "Ada\r\nlives\n\nhere")
    (record,) = label("a.txt", "--unit", "document").records
    assert (record["id"], record["text"]) == ("a.txt", "Ada\r\nlives\n\nhere")
    assert len(record["labels"]) == 3


@pytest.mark.parametrize(
    ("name", "content", "arguments"),
    [
        ("a.jsonl", '{"id": "x", "text": "Ada lives", "by": "me"}\n', ()),
        ("a.jsonl", '{"id": "x", "words": ["Ada", "lives"], "by": "me"}\n', ()),
        ("a.jsonl", '{"id": "x", "words": ["Ada", "lives"], "labels": ["B-LOC", "O"], "by": "me"}\n', ()),
        ("a.jsonl", '{"id": "x", "text": "Ada lives", "spans": [[0, 2, "X"]], "by": "me"}\n', ()),
        ("a.ndjson", '{"id": "x", "review": "Ada lives", "by": "me"}\n', ("--columns", "text=review")),
        ("a.csv", "id,review,by\nx,Ada lives,me\n", ("--columns", "text=review")),
        ("a.csv", "id,text,by\r\nx,Ada lives,me\r\n", ()),
        ("a.tsv", "id\ttext\tby\nx\tAda lives\tme\n", ()),
        ("a", '{"id": "x", "text": "Ada lives", "by": "me"}\n', ("--from", "jsonl")),
    ],
)
def test_texts_and_words_are_read_from_every_format_and_own_fields_kept(
    label: Label, name: str, content: str, arguments: tuple[str, ...]
) -> None:
    write(name, content)
    for path in (name, f"{name}.gz"):
        Path(f"{name}.gz").write_bytes(gzip.compress(content.encode()))
        (record,) = label(path, *arguments).records
        assert (record["id"], record["text"], record["words"], record["by"]) == (
            "x",
            "Ada lives",
            ["Ada", "lives"],
            "me",
        )
        given = json.loads(content) if name.endswith("jsonl") else {}
        assert [record.get(f"input_{one}") for one in ("labels", "spans")] == [given.get("labels"), given.get("spans")]


@pytest.mark.parametrize("content", ["Ada\nlives\n\nBob\n", "Ada X B-LOC\nlives Y O\n\nBob Z O\n"])
def test_words_in_columns_keep_their_number(label: Label, content: str) -> None:
    write("a.conll", content)
    assert [record["words"] for record in label("a.conll").records] == [["Ada", "lives"], ["Bob"]]
    write("b.conll", "1 Ada\n2 lives\n")
    assert label("b.conll", "--columns", "tokens=1").records[0]["words"] == ["Ada", "lives"]


def test_words_of_conllu_and_what_a_parquet_file_holds(label: Label) -> None:
    write(
        "a.conllu", "# text = Don't\n1-2\tDon't" + "\t_" * 8 + "\n1\tDo" + "\t_" * 8 + "\n2\tn't" + "\t_" * 8 + "\n\n"
    )
    (record,) = label("a.conllu").records
    assert (record["text"], record["words"]) == ("Don't", ["Do", "n't"])
    write("b.jsonl", '{"text": "Ada lives", "by": "me"}\n')
    assert label("b.jsonl", "-o", "b.parquet").status == 0
    (again,) = label("b.parquet").records
    assert (again["words"], again["by"]) == (["Ada", "lives"], "me")


def test_words_that_are_not_those_of_the_text_are_labelled_and_both_are_kept(label: Label) -> None:
    write("a.jsonl", '{"text": "something else", "words": ["Ada", "lives"]}\n')
    (record,) = label("a.jsonl").records
    assert (record["text"], record["words"], record["input_text"]) == ("Ada lives", ["Ada", "lives"], "something else")


def test_a_folder_is_read_in_order_without_hidden_files_and_what_nobody_reads_is_told(label: Label) -> None:
    write("in/b.txt", "Bob\n")
    write("in/a/z.jsonl.gz", gzip.compress(b'{"text": "Ada"}\n'))
    write("in/.hidden.txt", "no\n")
    write("in/.git/x.txt", "no\n")
    write("in/photo.png", b"\x89PNG")
    done = label("in", "in/b.txt")
    assert [(record["text"], record["file"]) for record in done.records] == [
        ("Ada", "in/a/z.jsonl.gz"), ("Bob", "in/b.txt"), ("Bob", "in/b.txt"),
    ]  # fmt: skip
    assert "note: no format reads in/photo.png\n" in done.err


def test_the_output_is_not_its_own_input(label: Label) -> None:
    write("in/a.txt", "Ada\n")
    assert label("in", "-o", "in/out.jsonl").status == 0
    first = Path("in/out.jsonl").read_bytes()
    assert label("in", "-o", "in/out.jsonl", "--force").status == 0
    assert Path("in/out.jsonl").read_bytes() == first


def test_standard_input_is_lines_or_any_format(label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[bytes, tuple[str, ...]]] = [
        (b"Ada lives\n", ()), (gzip.compress(b"Ada lives\n"), ()), (b'{"text": "Ada lives"}', ("--from", "jsonl")),
    ]  # fmt: skip
    for content, arguments in given:
        write("stdin", content)
        with open("stdin", "rb") as file:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
            assert label("-", *arguments).records[0]["words"] == ["Ada", "lives"]


HOSTILE = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\n\r")
    | st.sampled_from("\u200b\u200d\ufe0f\xad\x00\x1b\u0301مสก你👩🏽 \t.<&[\\"),
    max_size=30,
)  # fmt: skip


@given(texts=st.lists(HOSTILE, min_size=1, max_size=6))
@example(texts=["{"])
@example(texts=["[1] a note", ""])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_lines_come_out_as_they_went_in(label: Label, texts: list[str]) -> None:
    write("a.txt", lines(*texts))
    found = label("a.txt", "-o", "o.jsonl", "--force")
    assert found.status == 0
    records = [json.loads(line) for line in Path("o.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]
    # one byte order mark at the start of a line, as joined files have, is none of its text
    assert [record["text"] for record in records] == [text.removeprefix("\ufeff") for text in texts]
    for record in records:
        assert len(record["labels"]) == len(record["words"]) == record["coverage"]["words"]
        assert all(record["text"][span["start"] : span["end"]] == span["text"] for span in record["spans"])


# -- out --------------------------------------------------------------------------------------------------------------


def test_the_format_follows_the_ending_or_is_named(label: Label) -> None:
    write("a.txt", lines(*SENTENCES))
    wanted = label("a.txt").records
    assert label("a.txt", "-o", "o.conll").status == 0
    corrected = LoadContext(settings=DataSettings(predictions_as_gold=True))
    found = list(read_conll(Path("o.conll"), corrected))
    assert [list(example.labels["labels"]) for example in found] == [record["labels"] for record in wanted]
    assert label("a.txt", "-o", "o.jsonl.gz").status == 0
    with gzip.open("o.jsonl.gz", "rt", encoding="utf-8") as file:
        assert [json.loads(line) for line in file] == wanted
    assert label("a.txt", "--to", "conll").out == Path("o.conll").read_text(encoding="utf-8")
    assert label("--text", SENTENCES[0], "--to", "jsonl").records[0]["labels"] == wanted[0]["labels"]
    shown = label("a.txt", "--to", "terminal").out
    assert all(span["text"] in shown for record in wanted for span in record["spans"])


def test_conllu_leaves_out_what_is_no_sentence_and_texts_that_it_cannot_hold(label: Label) -> None:
    write("a.txt", "Ada lives \n\nBob\n")
    done = label("a.txt", "--to", "conllu")
    assert done.status == 0
    by = "# predicted_by = labelkit"
    wanted = ["# sent_id = 1", by, "1\tAda", "2\tlives", "", "# sent_id = 3", by, "# text = Bob", "1\tBob", "", ""]
    assert [line.split("\t_")[0] for line in done.out.split("\n")] == wanted


def test_the_closing_summary_is_the_json(label: Label, trained: labelkit.RunResult) -> None:
    write("a.txt", lines(*SENTENCES))
    write("b.jsonl", "{}\n")
    done = label("a.txt", "b.jsonl", "-o", "o.jsonl", "--json", "--precision", "fp32")
    found = json.loads(done.out)
    assert found | {"seconds": 0, "words_per_second": 0, "spans": 0} == {
        "run": trained.run, "checkpoint": str(trained.checkpoint), "output": "o.jsonl", "format": "jsonl",
        "notes": [], "assumptions": [], "records": 3,
        "words": 20, "spans": 0, "windows": 3, "fallback": 0, "below_min_score": 0, "failed": 1,
        "below_threshold": 0, "operating_point": None,
        "blank": 0,
        "repaired": 0, "unfinished_files": 0, "resumed_after": 0, "new_records": 3, "new_words": 20,
        "seconds": 0, "words_per_second": 0, "engine": "torch-fp32",
        "precision": "fp32", "device": "cpu", "backoffs": 0,
    }  # fmt: skip
    records = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert found["spans"] == sum(len(record["spans"]) for record in records) > 0
    assert {record["coverage"]["engine"] for record in records} == {"torch-fp32"}
    assert found["words_per_second"] > 0


def test_a_lowest_score_leaves_spans_out_and_counts_them(label: Label) -> None:
    write("a.txt", lines(*SENTENCES))
    spans = [span for record in label("a.txt").records for span in record["spans"]]
    least = sorted(span["score"] for span in spans)[len(spans) // 2]
    done = label("a.txt", "--min-score", str(least))
    kept = [span for record in done.records for span in record["spans"]]
    assert kept == [span for span in spans if span["score"] >= least]
    assert sum(record["coverage"].get("below_min_score", 0) for record in done.records) == len(spans) - len(kept) > 0
    assert f"{len(spans) - len(kept)} labels left out" in done.err


def test_several_texts(label: Label) -> None:
    done = label("--text", "Ada lives", "--text", "Bob", "--json")
    assert [record["words"] for record in json.loads(done.out)] == [["Ada", "lives"], ["Bob"]]
    assert len(label("--text", "Ada lives", "--text", "Bob").out.splitlines()) == 2


def test_the_registry_knows_what_was_written(
    label: Label, trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(Recorder, "log_output", lambda self, *a, **options: told.append((a, options)))
    write("a.txt", "Ada\n")
    label("a.txt", "-o", "o.jsonl")
    ((run, path), options) = told[0]
    assert (run, path) == (trained.run, Path("o.jsonl"))
    assert (options["kind"], options["size"], options["records"]) == ("labelled", Path("o.jsonl").stat().st_size, 1)


def test_a_registry_that_cannot_be_written_is_a_note(label: Label, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise StorageError("the registry is read-only")

    monkeypatch.setattr(Recorder, "log_output", refuse)
    write("a.txt", "Ada\n")
    done = label("a.txt", "-o", "o.jsonl")
    assert done.status == 0
    assert "note: o.jsonl is not recorded: the registry is read-only\n" in done.err


def test_a_checkpoint_from_elsewhere_labels_without_a_registry(
    label: Label, trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", "nowhere")
    write("a.txt", "Ada\n")
    done = Path("nowhere").exists(), label("a.txt", "-o", "o.jsonl", run=str(trained.checkpoint))
    assert (done[0], done[1].status, "note" in done[1].err) == (False, 0, False)
    assert not Path("nowhere").exists()


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.txt",), "error: nowhere.txt does not exist\n  check the path; a text itself is given with --text"),
        (("a.txt", "--to", "connl"), "error: unknown format 'connl'\n  did you mean conll"),
        (("a.txt", "-o", "o.connl"), "error: the ending of o.connl names no format\n  choose one: --to NAME; did"),
        (("a.txt", "--from", "connl"), "error: unknown format 'connl'\n  did you mean conll"),
        (("a.txt", "--from", "terminal"), "error: format 'terminal' cannot be read\n"),
        (("a.txt", "--to", "parquet"), "error: format 'parquet' needs a file\n"),
        (("a.txt", "-o", "there.jsonl"), "error: there.jsonl exists already\n  name another file, or replace it"),
        (("a.txt", "-o", "folder"), "error: folder is a folder\n"),
        (("folder",), "error: folder: no file here can be read\n"),
        (("notext.jsonl",), "error: notext.jsonl:1: no text and no words, the fields are 'body'\n"),
        (("null.jsonl",), "error: null.jsonl:1: the text is missing\n"),
        (("broken.jsonl",), "error: broken.jsonl:1: broken JSON: "),
        (("broken.jsonl", "-o", "o.jsonl"), "error: broken.jsonl:1: broken JSON: "),
        (("mixed.jsonl", "--strict"), "error: mixed.jsonl:2: broken JSON: "),
        (("mixed.jsonl", "--strict", "-o", "o.jsonl"), "error: mixed.jsonl:2: broken JSON: "),
        (("zeros",), "error: zeros holds binary data, or text in another encoding than utf-8\n"),
        (("page.pdf", "--from", "text"), "error: page.pdf is a PDF document, not text"),
        (("page.pdf",), "error: no format reads page.pdf\n"),
        (("random.txt",), "error: random.txt holds binary data"),
        (("classes.jsonl",), "error: classes.jsonl:1: this is a text with one label ('label'), and the labeller"),
        (("classes.csv",), "error: classes.csv:2: this is a text with one label"),
        (("cut.txt.gz",), "error: cut.txt.gz is a broken gzip file"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_that_says_where(
    fails: Callable[..., str], arguments: tuple[str, ...], said: str
) -> None:
    write("a.txt", "Ada\n")
    write("there.jsonl", "")
    write("folder/x.bin", b"\x00")
    write("notext.jsonl", '{"body": "Ada"}\n')
    write("null.jsonl", '{"text": null}\n')
    write("broken.jsonl", '{"text": "Ada"\n')
    write("mixed.jsonl", '{"text": "Ada"}\n{"text": \n{"text": "Bob"}\n')
    write("zeros", b"\x00\x01" * 400)
    write("page.pdf", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    write("random.txt", bytes(range(128, 256)) * 4)
    write("classes.jsonl", '{"text": "Good.", "label": "POSITIVE"}\n')
    write("classes.csv", "text,label\nGood.,POSITIVE\n")
    write("cut.txt.gz", gzip.compress(b"Ada\n" * 9)[:-9])
    assert fails(*arguments).startswith(said)


def test_bad_records_are_told_with_their_line_and_the_rest_goes_on(label: Label) -> None:
    write("a.jsonl", b'{"text": "Ada"}\n{"text": \n["x"]\n\xff\xfe\n\n{"text": 3}\n{"text": "Bob"}\n')
    write("b.csv", "id,text\n1,Ada\n2\n3,\n4,Bob\n")
    for arguments in ((), ("-o", "o.jsonl")):
        done = label("a.jsonl", "b.csv", *arguments)
        assert done.status == 0
        skipped = [line.split(" ")[1] for line in done.err.splitlines() if line.startswith("skipped: ")]
        assert skipped == ["a.jsonl:2:", "a.jsonl:3:", "a.jsonl:4:", "a.jsonl:6:", "b.csv:3:", "b.csv:4:"]
        assert "note: 6 records could not be read or labelled\n" in done.err
    records = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    assert [record["text"] for record in records] == ["Ada", "Bob", "Ada", "Bob"]


def test_of_many_bad_records_the_first_are_told_and_all_counted(label: Label) -> None:
    write("a.jsonl", '{"text": "Ada"}\n' + "{\n" * 99)
    done = label("a.jsonl")
    assert sum(line.startswith("skipped: a.jsonl:") for line in done.err.splitlines()) == 20
    assert "note: 99 records could not be read or labelled\n" in done.err


def test_a_sentence_with_uneven_columns_is_left_out_whole(label: Label) -> None:
    write("a.conll", "Ada O\nlives O\n\nBob O\nmet\nCleo O\n\nTim O\n")
    done = label("a.conll")
    assert done.status == 0
    assert [record["words"] for record in done.records] == [["Ada", "lives"], ["Tim"]]
    assert "skipped: a.conll:5: 2 columns expected as in line 1, 1 found" in done.err


def test_a_file_that_ends_in_the_middle_is_told_and_ends_with_1(label: Label) -> None:
    write("a.txt.gz", gzip.compress(os.urandom(50_000).hex().encode() + b"\n" + b"Ada\nlives\n" * 5000)[:-30])
    write("b.txt", "Bob\n")
    write("c.txt.gz", b"Ada\n")
    done = label("b.txt", "c.txt.gz", "-o", "o.jsonl")
    assert done.status == 1
    assert [json.loads(line)["text"] for line in Path("o.jsonl").read_text().splitlines()] == ["Bob"]
    assert "skipped: c.txt.gz is not a gzip file" in done.err
    assert done.err.splitlines()[-2] == "error: 1 file could not be read to the end"


@pytest.mark.parametrize(
    "arguments",
    [(), ("a.txt", "--text", "x"), ("a.txt", "--resume"), ("a.txt", "--json"), ("--text", "x", "--min-score", "2")],
)
def test_wrong_usage_ends_with_2(label: Label, arguments: tuple[str, ...]) -> None:
    write("a.txt", "Ada\n")
    done = label(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "Usage: labelkit label" in done.err


def test_what_a_format_cannot_hold_leaves_the_labels_for_another(label: Label) -> None:
    write("a.jsonl", '{"words": ["Ada"]}\n{"words": ["a\\tb"]}\n')
    done = label("a.jsonl", "-o", "o.conll")
    assert done.status == 1
    assert "2 labelled records are kept: --resume with another --to writes them" in done.err
    assert not Path("o.conll").exists()
    again = label("a.jsonl", "-o", "o.conll", "--to", "jsonl", "--resume")
    assert again.status == 0
    assert [json.loads(line)["words"] for line in Path("o.conll").read_text().splitlines()] == [["Ada"], ["a\tb"]]
    assert sorted(path.name for path in Path().iterdir()) == ["a.jsonl", "o.conll"]


def test_columns_of_the_input_are_carried_and_what_is_left_out_is_named(label: Label) -> None:
    write("a.conll", "EU NNP B-ORG\nrejects VBZ O\n\n")
    assert label("a.conll", "-o", "o.jsonl").status == 0
    record = json.loads(Path("o.jsonl").read_text())
    assert (record["words"], record["column1"]) == (["EU", "rejects"], ["NNP", "VBZ"])
    assert record["column2"] == ["B-ORG", "O"]
    done = label("a.conll", "-o", "o.conll")
    assert "left out" not in done.err
    lines = [line.split("\t") for line in Path("o.conll").read_text().split("\n")]
    assert lines[0] == ["# labels predicted by labelkit", "_", "_", "O"]
    assert [line[:3] for line in lines[1:3]] == [["EU", "NNP", "B-ORG"], ["rejects", "VBZ", "O"]]
    write("g.jsonl", '{"text": "Ada ran", "spans": [], "ner_tags": [1, 0]}\n{"text": "Ada"}\n')
    assert label("g.jsonl", "-o", "g.csv").status == 0
    with Path("g.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert [(row["input_spans"], row["input_ner_tags"]) for row in (first, second)] == [("[]", "[1, 0]"), ("", "")]
    done = label("o.jsonl", "-o", "again.jsonl")
    assert "note: labels of the input in the field 'labels' were not kept: 1" in done.err  # predictions
    assert "input_labels" not in Path("again.jsonl").read_text()
    write("b.jsonl", '{"text": "Ada ran", "source": "web", "score": 0.3}\n{"text": "", "page": 2}\n{}\n')
    done = label("b.jsonl", "-o", "p.conll")
    assert "note: format 'conll' does not hold the fields source, score, page: they are left out" in done.err
    assert "note: 1 blank record left out, 1 written: conll holds no sentence without words" in done.err
    assert "left out" not in label("b.jsonl", "-o", "p.jsonl").err
    assert "left out" not in label("b.jsonl", "-o", "p.html").err
