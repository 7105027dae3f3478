"""The counts of the real corpora, which are found by LABELKIT_DATA alone and never copied here."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from labelkit.data import sources
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.summary import SplitSummary, summarise
from labelkit.formats import conll
from labelkit.records import LoadContext, Scheme
from reading_contexts import OnePlugin

pytestmark = pytest.mark.realdata


def corpora() -> Path:
    root = os.environ.get("LABELKIT_DATA")
    if not root:
        pytest.skip("LABELKIT_DATA is not set")
    return Path(root)


@cache
def corpus(reference: str, layer: str, scheme: Scheme | None = "IOB2") -> Corpus:
    root = corpora()
    if not (root / reference).is_dir():
        pytest.skip(f"LABELKIT_DATA holds no {reference}")
    catalog = SimpleNamespace(
        sources={source.name: source for source in sources.SOURCES},
        formats={format_.name: format_ for format_ in conll.FORMATS},
        schemas={schema.name: schema for schema in sources.SCHEMAS},
        owner=OnePlugin().owner,
    )
    ctx = LoadContext(root=root)
    return load_corpus(reference, layer=layer, kind="token", scheme=scheme, catalog=catalog, ctx=ctx)


def figures(summary: SplitSummary) -> tuple[int, int, int, int]:
    return summary.examples, summary.words, summary.documents, sum(summary.spans.values())


@pytest.mark.parametrize(
    ("reference", "layer", "expected"),
    [
        ("wnut17", "ner", [(3394, 62730, 0, 1975), (1009, 15733, 0, 836), (1287, 23394, 0, 1079)]),
        (
            "conll2003",
            "ner",
            [(14041, 203621, 946, 23499), (3250, 51362, 216, 5942), (3453, 46435, 231, 5648)],
        ),
        (
            "conll2003",
            "chunk",
            [(14041, 203621, 946, 99997), (3250, 51362, 216, 25737), (3453, 46435, 231, 22020)],
        ),
    ],
)
def test_counts(reference: str, layer: str, expected: list[tuple[int, int, int, int]]) -> None:
    found = corpus(reference, layer)
    assert [figures(summary) for summary in summarise(found)] == expected
    assert found.notes == ()
    assert found.repaired == 0
    assert not any(split.held_out for split in found.splits.values())


def test_named_schemas_hold_exactly_what_the_corpora_hold() -> None:
    for reference, layer in (("wnut17", "ner"), ("conll2003", "ner"), ("conll2003", "chunk")):
        found = corpus(reference, layer)
        seen = {type_ for summary in summarise(found) for type_ in summary.spans}
        assert seen == set(found.schema.types)


def test_wnut17_has_words_that_some_tokenizers_lose() -> None:
    splits = corpus("wnut17", "ner").splits
    counts = [
        sum((example.words or ()).count("\ufe0f") for example in splits[name].examples)
        for name in ("train", "validation", "test")
    ]
    assert counts == [0, 4, 3]


def test_conll2003_holds_a_label_of_testa_that_train_lacks() -> None:
    found = corpus("conll2003", "chunk")
    train, validation, _ = summarise(found)
    assert "I-PRT" not in train.labels
    assert validation.labels["I-PRT"] == 2
    assert "I-PRT" in found.schema.label_names


def test_conll2003_pos_tags_come_from_train() -> None:
    found = corpus("conll2003", "pos", None)
    assert "-X-" not in found.schema.labels
    assert {"NNP", "NN|SYM", "''"} < set(found.schema.labels)
    assert len(found.schema.labels) == 45


def test_conll2003_sentences_shared_between_splits() -> None:
    words = {
        name: [example.words for example in split.examples] for name, split in corpus("conll2003", "ner").splits.items()
    }
    known = set(words["train"])
    assert sum(sentence in known for sentence in words["test"]) == 126
    assert sum(sentence in known for sentence in words["validation"]) == 193


@pytest.mark.parametrize("reference", ["wnut17", "conll2003"])
def test_the_same_files_read_by_path_are_the_same_corpus(reference: str) -> None:
    named = corpus(reference, "ner")
    catalog = SimpleNamespace(sources={}, formats={f.name: f for f in conll.FORMATS}, schemas={})
    path = str(corpora() / reference)
    read = load_corpus(path, layer="ner", kind="token", scheme="IOB2", catalog=catalog, ctx=LoadContext())
    assert read.scheme_read == ("IOB1" if reference == "conll2003" else "IOB2")
    hashes = {name: split.content_hash for name, split in read.splits.items()}
    assert hashes == {name: split.content_hash for name, split in named.splits.items()}
