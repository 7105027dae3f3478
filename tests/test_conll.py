from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labelkit.errors import DataError
from labelkit.formats import conll
from labelkit.formats.column_lines import DOCUMENT_START
from labelkit.records import Coverage, Example, Labelled, LoadContext


class Memory:
    """An Output that keeps what is written."""

    def __init__(self) -> None:
        self.stream: BinaryIO = io.BytesIO()

    def beside(self, suffix: str) -> BinaryIO:
        raise NotImplementedError

    @property
    def content(self) -> bytes:
        self.stream.seek(0)
        return self.stream.read()


def labelled(words: Sequence[str], labels: Sequence[str], id_: str = "1") -> Labelled:
    coverage = Coverage(words=len(words), windows=0)
    return Labelled(id=id_, text=" ".join(words), words=tuple(words), labels=tuple(labels), coverage=coverage)


def read(path: Path, content: str | bytes, layer: str | None = None, **columns: str) -> list[Example]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(conll.read(path, LoadContext(columns=columns, layer=layer)))


def failure(path: Path, content: str, **columns: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, content, **columns)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.conll"


def test_columns_places_and_default_layer(path: Path) -> None:
    one, two = read(path, "\n\nEU NNP B-ORG\nrejects VBZ O\n\nPeter NNP B-PER\n", layer="ner")
    assert one.words == ("EU", "rejects")
    assert one.labels == {"ner": ("B-ORG", "O")}
    assert (one.id, two.id) == ("1", "2")
    assert one.document is None
    assert one.place is not None
    assert [one.place.of_word(0), one.place.of_word(1)] == [f"{path}:3", f"{path}:4"]
    assert str(two.place) == f"{path}:6"


def test_any_column_by_number(path: Path) -> None:
    (only,) = read(path, "O NNP x EU\n", tokens="-1", ner="0", pos="-3")
    assert only.words == ("EU",)
    assert only.labels == {"ner": ("O",), "pos": ("NNP",)}


@pytest.mark.parametrize("content", ["a O\r\n\r\nb O\r\n", "a\tO\n \t \nb\tO", "\ufeffa   O\n\u00a0\nb\t  O\n\n\n"])
def test_what_ends_a_sentence(path: Path, content: str) -> None:
    assert [e.words for e in read(path, content)] == [("a",), ("b",)]


def test_gzip(path: Path) -> None:
    assert read(path.with_suffix(".conll.gz"), gzip.compress(b"a O\n"))[0].words == ("a",)


def test_tabs_alone_separate_where_they_do(path: Path) -> None:
    (only,) = read(path, "New York\tB-LOC\na\u00a0b\tO\n \u3000\tO\n")
    assert only.words == ("New York", "a\u00a0b", " \u3000")


def test_blanks_around_labels_are_no_part_of_them(path: Path) -> None:
    assert read(path, "a \tO \nb\t B-x\n")[0].labels == {"labels": ("O", "B-x")}


def test_only_blanks_separate_otherwise(path: Path) -> None:
    (only,) = read(path, "a\u00a0b   NN O\nc\u2028d\x0c NN \t O \n")
    assert only.words == ("a\u00a0b", "c\u2028d\x0c")
    assert only.labels == {"labels": ("O", "O")}


def test_a_file_of_bare_words_has_no_labels(path: Path) -> None:
    (only,) = read(path, "a\n\u00a0\n#\n# \nb\n", layer="ner")
    assert only.words == ("a", "\u00a0", "#", "#", "b")
    assert only.labels == {}


@pytest.mark.parametrize("border", ["-DOCSTART- -X- O O", "-DOCSTART-", "-DOCSTART-\t-X-"])
@pytest.mark.parametrize("blank", ["", "\n"])
def test_borders_make_documents(path: Path, border: str, blank: str) -> None:
    first = f"a O\n\nb O\n{blank}{border}\n{blank}c O\n{border}\n{blank}{border}\nd O\n{border}"
    for content in (first, f"{border}\n{blank}{first}"):
        examples = read(path, content)
        assert [(e.words, e.document) for e in examples] == [
            (("a",), "1"),
            (("b",), "1"),
            (("c",), "2"),
            (("d",), "3"),
        ]


def test_a_word_that_only_starts_like_a_border_is_a_word(path: Path) -> None:
    (only,) = read(path, "-DOCSTART-s O\nb O\n")
    assert (only.words, only.document) == (("-DOCSTART-s", "b"), None)


def test_hashes_are_words_where_they_could_be(path: Path) -> None:
    (only,) = read(path, "# # B-NP\n1.8 CD I-NP\n# text I-NP\n")
    assert only.words == ("#", "1.8", "#")
    (only,) = read(path, "#\tO\n# 1\tO\n#tag\tO\n")
    assert only.words == ("#", "# 1", "#tag")


