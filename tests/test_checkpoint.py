"""Checkpoints: what is in the folder, what a damaged one says, and that ``transformers.pipeline`` opens it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.errors import LabelkitError, ModelError
from labelkit.evaluation.evaluation import select_metrics
from labelkit.labels.schemes import repair
from labelkit.models.checkpoint import FORMAT, CheckpointInfo, Supplier, read_checkpoint, write_checkpoint
from labelkit.models.checkpoint_files import PICKLES, sha256_of
from labelkit.plugins.catalog import Catalog, find_candidates
from labelkit.records import Schema
from labelkit.registry import Home, Registry

pytest_plugins = ("fake_distributions",)

FILES = {"config.json", "labelkit.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture
def folder(trained: labelkit.RunResult, tmp_path: Path) -> Path:
    """Return a copy of the shared run's checkpoint, to be damaged."""
    return Path(shutil.copytree(trained.checkpoint, tmp_path / "copy"))


def change(path: Path, **entries: Any) -> None:
    """Change entries of a JSON file; None removes one."""
    content = {**json.loads(path.read_text(encoding="utf-8")), **entries}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), encoding="utf-8")


def refusal(folder: Path) -> ModelError:
    """Return the one line with which loading the folder is refused."""
    with pytest.raises(ModelError) as caught:
        labelkit.load(str(folder)).label("Ada lives in Rome .")
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


