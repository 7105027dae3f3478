"""Heads: what stands on the encoder and how it learns, their settings, and what becomes of a head of a plugin."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import labelkit
from labelkit.config.environment import Environment
from labelkit.config.plan import Request, make_plan
from labelkit.errors import LabelkitError
from labelkit.evaluation.cross_validation import plan_cross_validation
from labelkit.events import Event, StepDone
from labelkit.label.labeller import Labeller
from labelkit.models.head_trial import try_head
from labelkit.models.heads import LINEAR, BoundHead, cross_entropy
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Head, HeadBatch, HeadContext, Schema
from labelkit.registry import Home, Registry
from labelkit.train.class_weights import describe_weights, resolve_class_weights

pytest_plugins = ("fake_distributions",)

TAGS = Schema.bio("ner", "PER", "LOC")
CLASSES = Schema(name="mood", kind="text", labels=("bad", "good"))
CATALOG = Catalog.load(only=["ner", "textcls"])


def refused(*sets: str, catalog: Catalog = CATALOG) -> tuple[str, str]:
    """Return message and hint of the error that these settings give."""
    with pytest.raises(LabelkitError) as caught:
        make_plan(Request(task="ner", sets=sets), catalog)
    return caught.value.message, caught.value.hint or ""


# -- the weights of labels --------------------------------------------------------------------------------------------


def sentences() -> list[Example]:
    return [
        Example(id="1", words=("a", "b", "c"), labels={"ner": ("O", "O", "B-PER")}),
        Example(id="2", words=("d",), labels={"ner": ("O",)}),
    ]


@pytest.mark.parametrize(
    ("setting", "weights"),
    [
        ("none", None),
        ("balanced", (4 / (2 * 3), 4 / (2 * 1), 1, 1, 1)),
        ({"O": 0.5}, (0.5, 1, 1, 1, 1)),
        ({"PER": 2.0, "I-PER": 3.0}, (1, 2, 3, 1, 1)),
        ({"LOC": 0.0}, (1, 1, 1, 0, 0)),
    ],
)
def test_labels_weigh_what_the_setting_says(setting: Any, weights: tuple[float, ...] | None) -> None:
    assert resolve_class_weights(setting, sentences(), "ner", TAGS) == (weights and pytest.approx(weights))


def test_classes_of_texts_are_balanced_too() -> None:
    texts = [Example(id=str(n), text="x", labels={"mood": "good" if n else "bad"}) for n in range(4)]
    assert resolve_class_weights("balanced", texts, "mood", CLASSES) == pytest.approx((2, 2 / 3))


def test_an_unknown_label_in_the_weights_is_named() -> None:
    with pytest.raises(LabelkitError, match=r"train\.class_weights: unknown label 'PRE' \(did you mean PER"):
        resolve_class_weights({"PRE": 2.0}, (), "ner", TAGS)


def test_weights_are_shown_in_one_line() -> None:
    assert describe_weights((0.5, 2.0), CLASSES) == "class weights: bad 0.5, good 2"


def test_the_loss_is_multiplied_by_the_weight_of_the_label() -> None:
    outputs, labels = torch.randn(2, 3, 5), torch.tensor([[0, 1, -100], [3, 0, -100]])
    batch = HeadBatch(outputs=outputs, labels=labels)
    context = HeadContext(schema=TAGS, hidden_size=8)
    weights = (0.5, 2.0, 1.0, 3.0, 1.0)
    plain = cross_entropy(batch, context)
    weighed = cross_entropy(batch, HeadContext(schema=TAGS, hidden_size=8, class_weights=weights))
    torch.testing.assert_close(weighed, plain * torch.tensor([0.5, 2.0, 0.0, 3.0, 0.5, 0.0]))


@pytest.mark.parametrize("value", ["{O = -1}", "3", "{O = 'x'}", "balance"])
def test_other_values_of_class_weights_are_refused(value: str) -> None:
    message, hint = refused(f"train.class_weights={value}")
    assert message.startswith("invalid train.class_weights")
    assert "none, balanced, or a table of names, each with a number, at least 0" in hint


# -- heads of plans ---------------------------------------------------------------------------------------------------


def test_an_unknown_head_suggests_the_nearest() -> None:
    assert refused("train.head=linaer") == ("unknown head 'linaer'", "did you mean linear?")


def test_scores_of_the_linear_head_are_those_of_torch() -> None:
    outputs = torch.randn(7, 5) * 4
    found = BoundHead.linear(TAGS).scores(outputs.numpy())
    np.testing.assert_allclose(found, torch.log_softmax(outputs, -1).numpy(), atol=1e-6)


def test_the_linear_head_describes_itself_as_transformers_does() -> None:
    config = BoundHead.linear(CLASSES).config
    assert config == {"num_labels": 2, "id2label": {0: "bad", 1: "good"}, "label2id": {"bad": 0, "good": 1}}
    assert LINEAR.module is None


# -- a head of a plugin, with a module of its own ---------------------------------------------------------------------

SHARPENED = """
import labelkit

