"""Pairs of texts: read, encoded as the tokenizer pairs them, cut without loss, learned, labelled and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelkit
from foreign_models import classifier
from labelkit.data.convert import Conversion, convert
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.fingerprints import content_key, fingerprints
from labelkit.encode.alignment import Encoding, encode_texts
from labelkit.encode.batches import model_inputs, token_types
from labelkit.encode.pairs import MOST_WINDOWS, split_pair
from labelkit.errors import DataError, LabelkitError
from labelkit.models.tiny import make_tiny
from labelkit.models.tiny_tokenizers import BERT, DECODER, ROBERTA, make
from labelkit.models.tokenizer import PairTokens, load_tokenizer, special_tokens_of
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, TextPair
from labelkit.settings import DataSettings

CATALOG = Catalog.load(only=["ner", "textcls"])
COLUMNS = {"text": "premise", "pair": "hypothesis", "label": "label"}
ROWS = (("It rains.", "It is wet.", "yes"), ("It rains.", "It is dry.", "no"), ("Ada left.", "Ada is here.", "no"))


def read(text: str, folder: Path, name: str = "train.jsonl", columns: dict[str, str] | None = None) -> Corpus:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    ctx = labelkit.LoadContext(cache=folder, settings=DataSettings(), columns=COLUMNS if columns is None else columns)
    return load_corpus(str(path), layer="label", kind="text", scheme=None, catalog=CATALOG, ctx=ctx)


def jsonl(rows: Any = ROWS, names: tuple[str, str] = ("premise", "hypothesis")) -> str:
    return "".join(json.dumps({names[0]: a, names[1]: b, "label": label}) + "\n" for a, b, label in rows)


# -- windows ----------------------------------------------------------------------------------------------------------


@given(first=st.integers(0, 900), second=st.integers(0, 900), capacity=st.integers(2, 60), stride=st.integers(0, 40))
def test_each_subword_of_both_texts_is_read_and_the_weights_sum_to_one(
    first: int, second: int, capacity: int, stride: int
) -> None:
    found = list(split_pair(first, second, capacity, stride))
    assert not found or sum(weight for *_, weight in found) == pytest.approx(1)
    assert all(one.stop - one.start + other.stop - other.start <= capacity for one, other, _ in found)
    assert {at for one, _, _ in found for at in range(one.start, one.stop)} == set(range(first))
    assert {at for _, other, _ in found for at in range(other.start, other.stop)} == set(range(second))
    assert len(found) <= max(MOST_WINDOWS, first, second)


def test_a_short_text_is_kept_whole_beside_each_part_of_a_long_one() -> None:
    assert {(one.start, one.stop) for one, _, _ in split_pair(10, 300, 60, 8)} == {(0, 10)}
    assert {(other.start, other.stop) for _, other, _ in split_pair(300, 30, 60, 8)} == {(0, 30)}


def test_every_part_of_one_long_text_is_read_beside_every_part_of_the_other() -> None:
    found = [(one.start, other.start) for one, other, _ in split_pair(60, 90, 60, 0)]
    assert found == [(one, other) for one in (0, 30) for other in (0, 30, 60)]


#: what the tokenizer of a BERT gives
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]
SPECIAL = {
    "BERT": ("wordpiece", BERT, PairTokens((2,), (3,), (3,), None)),
    "RoBERTa": ("bpe", ROBERTA, PairTokens((0,), (2, 2), (2,), None)),
    "decoder": ("bpe", DECODER, PairTokens((), (), (), None)),
}


@pytest.mark.parametrize("case", SPECIAL)
def test_special_tokens_of_a_pair_are_those_of_the_tokenizer(case: str) -> None:
    name, special, expected = SPECIAL[case]
    assert special_tokens_of(make(name, special)).pair == expected


@pytest.mark.parametrize("left", [False, True])
def test_a_pair_is_encoded_as_its_tokenizer_encodes_it(tiny: Path, left: bool) -> None:
    tokenizer = load_tokenizer(tiny, for_words=False)
    tokenizer.model_input_names = INPUTS
    encoding = Encoding.of(tokenizer, 128, 8)
    pairs = [TextPair("It rains all day.", "Wet?"), TextPair("", "Ada lives"), TextPair("a [SEP] b", "c")]
    windows = encode_texts(encoding, pairs).windows
    theirs = [tokenizer(one.text, one.pair, return_token_type_ids=True) for one in pairs]
    assert [window.ids.tolist() for window in windows] == [one["input_ids"] for one in theirs]
    types = [token_types(encoding.special_tokens, len(one.ids), one.second).tolist() for one in windows]
    assert types == [one["token_type_ids"] for one in theirs]
    rows, seconds = [one.ids for one in windows], [one.second for one in windows]
    arrays = model_inputs(rows, encoding.special_tokens, 0, left=left, seconds=seconds)
    longest = max(map(len, types))
    padded = [[0] * (longest - len(row)) + row if left else row + [0] * (longest - len(row)) for row in types]
    assert arrays["token_type_ids"].tolist() == padded


def test_a_blank_pair_has_no_window_and_counts_as_fallback(tiny: Path) -> None:
    encoded = encode_texts(Encoding.of(load_tokenizer(tiny), 32, 4), [TextPair(" ", ""), TextPair("a", "b")])
    assert [one.windows for one in encoded.coverage] == [0, 1]
    assert encoded.coverage[0].fallback == 1


def test_a_window_without_room_for_a_pair_is_refused(tiny: Path) -> None:
    encoding = Encoding.of(load_tokenizer(tiny), 4, 0)
    with pytest.raises(LabelkitError, match="max length 4 leaves no room for a pair of texts"):
        encode_texts(encoding, [TextPair("a", "b")])


# -- reading ----------------------------------------------------------------------------------------------------------

WRITTEN = {
    "JSON Lines": ("train.jsonl", jsonl()),
    "JSON": ("train.json", json.dumps([json.loads(line) for line in jsonl().splitlines()])),
    "CSV": ("train.csv", "premise,hypothesis,label\n" + "".join(",".join(row) + "\n" for row in ROWS)),
    "TSV": ("train.tsv", "premise\thypothesis\tlabel\n" + "".join("\t".join(row) + "\n" for row in ROWS)),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_pairs_are_read(how: str, tmp_path: Path) -> None:
    name, text = WRITTEN[how]
    corpus = read(text, tmp_path, name)
    found = [(one.text, one.pair, one.labels["label"]) for split in corpus.splits.values() for one in split.examples]
    assert (sorted(found), corpus.pairs) == (sorted(ROWS), True)


def test_second_texts_with_their_usual_name_are_found_and_that_is_told(tmp_path: Path) -> None:
    text = jsonl(names=("text", "pair"))
    found = read(text, tmp_path, columns={})
    assert found.pairs
    assert any("the second text is 'pair'" in line for line in found.assumptions)
    single = read(text, tmp_path, columns={"text": "text"})
    assert not single.pairs
    assert next(iter(single.splits["train"].examples)).extra.keys() == {"pair"}


BAD = {
    "an empty field of CSV": ("train.csv", "premise,hypothesis,label\na,b,x\nc,,y\n", "train.csv:3: the second text"),
    "a blank text": ("train.jsonl", jsonl([("a", " ", "x")]), "train.jsonl:1: the second text of the pair is missing"),
    "a number": ("train.jsonl", jsonl([("a", 3, "x")]), "the second text of the pair must be a string, not 3"),
    "no such column": ("train.csv", "premise,label\na,x\n", "no column 'hypothesis' for 'pair'"),
    "a format of single texts": ("a.txt", "__label__x a\n", "format 'fasttext' cannot hold pairs of texts"),
    "an export of a tool": (
        "a.json", json.dumps([{"data": {"text": "a"}, "annotations": []}]), "cannot hold pairs of texts"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_pair_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    name, text, said = BAD[case]
    with pytest.raises(DataError) as caught:
        read(text, tmp_path, name)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_columns_of_pairs_are_suggested_by_their_names(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(jsonl(), tmp_path, columns={})
    assert caught.value.hint == "for pairs of texts: --columns text=premise,pair=hypothesis,label=…"


def test_both_texts_count_in_hashes_and_a_single_text_keeps_its_own(tmp_path: Path) -> None:
    one, other = (Example(id="1", text="a b", pair=pair, labels={}) for pair in ("c", "d"))
    single, moved = Example(id="1", text="a b"), Example(id="1", text="a", pair="b c")
    for hashed in (fingerprints, lambda examples: [content_key(each) for each in examples]):
        assert len(set(hashed([one, other, single, moved]))) == 4
    import hashlib

    assert fingerprints([single]) == [hashlib.blake2b(b'"a b"', digest_size=16).digest()]


@pytest.mark.parametrize("to", ["jsonl", "csv", "parquet"])
def test_pairs_are_converted_without_loss(to: str, tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text(jsonl(), encoding="utf-8")
    ctx = labelkit.LoadContext(cache=tmp_path, columns=COLUMNS)
    target = tmp_path / f"out.{to}"
    assert convert(Conversion(reference=str(source), target=target, to=to), CATALOG, ctx).checked
    back = list(CATALOG.formats[to].read(target, labelkit.LoadContext(kind="text")))  # type: ignore[misc]
    assert [(one.text, one.pair, one.labels["label"]) for one in back] == list(ROWS)


@pytest.mark.parametrize("to", ["doccano", "html", "label-studio", "prodigy", "spacy"])
def test_formats_that_cannot_hold_pairs_say_so(to: str, tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text(jsonl(), encoding="utf-8")
    ctx = labelkit.LoadContext(cache=tmp_path, columns=COLUMNS)
    with pytest.raises(DataError, match=f"format '{to}' cannot hold pairs of texts"):
        convert(Conversion(reference=str(source), target=tmp_path / "out", to=to), CATALOG, ctx)


# -- a run ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> labelkit.RunResult:
    """Return a run on pairs, in a home of its own."""
    folder = tmp_path_factory.mktemp("pairs")
    for split in ("train", "validation", "test"):
        rows = [(a, f"{b} {number}", label) for number in range(4) for a, b, label in ROWS]
        (folder / f"{split}.jsonl").write_text(jsonl([(f"{split} {a}", b, label) for a, b, label in rows]))
    return labelkit.run(
        "textcls", data=str(folder), columns=COLUMNS, model=str(tiny), epochs=1, home=folder / "home",
        recipe=str(Path(__file__).parent / "plain.toml"), settings={"data.max_length": 24},
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_on_pairs_labels_pairs_and_nothing_else(run: labelkit.RunResult) -> None:
    labeller = labelkit.load(run.checkpoint)
    assert labeller.info.pairs
    record = labeller.label(TextPair("It rains.", "It is wet."))
    assert (record.text, record.pair, record.coverage.windows) == ("It rains.", "It is wet.", 1)
    assert labeller.label(TextPair("It rains. " * 30, "It is wet. " * 30)).coverage.windows > 4
    with pytest.raises(LabelkitError, match="the labeller is one of pairs of texts"):
        labeller.label("It rains.")
    with pytest.raises(LabelkitError, match="takes one str") as caught:
        labeller.label(("It rains.", "It is wet."))
    assert "TextPair" in (caught.value.hint or "")
    with pytest.raises(LabelkitError, match="the second text of pair 1 is of type int"):
        labeller.label(TextPair("a", 3))  # type: ignore[arg-type]


# -- models of others -------------------------------------------------------------------------------------------------

PAIRS = [
    TextPair("It rains in Rome all day.", "It is wet."),
    TextPair("Ada left.", "  Ada is   here "),
    TextPair("a", "b"),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:assumed")
@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert", "bart", "xlm-roberta"])
def test_labels_of_pairs_are_those_of_the_pipeline(architecture: str, tmp_path: Path) -> None:
    from transformers import pipeline

    encoder = make_tiny(architecture, tmp_path / "encoder")
    folder = classifier(encoder, tmp_path / "model", ("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), kind="text")
    if architecture == "bert":
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"model_input_names": INPUTS}))
    labeller = labelkit.load(folder)
    types = labeller.encoding.special_tokens.pair.types
    assert types == (((0,), 0, (0,), 1, (1,)) if architecture == "bert" else None)
    theirs: Any = pipeline("text-classification", model=str(folder), device="cpu", top_k=None)
    for record, pair in zip(labeller.label_all([*PAIRS, "a single text"]), PAIRS, strict=False):
        found = theirs({"text": pair.text, "text_pair": pair.pair})
        assert record.label == found[0]["label"]
        scores = record.scores or {}
        np.testing.assert_allclose([scores[one["label"]] for one in found], [one["score"] for one in found], atol=1e-4)
