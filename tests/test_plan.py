"""Plans: recipe, flags and --set merge in order, each value knows where it came from, and all misses come at once."""

from __future__ import annotations

import dataclasses
import doctest
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import labelkit
from labelkit.config import plan as plan_module
from labelkit.config import validation as validation_module
from labelkit.config.plan import Plan, Request, Setting, draft_plan, make_plan
from labelkit.config.recipes import find_recipe, read_recipe, recipes_of
from labelkit.config.requests import request_of
from labelkit.config.validation import OWNED, parse_set, validate
from labelkit.errors import ErrorCollector, LabelkitError, PlanError, UnknownNameError
from labelkit.plugins.catalog import Candidate, Catalog, find_candidates
from labelkit.settings import SETTINGS

CATALOG = Catalog.load()
SEEDS = "it takes a whole number, at least 0 and at most 4,294,967,295"


def planned(*, task: str = "ner", recipe: str | None = None, sets: tuple[str, ...] = (), **flags: Any) -> Plan:
    """Return the plan of a request made as the command makes it."""
    return make_plan(request_of(task, recipe=recipe, name=None, sets=sets, **flags), CATALOG)


def misses(request: Request, catalog: Catalog = CATALOG) -> list[str]:
    with pytest.raises(PlanError) as error:
        make_plan(request, catalog)
    return [str(miss) for miss in error.value.misses]


def refusal(key: str, value: Any) -> tuple[str, str | None]:
    with pytest.raises(LabelkitError) as error:
        validate(key, value)
    return error.value.message, error.value.hint