def module(ctx):
    import torch

    class Sharpened(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factors = torch.nn.Parameter(torch.ones(len(ctx.schema.label_names)))
            self.unseen = torch.nn.Parameter(torch.zeros(()))

        def forward(self, outputs, mask):
            return outputs * self.factors

    return Sharpened()

def loss(batch, ctx):
    import torch

    losses = torch.nn.functional.cross_entropy(batch.outputs.flatten(0, -2), batch.labels.flatten(), reduction="none")
    return losses + (batch.parameters["unseen"] - 1) ** 2 * batch.mask.flatten()

def decode(scores):
    assert set(scores.parameters) == {"factors", "unseen"}
    return scores.values.argmax(axis=1)

@labelkit.hookimpl
def labelkit_heads():
    yield labelkit.Head(name="sharpened", kinds=("token",), module=module, loss=loss, decoder="plain")

@labelkit.hookimpl
def labelkit_decoders():
    yield labelkit.Decoder(name="plain", kind="token", decode=decode)
"""
SETTINGS = {"train.head": "sharpened", "train.precision": "fp32", "train.dropout": 0.0, "train.batch_tokens": 0}


@pytest.fixture
def sharpened(install: Callable[..., None]) -> None:
    """Install a plugin whose head scales each output, and whose loss alone uses another parameter."""
    install("labelkit-sharp", SHARPENED, plugin="sharp")


def head_of(checkpoint: Path) -> dict[str, np.ndarray[Any, Any]]:
    return dict(load_file(checkpoint / "head.safetensors"))


@pytest.mark.slow
@pytest.mark.usefixtures("sharpened")
def test_a_head_with_a_module_is_trained_saved_and_loaded(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    run = labelkit.run(
        "ner", data=str(corpus), model=str(tiny), epochs=2, lr=5e-3, settings=SETTINGS, home=home
    )  # fmt: skip
    learned = head_of(run.checkpoint)
    assert learned.keys() == {"factors", "unseen"}
    assert np.abs(learned["factors"] - 1).max() > 1e-4
    assert learned["unseen"] > 0.001  # the loss alone uses it
    assert not any("labelkit" in name for name in load_file(run.checkpoint / "model.safetensors"))
    labeller = labelkit.load(str(run.checkpoint))
    text = "Ada Lovelace lives in London ."
    found = labeller.label(text)
    for engine in ("onnx", "openvino"):
        other = Labeller.open(f"{run.checkpoint}/", Home(root=home), Catalog.load(), engine=engine)
        assert other.label(text).labels == found.labels

    with Registry.open(Home(root=home), create=False) as registry:
        details = registry.runs.get(run.run)
    with pytest.raises(LabelkitError, match="head 'sharpened' learns parameters that its decoder uses"):
        plan_cross_validation(details, 3, Catalog.load(), Environment(offline=True), Home(root=home))

    # transformers opens the folder without the module, and warns of nothing
    from transformers import AutoModelForTokenClassification

    plain: Any = AutoModelForTokenClassification.from_pretrained(run.checkpoint, output_loading_info=True)
    assert not plain[1]["unexpected_keys"]
    assert not plain[1]["missing_keys"]

    monkeypatch.setenv("LABELKIT_PLUGINS", "ner")
    with pytest.raises(LabelkitError) as caught:
        labelkit.load(str(run.checkpoint))
    assert "sharp" in f"{caught.value.message} {caught.value.hint}"
    monkeypatch.delenv("LABELKIT_PLUGINS")
    (run.checkpoint / "head.safetensors").unlink()
    with pytest.raises(LabelkitError, match=r"head\.safetensors does not fit head 'sharpened'"):
        labelkit.load(str(run.checkpoint))


@pytest.mark.slow
@pytest.mark.usefixtures("sharpened")
def test_a_head_with_a_module_resumes_bit_by_bit(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"data": str(corpus), "model": str(tiny), "epochs": 2, "lr": 5e-3, "settings": SETTINGS}
    whole = labelkit.run("ner", **given, home=tmp_path / "whole")

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        labelkit.run("ner", **given, home=tmp_path / "parts", listeners=[stop])
    again = labelkit.resume("latest", home=tmp_path / "parts")
    for name, value in head_of(whole.checkpoint).items():
        np.testing.assert_array_equal(head_of(again.checkpoint)[name], value)


@pytest.mark.slow
@pytest.mark.usefixtures("sharpened")
def test_two_processes_train_a_module_as_one_does(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    alone = labelkit.run(
        "ner", data=str(corpus), model=str(tiny), max_steps=4, lr=5e-3, settings=SETTINGS, home=tmp_path / "one"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    start = [
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        port,
        "-m",
        "labelkit",
        "run",
        "ner",
    ]
    given = ["--data", str(corpus), "--model", str(tiny), "--max-steps", "4", "--lr", "5e-3", "--json"]
    sets = [f"--set={key}={value}" for key, value in {**SETTINGS, "train.per_device_train_batch_size": 8}.items()]
    environment = {**os.environ, "LABELKIT_HOME": str(tmp_path / "two"), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, *start, *given, *sets],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    together = Path(json.loads(done.stdout)["checkpoint"])
    for name, value in head_of(alone.checkpoint).items():
        np.testing.assert_allclose(head_of(together)[name], value, rtol=1e-3, atol=1e-5)


def test_a_head_that_fails_is_found_before_training() -> None:
    def fails(batch: HeadBatch, ctx: HeadContext) -> Any:
        raise ValueError("no")

    with pytest.raises(LabelkitError, match=r"loss\(\) of head 'broken' \(package test_heads\) failed: ValueError: no"):
        try_head(
            BoundHead(Head(name="broken", kinds=("token",), loss=fails), HeadContext(schema=TAGS, hidden_size=4)), [[1]]
        )
    wrong = Head(name="wrong", kinds=("text",), loss=lambda batch, ctx: batch.outputs)
    with pytest.raises(LabelkitError, match="returned losses of shape"):
        try_head(BoundHead(wrong, HeadContext(schema=CLASSES, hidden_size=4)), [[1]])
    endless = Head(name="endless", kinds=("text",), loss=lambda batch, ctx: batch.outputs[:, 0] * math.inf)
    with pytest.raises(LabelkitError, match="not finite"):
        try_head(BoundHead(endless, HeadContext(schema=CLASSES, hidden_size=4)), [[1]])
