"""Settings that plugins declare: given, validated, recorded and passed to the functions that read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labelkit
from broken_plugins import a_catalog
from labelkit.config.plan import Plan, Request, draft_plan, make_plan
from labelkit.config.plugin_settings import plain_value, setting_objects, typed_value
from labelkit.config.recipes import read_recipe
from labelkit.errors import CatalogError, ErrorCollector, LabelkitError, PlanError
from labelkit.label.plugin_settings import checkpoint_context
from labelkit.models.checkpoint import CheckpointInfo, Supplier
from labelkit.plugins.functions import with_context
from labelkit.registry import PlanValue
from labelkit.settings import SettingInfo
from labelkit.train.resumption import recorded_value


@dataclass(frozen=True)
class PetSettings:
    types: Annotated[tuple[str, ...], labelkit.Doc("types of animals")] = ("cat",)
    share: Annotated[float, labelkit.Doc("how many")] = 0.5
    store: Annotated[Path | None, labelkit.Doc("where they live")] = None
    mode: Annotated[Literal["day", "night"], labelkit.Doc("when")] = "day"
    names: Annotated[str | int | None, labelkit.Doc("what they are called")] = None

    def __post_init__(self) -> None:
        if self.share > 1:
            raise ValueError("share is more than 1")


SETTINGS = labelkit.Settings(name="pets", fields=PetSettings)


def likeliest(scores: labelkit.Scores, ctx: labelkit.Context) -> Any:
    return scores.values.argmax(axis=1) * len(ctx.settings_of(PetSettings).types)


def share(given_: labelkit.Predictions, ctx: labelkit.Context) -> Mapping[str, float]:
    return {"share": ctx.settings_of(PetSettings).share}


def shout(example: labelkit.Example, ctx: labelkit.Context) -> labelkit.Example:
    return replace(example, surface=tuple(ctx.settings_of(PetSettings).mode for _ in example.words or ()))


PARTS = (
    SETTINGS,
    labelkit.Decoder(name="pets", kind="token", decode=likeliest),
    labelkit.Metric(name="pets", kind="token", compute=share, key="share"),
    labelkit.Preprocessor(name="pets", kind="token", apply=shout),
)
TASK = labelkit.Task(
    name="ner", summary="names", kind="token", layer="ner", source="sample", metrics=("seqeval",), scheme="IOB2"
)
CATALOG = a_catalog(*PARTS, beside=(TASK,))
USING: dict[str, tuple[Any, str]] = {
    "metric": ("pets", "--metric"),
    "decoder": ("pets", "--decoder"),
    "preprocess": (["pets"], "recipe x"),
}


def planned(*sets: str, **overrides: tuple[Any, str]) -> Plan:
    return make_plan(Request(task="ner", sets=sets, overrides=overrides), CATALOG)


# -- given and validated ----------------------------------------------------------------------------------------------


def test_settings_have_defaults_and_are_set_and_reach_every_function() -> None:
    plan = planned('pets.types=["cat", "dog"]', "pets.share=1", "pets.mode=night", **USING)
    entries = plan.entries()
    assert entries["pets.types"] == (["cat", "dog"], "--set")
    assert entries["pets.share"] == (1.0, "--set")
    assert entries["pets.store"] == (None, "default")
    scores = labelkit.Scores(
        values=np.array([[0, 1]], np.float32),
        lengths=np.array([1]),
        schema=labelkit.Schema(name="x", kind="token", labels=("a", "b")),
    )
    assert plan.decoder.decode(scores).tolist() == [2]
    assert plan.metrics[0].compute(None) == {"share": 1.0}
    assert plan.preprocessors[0].apply(labelkit.Example(id="1", words=("x",))).surface == ("night",)
    assert list(plan.part_settings) == ["mine"]


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ("pets.typs=1", "unknown setting 'pets.typs' (did you mean pets.types"),
        ("pest.types=1", "unknown setting 'pest.types' (did you mean pets.types"),
        ("zzz.qqq=1", "unknown setting 'zzz.qqq' (no plugin declares settings called 'zzz')"),
        ("pets.types=cat", "invalid pets.types: 'cat' (it takes a list"),
        ("pets.share=half", "invalid pets.share: 'half' (it takes a number)"),
        ("pets.share=nan", "invalid pets.share: nan"),
        ("pets.share=true", "invalid pets.share: True"),
        ("pets.share=2", "invalid settings of 'pets': share is more than 1"),
        ("pets.mode=dusk", "invalid pets.mode: 'dusk' (it takes day, night)"),
        ("pets=1", "unknown setting 'pets'"),
    ],
)
def test_what_is_wrong_is_one_line(given_: str, said: str) -> None:
    with pytest.raises(PlanError) as error:
        planned(given_)
    assert said in str(error.value)


def test_a_recipe_has_a_table_of_them(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[pets]\ntypes = ["dog"]\n[train]\nseed = 1\n', encoding="utf-8")
    assert read_recipe(path, CATALOG).settings == {"pets.types": ["dog"], "train.seed": 1}
    plan = make_plan(Request(task="ner", recipe=str(path)), CATALOG)
    assert plan.entries()["pets.types"] == (["dog"], "recipe mine")
    path.write_text("[pets]\n[nobody]\n", encoding="utf-8")
    with pytest.raises(LabelkitError, match=r"unknown setting 'nobody\.'|unknown setting 'pets\.'"):
        read_recipe(path, CATALOG)


def test_two_plugins_cannot_have_one_namespace() -> None:
    catalog = a_catalog(SETTINGS, beside=(replace(SETTINGS, fields=OtherSettings),))
    with pytest.raises(CatalogError, match="settings 'pets' comes from 'mine' and 'other'"):
        catalog.find("settings", "pets")
    errors = ErrorCollector()
    with pytest.raises(PlanError):
        draft_plan(Request(task="none", sets=("pets.types=[]",)), catalog, errors, labelkit.Context())
    assert "comes from 'mine' and 'other'" in "; ".join(map(str, errors.errors))


@dataclass(frozen=True)
class OtherSettings:
    size: int = 1


@dataclass
class Thawed:
    size: int = 1


@dataclass(frozen=True)
class Needed:
    size: int


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (replace(SETTINGS, fields=Thawed), "@dataclass(frozen=True)"),
        (replace(SETTINGS, fields=dict), "@dataclass(frozen=True)"),
        (replace(SETTINGS, fields=Needed), "the field 'size' without a default"),
        (replace(SETTINGS, name="train"), "which is a setting of labelkit"),
        (replace(SETTINGS, name="model"), "which is a setting of labelkit"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(record: labelkit.Settings, said: str) -> None:
    catalog = a_catalog(record)
    (info,) = [one for one in catalog.plugins if one.name == "mine"]
    assert info.status == "failed"
    assert said in info.reason


def test_a_class_stands_for_one_namespace() -> None:
    with pytest.raises(CatalogError, match="share the class PetSettings"):
        setting_objects(a_catalog(SETTINGS, replace(SETTINGS, name="more")), {})


# -- contexts ---------------------------------------------------------------------------------------------------------


def test_a_context_made_by_hand_has_defaults_or_what_is_given() -> None:
    assert labelkit.Context().settings_of(PetSettings) == PetSettings()
    own = PetSettings(mode="night")
    assert labelkit.LoadContext(plugin_settings=(own,)).settings_of(PetSettings) is own
    with pytest.raises(LabelkitError, match="the settings OtherSettings are not declared"):
        labelkit.Context(plugin_settings=(own,)).settings_of(OtherSettings)


@pytest.mark.parametrize("function", [lambda scores: 0, lambda scores, ctx: 0, lambda *scores, ctx=None: 0, abs])
def test_functions_with_and_without_a_context_are_loaded(function: Callable[..., Any]) -> None:
    decoder = labelkit.Decoder(name="x", kind="token", decode=function)
    assert "mine" in {info.name for info in a_catalog(decoder).plugins if info.status == "loaded"}
    assert with_context(decoder, labelkit.Context()).decode(-1) in (0, 1)


@pytest.mark.parametrize("function", [lambda: 0, lambda scores, context: 0, lambda scores, more, ctx: 0, pow])
def test_functions_that_cannot_be_called_are_refused(function: Callable[..., Any]) -> None:
    decoder = labelkit.Decoder(name="x", kind="token", decode=function)
    (info,) = [one for one in a_catalog(decoder).plugins if one.name == "mine"]
    assert info.status == "failed"
    assert "it must be decode(scores) or decode(scores, ctx)" in info.reason


# -- recorded ---------------------------------------------------------------------------------------------------------


@given(
    st.one_of(st.none(), st.integers(-(2**53), 2**53), st.text(), st.sampled_from(["null", "5", "true", '"x"', "[]"]))
)
def test_a_value_is_the_same_after_it_was_recorded(value: Any) -> None:
    info = SettingInfo(str | int | None, None, "")
    again = recorded_value(PlanValue.of("pets.names", plain_value("pets.names", value, info)))
    assert typed_value("pets.names", again, info) == value


def test_a_recorded_plan_leaves_out_what_no_plugin_declares_any_more() -> None:
    overrides = {"gone.size": (3, "--set"), "pets.share": (0.25, "--set")}
    plan = make_plan(Request(task="ner", overrides=overrides, frozen=True), CATALOG)
    assert plan.entries()["pets.share"] == (0.25, "--set")
    assert "gone.size" not in plan.entries()


def info_with(**values: Any) -> CheckpointInfo:
    return CheckpointInfo(
        labelkit="0", run="r1", task="ner", kind="token", layer="ner", schema=labelkit.Schema.bio("ner", "X"),
        decoder="pets", preprocessors=(), splitter="words", fallback="O", max_length=8, overlap=0, step=1, epoch=1.0,
        suppliers=(Supplier(kind="decoder", name="pets", plugin="mine", version="0.9", package="mine-dist"),),
        plugin_settings={"mine": values, "gone": {"gone.size": 1}},
    )  # fmt: skip


def test_a_checkpoint_is_used_with_the_settings_it_was_trained_with() -> None:
    values = {"pets.types": ["dog"], "pets.share": 0.5, "pets.store": "/x", "pets.mode": "night", "pets.names": None}
    info = CheckpointInfo.from_json(json.loads(json.dumps(info_with(**values).to_json())))
    found = checkpoint_context(info, CATALOG)
    assert found.notes == ()
    assert found.context.settings_of(PetSettings) == PetSettings(types=("dog",), store=Path("/x"), mode="night")


def test_settings_that_a_plugin_gained_are_noted() -> None:
    found = checkpoint_context(info_with(**{"pets.types": ["dog"]}), CATALOG)
    assert "plugin 'mine' has a setting that run 'r1' was trained without: pets.share=0.5" in found.notes
    assert len(found.notes) == 4


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pets.size": 3}, "trained with the setting pets.size=3, which plugin 'mine' 1.0 does not have"),
        ({"pets.mode": "dusk"}, "which plugin 'mine' 1.0 does not take (it takes day, night)"),
    ],
)
def test_settings_that_a_plugin_lost_or_changed_are_an_error(values: Mapping[str, Any], said: str) -> None:
    with pytest.raises(LabelkitError) as error:
        checkpoint_context(info_with(**values), CATALOG)
    assert said in error.value.message
    assert error.value.hint == "install plugin 'mine' 0.9, or train again"