def test_comments_of_tabbed_files(path: Path) -> None:
    examples = read(path, "# id = 1\n# text = a b\na\tO\nb\tO\n\n# id = 2\nc\tO\n")
    assert [e.words for e in examples] == [("a", "b"), ("c",)]
    assert str(examples[0].place) == f"{path}:3"
    assert failure(path, "a\tO\n# b\n").message.startswith(f"{path}:2: 2 columns expected")


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a O\nb\n", {}, "{}:2: 2 columns expected as in line 1, 1 found"),
        ("a O\n\nb NN O\n", {}, "{}:3: 2 columns expected as in line 1, 3 found"),
        ("a\tO\nb c O\n", {}, "{}:2: 2 columns expected as in line 1, 1 found"),
        ("\na O\n", {"ner": "3"}, "{}:2: no column 3 for 'ner', the line has 2 columns"),
        ("a O\n", {"ner": "-3"}, "{}:1: no column -3 for 'ner', the line has 2 columns"),
        ("a\n", {"ner": "1"}, "{}:1: no column 1 for 'ner', the line has 1 column"),
        ("a O\n", {"tokens": "2"}, "{}:1: no column 2 for 'tokens', the line has 2 columns"),
        ("O a\n", {"tokens": "1", "labels": "-1"}, "{}:1: 'tokens' and 'labels' are both read from column 1"),
        ("a O\n", {"ner": "x"}, "CoNLL columns are numbers, not names: ner=x"),
        ("b\tO\na\t\n", {}, "{}:2: the column of 'labels' is empty"),
        ("b\tO\na\t \n", {}, "{}:2: the column of 'labels' is empty"),
        ("b\tO\n\tO\n", {}, "{}:2: the column of 'tokens' is empty"),
    ],
)
def test_bad_columns(path: Path, content: str, columns: dict[str, str], message: str) -> None:
    error = failure(path, content, **columns)
    assert error.message == message.format(path)
    assert error.hint


def test_not_utf8_and_missing(path: Path) -> None:
    path.write_bytes(b"a O\n\xff O\n")
    with pytest.raises(DataError, match=r"a\.conll:2: not UTF-8 at byte offset 4"):
        list(conll.read(path, LoadContext()))
    assert next(conll.read(path, LoadContext(encoding="latin-1"))).words == ("a", "ÿ")
    with pytest.raises(DataError, match="does not exist"):
        list(conll.read(path.with_name("none"), LoadContext()))


hostile = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\t\n"),
        st.sampled_from("#- \r\u00a0\u2028\u0085\x0b\x0c\x1c\ufeff\ufe0f\u200d\x00\U0001f468"),
    ),
    min_size=1,
).filter(lambda word: word.strip(" \t") and word != DOCUMENT_START)
sentences = st.lists(st.lists(hostile, min_size=1, max_size=4), max_size=4)


@given(sentences=sentences)
@example(sentences=[["\ufeffa"], ["\ufeff"]])
@example(sentences=[["# a", "-DOCSTART- x", "#"], ["\r"]])
def test_written_and_read_is_the_same(tmp_path_factory: pytest.TempPathFactory, sentences: list[list[str]]) -> None:
    output = Memory()
    conll.write((labelled(words, ["B-x y"] * len(words)) for words in sentences), output)
    path = tmp_path_factory.mktemp("conll") / "a.conll"
    examples = read(path, output.content, layer="ner")
    assert [e.words for e in examples] == [tuple(words) for words in sentences]
    assert all(label == "B-x y" for e in examples for label in e.labels["ner"])
    again = Memory()
    conll.write((labelled(e.words or (), e.labels["ner"]) for e in examples), again)
    assert again.content == output.content


def test_predictions_are_marked_in_the_first_line() -> None:
    output = Memory()
    record = labelled(["Ada"], ["B-PER"])
    predicted = replace(record, coverage=Coverage(words=1, windows=1), extra={"document": "a", "column1": ["NNP"]})
    conll.write([replace(record, words=(), labels=()), predicted], output)
    assert output.content.decode().split("\n")[:4] == [
        "# labels predicted by labelkit\t_\tO", "-DOCSTART-\tO", "", "Ada\tNNP\tB-PER",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["a\tb", "a\nb", "", " ", "-DOCSTART-", "\ud800"])
def test_what_cannot_be_written_is_refused(word: str) -> None:
    output = Memory()
    with pytest.raises(DataError, match=r"record '7': .* cannot be written in CoNLL columns"):
        conll.write([labelled(["fine", word], ["O", "O"], "7")], output)
    assert output.content == b""
