"""LoRA adapters: trained in place of the weights, merged into plain checkpoints, resumed bit by bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import labelkit
from labelkit.cli import main
from labelkit.errors import LabelkitError, ModelError
from labelkit.models import adapters
from labelkit.models.adapters import Adapters, check_no_adapter, find_targets
from labelkit.registry import Home, Registry
from test_processes import launched

PLAIN = str(Path(__file__).parent / "plain.toml")
LORA = {"train.precision": "fp32", "train.lora_rank": 4}


def trained_with(tiny: Path, corpus: Path, home: Path, **settings: Any) -> labelkit.RunResult:
    return labelkit.run(
        "ner", data=str(corpus), model=str(tiny), recipe=PLAIN, epochs=2, home=home,
        settings={**LORA, **{f"train.{name}": value for name, value in settings.items()}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def lora(tiny: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, labelkit.RunResult]:
    """Return the home and the result of a run with adapters and dropout before them."""
    home = tmp_path_factory.mktemp("lora") / "home"
    return home, trained_with(tiny, corpus, home, lora_dropout=0.1)


def test_the_checkpoint_is_plain_and_scores_what_was_recorded(
    lora: tuple[Path, labelkit.RunResult], corpus: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from safetensors import safe_open
    from transformers import AutoModelForTokenClassification

    home, done = lora
    model, report = AutoModelForTokenClassification.from_pretrained(done.checkpoint, output_loading_info=True)
    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert not (done.checkpoint / "adapter_config.json").exists()
    with safe_open(done.checkpoint / "model.safetensors", "pt") as weights:
        assert set(weights.keys()) == set(model.state_dict())
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    assert main(["evaluate", "latest", "--split", "validation", "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert metrics == {"validation": done.metrics["validation"]}  # the merged weights were scored, not the adapters


@pytest.mark.slow
def test_two_processes_train_adapters_as_one_does(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    same = {**LORA, "train.dropout": 0.0, "train.train_sampling_strategy": "random"}
    given: dict[str, Any] = {"data": str(corpus), "model": str(tiny), "recipe": PLAIN}
    alone = labelkit.run("ner", **given, max_steps=4, lr=5e-3, settings=same, home=tmp_path / "one")
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    sets = [f"--set={key}={value}" for key, value in {**same, "train.per_device_train_batch_size": 8}.items()]
    process = launched("torchrun", tmp_path / "two", *arguments, "--max-steps", "4", "--lr", "5e-3", "--json", *sets)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    together = Path(json.loads(out)["checkpoint"])
    assert not (together / "adapter_config.json").exists()
    one, two = (load_file(folder / "model.safetensors") for folder in (alone.checkpoint, together))
    assert one.keys() == two.keys()
    before = load_file(tiny / "model.safetensors")
    assert any((two[f"bert.{name}"] != weight).any() for name, weight in before.items() if f"bert.{name}" in two)
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=1e-3, atol=1e-5)


def test_only_adapters_and_head_are_trained(tiny: Path, lora: tuple[Path, labelkit.RunResult]) -> None:
    from safetensors.torch import load_file

    before, saved = load_file(tiny / "model.safetensors"), load_file(lora[1].checkpoint / "model.safetensors")
    after = {name.removeprefix("bert."): weight for name, weight in saved.items()}
    changed = {name for name in before.keys() & after.keys() if not before[name].equal(after[name])}
    assert changed
    assert changed == {name for name in before if name.endswith(".weight") and ".layer." in name and "Norm" not in name}


def test_settings_are_recorded(lora: tuple[Path, labelkit.RunResult]) -> None:
    home, done = lora
    with Registry.open(Home(root=home), create=False) as registry:
        record = registry.runs.get(done.run).record
    plan = {value.key: (value.text, value.origin) for value in record.plan}
    assert plan["train.lora_rank"] == ("4", "settings")
    assert plan["train.lora_alpha"] == ("8.0", "automatic: twice the rank")
    assert plan["train.lora_targets"][0] == '["dense", "key", "query", "value"]'
    assert "adapters take 10 times as much" in plan["train.learning_rate"][1]
    assert "peft" in {one.name for one in record.versions}


@pytest.mark.slow
def test_a_resumed_run_is_bit_identical(
    tiny: Path, corpus: Path, tmp_path: Path, lora: tuple[Path, labelkit.RunResult]
) -> None:
    from labelkit.events import Event, StepDone

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 4:
            raise KeyboardInterrupt

    home = tmp_path / "home"
    with pytest.raises(KeyboardInterrupt):
        labelkit.run(
            "ner", data=str(corpus), model=str(tiny), recipe=PLAIN, epochs=2, home=home, listeners=[stop],
            settings={**LORA, "train.lora_dropout": 0.1, "train.save_minutes": 0},
        )  # fmt: skip
    done = labelkit.resume("latest", home=home)
    assert done.metrics == lora[1].metrics
    weights = "model.safetensors"
    assert (done.checkpoint / weights).read_bytes() == (lora[1].checkpoint / weights).read_bytes()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lora_rank": 0}, "invalid train.lora_rank: 0"),
        ({"lora_targets": ["quer"]}, "bert has no linear layer called 'quer' (did you mean query?"),
        ({"lora_targets": ["word_embeddings"]}, "no linear layer called 'word_embeddings' ("),
        ({"lora_targets": ["classifier"]}, "embeddings and heads take no adapters"),
        ({"lora_targets": "query"}, 'it takes a list, such as ["a", "b"]'),
        ({"lora_rank": None, "lora_alpha": 3.0}, "train.lora_alpha needs train.lora_rank"),
        ({"lora_rank": None, "lora_targets": ["query"]}, "train.lora_targets needs train.lora_rank"),
        ({"lora_rank": None, "lora_dropout": 0.1}, "train.lora_dropout needs train.lora_rank"),
    ],
)
def test_wrong_settings_are_one_line(
    settings: dict[str, Any], said: str, tiny: Path, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(LabelkitError) as error:
        trained_with(tiny, corpus, tmp_path / "home", **settings)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_peft_may_be_missing(tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install \"labelkit\[peft\]\""):
        adapters.require_peft()


ARCHITECTURES = {"bert": 4, "distilbert": 6, "gpt2": 3, "albert": 5, "deberta-v2": 4, "t5": 3, "modernbert": 3}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_has_layers_and_keeps_its_outputs(name: str, tmp_path: Path) -> None:
    import torch

    from labelkit.models.heads import BoundHead, plain_state
    from labelkit.models.loading import load_classifier, load_config
    from labelkit.models.tiny import make_tiny
    from labelkit.records import Schema

    folder = make_tiny(name, tmp_path)
    targets, _ = find_targets(load_config(folder), "token", None)
    assert len(targets) >= 1
    model = load_classifier(folder, BoundHead.linear(Schema.bio("x", "A"))).eval()
    names = model.state_dict().keys()
    adapters.add_adapters(model, Adapters(rank=2, alpha=4.0, dropout=0.0, targets=targets))
    for weight_name, weight in model.named_parameters():
        if "lora_B" in weight_name:
            torch.nn.init.normal_(weight)
    ids = torch.arange(5, 15)[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    own = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        apart = model(**given).logits
        with adapters.merged_adapters(model):
            merged, plain = model(**given).logits, {k: v.clone() for k, v in (plain_state(model) or {}).items()}
    assert torch.allclose(apart, merged, atol=1e-4)
    assert plain.keys() == names
    assert all(own[key].equal(value) for key, value in model.state_dict().items())


def test_an_adapter_folder_says_how_to_merge_it(tmp_path: Path, tiny: Path, corpus: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    check_no_adapter(folder)
    content = {"base_model_name_or_path": "org/base", "task_type": "TOKEN_CLS"}
    (folder / "adapter_config.json").write_text(json.dumps(content), encoding="utf-8")
    for call in (
        lambda: labelkit.run("ner", data=str(corpus), model=str(folder), home=tmp_path / "home"),
        lambda: labelkit.load(f"{folder}/", home=tmp_path / "home"),
    ):
        with pytest.raises(LabelkitError) as error:
            call()
        assert "holds a PEFT adapter of org/base, not a model" in str(error.value)
        assert "AutoPeftModelForTokenClassification as M; M.from_pretrained(" in str(error.value)
    (folder / "adapter_config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelError, match="holds a PEFT adapter, not a model"):
        check_no_adapter(folder)
    shutil.copy(tiny / "config.json", folder)
    check_no_adapter(folder)
