"""The learning rate of the head: the encoder's, a given one, or an automatic one; in joint runs that of all heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

import labelkit
from labelkit import hardware
from labelkit.models.checkpoint_files import JOINT_WEIGHTS
from labelkit.registry import Home, Registry

PLAIN = str(Path(__file__).parent / "plain.toml")
#: an encoder that stays as it is
STILL = {"train.precision": "fp32", "train.weight_decay": 0.0, "train.dropout": 0.0}


def changed(before: Path, after: Path) -> tuple[set[str], set[str]]:
    """Return the names of the weights that a checkpoint has otherwise than its encoder, and of those of its head."""
    old, new = load_file(before / "model.safetensors"), load_file(after / "model.safetensors")
    body = {name.removeprefix("bert."): weight for name, weight in new.items() if name.startswith("bert.")}
    head = {name for name, weight in new.items() if not name.startswith("bert.") and weight.abs().max() > 0.2}
    return {name for name, weight in body.items() if not weight.equal(old[name])}, head


def test_a_head_learns_while_its_encoder_stays(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    settings = {**STILL, "train.head_learning_rate": 1.0}
    done = labelkit.run(
        "ner", data=str(corpus), model=str(tiny), recipe=PLAIN, epochs=1, lr=0.0, home=tmp_path, settings=settings
    )
    assert changed(tiny, done.checkpoint) == (set(), {"classifier.weight", "classifier.bias"})


def test_an_encoder_learns_while_its_head_stays(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    settings = {**STILL, "train.head_learning_rate": 0.0}
    done = labelkit.run(
        "ner", data=str(corpus), model=str(tiny), recipe=PLAIN, epochs=1, lr=0.1, home=tmp_path, settings=settings
    )
    body, head = changed(tiny, done.checkpoint)
    assert body
    assert not head


def test_all_heads_of_a_joint_run_have_it(tiny: Path, tmp_path: Path) -> None:
    settings = {**STILL, "train.head_learning_rate": 1.0}
    done = labelkit.run(
        ["ner", "pos"], data="sample", model=str(tiny), max_steps=3, lr=0.0, home=tmp_path, settings=settings
    )
    assert changed(tiny, done.checkpoint) == (set(), {"classifier.weight", "classifier.bias"})
    further = load_file(done.checkpoint / JOINT_WEIGHTS)
    assert min(weight.abs().max() for weight in further.values()) > 0.2


@pytest.mark.parametrize(
    ("wide", "lr", "rate"), [(768, None, "0.0002"), (768, 5e-3, "0.005"), (32, None, "0.001"), (32, 5e-3, "0.005")]
)
def test_automatically_the_width_decides_and_the_encoder_has_no_higher_rate(
    tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide: int, lr: float | None, rate: str
) -> None:
    monkeypatch.setattr(hardware, "WIDE", wide)
    settings = {"train.head_learning_rate": "auto"}
    done = labelkit.run(
        "ner", data=str(corpus), model=str(tiny), recipe=PLAIN, max_steps=1, lr=lr, home=tmp_path, settings=settings
    )
    with Registry.open(Home(root=tmp_path), create=False) as registry:
        plan = {value.key: (value.text, value.origin) for value in registry.runs.get(done.run).record.plan}
    assert plan["train.head_learning_rate"] == (rate, "automatic: the hidden size is 32")


@pytest.mark.slow
def test_a_resumed_run_is_bit_identical(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    from labelkit.events import Event, StepDone

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 4:
            raise KeyboardInterrupt

    settings = {"train.precision": "fp32", "train.head_learning_rate": 1e-2, "train.save_minutes": 0}
    given: dict[str, Any] = {"data": str(corpus), "model": str(tiny), "recipe": PLAIN, "epochs": 2}
    given["settings"] = settings
    whole = labelkit.run("ner", **given, home=tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        labelkit.run("ner", **given, home=tmp_path / "two", listeners=[stop])
    done = labelkit.resume("latest", home=tmp_path / "two")
    assert done.metrics == whole.metrics
    weights = "model.safetensors"
    assert (done.checkpoint / weights).read_bytes() == (whole.checkpoint / weights).read_bytes()
