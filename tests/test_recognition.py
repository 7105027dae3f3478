"""The format of a file: by its ending, then by its content, with a line that says what was assumed."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from pathlib import Path

import pytest

from labelkit.errors import DataError
from labelkit.files.reading import STDIN, read_lines
from labelkit.formats.builtin import FORMATS
from labelkit.formats.content import guess_format
from labelkit.formats.plain_text import text_format
from labelkit.formats.recognition import reader_for
from labelkit.records import Example, LoadContext

KNOWN = {known.name: known for known in FORMATS}
TAGGED = "Ada B-PER\nran O\n\nBob B-PER\nsat O\n"
FOUR = "EU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n"
SUFFIXED = "Ada\tPER-S\nran\tO\n\n"
PLAIN_TAGS = "Ada\tNOUN\nran\tVERB\n\nBob\tNOUN\nsat\tVERB\nin\tADP\nRome\tNOUN\n"
JSON_LINES = '{"text": "Ada ran"}\n{"text": "Bob sat"}\n'
CONLLU = "# sent_id = 1\n1\tAda\tAda\tPROPN\tNNP\t_\t0\troot\t_\t_\n\n"
PROSE = "Ada ran to Rome.\nBob sat in Rome.\n"
TABLE = "id\ttext\n1\tAda ran\n"


@pytest.mark.parametrize(
    ("name", "content", "trained", "labelled"),
    [
        ("a.conll", TAGGED, "conll", "conll"),
        ("a.txt", TAGGED, "conll", "conll!"),
        ("a.txt", PROSE, "conll", "text"),
        ("a.txt", JSON_LINES, "jsonl!", "jsonl!"),
        ("a.txt", CONLLU, "conllu!", "conllu!"),
        ("a.txt", PLAIN_TAGS, "conll", "text"),
        ("a.txt", TABLE, "conll", "text"),
        ("a.annotated", TAGGED, "conll!", "conll!"),
        ("a.testa", FOUR, "conll!", "conll!"),
        ("a.bmes", SUFFIXED, "conll!", "conll!"),
        ("a.conll2003", PLAIN_TAGS, "conll!", "conll!"),
        ("a.data", JSON_LINES, "jsonl!", "jsonl!"),
        ("a.data", '[{"text": "Ada ran"}]', "json!", "json!"),
        ("a.data", '[\n  {\n    "text": "Ada ran"\n  }\n]', "json!", "json!"),
        ("a.data", TABLE, "tsv!", "tsv!"),
        ("a.psv", "id|text\n1|Ada ran\n", "csv!", "csv!"),
        ("a.xyz", PROSE, "conll!", "text!"),
        ("a.xyz", "[Ada] ran to Rome.\n", "conll!", "text!"),
        ("a", PROSE, "conll!", "text!"),
        ("a.jsonlines", JSON_LINES, "jsonl", "jsonl"),
        ("a.jl", JSON_LINES, "jsonl", "jsonl"),
        ("a.tab", TABLE, "tsv", "tsv"),
    ],
)
def test_the_ending_counts_and_then_the_content(
    tmp_path: Path, name: str, content: str, trained: str, labelled: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    if "json" not in KNOWN and trained == "json!":
        trained, labelled = "conll!", "text!"
    for known, fallback, wanted in ((KNOWN, "conll", trained), (KNOWN | {"text": text_format()}, "text", labelled)):
        ctx = LoadContext()
        found = reader_for(path, known, fallback=fallback, option="--from NAME", ctx=ctx)
        assumed = list(ctx.policy.assumptions)
        assert found.name + "!" * len(assumed) == wanted
        assert all(str(path) in line and "--from NAME says otherwise" in line for line in assumed)


def test_columns_and_names_that_the_user_gives_count_more(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(CONLLU)
    ctx = LoadContext(columns={"tokens": "1", "ner": "9"})
    assert reader_for(path, KNOWN, ctx=ctx).name == "conll"
    assert reader_for(path, KNOWN, "jsonl", ctx=ctx).name == "jsonl"
    assert not ctx.policy.assumptions


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_recognised_and_then_read_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pack: type[bytes]
) -> None:
    path = tmp_path / "in"
    path.write_bytes(pack(JSON_LINES.encode() * 9000))
    with path.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert reader_for(STDIN, KNOWN | {"text": text_format()}, fallback="text").name == "jsonl"
        assert sum(1 for _ in read_lines(STDIN)) == 18000


def test_data_of_another_task_is_named_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.annotated"
    path.write_text(TAGGED)
    with pytest.raises(DataError, match="is conll, which holds no text examples"):
        reader_for(path, KNOWN, kind="text")


def test_content_is_guessed_of_whole_lines_only() -> None:
    assert guess_format(TAGGED + "cut", complete=False) == "conll"
    assert guess_format(TAGGED + "cut", complete=True) is None
    assert guess_format("", complete=True) is None


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("[1] Smith et al., 2001\n[2] Jones, 2002\n", None),
        ("[12:30] <ada> hello\n[12:31] <bob> hi\n", None),
        ("[2026-12-01 10:00] INFO started\n", None),
        ('["Yes", she said\n', None),
        ('{"hello" she said\n', None),
        ("[[Wiki link]] of a page\n", None),
        ("[", None),
        ("{", None),
        ("[\n[", None),
        ("{\nwhat\n", None),
        ("[" * 100_000, None),
        ('[\n {"text": "Ada"}\n]\n', "json"),
        ('{\n "data": []\n}\n', "json"),
        ("[1,\n2]\n", "json"),
        ('[{"text": "Ada"},\n{"te', "json"),  # broken, which its reader says
        ('{"text": "Ada", }\n', "json"),
        ('[["Ada", "B-PER"],', "json"),
        ('{"text": "Ada"}\n{"te', "jsonl"),
    ],
)
def test_text_in_brackets_is_no_json(content: str, name: str | None) -> None:
    assert guess_format(content, complete=True, sure=True) == name


@pytest.mark.parametrize("content", ['["' + "a" * 99, '[\n{"text":', "[\n" + "[1,\n" * 500, '{"text": "Ada"'])
def test_the_start_of_json_is_recognised(content: str) -> None:
    assert guess_format(content, complete=False, sure=True) == "json"


def read_all(path: Path) -> list[Example]:
    chosen = reader_for(path, KNOWN)
    assert chosen.read is not None
    return list(chosen.read(path, LoadContext(kind="token")))


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.conll", text)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["a.conll", "a.jsonl", "a.csv", "a.txt", "a.conllu", "a.unknown", "a.zip"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (zipped(TAGGED), "a zip archive"),
        (b"\x04\x22\x4d\x18\xff\0", "compressed with lz4"),
        (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
        (b"train.conll" + b"\0" * 246 + b"ustar\0", "a tar archive"),
        (gzip.compress(gzip.compress(b"Ada B-PER\n", mtime=0), mtime=0), "compressed twice, with gzip inside"),
    ],
    ids=["zip", "lz4", "pdf", "tar", "gzip"],
)
def test_what_is_no_text_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_all(path)
    archive = name == "a.zip" and "is an archive" in caught.value.message
    assert what in caught.value.message or archive
    assert "encoding" not in str(caught.value.hint)


@pytest.mark.parametrize("content", ["BZh is a word\n", "%PDF- is none\n", "Rar! said Ada\n"])
def test_text_that_begins_like_an_archive_is_text(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content)
    assert [line for _, line in read_lines(path)] == [content.strip()]


def test_carriage_returns_end_lines_where_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"Ada B-PER\rran O\r\rBob B-PER\r")
    assert [line for _, line in read_lines(path)] == ["Ada B-PER", "ran O", "", "Bob B-PER"]
    path.write_bytes(b"a\rb\n")  # a carriage return within a line stays there
    assert [line for _, line in read_lines(path)] == ["a\rb"]
    path.write_bytes(b"a\r" * 40_000 + b"b\nc\r")
    with pytest.raises(DataError, match=":40001: some lines end with a carriage return alone"):
        list(read_lines(path))
