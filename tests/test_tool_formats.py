"""What annotation tools hold comes back as it was; a page of HTML shows it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from labelkit.data.convert import to_labelled
from labelkit.errors import DataError
from labelkit.labels.schemes import spans_of
from labelkit.records import Coverage, Example, Labelled, Span
from tool_documents import (
    BY_NAME,
    FAMILY,
    GRIN,
    PIECES,
    read,
    spans_in,
    text_documents,
    there_and_back,
    token_documents,
    write,
)

KEEPERS = ["doccano", "label-studio", "prodigy", "spacy"]
TOUCHING = f"{GRIN} New York Paris left"


def same(before: list[Example], after: list[Example]) -> None:
    fields = ("id", "words", "text", "offsets", "extra")
    assert len(after) == len(before)
    for one, other in zip(before, after, strict=True):
        assert {name: getattr(one, name) for name in fields} == {name: getattr(other, name) for name in fields}
        assert list(one.labels.values()) == list(other.labels.values())


@pytest.mark.parametrize("name", KEEPERS)
def test_a_thousand_documents_come_back(tmp_path: Path, name: str) -> None:
    documents = token_documents(7, 1000)
    assert {len(one.words or ()) for one in documents} == set(range(1, 13))
    same(documents, there_and_back(tmp_path, documents, name))


@pytest.mark.parametrize("name", [*KEEPERS, "brat"])
def test_a_thousand_documents_come_back_by_text_and_spans(tmp_path: Path, name: str) -> None:
    documents = token_documents(11, 1000, split=True)
    assert sum("\n" in (one.text or "") for one in documents) > 100
    same(documents, there_and_back(tmp_path, documents, name))


@pytest.mark.slow
@pytest.mark.parametrize("name", KEEPERS)
def test_a_thousand_texts_come_back(tmp_path: Path, name: str) -> None:
    documents = text_documents(13, 1000)
    same(documents, there_and_back(tmp_path, documents, name))


@pytest.mark.parametrize("name", KEEPERS)
def test_words_without_a_text(tmp_path: Path, name: str) -> None:
    words = ("Ada", "", "the  Great", "\u00a0", "ran", ".")
    before = Example(id="x", words=words, labels={"labels": ("B-PER", "O", "B-PER", "O", "O", "O")})
    (after,) = there_and_back(tmp_path, [before], name)
    assert (after.words, after.labels, after.text) == (words, before.labels, " ".join(words))


def labelled(**given: object) -> Labelled:
    """Return a record as a labeller gives it: two places that touch, one name."""
    words = ("\U0001f600", "New", "York", "Paris", "left")
    offsets = ((0, 1), (2, 5), (6, 10), (11, 16), (17, 21))
    found = Labelled(
        id="7",
        text=TOUCHING,
        words=words,
        labels=("O", "B-LOC", "I-LOC", "B-LOC", "O"),
        offsets=offsets,
        spans=(Span(start=2, end=10, label="LOC", text="New York", score=0.75),
               Span(start=11, end=16, label="LOC", text="Paris", score=0.5)),
        coverage=Coverage(words=5, windows=1, fallback=1),
        extra={"url": "u"},
    )  # fmt: skip
    return replace(found, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*KEEPERS, "brat"])
def test_neighbours_of_one_type_stay_two(tmp_path: Path, name: str) -> None:
    (after,) = there_and_back(tmp_path, [labelled()], name, predictions_as_gold=True)
    assert spans_in(after) == [("New York", "LOC", 2), ("Paris", "LOC", 11)]
    assert after.labels["labels"] == ("O", "B-LOC", "I-LOC", "B-LOC", "O")


@pytest.mark.parametrize("name", [*KEEPERS, "brat"])
def test_no_span_bridges_an_o(tmp_path: Path, name: str) -> None:
    before = Example(id="1", words=("a", "b", "c"), labels={"labels": ("B-X", "O", "I-X")})
    (after,) = there_and_back(tmp_path, [before], name)
    assert after.labels["labels"] == ("B-X", "O", "B-X")


def test_spans_have_scores_where_the_tool_has_a_place(tmp_path: Path) -> None:
    def text(name: str) -> str:
        return write(tmp_path / f"{name}.a", [labelled()], name).read_text()

    doccano = json.loads(text("doccano"))
    assert doccano["label"] == [[2, 10, "LOC"], [11, 16, "LOC"]]
    assert (doccano["url"], doccano["labelkit"]["scores"]) == ("u", [0.75, 0.5])
    assert doccano["labelkit"]["coverage"]["fallback"] == 1
    (task,) = json.loads(text("label-studio"))
    assert "annotations" not in task
    (prediction,) = task["predictions"]
    assert prediction["score"] == 0.5
    assert [result["score"] for result in prediction["result"]] == [0.75, 0.5]
    prodigy = json.loads(text("prodigy"))
    assert "answer" not in prodigy
    assert [(span["token_start"], span["token_end"], span["score"]) for span in prodigy["spans"]] == [
        (1, 2, 0.75), (3, 3, 0.5),
    ]  # fmt: skip
    assert prodigy["meta"] == {"url": "u"}
    assert text("brat") == (
        "T1\tLOC 2 10\tNew York\n#1\tAnnotatorNotes T1\tscore 0.75\nT2\tLOC 11 16\tParis\n"
        "#2\tAnnotatorNotes T2\tscore 0.5\n"
    )
    assert (tmp_path / "brat.txt").read_text() == f"{TOUCHING}\n"


def test_classes_have_all_their_scores(tmp_path: Path) -> None:
    scores = {"POS": 0.2, "NEG": 0.7, "MIXED": 0.1}
    record = Labelled(
        id="1", text=f"{FAMILY} bad", label="NEG", score=0.7, scores=scores, coverage=Coverage(words=1, windows=1)
    )
    for name in KEEPERS:
        path = write(tmp_path / f"{name}.a", [record], name)
        (after,) = read(path, name, kind="text", layer="stars", predictions_as_gold=True)
        assert (after.text, after.labels) == (record.text, {"stars": "NEG"})
    assert json.loads((tmp_path / "doccano.a").read_text())["labelkit"]["scores"] == scores
    (task,) = json.loads((tmp_path / "label-studio.a").read_text())
    assert task["predictions"][0]["result"][0]["value"] == {"choices": ["NEG"]}
    assert task["predictions"][0]["score"] == 0.7
    prodigy = json.loads((tmp_path / "prodigy.a").read_text())
    assert [option["id"] for option in prodigy["options"]] == list(scores)
    assert prodigy["accept"] == ["NEG"]


def test_docbin_is_what_spacy_expects(tmp_path: Path) -> None:
    import spacy
    from spacy.tokens import DocBin

    tagged = Example(id="2", words=("Ada", "ran"), labels={"labels": ("PROPN", "VERB")})
    classed = Labelled(
        id="3", text="t", label="A", score=0.5, scores={"B": 0.5, "A": 0.5}, coverage=Coverage(words=1, windows=1)
    )
    path = write(tmp_path / "a.spacy", [labelled(), tagged, classed], "spacy")
    vocab = spacy.blank("en").vocab
    first, second, third = list(DocBin().from_disk(path).get_docs(vocab))
    assert first.text == TOUCHING
    assert [(ent.text, ent.label_, ent.start_char) for ent in first.ents] == [
        ("New York", "LOC", 2),
        ("Paris", "LOC", 11),
    ]
    assert [token.ent_iob_ for token in first] == ["O", "B", "I", "B", "O"]
    assert [(token.text, token.tag_) for token in second] == [("Ada", "PROPN"), ("ran", "VERB")]
    assert not second.has_annotation("ENT_IOB")
    assert third.cats == {"A": 0.5, "B": 0.5}
    assert [one.labels["label"] for one in read(path, "spacy", kind="text", predictions_as_gold=True)] == ["A"]


def test_docbin_of_spacy_itself(tmp_path: Path) -> None:
    """What spaCy's own tokenizer made: white space in tokens of their own, no field of ours."""
    import spacy
    from spacy.tokens import DocBin

    nlp = spacy.blank("en")
    doc = nlp(f"{FAMILY}  Ada\n\nLovelace's  here")
    start = doc.text.index("Ada")
    name = doc.char_span(start, doc.text.index("'s"), label="PER")
    assert name is not None
    doc.ents = (name,)
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "a.spacy")
    (found,) = read(tmp_path / "a.spacy", "spacy", kind="token", layer="ner")
    assert found.text == doc.text
    assert (found.words or ())[-4:] == ("Ada", "Lovelace", "'s", "here")
    assert found.labels["ner"][-4:] == ("B-PER", "I-PER", "O", "O")
    for token in doc:
        token.tag_ = "_SP" if token.is_space else "X"
    DocBin(docs=[doc]).to_disk(tmp_path / "b.spacy")
    (found,) = read(tmp_path / "b.spacy", "spacy", kind="token", layer="pos", plain_labels=True)
    assert set(found.labels["pos"]) == {"X"}


