"""Continue from a trained run: what of its model is taken up, and how that is recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.config.environment import Environment
from labelkit.config.requests import request_of
from labelkit.errors import PlanError
from labelkit.models.heads import BoundHead
from labelkit.models.loading import load_classifier
from labelkit.plugins.catalog import Catalog
from labelkit.records import Schema
from labelkit.registry import Home, Registry
from labelkit.train.preparation import PreparedRun, prepare

CATALOG = Catalog.load()


def prepared(model: str, data: Path, home: Path, task: str = "ner") -> PreparedRun:
    request = request_of(task, recipe=None, name=None, sets=(), data=str(data), model=model)
    return prepare(request, CATALOG, Environment(), Home(root=home), on_stage=lambda *stage: None)


def test_any_reference_to_a_run_is_taken(trained: labelkit.RunResult, corpus: Path, home: Path) -> None:
    for reference in ("shared", trained.run, trained.run[:-3], "latest", "ner@best", f"{trained.checkpoint}/"):
        found = prepared(reference, corpus, home)
        assert found.encoder.folder == trained.checkpoint
        assert found.continues
        assert (found.continues.run, found.continues.takes_head) == (trained.run, True)
        frozen = found.plan.settings.model
        assert frozen == (reference if "/" in reference else trained.run)
    assert found.continues
    assert found.continues.note.endswith(": its encoder and head are taken up")
    origin = prepared("ner@best", corpus, home).plan.entries()["model"].origin
    assert origin == "--model ner@best"
    assert prepared(trained.run, corpus, home).plan.entries()["model"].origin == "--model"


def test_the_head_is_new_where_task_or_labels_differ(
    trained: labelkit.RunResult, corpus: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "train.conll").write_text("Ada B-PER\nin O\nRome B-TOWN\n\n" * 9, encoding="utf-8")
    for task, data, why in (("ner", tmp_path, "its labels are others"), ("chunk", corpus, "its task is ner")):
        continues = prepared("shared", data, home, task).continues
        assert continues
        assert not continues.takes_head
        assert continues.note.endswith(f"its encoder is taken up, with a new head, since {why}")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("sharde", "unknown model 'sharde'"),
        ("pos@best", "no finished run of 'pos' with a validation score"),
        ("ner@best:nothing", "no finished ner run on 'nothing'"),
    ],
)
def test_an_unknown_run_is_one_line(
    model: str, said: str, trained: labelkit.RunResult, corpus: Path, home: Path
) -> None:
    with pytest.raises(PlanError, match=said) as error:
        prepared(model, corpus, home)
    assert error.value.hint


def test_what_several_tasks_take_up_is_said_in_one_line(
    trained: labelkit.RunResult, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "train.jsonl").write_text(
        '{"tokens": ["Ada", "slept"], "ner": ["B-PER", "O"], "pos": ["N", "V"]}\n' * 9, encoding="utf-8"
    )
    found = prepared("shared", tmp_path, home, "pos+ner")
    assert found.continued is not None
    assert found.continued.startswith(f"continues from run {trained.run} at step ")
    assert "its encoder" in found.continued
    assert "; a new head for pos, since its task is ner" in found.continued


def test_the_output_layer_is_kept_only_for_the_same_labels(trained: labelkit.RunResult) -> None:
    from safetensors.torch import load_file

    saved = load_file(trained.checkpoint / "model.safetensors")
    own = labelkit.load(f"{trained.checkpoint}/").info.schema
    others = replace(own, types=own.types[::-1])

    def kept(schema: Schema, take_head: bool | None) -> bool:
        model = load_classifier(trained.checkpoint, BoundHead.linear(schema), take_head=take_head)
        weights = model.state_dict()
        assert weights["bert.embeddings.word_embeddings.weight"].equal(saved["bert.embeddings.word_embeddings.weight"])
        return bool(weights["classifier.weight"].equal(saved["classifier.weight"]))

    assert [kept(own, None), kept(own, True), kept(own, False)] == [True, True, False]
    assert not kept(others, None)  # as many labels, in another order: it would be wrong in silence


@pytest.mark.slow
def test_a_run_continues_and_its_lineage_is_recorded(
    trained: labelkit.RunResult, tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    home = tmp_path / "home"
    settings = {"train.precision": "fp32"}
    first = labelkit.run(
        "ner", data=str(corpus), model=str(tiny), epochs=3, lr=1e-2, home=home, name="one", settings=settings
    )
    second = labelkit.run(
        "ner", data=str(corpus), model="one", max_steps=1, lr=1e-9, home=home, name="two",
        settings={**settings, "train.lora_rank": 2},
    )  # fmt: skip
    third = labelkit.run("ner", data=str(corpus), model="two", max_steps=1, home=home, settings=settings)
    assert second.metrics["validation"]["ner"]["f1"] == first.metrics["validation"]["ner"]["f1"]
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    assert main(["runs", "why", str(third.checkpoint), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["continues"] == [second.run, first.run]
    assert main(["runs", "why", str(second.checkpoint)]) == 0
    assert f"continues from  {first.run}" in capsys.readouterr().out
    with Registry.open(Home(root=home), create=False) as registry:
        record = registry.runs.get(second.run)
    assert record.record.model == first.run
    assert any("its encoder and head are taken up" in note.text for note in record.notes)
    assert main(["runs", "repeat", "two", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agrees"]
