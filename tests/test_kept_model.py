"""The ONNX model beside a checkpoint: the same labels without torch, and torch where it does not fit."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import labelkit
from labelkit import hardware
from labelkit.cli import main
from labelkit.errors import LabelkitError
from labelkit.events import Event, Noted, Stage
from labelkit.inference.onnx import engine as onnx_engine
from labelkit.inference.onnx import export as onnx_export
from labelkit.inference.onnx.kept import FOLDER, KeptModel, keep_model, read_kept_model
from labelkit.label import loading
from labelkit.label.labeller import Labeller
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.plugins.catalog import Catalog
from labelkit.records import Labelled
from labelkit.registry import Home, Registry
from labelkit.testing.adversarial_texts import TEXTS
from labelkit.train import kept_model

SENTENCE = "Ada Lovelace lives in New York ."


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="module")
def kept_home(
    trained: labelkit.RunResult, home: Path, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Home]:
    """Return a home with the shared run, whose checkpoint has its ONNX model beside it; OpenVINO is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (onnx_engine, onnx_export):
            patch.setattr(module, "openvino_installed", lambda: False)
        found = Home(root=tmp_path_factory.mktemp("kept") / "home")
        shutil.copytree(home, found.root)
        labeller = Labeller.open("shared", found, catalog, engine="torch")
        keep_model(labeller.engine, labeller.folder, labeller.info)
        yield found


@pytest.fixture
def checkpoint(kept_home: Home, tmp_path: Path, trained: labelkit.RunResult) -> Path:
    """Return a copy of the checkpoint with its ONNX model, to be damaged."""
    return Path(shutil.copytree(kept_home.runs / trained.run / "checkpoints" / trained.checkpoint.name, tmp_path / "c"))


@pytest.fixture
def opened(kept_home: Home, catalog: Catalog) -> Callable[..., Labeller]:
    return lambda reference, **options: Labeller.open(reference, kept_home, catalog, **options)


def without_engine(records: list[Labelled]) -> list[Labelled]:
    """Return the records without the engine and with scores of four digits."""
    return [
        replace(one, engine="", spans=tuple(replace(span, score=round(span.score or 0, 4)) for span in one.spans or ()))
        for one in records
    ]


# -- the same labels --------------------------------------------------------------------------------------------------


def test_it_labels_as_torch_does(opened: Callable[..., Labeller], checkpoint: Path) -> None:
    light, torch = opened(checkpoint), opened(checkpoint, engine="torch")
    assert (light.engine.model, light.engine.name, torch.engine.name) == (None, "onnx-fp32", "torch-fp32")
    texts = [SENTENCE, *TEXTS, " ".join([SENTENCE] * 40)]
    assert without_engine(light.label_all(texts)) == without_engine(torch.label_all(texts))
    assert light.encoding == torch.encoding
    assert light.notes == []


def test_torch_is_there_for_who_asks(opened: Callable[..., Labeller], monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened("shared", engine="torch").engine.name == "torch-fp32"
    assert opened("shared", precision="bf16").engine.name == "torch-bf16"
    monkeypatch.setattr(loading, "may_have_gpu", lambda: True)
    assert opened("shared").engine.name == "torch-fp32"
    assert opened("shared", device="cpu").engine.name == "onnx-fp32"
    assert opened("shared", engine="onnx").engine.name == "onnx-fp32"


def test_openvino_takes_over_large_inputs(opened: Callable[..., Labeller], monkeypatch: pytest.MonkeyPatch) -> None:
    labeller = opened("shared")
    assert labeller.engines == "onnx-fp32 on cpu"
    monkeypatch.setattr(onnx_engine, "openvino_installed", lambda: True)
    assert labeller.engines == "onnx-fp32, then openvino-fp32 on cpu"


# -- a model that does not fit ----------------------------------------------------------------------------------------


def change(path: Path, **entries: Any) -> None:
    content = {**json.loads(path.read_text(encoding="utf-8")), **entries}
    path.write_text(json.dumps(content), encoding="utf-8")


def damage_model(checkpoint: Path) -> None:
    model = checkpoint / FOLDER / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_model, "is damaged: model.onnx has changed"),
        (lambda folder: (folder / FOLDER / "model.onnx").unlink(), "cannot be read"),
        (lambda folder: change(folder / "config.json", note="another"), "was made from another config.json"),
        (lambda folder: change(folder / "tokenizer_config.json", n="x"), "was made from another tokenizer_config.json"),
        (
            lambda folder: (folder / "added_tokens.json").write_text("{}"),
            "was made from other files: added_tokens.json is new",
        ),
        (
            lambda folder: (folder / "tokenizer_config.json").unlink(),
            "was made from other files: tokenizer_config.json is missing",
        ),
        (
            lambda folder: change(folder / FOLDER / "meta.json", tokenizer_input="text"),
            "was made for another input of the tokenizer",
        ),
        (
            lambda folder: change(folder / FOLDER / "meta.json", encoding={"pad_id": 0}),
            "was made by another version of labelkit",
        ),
    ],
)
def test_torch_labels_where_it_does_not_fit_and_says_so(
    damage: Callable[[Path], None], reason: str, opened: Callable[..., Labeller], checkpoint: Path
) -> None:
    damage(checkpoint)
    labeller = opened(checkpoint)
    assert labeller.engine.name == "torch-fp32"
    assert len(labeller.notes) == 1
    assert reason in labeller.notes[0]
    assert "\n" not in labeller.notes[0]
    with pytest.warns(UserWarning, match=reason):
        labelkit.load(checkpoint)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": {}}'])
