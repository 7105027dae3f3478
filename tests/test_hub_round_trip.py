"""What was pushed to the stand-in Hub comes back the same, for labelkit and for transformers alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
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