def a_recipe(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


# -- merging ----------------------------------------------------------------------------------------------------------


def test_each_value_knows_where_it_came_from(tmp_path: Path) -> None:
    recipe = a_recipe(tmp_path, "metric = 'accuracy'\n[train]\nseed = 7\nlearning_rate = 1e-3\nweight_decay = 0.5\n")
    plan = planned(recipe=str(recipe), seed=8, lr=2e-3, sets=("train.learning_rate=3e-3", "data.repair=true"))
    assert {key: plan.entries()[key] for key in (
        "train.adam_beta1", "data", "decoder", "metric", "train.weight_decay", "train.seed", "train.learning_rate",
        "data.repair", "model", "data.train_scheme",
    )} == {
        "train.adam_beta1": Setting(0.9, "default"),
        "model": Setting("bundled", "default"),
        "data": Setting("sample", "task ner"),
        "decoder": Setting("viterbi", "task ner"),
        "data.train_scheme": Setting("IOB2", "task ner"),
        "metric": Setting("accuracy", "recipe mine"),
        "train.weight_decay": Setting(0.5, "recipe mine"),
        "train.seed": Setting(8, "--seed"),
        "train.learning_rate": Setting(3e-3, "--set"),
        "data.repair": Setting(True, "--set"),
    }  # fmt: skip


def test_of_two_sets_the_later_one_counts() -> None:
    assert planned(sets=("train.seed=1", "train.seed=2")).train.seed == 2


def test_a_recipe_beats_the_task_and_a_flag_beats_the_recipe(tmp_path: Path) -> None:
    recipe = str(a_recipe(tmp_path, "decoder = 'argmax'\n[data]\nreference = 'wnut17'\ntrain_scheme = 'BIOES'\n"))
    plan = planned(recipe=recipe)
    assert plan.entries()["data"] == Setting("wnut17", "recipe mine")
    assert plan.data.train_scheme == "BIOES"
    assert planned(recipe=recipe, data="conll2003").entries()["data"] == Setting("conll2003", "--data")


def test_a_flag_can_take_back_what_the_task_says() -> None:
    request = Request(task="ner", overrides={"data.train_scheme": (None, "settings")})
    assert make_plan(request, CATALOG).entries()["data.train_scheme"] == Setting(None, "settings")


@pytest.mark.parametrize(("flags", "recipe"), [({}, "quickstart"), ({"data": "wnut17"}, "best")])
def test_the_default_recipe_depends_on_whether_there_is_data(flags: dict[str, Any], recipe: str) -> None:
    assert planned(**flags).recipe == recipe
    assert planned(**flags, recipe="guide").recipe == "guide"


def test_the_chosen_metric_comes_first_and_the_tasks_own_stay() -> None:
    assert [metric.name for metric in planned(metric="accuracy").metrics] == ["accuracy", "seqeval"]
    assert [metric.name for metric in planned(metric="seqeval").metrics] == ["seqeval"]


def test_the_parts_are_looked_up() -> None:
    plan = planned(task="textcls")
    assert (plan.task.name, plan.decoder.name, plan.preprocessors) == ("textcls", "argmax-text", ())
    assert plan.data.overlap == SETTINGS["data.overlap"].default
    assert plan.as_dict()["decoder"] == {"value": "argmax-text", "from": "task textcls"}


@pytest.mark.parametrize(
    ("task", "recipe", "decoder"),
    [
        ("ner", "best", "viterbi"), ("chunk", "best", "viterbi"), ("pos", "best", "argmax"),
        ("textcls", "best", "argmax-text"), ("ner", "guide", "argmax"), ("chunk", "guide", "argmax"),
    ],
)  # fmt: skip
def test_spans_are_decoded_by_their_scheme(task: str, recipe: str, decoder: str) -> None:
    assert planned(task=task, recipe=recipe).decoder.name == decoder


def test_a_decoder_that_a_task_names_stays() -> None:
    task = dataclasses.replace(CATALOG.tasks["ner"], decoder="argmax")
    assert (task.decoder_name, CATALOG.tasks["ner"].decoder_name) == ("argmax", "viterbi")


def test_resolving_freezes_automatic_values_only() -> None:
    plan = planned(lr=1e-3).resolved({"train.learning_rate": (2e-4, "width 384"), "train.precision": ("bf16", "a CPU")})
    assert plan.entries()["train.learning_rate"] == Setting(1e-3, "--lr")
    assert plan.entries()["train.precision"] == Setting("bf16", "automatic: a CPU")


# -- misses -----------------------------------------------------------------------------------------------------------


def test_all_misses_come_at_once() -> None:
    request = request_of(
        "ner", recipe="gide", name=None, metric="seqevall", columns="tokens", lr="fast",
        sets=("train.learning_rat=1", "train.seed", "model=x", "data.schema=IOB1", "train.output_dir=x"),
    )  # fmt: skip

    errors = ErrorCollector()
    draft_plan(request, CATALOG, errors, labelkit.Context())
    with errors.collect():
        raise LabelkitError("no such data")
    with pytest.raises(PlanError) as error:
        errors.raise_errors()
    assert error.value.message == "10 errors in the settings of this run"
    told = "\n".join(map(str, error.value.misses))
    for part in (
        "unknown recipe 'gide' of task 'ner' (did you mean guide?)",
        "invalid train.learning_rate: 'fast' (it takes a number, at least 0, or auto)",
        "unknown setting 'train.learning_rat' (did you mean train.learning_rate",
        "invalid --set 'train.seed': expected KEY=VALUE",
        "--set 'model=x': unknown setting 'model' (--set takes train.KEY=VALUE, data.KEY=VALUE, and",
        "unknown setting 'data.schema' (did you mean data.scheme",
        "train.output_dir is set by labelkit (use LABELKIT_HOME)",
        "unknown metric 'seqevall' (did you mean seqeval or seqeval-unseen or seqeval-strict?)",
        "'tokens'",
        "no such data",
    ):
        assert part in told, part


def test_a_single_miss_is_the_message_itself() -> None:
    with pytest.raises(PlanError) as error:
        planned(metric="seqevall")
    assert (error.value.message, error.value.hint) == (
        "unknown metric 'seqevall'",
        "did you mean seqeval or seqeval-unseen or seqeval-strict?",
    )


def test_an_unknown_task_does_not_hide_the_other_misses() -> None:
    request = request_of("nre", recipe=None, name=None, metric="f2", lr="fast", sets=("train.sed=1", "decoder=x"))
    told = misses(request)
    assert told[0] == "unknown task 'nre' (did you mean ner?)"
    assert len(told) == 5
    assert told[1].startswith("invalid train.learning_rate: 'fast'")
    assert told[2].startswith("unknown setting 'train.sed' (did you mean train.seed")
    assert told[3].startswith("--set 'decoder=x'")
    assert told[4].startswith("unknown metric 'f2'")


def test_what_is_missed_twice_is_told_once() -> None:
    assert len(misses(request_of("ner", recipe=None, name=None, sets=("train.sed=1", "train.sed=1")))) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": ("classification",)}, "metric 'classification' is for kind text, task 'mine' is of kind token"),
        ({"decoder": "argmax-text"}, "decoder 'argmax-text' is for kind text"),
        ({"preprocess": ("lower",)}, "unknown preprocessor 'lower'"),
        ({"metrics": ()}, "task 'mine' names no metric (choose one with --metric)"),
    ],
)
def test_parts_of_a_task_that_do_not_fit_are_missed(changes: Mapping[str, Any], said: str) -> None:
    values: dict[str, Any] = {
        "name": "mine", "summary": "", "kind": "token", "layer": "ner", "source": "sample", "metrics": ("seqeval",),
    }  # fmt: skip
    task = labelkit.Task(**{**values, **changes})
    plugin = ModuleType("mine")
    plugin.labelkit_tasks = labelkit.hookimpl(lambda: [task])  # type: ignore[attr-defined]
    catalog = Catalog([find_candidates()[0], Candidate("mine", "1", "mine", "mine", lambda: plugin)])
    (told,) = misses(Request(task="mine"), catalog)
    assert said in told