# -- what is in it ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_a_plain_hugging_face_folder_without_pickles(trained: labelkit.RunResult, home: Path) -> None:
    assert {path.name for path in trained.checkpoint.iterdir()} == FILES
    assert [path for path in home.rglob("*") if path.suffix in PICKLES] == []
    config = json.loads((trained.checkpoint / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "O", "1": "B-LOC", "2": "I-LOC", "3": "B-PER", "4": "I-PER"}
    assert config["label2id"] == {label: int(index) for index, label in config["id2label"].items()}


def test_labelkit_json_says_what_the_run_did(trained: labelkit.RunResult) -> None:
    info = read_checkpoint(trained.checkpoint)
    assert (info.run, info.task, info.layer, info.kind) == (trained.run, "ner", "ner", "token")
    assert (info.schema.types, info.schema.scheme) == (("LOC", "PER"), "IOB2")
    assert (info.decoder, info.preprocessors, info.splitter, info.fallback) == ("viterbi", (), "words", "O")
    assert (info.max_length, info.labelkit) == (128, labelkit.__version__)
    assert dict(info.metrics["validation"]) == trained.metrics["validation"]["ner"]
    assert trained.checkpoint.name == f"step-{info.step:06d}"


def test_the_saved_tokenizer_neither_truncates_nor_pads(trained: labelkit.RunResult) -> None:
    saved = json.loads((trained.checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
    assert (saved["truncation"], saved["padding"]) == (None, None)


def an_info(**changes: Any) -> CheckpointInfo:
    given: dict[str, Any] = {
        "labelkit": "0.1.0",
        "run": "ner-1",
        "task": "ner",
        "kind": "token",
        "layer": "ner",
        "schema": Schema.bio("ner", "PER"),
        "decoder": "argmax",
        "preprocessors": (("lower", "1"),),
        "splitter": "words",
        "fallback": "O",
        "max_length": 128,
        "overlap": 32,
        "step": 7,
        "epoch": 1.5,
    }
    return CheckpointInfo(**{**given, **changes})


@pytest.mark.parametrize(
    "changes",
    [{}, {"schema": Schema(name="pos", kind="token", labels=("NN", 'É "x"')), "fallback": "NN"}, {"preprocessors": ()}],
    ids=["spans", "plain labels", "no preprocessors"],
)
def test_what_is_written_is_read_back(changes: dict[str, Any]) -> None:
    info = an_info(**changes, metrics={"validation": {"f1": 0.5}}, synthetic=True)
    assert CheckpointInfo.from_json(json.loads(json.dumps(info.to_json()))) == info


def test_writing_gives_size_and_hash_of_every_file(tiny: Path, tmp_path: Path) -> None:
    from labelkit.models.heads import BoundHead
    from labelkit.models.loading import load_classifier
    from labelkit.models.tokenizer import load_tokenizer

    info = an_info(preprocessors=())
    folder = tmp_path / "new" / "step-000007"
    files = write_checkpoint(folder, load_classifier(tiny, BoundHead.linear(info.schema)), load_tokenizer(tiny), info)
    assert {path.name: (path.stat().st_size, sha256_of(path)) for path in folder.iterdir()} == files
    assert [path.name for path in folder.parent.iterdir()] == ["step-000007"]
    assert read_checkpoint(folder, files) == info


def test_a_failure_while_writing_leaves_nothing(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelkit.models.heads import BoundHead
    from labelkit.models.loading import load_classifier
    from labelkit.models.tokenizer import load_tokenizer

    model, tokenizer = load_classifier(tiny, BoundHead.linear(an_info().schema)), load_tokenizer(tiny)
    monkeypatch.setattr(tokenizer, "save_pretrained", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_checkpoint(tmp_path / "new" / "step-000007", model, tokenizer, an_info())
    assert list((tmp_path / "new").iterdir()) == []


# -- what is wrong with it --------------------------------------------------------------------------------------------


def test_names_that_transformers_leaves_out_of_the_configuration_are_its_defaults(folder: Path) -> None:
    change(folder / "config.json", id2label=None)
    change(folder / "labelkit.json", outputs=["LABEL_0", "LABEL_1"])  # those of a head with two numbers
    assert read_checkpoint(folder).outputs == ("LABEL_0", "LABEL_1")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoil_weights(value: float) -> Callable[[Path], object]:
    """Return a function that replaces the bias of a checkpoint's classifier."""

    def spoil(folder: Path) -> None:
        from safetensors.numpy import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        weights["classifier.bias"][:] = value
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return spoil


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "{folder} holds no model.safetensors"),
    "truncated weights": (
        lambda folder: truncate(folder / "model.safetensors"),
        "{folder}/model.safetensors is damaged:",
    ),
    "empty weights": (
        lambda folder: (folder / "model.safetensors").write_bytes(b""),
        "{folder}/model.safetensors is damaged: it is not a safetensors file",
    ),
    "weights that are something else": (
        lambda folder: (folder / "model.safetensors").write_bytes(b"PK\x03\x04" * 99),
        "{folder}/model.safetensors is damaged: it is not a safetensors file",
    ),
    "garbage in config.json": (
        lambda folder: (folder / "config.json").write_text("{not json"),
        "{folder}/config.json is damaged:",
    ),
    "weights that are not finite": (spoil_weights(float("nan")), "checkpoint {folder} computes scores that are not"),
    "infinite weights": (spoil_weights(float("inf")), "checkpoint {folder} computes scores that are not"),
    "ten million layers": (
        lambda folder: change(folder / "config.json", num_hidden_layers=10**7),
        "{folder}/config.json: num_hidden_layers is 10,000,000, more than the weights have tensors",
    ),
    "a decoder that is a list": (
        lambda folder: change(folder / "labelkit.json", decoder=[]),
        "{folder}/labelkit.json is damaged: decoder must be text",
    ),
    "a temperature beyond numbers": (
        lambda folder: change(folder / "labelkit.json", temperature=10**400),
        "{folder}/labelkit.json is damaged: temperature must be a number above 0",
    ),
    "no config.json": (lambda folder: (folder / "config.json").unlink(), "{folder}/config.json is missing"),
    "another architecture": (
        lambda folder: change(folder / "config.json", model_type="roberta"),
        "the weights in {folder} do not fit its config.json:",
    ),
    "an unknown architecture": (
        lambda folder: change(folder / "config.json", model_type="nonesuch"),
        "the model in {folder} cannot be used:",
    ),
    "labels in another order": (
        lambda folder: change(folder / "config.json", id2label={"0": "B-PER", "1": "O"}),
        "{folder}/config.json and labelkit.json disagree about the labels",
    ),
    "no labels": (
        lambda folder: change(folder / "config.json", id2label=None),
        "{folder}/config.json and labelkit.json disagree about the labels",
    ),
    "garbage in labelkit.json": (
        lambda folder: (folder / "labelkit.json").write_bytes(b"\xff\xfe\x00"),
        "{folder}/labelkit.json is damaged:",
    ),
    "a list in labelkit.json": (
        lambda folder: (folder / "labelkit.json").write_text("[]"),
        "{folder}/labelkit.json is damaged:",
    ),
    "labelkit.json lacks a part": (
        lambda folder: change(folder / "labelkit.json", schema=None),
        "{folder}/labelkit.json is damaged:",
    ),
    "labelkit.json with an empty schema": (
        lambda folder: change(folder / "labelkit.json", schema={"name": "ner", "kind": "token"}),
        "{folder}/labelkit.json is damaged:",
    ),
    "a fallback that is no label": (
        lambda folder: change(folder / "labelkit.json", fallback="X"),
        "{folder}/labelkit.json is damaged:",
    ),
    "a window of no length": (
        lambda folder: change(folder / "labelkit.json", max_length="many"),
        "{folder}/labelkit.json is damaged:",
    ),
    "a newer format": (
        lambda folder: change(folder / "labelkit.json", format=FORMAT + 1),
        "the checkpoint was written by a newer labelkit",
    ),
    "a pickle beside": (
        lambda folder: (folder / "optimizer.pt").write_bytes(b"\x80\x04N."),
        "{folder} holds a pickle (optimizer.pt)",
    ),
    "pickled weights beside": (
        lambda folder: (folder / "pytorch_model.bin").write_bytes(b"\x80\x04N."),
        "{folder} holds a pickle (pytorch_model.bin)",
    ),
    "pickled weights only": (
        lambda folder: (folder / "model.safetensors").rename(folder / "extra.PKL"),
        "{folder} holds a pickle (extra.PKL)",
    ),
    "no tokenizer": (
        lambda folder: (folder / "tokenizer.json").unlink(),
        "no tokenizer could be loaded from {folder}",
    ),
    "garbage in tokenizer.json": (
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
        "no tokenizer could be loaded from {folder}",
    ),
    "a decoder that nobody supplies": (
        lambda folder: change(folder / "labelkit.json", decoder="beam"),
        "unknown decoder 'beam'",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_in_one_line(folder: Path, damage: str) -> None:
    harm, said = DAMAGES[damage]
    harm(folder)
    with pytest.raises(LabelkitError) as caught:
        labelkit.load(str(folder)).label("Ada lives in Rome .")
    assert caught.value.message.startswith(said.format(folder=folder))
    assert "\n" not in str(caught.value)
    assert len(caught.value.message) < 500
    assert caught.value.hint


def test_weights_without_a_head_are_refused(folder: Path, tiny: Path) -> None:
    """Transformers would make a random head with a warning, and label at random."""
    shutil.copy(tiny / "model.safetensors", folder / "model.safetensors")
    assert "classifier.bias" in refusal(folder).message


def test_a_head_for_other_labels_is_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["classifier.weight"] = weights["classifier.weight"][:3].contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert refusal(folder).message == f"config.json of {folder} names 5 labels, its weights have 3 outputs"


def test_a_pickle_is_never_opened(folder: Path) -> None:
    code = b"cos\nsystem\n(S'touch " + str(folder / "ran").encode() + b"'\ntR."
    for name in ("pytorch_model.bin", "training_args.bin", "x.pickle"):
        (folder / name).write_bytes(code)
    (folder / "model.safetensors").unlink()
    refusal(folder)
    assert not (folder / "ran").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").message == f"checkpoint {tmp_path / 'nowhere'} does not exist"


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_changed_since_it_was_recorded_is_told(
    trained: labelkit.RunResult, home: Path, tmp_path: Path, name: str
) -> None:
    copy = Home(root=Path(shutil.copytree(home, tmp_path / "home")))
    path = copy.root / trained.checkpoint.relative_to(home) / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + (b"\n\n" if name.endswith(".json") else b"!"))
    with pytest.raises(ModelError, match="has changed since it was recorded") as caught:
        labelkit.load(trained.run, home=copy.root)
    assert str(path) in caught.value.message
    path.unlink()
    with pytest.raises(ModelError):
        labelkit.load(trained.run, home=copy.root)


def test_a_moved_home_still_opens(trained: labelkit.RunResult, home: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(home, tmp_path / "elsewhere"))
    with Registry.open(Home(root=moved), create=False) as registry:
        assert registry.runs.checkpoint_folder(trained.run).is_relative_to(moved)
    assert labelkit.load(trained.run, home=moved).folder.is_relative_to(moved)


# -- the encoder before training --------------------------------------------------------------------------------------


def test_weights_that_do_not_fit_the_encoders_config_are_refused(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    """Transformers would train a half random encoder with a warning."""
    folder = Path(shutil.copytree(tiny, tmp_path / "deeper"))
    change(folder / "config.json", num_hidden_layers=3)
    with pytest.raises(ModelError, match=r"bert\.encoder\.layer\.2\.") as caught:
        labelkit.run("ner", data=str(corpus), model=str(folder), home=tmp_path / "home", max_steps=1)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_may_be_trained_on_with_other_labels(
    trained: labelkit.RunResult, corpus: Path, tmp_path: Path
) -> None:
    data = tmp_path / "more.conll"
    text = (corpus / "train.conll").read_text(encoding="utf-8")
    data.write_text(text.replace("-LOC", "-TOWN"), encoding="utf-8")
    result = labelkit.run("ner", data=str(data), model=str(trained.checkpoint), home=tmp_path / "home", max_steps=1)
    assert labelkit.load(str(result.checkpoint)).labels == ("O", "B-PER", "I-PER", "B-TOWN", "I-TOWN")


# -- transformers.pipeline --------------------------------------------------------------------------------------------

SENTENCES = [
    "Ada Lovelace lives in New York .",
    "Bob met Cleo in Lima , and Marie Curie stayed in Paris all day .",
    "It rained in ROME all day — nothing happened, said Tim's friend (from Zürich).",
    "Naïve café-goers met Marie\N{COMBINING ACUTE ACCENT} Curie 😀 in New York.",
    "unbelievableness antidisestablishmentarianism 12345678901234567890 Lima",
    "Tim",
    "In Paris: 3,000 people; in Lima: 14-6!",
]


@pytest.fixture(scope="session")
def piped(trained: labelkit.RunResult) -> Any:
    from transformers import pipeline

    return pipeline("token-classification", model=str(trained.checkpoint), device="cpu", ignore_labels=[])


def test_the_pipeline_gives_the_same_label_for_every_word(trained: labelkit.RunResult, piped: Any) -> None:
    labeller = labelkit.load(str(trained.checkpoint), decoder="argmax")
    seen: set[str] = set()
    compared = 0
    for text in SENTENCES:
        record = labeller.label(text)
        first: dict[int, Any] = {}
        for entity in piped(text):
            first.setdefault(entity["start"], entity)
        assert record.labels
        theirs: list[str] = []
        for start, _ in record.offsets or ():
            theirs.append(first[start]["entity"] if start in first else "O")
            compared += start in first
        # each word's likeliest tag; where it does not fit its neighbours, labelkit writes the one that it is read as
        assert repair(theirs, "IOB2") == (record.labels, record.coverage.repaired), text
        seen.update(record.labels)
    assert len(seen) >= 3
    assert compared > 60


def test_the_pipeline_gives_the_same_spans(trained: labelkit.RunResult, piped: Any) -> None:
    from transformers import pipeline

    words = pipeline(
        "token-classification",
        model=piped.model,
        tokenizer=piped.tokenizer,
        device="cpu",
        aggregation_strategy="first",
    )
    labeller = labelkit.load(str(trained.checkpoint), decoder="argmax")
    found = 0
    for text in SENTENCES[:2]:
        spans = labeller.label(text).spans or ()
        theirs: list[Any] = [(span["start"], span["end"], span["entity_group"]) for span in words(text)]
        assert [(span.start, span.end, span.label) for span in spans] == theirs
        found += len(spans)
    assert found >= 3


OPEN = """
import os, socket, sys
def refuse(*arguments, **options): raise AssertionError("the network was asked")
socket.socket.connect = refuse
from transformers import pipeline
print(*[found["entity"] for found in pipeline("token-classification", model=sys.argv[1], device="cpu")(sys.argv[2])])
"""


@pytest.mark.slow
def test_the_pipeline_opens_it_in_a_process_that_knows_nothing_of_labelkit(trained: labelkit.RunResult) -> None:
    script = OPEN + "assert not [name for name in sys.modules if name.startswith('labelkit')]\n"
    done = subprocess.run(
        [sys.executable, "-c", script, str(trained.checkpoint), "Ada Lovelace lives in New York ."],
        capture_output=True,
        text=True,
        check=False,
        env={"HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "-PER" in done.stdout


# -- parts whose plugin is gone ---------------------------------------------------------------------------------------

SUPPLIED = {"name": "beam", "plugin": "beams", "version": "1.0", "package": "labelkit-beams"}
ABSENT = "the run had it from plugin 'beams' 1.0 (package labelkit-beams), "


def test_labelkit_json_says_which_plugin_supplied_each_part(trained: labelkit.RunResult) -> None:
    found = {(one.kind, one.name): (one.plugin, one.package) for one in read_checkpoint(trained.checkpoint).suppliers}
    assert found[("task", "ner")] == ("ner", "labelkit")
    assert found[("decoder", "viterbi")] == found[("metric", "seqeval")] == ("core", "labelkit")


@pytest.mark.parametrize("kind", ["decoder", "preprocessor"])
def test_an_unknown_part_names_the_plugin_that_supplied_it(folder: Path, kind: str) -> None:
    part = {"decoder": "beam"} if kind == "decoder" else {"preprocessors": [["beam", "1"]]}
    change(folder / "labelkit.json", **part, suppliers=[{"kind": kind, **SUPPLIED}])
    with pytest.raises(LabelkitError) as caught:
        labelkit.load(str(folder))
    assert caught.value.message == f"unknown {kind} 'beam'"
    assert caught.value.hint == f"{ABSENT}which is not installed: pip install labelkit-beams"


def test_a_part_that_its_plugin_no_longer_supplies_says_so(
    folder: Path, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("labelkit-beams", "import labelkit\n", plugin="beams")
    change(folder / "labelkit.json", decoder="beam", suppliers=[{"kind": "decoder", **SUPPLIED}])
    with pytest.raises(LabelkitError) as caught:
        labelkit.load(str(folder))
    assert caught.value.hint == f"{ABSENT}installed is 1.0, which has none"
    monkeypatch.setenv("LABELKIT_PLUGINS", "ner")
    with pytest.raises(LabelkitError) as caught:
        labelkit.load(str(folder))
    assert caught.value.hint == f"{ABSENT}which is not loaded: not named in LABELKIT_PLUGINS"


@pytest.mark.parametrize("kind", ["task", "metric"])
def test_evaluating_names_the_plugin_of_a_task_or_metric_that_is_gone(kind: str) -> None:
    supplier = Supplier(kind=kind, **{**SUPPLIED, "name": "beam" if kind == "task" else "seqeval"})
    catalog = Catalog([each for each in find_candidates() if each.name == ("core" if kind == "task" else "ner")])
    with pytest.raises(LabelkitError) as caught:
        select_metrics(an_info(task="beam" if kind == "task" else "ner", suppliers=(supplier,)), None, catalog)
    assert caught.value.message.startswith(f"unknown {kind}")
    assert caught.value.hint == f"{ABSENT}which is not installed: pip install labelkit-beams"


def test_a_checkpoint_of_an_older_labelkit_has_no_suppliers(folder: Path) -> None:
    change(folder / "labelkit.json", suppliers=None)
    assert read_checkpoint(folder).suppliers == ()
