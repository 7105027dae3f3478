"""The counts of CoNLL-2000, UD-EWT and IMDb, which are found by LABELKIT_DATA alone and never copied here."""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from labelkit.data.convert import Conversion, convert
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.summary import summarise
from labelkit.plugins.catalog import Catalog
from labelkit.records import Kind, LoadContext, Scheme

pytestmark = pytest.mark.realdata


def context(name: str) -> LoadContext:
    root = os.environ.get("LABELKIT_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"LABELKIT_DATA holds no {name}")
    return LoadContext(root=Path(root))


@cache
def catalog() -> Catalog:
    return Catalog.load(only=())


@cache
def corpus(name: str, layer: str, kind: Kind = "token", scheme: Scheme | None = None) -> Corpus:
    return load_corpus(name, layer=layer, kind=kind, scheme=scheme, catalog=catalog(), ctx=context(name))


def test_conll2000() -> None:
    for found in (corpus("conll2000", "chunk", "token", "IOB2"), corpus("conll2000", "pos")):
        train, validation, test = summarise(found)
        assert (train.examples + validation.examples, test.examples) == (8936, 2012)
        assert (train.words + validation.words, test.words) == (211727, 47377)
        assert [split.held_out for split in found.splits.values()] == [False, True, False]
        assert found.notes == ()


def test_conll2000_labels_are_closed_under_the_scheme() -> None:
    found = corpus("conll2000", "chunk", "token", "IOB2")
    train, validation, test = summarise(found)
    assert set(train.spans) | set(validation.spans) == set(found.schema.types)
    assert {"UCP"} == set(found.schema.types) - set(test.spans)
    assert "I-LST" not in {*train.labels, *validation.labels}
    assert test.labels["I-LST"] == 2
    assert "I-LST" in found.schema.label_names


def test_ud_ewt() -> None:
    found = corpus("ud_ewt", "pos")
    assert [(s.examples, s.words) for s in summarise(found)] == [(12544, 204577), (2001, 25147), (2077, 25094)]
    assert len(found.schema.labels) == 17
    assert all(set(summary.labels) <= set(found.schema.labels) for summary in summarise(found))
    assert len(summarise(found)[0].labels) == 17
    assert found.notes == ()


def test_ud_ewt_words_stand_in_their_texts() -> None:
    examples = [example for split in corpus("ud_ewt", "pos").splits.values() for example in split.examples]
    words = [
        (word, (example.text or "")[start:end])
        for example in examples
        for word, (start, end) in zip(example.words or (), example.offsets or (), strict=True)
    ]
    assert len(words) == 204577 + 25147 + 25094
    assert sum(word != piece for word, piece in words) < 300  # words of a multi-word line that are not its pieces


def test_ud_ewt_penn_tags() -> None:
    found = corpus("ud_ewt", "xpos")
    assert {"NN", "VBZ", "."} < set(found.schema.labels)


def test_imdb() -> None:
    found = corpus("imdb", "label", "text")
    counts = {
        name: Counter(example.labels["label"] for example in split.examples) for name, split in found.splits.items()
    }
    half = {"NEGATIVE": 12_500, "POSITIVE": 12_500}
    assert counts["train"] + counts["validation"] == half
    assert counts["test"] == half
    assert counts["validation"] == {"NEGATIVE": 1250, "POSITIVE": 1250}
    assert found.schema.labels == ("NEGATIVE", "POSITIVE")
    assert max(summary.lengths.max for summary in summarise(found)) == 2470
    assert found.notes == ()


def test_imdb_labels_fit_the_stars_in_its_ids() -> None:
    train = corpus("imdb", "label", "text").splits["train"]
    for example in train.examples:
        assert (int(example.id.partition("_")[2]) >= 7) == (example.labels["label"] == "POSITIVE")


@pytest.mark.parametrize(("name", "layer", "to"), [("ud_ewt", "pos", "conllu"), ("conll2000", "chunk", "parquet")])
def test_converted_and_read_again_is_the_same(tmp_path: Path, name: str, layer: str, to: str) -> None:
    ctx = context(name)
    target = tmp_path / f"test.{to}"
    convert(Conversion(reference=name, target=target, to=to, layer=layer, split="test"), catalog(), ctx)
    scheme: Scheme | None = "IOB2" if layer == "chunk" else None
    test = corpus(name, layer, "token", scheme).splits["test"]
    again = load_corpus(str(target), layer=layer, kind="token", scheme=scheme, catalog=catalog(), ctx=LoadContext())
    joined = sorted([*again.splits["train"].examples, *again.splits["validation"].examples], key=lambda e: e.place.line)  # type: ignore[union-attr]
    assert [(e.words, e.labels[layer]) for e in joined] == [(e.words, e.labels[layer]) for e in test.examples]