# -- recipes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", list(CATALOG.tasks))
def test_every_recipe_of_ours_makes_a_plan_and_the_three_promised_ones_are_there(task: str) -> None:
    found = recipes_of(CATALOG.tasks[task])
    assert {"quickstart", "best", "guide"} <= found.keys()
    for name in found:
        assert planned(task=task, recipe=name).recipe == name


def test_a_task_without_recipes_gets_those_of_core() -> None:
    task = labelkit.Task(
        name="t", summary="", kind="token", layer="t", source="sample", metrics=("seqeval",), recipes=None
    )
    assert {"quickstart", "best"} <= recipes_of(task).keys()


def test_a_recipe_file_is_read_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_recipe(tmp_path, "summary = 'short'\nmodel = 'tiny:bert'\n[train]\nmax_steps = 3\n")
    monkeypatch.chdir(tmp_path)
    plan = planned(recipe="mine.toml")
    assert (plan.recipe, plan.settings.model, plan.train.max_steps) == ("mine", "tiny:bert", 3)
    assert find_recipe(plan.task, "mine.toml", CATALOG).summary == "short"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\nlearning_rat = 1e-3", "unknown setting 'train.learning_rat'"),
        ("[data]\nformt = 'conll'", "unknown setting 'data.formt'"),
        ("[optim]\nlr = 1", "unknown setting 'optim.lr'"),
        ("modle = 'bundled'", "unknown setting 'modle'"),
        ("[train]\nseed = 'x'", "invalid train.seed: 'x'"),
        ("[train]\noutput_dir = 'x'", "train.output_dir is set by labelkit"),
        ("train = 5", "unknown setting 'train'"),
        ("[train\n", "is invalid TOML"),
        (b"summary = '\xff'", "is invalid TOML"),
        (None, "does not exist"),
    ],
)
def test_a_recipe_file_with_a_fault_is_named_with_it(tmp_path: Path, text: str | bytes | None, said: str) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LabelkitError) as error:
        read_recipe(path, CATALOG)
    assert error.value.message.startswith(f"recipe {path}")
    assert said in error.value.message
    assert error.value.hint


def test_an_unknown_recipe_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown recipe 'bset' of task 'ner' \(did you mean best"):
        find_recipe(CATALOG.tasks["ner"], "bset", CATALOG)


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWNED)
def test_what_labelkit_owns_is_refused_with_what_to_use_instead(name: str) -> None:
    assert refusal(f"train.{name}", 1) == (f"train.{name} is set by labelkit", f"use {OWNED[name]}")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("bf16", "train.precision"),
        ("per_device_eval_batch_size", "train.eval_tokens"),
        ("metric_for_best_model", "--metric"),
        ("output_dir", "LABELKIT_HOME"),
        ("run_name", "--name"),
    ],
)
def test_the_counterparts_of_the_common_ones_are_right(name: str, instead: str) -> None:
    assert OWNED[name] == instead


