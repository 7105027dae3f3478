"""ONNX models: the same labels as torch, kept by the checkpoint's hash, refused where they are worse."""

from __future__ import annotations

import ctypes
import gc
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import labelkit
from labelkit import Example
from labelkit.cli import main
from labelkit.encode.alignment import Encoding, Window, encode
from labelkit.encode.batches import rounded_count, rounded_length
from labelkit.errors import LabelkitError, ModelError
from labelkit.evaluation.onnx_export import compare
from labelkit.inference import engine as inference_engine
from labelkit.inference.engine import Engine
from labelkit.inference.onnx import engine as onnx_engine
from labelkit.inference.onnx import export as onnx_export
from labelkit.inference.onnx import openvino_graph, weight_splitting
from labelkit.inference.onnx import quantization as onnx_quantization
from labelkit.label import loading, stream
from labelkit.label.labeller import Labeller
from labelkit.models.heads import BoundHead
from labelkit.models.loading import load_classifier
from labelkit.models.tiny import make_tiny
from labelkit.models.tokenizer import load_tokenizer
from labelkit.plugins.catalog import Catalog
from labelkit.records import Schema
from labelkit.registry import Home, Registry

ARCHITECTURES = ("bert", "distilbert", "roberta", "mpnet", "deberta", "deberta-v2", "modernbert", "electra", "albert")
SENTENCES = ["Ada Lovelace lives in New York .", "Bob met Cleo .", "", "It rained in Paris all day . " * 40]
SCHEMAS = {"token": Schema.bio("x", "PER", "LOC"), "text": Schema(name="y", kind="text", labels=("bad", "good"))}