# -- the page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects what a browser would show, and every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def test_the_page_stands_alone_and_escapes_everything(tmp_path: Path) -> None:
    evil = '<script>alert(1)</script><img src="https://x.example/a.png" onerror=alert(1)>'
    record = labelled(
        id=evil, extra={evil: evil}, spans=(Span(start=0, end=1, label=evil, text=GRIN, score=0.987),),
    )  # fmt: skip
    text = Labelled(
        id="2",
        text=f"{evil}\x00\x1b",
        label=evil,
        score=0.5,
        scores={evil: 0.5, "n": 0.5},
        coverage=Coverage(words=1, windows=1),
    )
    page = Page(write(tmp_path / "a.html", [record, text], "html").read_text())
    assert not {"script", "img", "link", "iframe", "object"} & set(page.tags)
    assert not {name for name, _ in page.attributes} & {"src", "href", "onerror", "onload"}
    assert not re.search(r"url\(|@import|https?:", "".join(page.shown).replace("https://x.example", ""))
    shown = "".join(page.shown)
    assert shown.count(evil) >= 7
    assert "0.99" in shown
    assert "\u2400\u241b" in shown
    assert ("dir", "auto") in page.attributes
    assert "2 records" in shown


def test_the_page_shows_every_text_as_it_is(tmp_path: Path) -> None:
    documents = [one for one in token_documents(5, 200) if not re.search("[\x00\x1b\x0c\x85\r]", one.text or "")]
    page = write(tmp_path / "a.html", documents, "html").read_bytes().decode()
    texts = [
        re.sub(r"<bdi>.*?</bdi>", "", found) for found in re.findall(r'<p dir="auto">(.*?)</p>\n', page, re.DOTALL)
    ]
    assert ["".join(Page(text).shown) for text in texts] == [one.text for one in documents]
    assert len(documents) > 30