def test_no_setting_of_ours_is_owned() -> None:
    assert not {f"train.{name}" for name in OWNED} & SETTINGS.keys()


@pytest.mark.parametrize("key", SETTINGS)
def test_every_default_fits_its_own_setting(key: str) -> None:
    default = SETTINGS[key].default
    if default is not None:
        assert validate(key, default) == default


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("train.seed", 1.5, SEEDS),
        ("train.seed", True, SEEDS),
        ("train.seed", "1", SEEDS),
        ("train.learning_rate", "fast", "it takes a number, at least 0, or auto"),
        ("train.weight_decay", None, "it takes a number, at least 0"),
        ("data.repair", 1, "it takes true or false"),
        ("data.scheme", "IOB3", "it takes IOB1, IOB2, BIOES, BILOU, BMES, BMEWO, IO, IOE1, IOE2, or auto"),
        ("data.columns", 3, "it takes text, or nothing"),
        ("train.precision", "fp8", "it takes auto, fp32, bf16, fp16"),
        ("preprocess", "lower", 'it takes a list, such as ["a", "b"]'),
        ("train.dataloader_num_workers", "two", "it takes a whole number"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_is_taken(key: str, value: Any, hint: str) -> None:
    assert refusal(key, value) == (f"invalid {key}: {value!r}", hint)


@pytest.mark.parametrize(
    ("key", "value", "taken"),
    [
        ("train.weight_decay", 1, 1.0),
        ("train.learning_rate", "auto", "auto"),
        ("train.gradient_checkpointing", True, True),
        ("train.optim_args", "x=1", "x=1"),
        ("data.max_length", 64, 64),
        ("data.path", "a\udc80", "a\udc80"),  # a file name that is not UTF-8
        ("preprocess", ["lower"], ["lower"]),
    ],
)
def test_values_are_taken_as_they_are_meant(key: str, value: Any, taken: Any) -> None:
    found = validate(key, value)
    assert (found, type(found)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("train.learnin_rate", "train.learning_rate"),
        ("train.gradient_checkpointin", "train.gradient_checkpointing"),
        ("data.colums", "data.columns"),
        ("metrc", "metric"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(key: str, near: str) -> None:
    message, hint = refusal(key, 1)
    assert message == f"unknown setting '{key}'"
    assert near in str(hint)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("train.learning_rate=2e-4", ("train.learning_rate", 2e-4)),
        ("data.columns=tokens=0,ner=3", ("data.columns", "tokens=0,ner=3")),
        ("data.repair = true", ("data.repair", True)),
        ("data.scheme=IOB1", ("data.scheme", "IOB1")),
        ("data.path=a b/c", ("data.path", "a b/c")),
        ('data.path="3"', ("data.path", "3")),
        ("preprocess=['a', 'b']", ("preprocess", ["a", "b"])),
        ("data.format=", ("data.format", "")),
    ],
)
def test_set_reads_toml_where_it_is_toml_and_text_elsewhere(text: str, pair: tuple[str, Any]) -> None:
    assert parse_set(text) == pair


@pytest.mark.parametrize("text", ["train.seed", "=1", " =1", ""])
def test_set_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(LabelkitError, match="expected KEY=VALUE"):
        parse_set(text)


@pytest.mark.parametrize("module", [validation_module, plan_module])
def test_doctests(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_the_doctests_of_settings_are_found() -> None:
    assert doctest.testmod(validation_module).attempted >= 4


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("train.learning_rate", float("nan"), "at least 0"),
        ("train.learning_rate", -1.0, "at least 0"),
        ("train.num_train_epochs", -1, "at least 0.001"),
        ("train.max_steps", 0, "at least 1, or -1"),
        ("train.seed", -1, "at least 0 and at most"),
        ("train.per_device_train_batch_size", 0, "at least 1"),
        ("data.overlap", -1, "at least 0"),
        ("data.validation_fraction", 1.5, "at most 0.9"),
    ],
)
def test_numbers_out_of_bounds_are_refused_before_anything_runs(key: str, value: float, hint: str) -> None:
    with pytest.raises(LabelkitError, match="invalid") as caught:
        validate(key, value)
    assert hint in (caught.value.hint or "")


def test_minus_one_means_no_limit_of_steps() -> None:
    assert validate("train.max_steps", -1) == -1
