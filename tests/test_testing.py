"""The contract kit: a good plugin passes, and every check has a broken plugin that it, and only it, catches."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import labelkit
from labelkit import Example, LoadContext, Metric, Predictions, Schema, Source, Task
from labelkit.catalog import Candidate, Catalog, find_candidates
from labelkit.testing import Check, DataAbsentError, check_plugin, checks, contract

pytest_plugins = ("fake_distributions",)

RECORD_HOOKS = {
    Task: "labelkit_tasks",
    Source: "labelkit_sources",
    Metric: "labelkit_metrics",
    Schema: "labelkit_schemas",
}

EXAMPLES = (
    Example(id="1", words=("Tom", "purrs"), labels={"pets": ("B-cat", "O")}),
    Example(id="2", words=("Rex", "the", "dog"), labels={"pets": ("B-dog", "I-dog", "I-dog")}),
)


def load(split: str, ctx: LoadContext) -> Iterable[Example]:
    return EXAMPLES


def exact_match(given: Predictions) -> Mapping[str, Any]:
    same = [gold == guess for gold, guess in zip(given.references, given.predictions, strict=True)]
    return {"exact_match": sum(same) / len(same) if same else 0.0, "sentences": len(same)}


SCHEMA = Schema.bio("pets", "cat", "dog")
SOURCE = Source(
    name="tales", kind="token", layers={"pets": "pets"}, splits=("train", "test"), load=load, licence="CC0",
    counts={"train": 2, "test": 2},
)  # fmt: skip
METRIC = Metric(name="exact", kind="token", compute=exact_match, key="exact_match")
TASK = Task(
    name="pets", summary="cats and dogs", kind="token", layer="pets", source="tales", metrics=("exact", "seqeval"),
    scheme="IOB2", examples=EXAMPLES,
)  # fmt: skip
GOOD = (TASK, SOURCE, METRIC, SCHEMA)


def a_catalog(*records: Any) -> Catalog:
    """Return a catalog of core and a plugin ``mine`` that yields ``records``."""
    plugin = ModuleType("mine")
    for class_, hook in RECORD_HOOKS.items():
        found = [record for record in records if isinstance(record, class_)]
        if found:
            setattr(plugin, hook, labelkit.hookimpl(_giving(found)))
    return Catalog([find_candidates()[0], Candidate("mine", "1.0", "mine-dist", "mine", lambda: plugin)])


def _giving(records: list[Any]) -> Callable[[], list[Any]]:
    def hook() -> list[Any]:
        return records

    return hook


def faults(*records: Any) -> dict[str, str]:
    """Return the checks that fail, with what they say."""
    outcomes = check_plugin("mine", catalog=a_catalog(*records))
    return {outcome.check: outcome.reason for outcome in outcomes if not outcome.passed}


def with_task(**changes: Any) -> tuple[Any, ...]:
    return (replace(TASK, **changes), SOURCE, METRIC, SCHEMA)


def with_source(**changes: Any) -> tuple[Any, ...]:
    return (replace(SOURCE, **changes), SCHEMA)


def giving(*examples: Any) -> Callable[[str, LoadContext], Iterable[Any]]:
    return lambda split, ctx: examples


# -- a good plugin ----------------------------------------------------------------------------------------------------


def test_a_good_plugin_passes_every_check_and_all_that_apply_are_asked() -> None:
    outcomes = check_plugin("mine", catalog=a_catalog(*GOOD))
    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert [outcome.check for outcome in outcomes] == [
        "plugin-loads",
        "metric-exact-kind",
        "metric-exact-key",
        "metric-exact-perfect",
        "metric-exact-finite",
        "metric-exact-order",
        "source-tales-kind",
        "source-tales-splits",
        "source-tales-repeats",
        "source-tales-layers",
        "source-tales-schemas",
        "source-tales-ids",
        "source-tales-counts",
        "task-pets-kind",
        "task-pets-names",
        "task-pets-recipes",
        "task-pets-examples",
        "task-pets-scheme",
    ]


def test_a_lone_metric_is_asked_only_what_concerns_a_metric() -> None:
    names = [check.name for check in checks("mine", a_catalog(METRIC))]
    assert {name.rpartition("-")[0] for name in names} == {"plugin", "metric-exact"}


def test_a_metric_where_less_is_better_passes() -> None:
    def error_rate(given: Predictions) -> Mapping[str, float]:
        return {"error": 1.0 - exact_match(given)["exact_match"] if given.references else 0.0}

    assert faults(Metric(name="error", kind="token", compute=error_rate, key="error", higher_is_better=False)) == {}


def test_a_text_plugin_passes() -> None:
    texts = tuple(Example(id=label, text=f"It is {label}.", labels={"tone": label}) for label in ("good", "bad"))
    task = Task(
        name="tone", summary="", kind="text", layer="tone", source="notes", metrics=("classification",),
        decoder="argmax-text", examples=texts,
    )  # fmt: skip
    schema = Schema(name="tone", kind="text", labels=("good", "bad"))
    source = Source(
        name="notes", kind="text", layers={"tone": "tone"}, splits=("train",), load=giving(*texts), licence="CC0"
    )
    metric = Metric(name="hits", kind="text", compute=exact_match, key="exact_match")
    assert faults(task, schema, source, metric) == {}


# -- broken plugins ---------------------------------------------------------------------------------------------------


def a_metric(compute: Callable[[Predictions], Any], **changes: Any) -> tuple[Metric]:
    return (replace(METRIC, compute=compute, **changes),)


def of_the_first_sentence(given: Predictions) -> Mapping[str, float]:
    pairs = list(zip(given.references, given.predictions, strict=True))
    share = exact_match(given)["exact_match"]
    return {"exact_match": share + (0.5 if pairs and pairs[0][0] == pairs[0][1] else 0.0)}


def undefined(given: Predictions) -> Mapping[str, float]:
    right = sum(gold == guess for gold, guess in zip(given.references, given.predictions, strict=True))
    return {"exact_match": right / len(given.references)}


def nan_inside(given: Predictions) -> Mapping[str, Any]:
    figures = exact_match(given)
    return {**figures, "per_type": {"cat": {"f1": float("nan") if not given.references else 1.0}}}


CALLS = count()


def unsteady(split: str, ctx: LoadContext) -> Iterable[Example]:
    return [replace(example, document=str(next(CALLS))) for example in EXAMPLES]


def shuffled(split: str, ctx: LoadContext) -> Iterable[Example]:
    many = [replace(EXAMPLES[0], id=str(number)) for number in range(50)]
    random.shuffle(many)
    return many


def a_word_short(example: Example) -> Example:
    return replace(example, labels={"pets": example.labels["pets"][1:]})


def tagged(tags: str) -> Example:
    return Example(id="7", words=tuple("w" for _ in tags.split()), labels={"pets": tuple(tags.split())})


TEXT_METRIC = Metric(name="exact", kind="text", compute=exact_match, key="exact_match")
TEXT_SCHEMA = Schema(name="pets", kind="text", labels=("B-cat", "B-dog", "I-dog", "O"))
BROKEN: dict[str, tuple[str, tuple[Any, ...], str]] = {
    # what is wrong: the check that says so, the records, a part of what it says
    "no hook": ("plugin-loads", (), "@labelkit.hookimpl"),
    "task of no kind": ("task-pets-kind", with_task(kind="tokens"), "write 'token' or 'text'"),
    "unknown metric": ("task-pets-names", with_task(metrics=("exact", "seqevall")), "did you mean seqeval?"),
    "a name for a tuple": ("task-pets-names", with_task(metrics="exact"), "write ('exact',) with a comma"),
    "no metric": ("task-pets-names", with_task(metrics=()), "names no metric"),
    "unknown decoder": ("task-pets-names", with_task(decoder="beam"), "unknown decoder 'beam'"),
    "decoder of another kind": ("task-pets-names", with_task(decoder="argmax-text"), "is for kind 'text'"),
    "unknown preprocessor": ("task-pets-names", with_task(preprocess=("lower",)), "unknown preprocessor 'lower'"),
    "unknown source": ("task-pets-names", with_task(source="tails"), "did you mean tales"),
    "source of another kind": ("task-pets-names", with_task(source="sample-reviews"), "is for kind 'text'"),
    "source without the layer": ("task-pets-names", with_task(source="wnut17"), "its source 'wnut17' has: ner"),
    "metric of another kind": ("task-pets-names", (TASK, SOURCE, TEXT_METRIC, SCHEMA), "is for kind 'text'"),
    "no example": ("task-pets-examples", with_task(examples=()), "give it a handful"),
    "example without words": ("task-pets-examples", with_task(examples=(Example(id="1", text="Tom"),)), "words=(…)"),
    "example without the layer": (
        "task-pets-examples",
        with_task(examples=(Example(id="1", words=("Tom",), labels={"pet": ("O",)}),)),
        "no layer 'pets'",
    ),
    "example with too few labels": (
        "task-pets-examples",
        with_task(examples=(replace(EXAMPLES[1], labels={"pets": ("B-dog", "O")}),)),
        "3 words have 2 labels",
    ),
    "labels that misfit the scheme": ("task-pets-scheme", with_task(examples=(tagged("O I-cat"),)), "word 2"),
    "labels that are no tags": ("task-pets-scheme", with_task(examples=(tagged("cat"),)), "'cat' is not a tag"),
    "source of no kind": ("source-tales-kind", with_source(kind="word"), "write 'token' or 'text'"),
    "no splits": ("source-tales-splits", with_source(splits=(), counts={}), "declares no splits"),
    "empty split": ("source-tales-splits", with_source(load=giving(), counts={}), "split 'train'"),
    "no examples but words": ("source-tales-splits", with_source(load=giving("Tom", "Rex")), "yield labelkit.Example"),
    "unsteady examples": ("source-tales-repeats", with_source(load=unsteady), "differs when it is read again"),
    "unsteady order": ("source-tales-repeats", with_source(load=shuffled, counts={}), "seed what is random"),
    "no layers": ("source-tales-layers", with_source(layers={}), "declares no layers"),
    "layer that is not there": ("source-tales-layers", with_source(layers={"pos": None}), "has no layer 'pos'"),
    "a label short": (
        "source-tales-layers",
        with_source(load=giving(*map(a_word_short, EXAMPLES))),
        "2 words have 1 labels",
    ),
    "unknown schema": ("source-tales-schemas", with_source(layers={"pets": "pests"}), "did you mean pets"),
    "schema of another kind": ("source-tales-schemas", (SOURCE, TEXT_SCHEMA), "make them agree"),
    "label out of the schema": (
        "source-tales-schemas",
        with_source(load=giving(EXAMPLES[0], tagged("O B-cow"))),
        "label 'B-cow' (example 7, split 'train')",
    ),
    "an id twice": ("source-tales-ids", with_source(load=giving(EXAMPLES[0], EXAMPLES[0])), "have the id '1'"),
    "wrong count": ("source-tales-counts", with_source(counts={"train": 3}), "has 2 examples, counts= declares 3"),
    "count of no split": ("source-tales-counts", with_source(counts={"dev": 2}), "which splits= lacks"),
    "metric of no kind": ("metric-exact-kind", a_metric(exact_match, kind="word"), "write 'token' or 'text'"),
    "metric without its key": ("metric-exact-key", a_metric(exact_match, key="f1"), "not its key 'f1'"),
    "key that is no number": ("metric-exact-key", a_metric(lambda given: {"exact_match": "1.0"}), "return a number"),
    "always the same": ("metric-exact-perfect", a_metric(lambda given: {"exact_match": 1.0}), "is 1 when all is right"),
    "wrong direction": ("metric-exact-perfect", a_metric(exact_match, higher_is_better=False), "lower is better"),
    "division by zero": ("metric-exact-finite", a_metric(undefined), "no sentence at all with ZeroDivisionError"),
    "NaN further in": ("metric-exact-finite", a_metric(nan_inside), "no finite per_type.cat.f1"),
    "order counts": ("metric-exact-order", a_metric(of_the_first_sentence), "sum up before dividing"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_each_check_catches_its_broken_plugin_and_no_other_check_does(what: str) -> None:
    check, records, said = BROKEN[what]
    found = faults(*records)
    assert list(found) == [check]
    assert said in found[check]


def test_every_check_has_a_broken_plugin() -> None:
    asked = {check.name for check in checks("mine", a_catalog(*GOOD))}
    assert asked - {check for check, _, _ in BROKEN.values()} == {"task-pets-recipes"}  # below: it needs files


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"quickstart": "", "best": "[train]\nlearning_rat = 1"}, "best.toml: unknown setting 'train.learning_rat'"),
        ({"quickstart": "", "best": "[train]\nseed = 'x'"}, "train.seed cannot be 'x'"),
        ({"quickstart": "", "best": "= 1"}, "best.toml is not TOML"),
        ({"quickstart": "", "best": "metric = 'f2'"}, "unknown metric 'f2'"),
        ({"quickstart": "", "best": "decoder = 'argmax-text'"}, "is for kind 'text'"),
        ({"quickstart": "", "best": "preprocess = ['lower']"}, "unknown preprocessor 'lower'"),
        ({"quickstart": ""}, "has no recipe 'best'"),
    ],
)
def test_recipes_that_do_not_work_are_caught(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    found = faults(*with_task(recipes=tmp_path))
    assert list(found) == ["task-pets-recipes"]
    assert said in found["task-pets-recipes"]


def test_a_load_that_raises_is_told_with_its_error() -> None:
    def load(split: str, ctx: LoadContext) -> Iterable[Example]:
        raise KeyError(split)

    assert (
        "load('train', ctx) of source 'tales' fails with KeyError: 'train'"
        in faults(*with_source(load=load))["source-tales-splits"]
    )


def test_a_plugin_that_does_not_load_fails_with_its_reason() -> None:
    def absent() -> object:
        raise ImportError("no module named pets")

    catalog = Catalog([Candidate("mine", "1.0", "mine-dist", "mine", absent)])
    (outcome,) = check_plugin("mine", catalog=catalog)
    assert (outcome.check, outcome.status) == ("plugin-loads", "failed")
    assert outcome.reason == "plugin 'mine' is failed: ImportError: no module named pets"


def test_a_plugin_that_is_not_installed_says_how_to_declare_it() -> None:
    (outcome,) = check_plugin("nre")
    assert "did you mean ner" in outcome.reason
    assert "[project.entry-points.labelkit]" in outcome.reason


# -- importing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["on import", "in a hook"])
def test_a_plugin_that_loads_a_heavy_library_is_caught(
    place: str, install: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "evaluate.py").write_text("", encoding="utf-8")  # stands for the real one, which takes seconds
    text = {
        "on import": "import evaluate\nimport labelkit\n@labelkit.hookimpl\ndef labelkit_metrics(): return ()\n",
        "in a hook": "import labelkit\n@labelkit.hookimpl\ndef labelkit_metrics():\n    import evaluate; return ()\n",
    }[place]
    install("heavy", text)
    failed = [outcome for outcome in check_plugin("heavy") if not outcome.passed]
    assert [outcome.check for outcome in failed] == ["plugin-imports-light"]
    assert "import evaluate inside the function that needs it" in failed[0].reason


def test_a_light_plugin_passes_though_this_process_has_loaded_a_heavy_library(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "evaluate", ModuleType("evaluate"))
    install("light", "import labelkit\n@labelkit.hookimpl\ndef labelkit_metrics(): return ()\n")
    assert [outcome.status for outcome in check_plugin("light")] == ["passed", "passed"]


def test_the_kit_itself_needs_neither_pytest_nor_a_heavy_library() -> None:
    script = (
        "import sys; sys.modules['pytest'] = None; from labelkit.testing import check_plugin; "
        "print([o.reason for o in check_plugin('ner') if not o.passed], {'torch', 'evaluate'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[] set()", done.stderr


# -- absent data, and pytest ------------------------------------------------------------------------------------------


def from_folder(split: str, ctx: LoadContext) -> Iterable[Example]:
    words = [line for _, line in ctx.lines(ctx.folder("tales") / f"{split}.txt")]
    return [Example(id="1", words=tuple(words), labels={"pets": tuple("O" for _ in words)})]


def test_absent_data_is_skipped_and_present_data_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = a_catalog(*with_source(load=from_folder, counts={"train": 1, "test": 2}))
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    before = {outcome.check: outcome for outcome in check_plugin("mine", catalog=catalog)}
    assert before["plugin-loads"].passed
    assert before["source-tales-splits"].skipped
    assert before["source-tales-splits"].reason.startswith("data absent: 'tales' needs its files")
    monkeypatch.setenv("LABELKIT_DATA", str(tmp_path))
    assert "does not exist" in {o.check: o for o in check_plugin("mine", catalog=catalog)}["source-tales-ids"].reason
    (tmp_path / "tales").mkdir()
    for split in ("train", "test"):
        (tmp_path / "tales" / f"{split}.txt").write_text("Tom\npurrs\n", encoding="utf-8")
    after = {outcome.check: outcome.status for outcome in check_plugin("mine", catalog=catalog)}
    assert [name for name, status in after.items() if status != "passed"] == ["source-tales-counts"]


def test_a_file_that_is_missing_in_a_folder_that_is_there_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tales").mkdir()
    monkeypatch.setenv("LABELKIT_DATA", str(tmp_path))
    found = faults(*with_source(load=from_folder))
    assert "fails with DataError" in found["source-tales-splits"]


def parametrized(catalog: Catalog) -> dict[str, Callable[[], None]]:
    """Return the cases that the decorator makes, by their ids."""
    mark = contract("mine", catalog=catalog).mark
    assert mark.args[0] == "check"
    return {case.id: case.values[0] for case in mark.args[1]}


def test_the_decorator_makes_one_case_for_each_check_with_its_name_as_id() -> None:
    catalog = a_catalog(*with_task(examples=()))
    cases = parametrized(catalog)
    assert list(cases) == [check.name for check in checks("mine", catalog)]
    cases["task-pets-names"]()
    with pytest.raises(AssertionError, match="give it a handful"):
        cases["task-pets-examples"]()


def test_the_decorator_skips_where_data_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    cases = parametrized(a_catalog(*with_source(load=from_folder)))
    with pytest.raises(pytest.skip.Exception, match="data absent: 'tales'"):
        cases["source-tales-splits"]()


def test_a_check_tells_absent_data_by_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    asked: dict[str, Check] = {check.name: check for check in checks("mine", a_catalog(*with_source(load=from_folder)))}
    with pytest.raises(DataAbsentError):
        asked["source-tales-repeats"]()