def test_a_folder_that_is_no_model_of_ours_is_left_alone(
    content: str, opened: Callable[..., Labeller], checkpoint: Path
) -> None:
    (checkpoint / FOLDER / "meta.json").write_text(content, encoding="utf-8")
    labeller = opened(checkpoint)
    assert (labeller.engine.name, labeller.notes) == ("torch-fp32", [])


@pytest.mark.parametrize(
    "entries",
    [
        {"format": 99},
        {"made_from": {"../config.json": "x"}},
        {"files": {"../model.onnx": [1, "x"]}},
        {"encoding": None},
    ],
)
def test_what_a_newer_labelkit_or_somebody_else_wrote_is_not_used(
    entries: dict[str, Any], opened: Callable[..., Labeller], checkpoint: Path
) -> None:
    change(checkpoint / FOLDER / "meta.json", **entries)
    assert opened(checkpoint).engine.name == "torch-fp32"


def test_without_torch_one_line_says_what_is_missing(
    opened: Callable[..., Labeller], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "torch_installed", lambda: False)
    assert opened(checkpoint).label(SENTENCE).labels
    damage_model(checkpoint)
    with pytest.raises(LabelkitError, match=r"torch is not installed, and .* model.onnx has changed") as caught:
        opened(checkpoint)
    assert "labelkit[train]" in str(caught.value.hint)
    shutil.rmtree(checkpoint / FOLDER)
    with pytest.raises(LabelkitError, match="no ONNX model lies in"):
        opened(checkpoint)
    monkeypatch.setattr(loading, "runs_models", lambda runtime: False)
    with pytest.raises(LabelkitError, match="neither ONNX Runtime nor torch is installed") as caught:
        opened("shared")
    assert "labelkit[runtime]" in str(caught.value.hint)


# -- writing it -------------------------------------------------------------------------------------------------------


