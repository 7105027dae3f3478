"""Pairs of texts: read, encoded as the tokenizer pairs them, cut without loss, learned, labelled and written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelkit
from foreign_models import classifier
from labelkit.cli import main
from labelkit.data.convert import Conversion, convert
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.fingerprints import content_key, fingerprints
from labelkit.data.preprocess import apply_one
from labelkit.encode.alignment import Encoding, encode_texts, texts_of
from labelkit.encode.batches import model_inputs, token_types
from labelkit.encode.pairs import MOST_WINDOWS, split_pair
from labelkit.errors import DataError, LabelkitError
from labelkit.evaluation.error_analysis import LabelledSpan, words_of
from labelkit.label.labeller import Labeller
from labelkit.models.tiny import make_tiny
from labelkit.models.tiny_tokenizers import BERT, DECODER, ROBERTA, make
from labelkit.models.tokenizer import PairTokens, load_tokenizer, special_tokens_of
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Preprocessor, TextPair
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


def test_data_check_sees_both_texts(tmp_path: Path) -> None:
    rows = [("It rains.", "It is wet.", "yes"), ("It rains.", "It is dry.", "no"), ("It rains.", "It is wet.", "no")]
    frame = [Example(id=str(n), text=a, pair=b, labels={"label": c}) for n, (a, b, c) in enumerate(rows)]
    frame.append(Example(id="9", text="Ada", pair="a\x07b", labels={"label": "no"}))
    report = labelkit.check(frame, skip=("subtokens", "windows"), home=tmp_path)
    found = {finding.check: [case.text for case in finding.examples] for finding in report.findings}
    assert found["duplicates"] == ["It rains. ‖ It is wet. (as example '0')"]
    assert found["conflicts"] == ["no, but yes in example '0': It rains. ‖ It is wet."]
    assert found["characters"] == ["U+0007 in a\x07b"]


def test_a_preprocessor_sets_what_is_read_of_both_texts() -> None:
    upper = Preprocessor(name="u", kind="text", apply=lambda one: replace(one, surface=(one.text or "").upper()))
    example = Example(id="1", text="a", pair="b")
    assert texts_of([apply_one(upper, apply_one(upper, example))]) == [TextPair("A", "B")]
    parts = Preprocessor(name="p", kind="text", apply=lambda one: replace(one, surface=("x", "y")), parts=True)
    with pytest.raises(LabelkitError, match="'p' makes parts of texts, and example 1 is a pair already"):
        apply_one(parts, example)


def test_single_texts_and_pairs_do_not_mix(tmp_path: Path) -> None:
    mixed = '{"text": "a", "pair": "b", "label": "x"}\n{"text": "c", "label": "x"}\n'
    with pytest.raises(DataError, match=r"train\.jsonl:2: a single text, others are pairs"):
        read(mixed, tmp_path, columns={})


# -- a run ------------------------------------------------------------------------------------------------------------


OPTIONS: Any = {
    "recipe": str(Path(__file__).parent / "plain.toml"),
    "epochs": 1,
    "settings": {"data.max_length": 24, "train.precision": "fp32"},
}


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> labelkit.RunResult:
    """Return a run on pairs, in a home of its own."""
    folder = tmp_path_factory.mktemp("pairs")
    shutil.copytree(tiny, folder / "encoder")
    for split in ("train", "validation", "test"):
        rows = [(a, f"{b} {number}", label) for number in range(4) for a, b, label in ROWS]
        (folder / f"{split}.jsonl").write_text(jsonl([(f"{split} {a}", b, label) for a, b, label in rows]))
    return labelkit.run(
        "textcls", data=str(folder), columns=COLUMNS, model=str(folder / "encoder"), home=folder / "home", **OPTIONS
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


@pytest.mark.slow
def test_what_is_given_in_memory_trains_the_same_weights_as_files(run: labelkit.RunResult, tmp_path: Path) -> None:
    from datasets import Dataset

    from labelkit.models.checkpoint_files import sha256_of, weights_of

    assert run.checkpoint
    folder = run.checkpoint.parents[4]
    splits = {split: Dataset.from_json(str(folder / f"{split}.jsonl")) for split in ("train", "validation", "test")}
    options: Any = {"model": str(folder / "encoder"), "columns": COLUMNS, **OPTIONS}
    again = labelkit.run("textcls", data=splits, home=tmp_path / "home", **options)
    assert again.checkpoint
    assert sha256_of(*weights_of(again.checkpoint)) == sha256_of(*weights_of(run.checkpoint))
    assert again.metrics["test"] == run.metrics["test"]


@pytest.mark.slow
def test_a_run_on_pairs_is_evaluated_and_its_errors_show_both_texts(run: labelkit.RunResult) -> None:
    assert run.checkpoint
    folder = run.checkpoint.parents[4]
    home = folder / "home"
    found = labelkit.evaluate(run.run, home=home)
    assert found.metrics["accuracy"] == run.metrics["test"]["textcls"]["accuracy"]
    mistakes = labelkit.find_errors(run.run, home=home)
    assert sum(mistakes.analysis.kinds.values())
    assert all(" ‖ " in one.text for one in mistakes.label_errors)
    assert words_of(mistakes.gold.examples[0], LabelledSpan(0, 1, "yes")) == "validation It rains. ‖ It is wet. 0"
    with pytest.raises(LabelkitError, match="the labeller is one of pairs of texts"):
        labelkit.evaluate(run.run, [Example(id="1", text="a", labels={"label": "yes"})], home=home)


@pytest.mark.slow
def test_datasets_of_pairs_are_labelled_and_loaded(run: labelkit.RunResult) -> None:
    from datasets import Dataset

    assert run.checkpoint
    labeller = labelkit.load(run.checkpoint)
    rows = Dataset.from_dict({"text": ["It rains."] * 3, "text_pair": ["It is wet.", "It is dry.", ""]})
    labels = [labeller.label(TextPair("It rains.", pair)).label for pair in rows["text_pair"]]
    assert labeller.label_dataset(rows)["predicted_label"] == labels
    named = rows.rename_columns({"text": "a", "text_pair": "b"})
    assert labeller.label_dataset(named, column="a", pair="b")["predicted_label"] == labels
    with pytest.raises(LabelkitError, match="one of pairs of texts"):
        labeller.label_dataset(named, column="a")
    loaded = labelkit.data.load(run.checkpoint.parents[4] / "train.jsonl", columns=COLUMNS)
    assert set(loaded["train"].column_names) == {"id", "text", "pair", "label", "document"}
    assert loaded["train"][0]["pair"] == "It is wet. 0"


def scores_of(ranked: list[dict[str, Any]]) -> dict[str, float]:
    return {one["label"]: one["score"] for one in ranked}


@pytest.mark.slow
def test_a_server_labels_pairs_in_three_shapes(run: labelkit.RunResult) -> None:
    import httpx

    from labelkit.registry import Home
    from labelkit.serve.application import build_application
    from labelkit.serve.limits import ServeLimits
    from labelkit.serve.models import Opener, OpenOptions, ServedModels
    from serve_stubs import running

    assert run.checkpoint
    limits = ServeLimits(body=20_000, texts=500)
    opener = Opener(Home(root=run.checkpoint.parents[3]), CATALOG, OpenOptions(engine="torch"), limits)
    models = ServedModels.open([f"pairs={run.checkpoint}"], opener, lambda line: None)
    record = labelkit.load(run.checkpoint).label(TextPair("It rains.", "It is wet."))
    with running(build_application(models, limits, say=lambda line: None)) as url, httpx.Client(base_url=url) as client:
        body: Any = {"records": [{"text": "It rains.", "pair": "It is wet.", "author": "me"}]}
        (found,) = client.post("/v1/label", json=body).json()["records"]
        assert (found["pair"], found["label"], found["author"]) == ("It is wet.", record.label, "me")
        pair = {"text": "It rains.", "text_pair": "It is wet."}
        for hf in (pair, [pair]):
            assert scores_of(client.post("/hf/pairs", json={"inputs": hf}).json()[0]) == record.scores
        inputs: Any = ["It rains.", "It is wet."]
        assert scores_of(client.post("/tei/pairs/predict", json={"inputs": inputs}).json()) == record.scores
        assert scores_of(client.post("/tei/pairs/predict", json={"inputs": [inputs]}).json()[0]) == record.scores
        refused = client.post("/v1/label", json={"texts": ["It rains."]})
        assert (refused.status_code, "one of pairs of texts" in refused.text) == (422, True)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_other_runtimes_label_pairs_as_torch_does(run: labelkit.RunResult, runtime: str) -> None:
    from labelkit.registry import Home

    assert run.checkpoint
    home = Home(root=run.checkpoint.parents[3])
    torch, other = (Labeller.open(str(run.checkpoint), home, CATALOG, engine=name) for name in ("torch", runtime))
    pairs = [TextPair("It rains. " * times, "It is wet. " * (5 - times)) for times in range(5)]
    for one, same in zip(torch.label_all(pairs), other.label_all(pairs), strict=True):
        assert one.label == same.label
        assert list((one.scores or {}).values()) == pytest.approx(list((same.scores or {}).values()), abs=1e-3)


@pytest.mark.slow
def test_the_command_labels_pairs(
    run: labelkit.RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.checkpoint
    monkeypatch.setenv("LABELKIT_HOME", str(run.checkpoint.parents[3]))
    command = ["label", str(run.checkpoint)]
    assert main([*command, "--text", "It rains.", "--pair", "It is wet.", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pair"] == "It is wet."
    assert main([*command, "--text", "a", "--text", "b", "--pair", "c"]) == 2
    assert "give a --pair for each --text" in capsys.readouterr().err
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_text("premise,hypothesis,author\nIt rains.,It is wet.,me\nIt rains.,,me\n", encoding="utf-8")
    named = ["--columns", "text=premise,pair=hypothesis"]
    assert main([*command, str(source), *named, "-o", str(target)]) == 0
    assert "a.csv:3: the second text of the pair is missing" in capsys.readouterr().err
    assert target.read_text().splitlines()[0].startswith("id,text,pair,label,score")
    assert main([*command, str(target), "-o", str(tmp_path / "c.jsonl")]) == 0  # what it wrote has both texts
    assert json.loads((tmp_path / "c.jsonl").read_text())["pair"] == "It is wet."
    capsys.readouterr()
    assert main([*command, str(source), *named, "-o", str(tmp_path / "d.html")]) == 1
    assert "format 'html' cannot hold pairs of texts" in capsys.readouterr().err
    source.write_text("text\nIt rains.\n", encoding="utf-8")
    assert main([*command, str(source), "-o", str(tmp_path / "e.jsonl")]) == 1
    assert "this is a single text, and the labeller is one of pairs of texts" in capsys.readouterr().err


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
