from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from labelkit import sample
from labelkit.errors import DataError
from labelkit.records import Example, LoadContext
from labelkit.sample.grammar import SPLITS, Cursor, Grammar, split_of
from labelkit.sample.lexicon import lexicon, line_lists, read_data
from labelkit.sample.reviews import slot_lists

SCHEMAS = {schema.name: schema for schema in sample.SCHEMAS}
PATTERNS = tuple(itertools.chain.from_iterable(line_lists(read_data("patterns")).values()))


def packaged(part: str) -> list[Example]:
    return list(sample.load_sentences(part, LoadContext()))


def names(examples: list[Example]) -> Iterator[tuple[str, str]]:
    """Yield (type, text) of every name."""
    for example in examples:
        assert example.words
        words: list[str] = []
        kind = ""
        for word, label in zip((*example.words, ""), (*example.labels["ner"], "O"), strict=True):
            if not label.startswith("I-"):
                if words:
                    yield kind, " ".join(words).lower()
                words, kind = [], label[2:]
            if label != "O":
                words.append(word)


def valid_iob2(labels: tuple[str, ...] | str) -> bool:
    pairs = itertools.pairwise(("O", *labels))
    return all(not after.startswith("I-") or before[2:] == after[2:] for before, after in pairs)


@pytest.mark.parametrize("part", SPLITS)
def test_every_pattern_compiles_with_the_words_of_every_split(part: str) -> None:
    grammar = Grammar(lexicon(), part)
    assert all(grammar.compile(pattern) for pattern in PATTERNS)


@pytest.mark.parametrize("part", SPLITS)
def test_every_list_of_names_has_a_share_in_every_split(part: str) -> None:
    shares = {slot: sum(split_of(name) == part for name in lines) for slot, lines in lexicon().names.items()}
    assert min(shares.values()) >= 1
    assert all(shares[slot] >= 20 for slot in ("first", "last", "city-name", "company-name"))


def test_hundreds_of_patterns_all_different() -> None:
    assert len(PATTERNS) == len(set(PATTERNS)) >= 400
    counts = Counter(map(split_of, PATTERNS))
    assert counts["validation"] >= 40
    assert counts["test"] >= 60


@pytest.mark.parametrize("part", sample.SIZES)
def test_packaged_splits_hold_their_layers(part: str) -> None:
    examples = packaged(part)
    assert len(examples) == sample.SIZES[part]
    assert len({example.words for example in examples}) == len(examples)
    assert [example.id for example in examples[:2]] == [f"{part}-1", f"{part}-2"]
    for example in examples:
        assert example.words
        assert all(example.words)
        for layer, schema in sample.LAYERS.items():
            assert len(example.labels[layer]) == len(example.words)
            assert set(example.labels[layer]) <= set(SCHEMAS[schema or ""].label_names)
        assert valid_iob2(example.labels["ner"])
        assert valid_iob2(example.labels["chunk"])


def test_layers_agree() -> None:
    for example in packaged("train"):
        rows = zip(example.labels["ner"], example.labels["pos"], example.labels["chunk"], strict=True)
        for name, tag, chunk in rows:
            if name != "O":
                assert chunk[2:] == "NP"
                assert tag not in {"NOUN", "VERB", "ADV", "AUX", "SCONJ"}
            if name.startswith("I-"):
                assert chunk == "I-NP"


def test_names_and_sentences_of_one_split_are_in_no_other() -> None:
    splits = {part: packaged(part) for part in sample.SIZES}
    for one, other in itertools.combinations(splits.values(), 2):
        assert not {text for _, text in names(one)} & {text for _, text in names(other)}
        assert not {example.words for example in one} & {example.words for example in other}


@pytest.mark.parametrize("part", sample.SIZES)
def test_every_type_is_there_and_some_sentences_have_none(part: str) -> None:
    examples = packaged(part)
    assert set(SCHEMAS["sample-ner"].types) == {kind for kind, _ in names(examples)}
    plain = sum(set(example.labels["ner"]) == {"O"} for example in examples)
    assert 0.05 < plain / len(examples) < 0.4


def test_some_names_have_several_types() -> None:
    kinds = Counter(text for _, text in set(names(packaged("train"))))
    assert sum(count > 1 for count in kinds.values()) >= 10