@pytest.fixture(scope="module")
def own_home(trained: labelkit.RunResult, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home of this module's own with the shared run in it."""
    copied = tmp_path_factory.mktemp("onnx") / "home"
    shutil.copytree(home, copied)
    return Home.find({}, explicit=copied)


@pytest.fixture(scope="module")
def opened(own_home: Home) -> Callable[[str], Labeller]:
    catalog = Catalog.load()
    return lambda engine: Labeller.open("shared", own_home, catalog, engine=engine)


@pytest.fixture
def command(own_home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    for name in ("REGISTRY", "DATA", "PLUGINS"):
        monkeypatch.delenv(f"LABELKIT_{name}", raising=False)
    monkeypatch.setenv("LABELKIT_HOME", str(own_home.root))

    def run(*arguments: str | Path) -> SimpleNamespace:
        before = signal.getsignal(signal.SIGTERM)
        status = main([str(one) for one in arguments])
        signal.signal(signal.SIGTERM, before)
        out, err = capsys.readouterr()
        return SimpleNamespace(status=status, out=out, err=err)

    return run


def tiny_engine(architecture: str, kind: str, folder: Path) -> tuple[Engine, Path]:
    """Return an engine with a tiny random encoder and head, and the folder of its checkpoint."""
    torch.set_num_threads(1)
    source = make_tiny(architecture, folder)
    model = load_classifier(source, BoundHead.linear(SCHEMAS[kind])).eval()
    checkpoint = folder / "checkpoint"
    model.save_pretrained(checkpoint)
    encoding = Encoding.of(load_tokenizer(source), 64, 8)
    return Engine(model, encoding, "fp32", 256, 0, BoundHead.linear(SCHEMAS[kind])), checkpoint


def windows_of(encoding: Encoding) -> list[Window]:
    """Return windows of some text."""
    return list(encode(encoding, [tuple(sentence.split()) for sentence in SENTENCES]).windows)


def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_engine, "openvino_installed", lambda: False)
    monkeypatch.setattr(onnx_export, "openvino_installed", lambda: False)


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list that grows with every model that is traced."""
    made: list[Path] = []
    trace = onnx_export.trace

    def counted(engine: Engine, path: Path, further: Sequence[Engine]) -> None:
        made.append(path)
        trace(engine, path, further)

    monkeypatch.setattr(onnx_export, "trace", counted)
    return made


def labels_of(labeller: Labeller, texts: list[str]) -> list[tuple[str, ...] | None]:
    return [record.labels for record in labeller.label_all(texts)]


# -- exporting --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
@pytest.mark.parametrize("kind", ["token", "text"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_exported_model_scores_as_torch_does(architecture: str, kind: str, runtime: str, tmp_path: Path) -> None:
    engine, checkpoint = tiny_engine(architecture, kind, tmp_path)
    model = onnx_export.export_model(engine, checkpoint, "fp32", tmp_path / "cache")
    assert model.unusable_runtimes == {}
    other = onnx_engine.with_onnx_model(engine, model, runtime)
    assert other.name == f"{runtime}-fp32"
    for inputs in onnx_export.random_batches(engine.encoding, ((64,), (3, 40), (5, 9, 2, 30))):
        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
            wanted = engine.torch_model(**tensors).logits.numpy()
        assert other.session is not None
        seen = inputs["attention_mask"].astype(bool) if kind == "token" else np.ones(len(wanted), bool)
        seen[-1] = False
        seen[..., ::2] = False
        np.testing.assert_allclose(other.session.logits(inputs, seen), wanted[seen], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["token", "text"])
def test_openvino_computes_the_end_for_what_answers_alone(kind: str, tmp_path: Path) -> None:
    engine, checkpoint = tiny_engine("bert", kind, tmp_path)
    model = onnx_export.export_model(engine, checkpoint, "fp32", tmp_path / "cache")
    session = onnx_engine.OpenvinoSession(model, 1, bf16=False)
    inputs = {one.get_any_name() for one in session._requests.get().model_inputs}
    # of a whole text a single sub-token is read already
    assert (openvino_graph.OUTPUT_TOKENS in inputs) == (kind == "token")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta"])
def test_the_keys_of_each_layer_are_left_as_they_lie(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, checkpoint = tiny_engine(architecture, "token", tmp_path)
    model = onnx_export.export_model(engine, checkpoint, "fp32", tmp_path / "cache")
    found: list[int] = []
    turn = openvino_graph.fold_key_transposes
    monkeypatch.setattr(onnx_engine, "fold_key_transposes", lambda network: found.append(turn(network)))
    onnx_engine.OpenvinoSession(model, 1, bf16=False)
    assert found == [engine.torch_model.config.num_hidden_layers]


def test_a_model_that_differs_from_torch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, checkpoint = tiny_engine("bert", "token", tmp_path)
    trace = onnx_export.trace

    def other_weights(engine: Engine, path: Path, further: Sequence[Engine]) -> None:
        trace(engine, path, further)
        with torch.no_grad():
            for weight in engine.torch_model.parameters():
                weight.mul_(1.5)

    monkeypatch.setattr(onnx_export, "trace", other_weights)
    with pytest.raises(ModelError, match="differs from torch by"):
        onnx_export.export_model(engine, checkpoint, "fp32", tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.onnx"))


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, checkpoint = tiny_engine("bert", "token", tmp_path)

    def failing(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("unsupported operator:\n aten::odd")

    monkeypatch.setattr(torch.onnx, "export", failing)
    with pytest.raises(ModelError, match="'bert' cannot be exported to ONNX: unsupported operator: aten::odd"):
        onnx_export.export_model(engine, checkpoint, "fp32", tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.onnx"))


@pytest.mark.slow
def test_a_model_is_exported_once_for_each_checkpoint(tmp_path: Path, exports: list[Path]) -> None:
    engine, checkpoint = tiny_engine("bert", "token", tmp_path)
    cache = tmp_path / "cache"
    first = onnx_export.export_model(engine, checkpoint, "fp32", cache)
    assert onnx_export.export_model(engine, checkpoint, "fp32", cache) == first
    assert len(exports) == 1
    with torch.no_grad():
        next(engine.torch_model.parameters()).mul_(1.5)
    engine.torch_model.save_pretrained(checkpoint)
    assert onnx_export.find_model(checkpoint, "fp32", cache) is None
    assert onnx_export.export_model(engine, checkpoint, "fp32", cache).folder != first.folder
    assert len(exports) == 2
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (checkpoint / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}), encoding="utf-8")
    assert onnx_export.find_model(checkpoint, "fp32", cache) is None


def test_a_damaged_model_is_written_again(tmp_path: Path, exports: list[Path]) -> None:
    engine, checkpoint = tiny_engine("bert", "token", tmp_path)
    model = onnx_export.export_model(engine, checkpoint, "fp32", tmp_path)
    content = bytearray(model.path.read_bytes())
    content[-9] ^= 1
    model.path.write_bytes(content)
    assert onnx_export.find_model(checkpoint, "fp32", tmp_path) is None
    again = onnx_export.export_model(engine, checkpoint, "fp32", tmp_path)
    assert len(exports) == 2
    assert onnx_export.find_model(checkpoint, "fp32", tmp_path) == again


def test_a_model_that_only_openvino_computes_otherwise_is_left_to_onnx_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, checkpoint = tiny_engine("bert", "token", tmp_path)
    logits = onnx_engine.OpenvinoSession.logits
    monkeypatch.setattr(onnx_engine.OpenvinoSession, "logits", lambda self, *given: 1.5 * logits(self, *given))
    model = onnx_export.export_model(engine, checkpoint, "fp32", tmp_path / "cache")
    assert onnx_engine.with_onnx_model(engine, model, "onnx").name == "onnx-fp32"
    with pytest.raises(ModelError, match="the ONNX model in OpenVINO differs from torch by"):
        onnx_engine.with_onnx_model(engine, model, "openvino")


def test_openvino_computes_in_the_engine_s_precision(tmp_path: Path) -> None:
    engine, checkpoint = tiny_engine("bert", "token", tmp_path)
    model = onnx_export.export_model(engine, checkpoint, "fp32", tmp_path / "cache")
    half = onnx_engine.with_onnx_model(replace(engine, precision="bf16"), model, "openvino")
    assert half.name == "openvino-bf16"
    windows = windows_of(engine.encoding)
    words = [len(sentence.split()) for sentence in SENTENCES]
    exact, near = engine.score(windows, words).values, half.score(windows, words).values
    np.testing.assert_allclose(np.exp(near), np.exp(exact), atol=0.02)


def test_nncf_tells_nobody_that_it_is_used() -> None:
    code = (
        "from labelkit.inference.onnx.quantization import without_telemetry\n"
        "with without_telemetry():\n"
        "    import nncf.telemetry.wrapper as wrapper\n"
        "print(type(wrapper.telemetry).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["MagicMock"]


@pytest.mark.parametrize(("flags", "reduced"), [({"avx2"}, True), ({"avx2", "avx_vnni"}, False)])
def test_int8_leaves_room_where_the_processor_would_overflow(
    flags: set[str], reduced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, checkpoint = tiny_engine("bert", "token", tmp_path)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("labelkit.hardware.cpu_flags", lambda: frozenset(flags))
    model = onnx_export.export_model(engine, checkpoint, "int8", tmp_path, calibration=windows_of(engine.encoding))
    import onnx
    from onnx import numpy_helper

    weights = [numpy_helper.to_array(one) for one in onnx.load(model.path).graph.initializer]
    largest = max(int(np.abs(one.astype(int)).max()) for one in weights if one.dtype == np.int8)
    assert largest == (64 if reduced else 127)


def test_int8_divides_large_neurons_and_keeps_the_rest_in_fp32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx

    engine, checkpoint = tiny_engine("bert", "token", tmp_path)
    monkeypatch.setattr(weight_splitting, "CHANNELS_PER_COPY", 4)
    written = onnx_export.export_model(engine, checkpoint, "int8", tmp_path, calibration=windows_of(engine.encoding))
    half = replace(engine, precision="bf16")
    assert onnx_engine.with_onnx_model(half, written, "openvino").name == "openvino-int8"
    neurons = engine.torch_model.config.intermediate_size
    shapes = [tuple(one.dims) for one in onnx.load(written.path).graph.initializer]
    assert any(neurons + neurons // 4 in shape for shape in shapes)
    assert [file.name for file in written.folder.iterdir() if "observed" in file.name] == []


# -- labelling --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_onnx_labels_as_torch_does(runtime: str, opened: Callable[[str], Labeller]) -> None:
    onnx, plain = opened(runtime), opened("torch")
    assert labels_of(onnx, SENTENCES) == labels_of(plain, SENTENCES)
    record = onnx.label("Bob lives in Lima .")
    assert (record.engine, onnx.engine.name, plain.engine.name) == (f"{runtime}-fp32", f"{runtime}-fp32", "torch-fp32")


def test_openvino_prepares_few_shapes_for_few_texts(
    opened: Callable[[str], Labeller], monkeypatch: pytest.MonkeyPatch
) -> None:
    labeller, texts = opened("openvino"), [" ".join(SENTENCES[:2] * number)[: 9 * number] for number in range(1, 22)]
    shapes: set[tuple[int, int]] = set()
    logits = onnx_engine.OpenvinoSession.logits

    def noted(self: Any, inputs: Any, wanted: Any) -> Any:
        shapes.add(inputs["input_ids"].shape)
        return logits(self, inputs, wanted)

    monkeypatch.setattr(onnx_engine.OpenvinoSession, "logits", noted)
    for count in (1, 5, 7, 21):
        assert labels_of(labeller, texts[:count]) == labels_of(opened("torch"), texts[:count])
    assert shapes == {(rounded_count(windows), rounded_length(length)) for windows, length in shapes}
    monkeypatch.setattr(inference_engine, "FEW_WINDOWS", 20)
    shapes.clear()
    labels_of(labeller, texts)
    assert shapes != {(rounded_count(windows), rounded_length(length)) for windows, length in shapes}


def many(count: int) -> list[str]:
    return [SENTENCES[number % 2] for number in range(count)]


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_large_inputs_go_through_onnx_unasked(
    runtime: str, opened: Callable[[str], Labeller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LARGE_INPUT_CHUNKS", 1)
    monkeypatch.setattr("labelkit.hardware.cpu_flags", lambda: frozenset({"avx512_bf16"}))
    if runtime == "onnx":
        without_openvino(monkeypatch)
    auto = opened("auto")
    assert auto.engines == f"torch-fp32, then {runtime}-fp32 on cpu"
    records = list(auto.stream(many(100)))
    assert [record.engine for record in records] == ["torch-fp32"] * 64 + [f"{runtime}-fp32"] * 36
    assert [record.labels for record in records] == labels_of(opened("torch"), many(100))
    assert auto.notes == []
    assert auto.label("Bob").engine == "torch-fp32"


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let torch compute with two threads for a test."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_many_threads_may_label_through_openvino(opened: Callable[[str], Labeller]) -> None:
    labeller, texts = opened("openvino"), many(60)
    assert labeller.engine.session is not None
    assert labeller.engine.session.streams == 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(labeller.label, texts))
    assert [record.labels for record in found] == labels_of(opened("torch"), texts)


@pytest.mark.usefixtures("two_threads")
def test_batches_that_wait_are_dropped_where_labelling_ends(opened: Callable[[str], Labeller]) -> None:
    engine, begun, go_on = opened("openvino").engine, list[int](), Event()

    def compute(windows: Any) -> Any:
        begun.append(1)
        assert go_on.wait(20)

    def interrupted() -> None:
        with engine.map_batches(compute, [[]] * 50):
            Timer(0.1, go_on.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(begun) < 10


@pytest.mark.parametrize("reason", ["amx", "missing", "asked", "bf16", "gpu", "homeless"])
def test_torch_stays_where_onnx_is_no_gain(
    reason: str, opened: Callable[[str], Labeller], own_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LARGE_INPUT_CHUNKS", 0)
    monkeypatch.setattr("labelkit.hardware.cpu_flags", lambda: frozenset({"amx_bf16"} if reason == "amx" else ()))
    if reason == "missing":
        monkeypatch.setattr(onnx_engine, "onnx_installed", lambda: False)
    if reason == "bf16":  # ONNX Runtime has none
        without_openvino(monkeypatch)
        labeller = Labeller.open("shared", own_home, Catalog.load(), "bf16")
    else:
        labeller = opened("torch" if reason == "asked" else "auto")
    if reason == "gpu":
        device: Any = SimpleNamespace(session=None, device="cuda")
        assert onnx_engine.faster_runtime(device, own_home.cache) is None
        return
    if reason == "homeless":
        labeller._selector._cache = Path("/nowhere/cache")
    assert "then" not in labeller.engines
    assert {record.engine for record in labeller.stream(many(3))} == {labeller._selector.loaded.name}
    assert labeller.notes == []


def test_torch_takes_over_where_no_model_can_be_written(
    opened: Callable[[str], Labeller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LARGE_INPUT_CHUNKS", 1)
    monkeypatch.setattr("labelkit.hardware.cpu_flags", lambda: frozenset())
    auto, tried = opened("auto"), []

    def failing(*arguments: Any) -> Engine:
        tried.append(arguments)
        raise ModelError("the architecture 'odd' cannot be exported to ONNX: no")

    monkeypatch.setattr(onnx_engine, "load_onnx_engine", failing)
    assert {record.engine for record in auto.stream(many(300))} == {"torch-fp32"}
    assert len(tried) == 1
    assert auto.notes == ["torch-fp32 alone: the architecture 'odd' cannot be exported to ONNX: no"]


def broken(session: Any, error: Exception) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise error

    if session.runtime == "onnx":
        session._session = SimpleNamespace(run=fail)
    else:
        for _ in range(session.streams):
            session._requests.get()
            session._requests.put(SimpleNamespace(infer=fail))


@pytest.mark.parametrize(("runtime", "name"), [("onnx", "ONNX Runtime"), ("openvino", "OpenVINO")])
def test_torch_takes_over_where_a_runtime_fails(
    runtime: str, name: str, opened: Callable[[str], Labeller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LARGE_INPUT_CHUNKS", 1)
    monkeypatch.setattr("labelkit.hardware.cpu_flags", lambda: frozenset())
    if runtime == "onnx":
        without_openvino(monkeypatch)
    auto = opened("auto")
    quick = auto._selector.faster()
    broken(quick.session, RuntimeError("Non-zero status code"))
    records = list(auto.stream(many(300)))
    assert {record.engine for record in records} == {"torch-fp32"}
    assert len(records) == 300
    assert auto.notes == [f"torch-fp32 alone: {name} failed: Non-zero status code"]
    monkeypatch.undo()
    asked = opened(runtime)
    broken(asked.engine.session, RuntimeError("Non-zero status code"))
    with pytest.raises(LabelkitError, match=f"{name} failed"):
        asked.label("Bob")


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_batches_shrink_where_a_runtime_is_out_of_memory(runtime: str, opened: Callable[[str], Labeller]) -> None:
    asked = opened(runtime)
    session: Any = asked.engine.session
    real: Any = session._session if runtime == "onnx" else [session._requests.get() for _ in range(session.streams)]

    def check(inputs: dict[str, Any]) -> None:
        if inputs["input_ids"].size > 40:
            raise RuntimeError("Failed to allocate memory for requested buffer")

    def run(names: list[str], inputs: dict[str, Any]) -> Any:
        check(inputs)
        return real.run(names, inputs)

    def small(request: Any) -> Any:
        def infer(inputs: dict[str, Any], **options: Any) -> None:
            check(inputs)
            request.infer(inputs, **options)

        return SimpleNamespace(infer=infer, get_output_tensor=request.get_output_tensor)

    if runtime == "onnx":
        session._session = SimpleNamespace(run=run)
    else:
        for request in real:
            session._requests.put(small(request))
    assert labels_of(asked, many(20)) == labels_of(opened("torch"), many(20))
    assert asked.engine.memory.backoffs > 0


def test_an_unknown_engine_is_told(opened: Callable[[str], Labeller]) -> None:
    with pytest.raises(LabelkitError, match=r"unknown engine 'onx' .*did you mean onnx"):
        opened("onx")


# -- labelkit onnx ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_writes_scores_and_records(command: Any, own_home: Home, tmp_path: Path) -> None:
    done = command("onnx", "shared", "--json", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    document = json.loads(done.out)
    assert (document["engine"], document["split"], document["examples"]) == ("onnx-fp32", "validation", 12)
    assert (document["difference"], document["same"]) == (0.0, document["words"])
    assert document["metrics"]["onnx-fp32"]["f1"] == document["metrics"]["torch-fp32"]["f1"]
    assert Path(document["model"]).is_relative_to(own_home.cache / "onnx")
    assert {"model.onnx", "check.json", "config.json", "labelkit.json", "tokenizer.json"} <= {
        file.name for file in (tmp_path / "out").iterdir()
    }
    assert not list((tmp_path / "out").glob("*.safetensors"))
    with Registry.open(own_home, create=False) as registry:
        run = registry.runs.get(registry.runs.find("shared").id)
    last = run.evaluations[-1]
    figures = {figure.name: figure.value for figure in last.figures if figure.type is None}
    assert (last.source, last.split) == ("onnx", "validation")
    assert last.ref.endswith("(onnx-fp32)")
    assert (figures["difference"], figures["same_share"]) == (0.0, 1.0)
    test = next(split.content_hash for split in run.record.splits if split.split == "test")
    assert run.test_scored == sum(one.content_hash == test for one in run.evaluations)
    assert "exists already" in command("onnx", "shared", "-o", tmp_path / "out").err
    assert "found in the cache" in command("onnx", "shared").out


def test_int8_is_used_only_once_it_was_accepted(
    command: Any, own_home: Home, opened: Callable[[str], Labeller], tmp_path: Path
) -> None:
    plain = opened("torch")
    windows = windows_of(plain.engine.encoding)
    onnx_export.export_model(plain.engine, plain.folder, "int8", own_home.cache, calibration=windows)
    # written is not accepted
    texts = tmp_path / "texts.txt"
    texts.write_text("Ada Lovelace lives in New York .\n" * 3, encoding="utf-8")
    for engine in ("onnx-int8", "openvino-int8"):
        refused = command("label", "shared", texts, "--engine", engine)
        assert refused.status == 1
        assert refused.err.splitlines() == [
            "error: no accepted int8 model of this checkpoint",
            "  labelkit export RUN --to onnx --int8",
        ]
    done = command("onnx", "shared", "--int8", "--threshold", "0.2")
    assert done.status == 0, done.err
    assert done.out.startswith("openvino-int8: ")
    for engine in ("onnx-int8", "openvino-int8"):
        output = tmp_path / f"{engine}.jsonl"
        labelled = command("label", "shared", texts, "-o", output, "--engine", engine, "--json")
        assert labelled.status == 0, labelled.err
        assert json.loads(labelled.out)["engine"] == engine
        first = json.loads(output.read_text(encoding="utf-8").splitlines()[0])
        assert first["coverage"]["engine"] == engine


@pytest.mark.slow
def test_a_model_that_scores_lower_is_refused_and_removed(
    command: Any, own_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantize = onnx_quantization.quantize

    tried: list[int] = []

    def ruined(source: Any, path: Path, encoding: Encoding, windows: list[Window], fp32_level: int) -> None:
        import onnx
        from onnx import numpy_helper

        tried.append(fp32_level)
        quantize(source, path, encoding, windows, 0)
        model = onnx.load(path)
        for one in model.graph.initializer:
            if one.data_type == onnx.TensorProto.INT8:
                one.CopyFrom(numpy_helper.from_array(0 * numpy_helper.to_array(one), one.name))
        onnx.save(model, path)

    monkeypatch.setattr(onnx_quantization, "quantize", ruined)
    for folder in (own_home.cache / "onnx").glob("*/int8-*"):
        shutil.rmtree(folder)
    done = command("onnx", "shared", "--int8", "--threshold", "0")
    assert done.status == 1
    assert "error: the ONNX model was refused: its f1 is " in done.err
    assert not list((own_home.cache / "onnx").glob("*/int8-*"))
    assert tried == [0, 1, 2]
    forced = command("onnx", "shared", "--int8", "--threshold", "0", "--force", "--json")
    assert forced.status == 0, forced.err
    assert json.loads(forced.out)["difference"] < 0
    [folder] = (own_home.cache / "onnx").glob("*/int8-*")
    shutil.rmtree(folder)


def test_data_that_is_gone_needs_other_data(
    command: Any, own_home: Home, trained: labelkit.RunResult, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*arguments: Any) -> None:
        raise LabelkitError("corpus does not exist")

    monkeypatch.setattr("labelkit.train.corpora.read_corpus", gone)
    done = command("onnx", "shared")
    assert done.status == 1
    assert "the validation data of" in done.err
    assert "give gold data: --data REF" in done.err
    assert command("onnx", "shared", "--data", f"validation={corpus / 'dev.conll'}").status == 0
    with Registry.open(own_home, create=False) as registry:
        folder = registry.runs.checkpoint_folder(registry.runs.find("shared").id)
    assert "add --data REF" in command("onnx", folder).err


def test_without_the_extra_the_hint_names_it(
    command: Any, opened: Callable[[str], Labeller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "onnx_installed", lambda: False)
    for module in (onnx_export, loading):
        monkeypatch.setattr(module, "runs_models", lambda runtime: False)
    done = command("onnx", "shared")
    assert (done.status, done.err.splitlines()[-1]) == (1, "  pip install 'labelkit[fast]'")
    for engine in ("onnx", "onnx-int8"):
        with pytest.raises(LabelkitError, match="ONNX Runtime is not installed"):
            opened(engine)
    monkeypatch.undo()
    without_openvino(monkeypatch)
    for engine in ("openvino", "openvino-int8"):
        with pytest.raises(LabelkitError, match="OpenVINO is not installed"):
            opened(engine)


def test_a_comparison_knows_which_way_is_better(opened: Callable[[str], Labeller]) -> None:
    plain, onnx = opened("torch"), opened("onnx")
    gold = [Example(id="1", words=("Bob", "met", "Ada"), labels={"ner": ("B-PER", "O", "B-PER")})]
    found = compare(plain, onnx, gold, [Catalog.load().find("metric", "seqeval")])
    assert (found.same, found.words, found.loss) == (3, 3, 0.0)
    worse = replace(found, torch={"f1": 0.9}, onnx={"f1": 0.8})
    assert worse.difference == pytest.approx(-0.1)
    assert (worse.accepts(0.05), worse.accepts(0.2)) == (False, True)
    assert replace(worse, higher_is_better=False).accepts(0.0)
    assert not replace(worse, onnx={"f1": float("nan")}).accepts(1.0)


class AlternateStack(ctypes.Structure):
    """``stack_t`` of Linux."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def alternate_stack() -> tuple[int | None, int]:
    found = AlternateStack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found.start, found.flags


@pytest.mark.skipif(sys.platform != "linux", reason="the structure is that of Linux")
def test_openvino_leaves_the_stack_for_signals_alone(tmp_path: Path) -> None:
    engine, folder = tiny_engine("bert", "token", tmp_path)
    model = onnx_export.export_model(engine, folder, "fp32", tmp_path / "cache")
    before = alternate_stack()
    sessions = [onnx_engine.OpenvinoSession(model, 1, bf16=False) for _ in range(2)]
    assert alternate_stack() == before
    sessions.pop(0)
    gc.collect()
    sessions.pop()
    gc.collect()
    assert alternate_stack() == before