def test_plain_labels_make_a_span_for_each_word(tmp_path: Path) -> None:
    before = Example(id="1", words=("Ada", "ran"), labels={"labels": ("PROPN", "VERB")})
    for name in ("doccano", "label-studio", "prodigy", "spacy"):
        (after,) = there_and_back(tmp_path, [before], name)
        assert after.labels["labels"] == ("PROPN", "VERB")
    (after,) = there_and_back(tmp_path, [before], "brat", plain_labels=True)
    assert after.labels["labels"] == ("PROPN", "VERB")
    assert (tmp_path / "a.ann").read_text() == "T1\tPROPN 0 3\tAda\nT2\tVERB 4 7\tran\n"


def test_writers_take_records_one_by_one(tmp_path: Path) -> None:
    """Each record is written before the next is asked for, so that memory does not grow."""
    for name in ("doccano", "label-studio", "prodigy", "brat", "html"):
        writer = BY_NAME[name].write
        assert writer is not None
        sizes: list[int] = []

        class Sink:
            def __init__(self) -> None:
                self.size = 0

            def write(self, content: bytes) -> int:
                self.size += len(content)
                return len(content)

        main, other = Sink(), Sink()

        class Output:
            stream = main

            def beside(self, suffix: str, sink: Sink = other) -> Sink:
                return sink

        def records(sink: Sink = main, sizes: list[int] = sizes) -> object:
            for example in token_documents(3, 20, split=True):
                sizes.append(sink.size)
                yield replace(to_labelled(example), spans=(), labels=None, words=example.words)

        writer(records(), Output())
        assert name == "brat" or all(now > before for before, now in pairwise(sizes))


def test_random_documents_are_hard_enough() -> None:
    texts = [one.text or "" for one in token_documents(7, 1000)]
    assert all(any(piece in text for text in texts) for piece in PIECES)
    astral_before = [one for one in token_documents(7, 1000) if any(
        any(mark > "\uffff" for mark in (one.text or "")[:start]) for _, _, start in spans_in(one)
    )]  # fmt: skip
    assert len(astral_before) > 300
    touching = [one for one in token_documents(7, 1000) if any(
        end == start and label == other
        for (_, end, label), (start, _, other) in _neighbours(one)
    )]  # fmt: skip
    assert len(touching) > 50


def _neighbours(example: Example) -> list[tuple[tuple[int, int, str], tuple[int, int, str]]]:
    labels = next(iter(example.labels.values()))
    assert not isinstance(labels, str)
    try:
        spans = spans_of(labels, "IOB2")
    except DataError:
        return []
    return list(pairwise(spans))