def test_a_model_that_fits_is_left_as_it_is(
    opened: Callable[..., Labeller], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(engine: object, path: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(onnx_export, "trace", refuse)
    labeller = opened(checkpoint, engine="torch")
    before = (checkpoint / FOLDER / "model.onnx").stat()
    assert keep_model(labeller.engine, checkpoint, labeller.info).mismatch(labeller.info) is None
    assert (checkpoint / FOLDER / "model.onnx").stat().st_ino == before.st_ino


def test_the_weights_lie_apart_so_that_runtimes_map_them(checkpoint: Path) -> None:
    graph, weights = (checkpoint / FOLDER / name for name in ("model.onnx", "model.onnx.data"))
    kept = read_kept_model(checkpoint)
    assert kept is not None
    assert {graph.name, weights.name, "tokenizer.json"} == set(kept.files)
    whole = (checkpoint / "model.safetensors").stat().st_size
    assert weights.stat().st_size > 0.8 * whole
    assert graph.stat().st_size < 0.5 * whole


def test_a_damaged_model_is_written_again(opened: Callable[..., Labeller], checkpoint: Path) -> None:
    damage_model(checkpoint)
    labeller = opened(checkpoint, engine="torch")
    kept = keep_model(labeller.engine, checkpoint, labeller.info)
    assert kept.mismatch(labeller.info) is None
    assert [path.name for path in checkpoint.iterdir() if path.name.startswith(".")] == []


# -- verification, copies ---------------------------------------------------------------------------------------------


@pytest.fixture
def copied(kept_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return a copy of the home, for the commands too."""
    copy = Home(root=tmp_path / "home")
    shutil.copytree(kept_home.root, copy.root)
    monkeypatch.setenv("LABELKIT_HOME", str(copy.root))
    return copy


def checkpoint_of(home: Home) -> Path:
    with Registry.open(home, create=False) as registry:
        best = registry.runs.get(registry.runs.find("shared").id).best
    assert best is not None
    assert best.folder is not None
    return best.folder


def test_verification_knows_its_files(copied: Home) -> None:
    with Registry.open(copied, create=False) as registry:
        assert registry.storage.verify().ok
        damage_model(checkpoint_of(copied))
        found = next(one for one in registry.storage.verify().checkpoints if not one.ok)
        assert found.of("changed") == [f"{FOLDER}/model.onnx"]
        (found.folder / FOLDER / "more").write_text("x", encoding="utf-8")
        found = next(one for one in registry.storage.verify().checkpoints if not one.ok)
        assert found.of("unknown") == [f"{FOLDER}/more"]


def test_verification_sees_a_model_of_other_weights(copied: Home) -> None:
    folder = checkpoint_of(copied) / FOLDER
    sources = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["made_from"]
    change(folder / "meta.json", made_from={**sources, "model.safetensors": "0" * 64})
    with Registry.open(copied, create=False) as registry:
        found = next(one for one in registry.storage.verify().checkpoints if not one.ok)
    assert f"{FOLDER}/meta.json" in found.of("changed")


def test_a_copy_has_it_unless_it_is_damaged(copied: Home, tmp_path: Path, catalog: Catalog) -> None:
    assert main(["runs", "copy", "shared", str(tmp_path / "one")]) == 0
    assert Labeller.open(tmp_path / "one", copied, catalog).engine.name == "onnx-fp32"
    damage_model(checkpoint_of(copied))
    assert main(["runs", "copy", "shared", str(tmp_path / "two")]) == 0
    assert not (tmp_path / "two" / FOLDER).exists()


# -- after training ---------------------------------------------------------------------------------------------------


def test_a_run_ends_well_where_no_model_can_be_kept(
    trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    plan = SimpleNamespace(train=SimpleNamespace(onnx=True), context=SimpleNamespace(trial=False), head=None)

    def fail(error: BaseException) -> list[Event]:
        def broken(*arguments: object) -> None:
            raise error

        monkeypatch.setattr(kept_model, "onnx_installed", lambda: True)
        monkeypatch.setattr(kept_model, "load_torch_engine", broken)
        events.clear()
        kept_model.keep_onnx_model("run", [plan], trained.checkpoint, events.append)  # type: ignore[list-item]
        return events

    for error, text in (
        (LabelkitError("no"), "no"),
        (RuntimeError("a\nb"), "RuntimeError: a b"),
        (KeyboardInterrupt(), "Key"),
    ):
        stage, note = fail(error)
        assert isinstance(stage, Stage)
        assert isinstance(note, Noted)
        assert text in note.text
    plan.train.onnx = False
    assert fail(RuntimeError()) == []


@pytest.mark.slow
def test_training_keeps_the_model_of_the_best_checkpoint(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_model, "onnx_installed", lambda: True)
    recipe = str(Path(__file__).parent / "plain.toml")
    options: dict[str, Any] = {"data": str(corpus), "model": str(tiny), "recipe": recipe, "epochs": 1}
    done = labelkit.run("ner", **options, home=tmp_path / "home")
    kept = read_kept_model(done.checkpoint)
    assert isinstance(kept, KeptModel)
    assert labelkit.load(done.run, home=tmp_path / "home").engine.model is None
    with Registry.open(Home(root=tmp_path / "home"), create=False) as registry:
        assert registry.storage.verify().ok
    done = labelkit.run("ner", **options, home=tmp_path / "home", settings={"train.onnx": False})
    assert read_kept_model(done.checkpoint) is None


# -- what the hardware says -------------------------------------------------------------------------------------------


def test_threads_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert hardware.thread_count({"OMP_NUM_THREADS": "3"}) == 3
    assert hardware.thread_count({"OMP_NUM_THREADS": "4,2"}) == 4
    for odd in ({}, {"OMP_NUM_THREADS": "0"}, {"OMP_NUM_THREADS": "many"}):
        assert hardware.thread_count(odd) >= 1


def test_a_gpu_is_expected_unless_torch_is_for_processors_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(hardware, "version", lambda name: "2.6.0")
    assert hardware.may_have_gpu()
    monkeypatch.setattr(hardware, "version", lambda name: "2.6.0+cpu")
    assert not hardware.may_have_gpu()
    monkeypatch.setattr(hardware, "torch_installed", lambda: False)
    assert not hardware.may_have_gpu()


def test_the_info_of_a_checkpoint_decides_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    info: CheckpointInfo = SimpleNamespace(schema=SimpleNamespace(numeric=False))  # type: ignore[assignment]
    number: CheckpointInfo = SimpleNamespace(schema=SimpleNamespace(numeric=True))  # type: ignore[assignment]
    monkeypatch.setattr(loading, "may_have_gpu", lambda: False)
    monkeypatch.setattr(loading, "has_native_bf16", lambda: True)
    monkeypatch.setattr(loading, "runs_models", lambda runtime: True)

    def chosen(info: CheckpointInfo, precision: str, engine: str = "auto") -> tuple[str, str] | None:
        found = loading.choose_torchless([info], precision, engine, "auto")
        return None if found is None else (found.runtime, found.precision)

    assert chosen(info, "auto") is None  # torch computes in bf16
    assert chosen(number, "auto") == ("onnx", "fp32")
    assert chosen(info, "auto", "openvino") == ("openvino", "bf16")
    assert chosen(info, "auto", "onnx") == ("onnx", "fp32")
    monkeypatch.setattr(loading, "torch_installed", lambda: False)
    assert chosen(info, "auto") == ("openvino", "bf16")
    monkeypatch.setattr(loading, "runs_models", lambda runtime: runtime == "onnx")
    assert chosen(info, "auto") == ("onnx", "fp32")
    assert chosen(info, "bf16") is None