def test_same_seed_same_sentences_in_another_process() -> None:
    code = (
        "from labelkit.sample import reviews, sentences\n"
        "print([e.words for e in sentences(20, seed=3)], [e.text for e in reviews(9)])"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    here = [example.words for example in sample.sentences(20, seed=3)], [e.text for e in sample.reviews(9)]
    assert there == f"{here[0]} {here[1]}\n"
    assert here[0] != [example.words for example in sample.sentences(20, seed=4)]


def test_the_corpus_is_byte_for_byte_the_same_in_every_version() -> None:
    digest = hashlib.sha256()
    for split in SPLITS:
        packaged_examples = (*sample.load_sentences(split, LoadContext()), *sample.load_reviews(split, LoadContext()))
        more = (*sample.sentences(2000, seed=1, split=split), *sample.reviews(500, seed=1, split=split))
        for example in (*packaged_examples, *more):
            digest.update(repr((example.id, example.words, example.text, example.labels)).encode())
    assert digest.hexdigest() == "89ea4bd86d2dcda7dc22343cc2e84b43601a8695cfd6ca7fdf5f65fa70f8993c"


def test_weights_references_and_long_lines_of_a_list() -> None:
    lists = line_lists({"one": "2 * a\n2 *\n", "two": "@one\nb|\nc\n@ {d}"})
    assert lists == {"one": ("a", "a", "", ""), "two": ("a", "a", "", "", "b|c", "@ {d}")}


def test_every_sentence_says_that_it_is_synthetic() -> None:
    assert [str(example.place) for example in sample.sentences(2)] == ["sample (synthetic):1", "sample (synthetic):2"]
    assert [str(example.place) for example in sample.reviews(1)] == ["sample (synthetic):1"]


def test_a_pattern_becomes_rows() -> None:
    rows = Grammar(lexicon(), "train").compile("[the old/J company] <will open> in [Ann 's office] .")
    assert rows == (
        (
            ("the", "DET", "B-NP", "O"),
            ("old", "ADJ", "I-NP", "O"),
            ("company", "NOUN", "I-NP", "O"),
            ("will", "AUX", "B-VP", "O"),
            ("open", "VERB", "I-VP", "O"),
            ("in", "ADP", "B-PP", "O"),
            ("Ann", "PROPN", "B-NP", "O"),
            ("'s", "PART", "B-NP", "O"),
            ("office", "NOUN", "I-NP", "O"),
            (".", "PUNCT", "O", "O"),
        ),
    )


def test_the_stays_outside_of_a_name() -> None:
    ((first, second),) = Grammar(lexicon(), "train").compile("the Alps", Cursor(chunk="NP", entity="location"))
    assert first == ("the", "DET", "B-NP", "O")
    assert second == ("Alps", "PROPN", "I-NP", "B-location")


def test_an_unknown_slot_or_split_is_an_error() -> None:
    with pytest.raises(DataError, match=r"nothing for the slot '\{nowhere\}'"):
        Grammar(lexicon(), "train").compile("in {nowhere} .")
    with pytest.raises(DataError, match="no split 'tset'") as caught:
        next(sample.sentences(1, split="tset"))
    assert "test" in str(caught.value)
    with pytest.raises(DataError, match="no split 'dev'"):
        sample.load_reviews("dev", LoadContext())


def test_articles_fit() -> None:
    for example in sample.sentences(3000, seed=1):
        words = [word.lower() for word in example.words or ()]
        assert not any(pair in {("a", "irish"), ("a", "old"), ("an", "new")} for pair in itertools.pairwise(words))


def test_reviews_are_balanced_and_unseen() -> None:
    splits = {part: list(sample.load_reviews(part, LoadContext())) for part in sample.REVIEW_SIZES}
    for part, examples in splits.items():
        assert len({example.text for example in examples}) == len(examples) == sample.REVIEW_SIZES[part]
        assert not any("{" in (example.text or "") or "|" in (example.text or "") for example in examples)
        share = sum(example.labels["label"] == "POSITIVE" for example in examples) / len(examples)
        assert 0.4 < share < 0.6
    for one, other in itertools.combinations(splits.values(), 2):
        assert not {example.text for example in one} & {example.text for example in other}


@pytest.mark.parametrize("part", SPLITS)
@pytest.mark.parametrize("domain", ["story", "goods", "venue"])
def test_opinions_of_a_review_are_of_one_split(part: str, domain: str) -> None:
    for label in SCHEMAS["sample-sentiment"].labels:
        choices = slot_lists(label, domain, part)
        assert all(split_of(line) == part for slot in ("opinion", "twist", "own", "other") for line in choices[slot])
        assert all(choices[slot] for slot in ("twist", "own", "other"))
        assert len(set(choices["opinion"])) >= 3
