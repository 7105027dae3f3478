"""What the contract kit makes of a trial that went wrong: a loss that does not fall, records that lost something."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broken_plugins import METRIC, SCHEMA, SOURCE, TASK, a_catalog, exact_match, upper
from labelkit import Context, Coverage, Decoder, Labelled, Preprocessor, Span
from labelkit.inference.viterbi import viterbi
from labelkit.label.labeller import Labeller
from labelkit.plugins.catalog import Catalog
from labelkit.testing import Broken, subprocess_checks, tasks
from labelkit.testing.contexts import Setup
from labelkit.testing.trial_training import Trial, TrialEvaluation
from labelkit.train.resolution import bound_head

pytest_plugins = ("fake_distributions",)

# -- learning ---------------------------------------------------------------------------------------------------------


def a_trial(*losses: float) -> Any:
    steps = [TrialEvaluation("validation", False, loss, ()) for loss in losses]
    return SimpleNamespace(name="pets", trained=(None, [TrialEvaluation("test", False, 0.0, ()), *steps]))


def test_a_loss_that_falls_at_the_first_step_passes() -> None:
    tasks.check_learns(a_trial(1.5, 1.4, 1.6))


@pytest.mark.parametrize("losses", [(1.5, 1.5), (1.5, 1.6, 0.1), (1.5,), (1.5, math.nan), (math.nan, 1.0)])
def test_a_loss_that_does_not_fall_is_caught(losses: tuple[float, ...]) -> None:
    with pytest.raises(Broken, match="one training step on the examples of task 'pets' takes the loss from"):
        tasks.check_learns(a_trial(*losses))


# -- made-up data is said to be so ------------------------------------------------------------------------------------


def test_functions_are_told_that_a_training_is_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[bool]] = {}

    def noting(what: str, function: Callable[[Any], Any]) -> Callable[..., Any]:
        def call(given: Any, ctx: Context) -> Any:
            seen.setdefault(what, set()).add(ctx.trial)
            return function(given)

        return call

    parts = (
        replace(METRIC, compute=noting("metric", exact_match), counts=None),
        Decoder(name="likeliest", kind="token", decode=noting("decoder", viterbi)),
        Preprocessor(name="upper", kind="token", apply=noting("preprocessor", upper)),
    )
    catalog = a_catalog(SCHEMA, SOURCE, *parts, replace(TASK, metrics=("exact",)))

    def train(prepared: Any, *given: Any, **named: Any) -> Any:
        seen["head"] = {bound_head(prepared.plan, prepared).context.trial}
        return SimpleNamespace(checkpoint=Path("none"))

    monkeypatch.setattr("labelkit.train.run.train", train)
    monkeypatch.setattr(Labeller, "open", lambda *given, trial, **named: seen.update(labeller={trial}))
    trial = Trial(catalog.tasks["pets"], Setup(catalog))
    assert trial.trained == (Path("none"), [])
    assert trial.labeller is None
    assert seen == {what: {True} for what in ("preprocessor", "decoder", "metric", "head", "labeller")}


# -- elsewhere --------------------------------------------------------------------------------------------------------


def test_another_process_loads_no_plugin_that_is_blocked_here(
    install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(what: str, *, plugin: str, **request: Any) -> subprocess_checks.Answer:
        return subprocess_checks.label(plugin, **request)

    install("spy", f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    monkeypatch.setattr(subprocess_checks, "run_in_subprocess", ask)
    catalog = Catalog.load(blocked=["spy"])
    labeller = SimpleNamespace(label_all=lambda inputs: [])
    trial: Any = SimpleNamespace(
        name="ner", catalog=catalog, trained=(tmp_path / "none", []), inputs=[], labeller=labeller
    )
    with pytest.raises(Broken, match="cannot label with task 'ner'"):  # there is no checkpoint
        tasks.check_subprocess(trial)
    assert not (tmp_path / "ran").exists()


def test_another_process_gives_labels_of_every_kind_in_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    none = Coverage(words=1, windows=1)
    found = [
        Labelled(id="1", text="a b", coverage=none, words=("a", "b"), labels=("O", "O"), offsets=((0, 1), (2, 3))),
        Labelled(id="2", text="a", coverage=none, label="good"),
        Labelled(id="3", text="a", coverage=none, labels=("art", "law")),
        Labelled(id="4", text="a", coverage=none, labels=()),
    ]
    trials: list[bool] = []

    def opened(*given: Any, trial: bool) -> Any:
        trials.append(trial)
        return SimpleNamespace(label_all=lambda inputs: found)

    monkeypatch.setattr(Labeller, "open", opened)
    answer = subprocess_checks.label("ner", folder="none", inputs=["a"], only=["ner"])
    assert answer == {"labels": [("O", "O"), "good", ("art", "law"), ()]}
    assert trials == [True]


# -- losing -----------------------------------------------------------------------------------------------------------


def by_words(given: str | tuple[str, ...]) -> Labelled:
    """Label each word with O, and lose nothing."""
    text = given if isinstance(given, str) else " ".join(given)
    words = tuple(given.split()) if isinstance(given, str) else given
    places, end = [], 0
    for word in words:
        start = text.index(word, end)
        end = start + len(word)
        places.append((start, end))
    spans = tuple(Span(start=a, end=b, label="x", text=text[a:b], score=1.0) for a, b in places[:1])
    return Labelled(
        id="1", text=text, coverage=Coverage(words=len(words), windows=1), words=words, labels=("O",) * len(words),
        offsets=tuple(places), spans=spans,
    )  # fmt: skip


def by_text(given: str | tuple[str, ...]) -> Labelled:
    assert isinstance(given, str)
    return Labelled(id="1", text=given, coverage=Coverage(words=1, windows=1), label="O", score=1.0, scores={"O": 1.0})


def ask(kind: str, label: Any) -> None:
    labeller = SimpleNamespace(label=label, labels=("O",), info=SimpleNamespace(pairs=False))
    trial: Any = SimpleNamespace(name="pets", kind=kind, labeller=labeller)
    tasks.check_lossless(trial)


def test_what_loses_nothing_passes() -> None:
    ask("token", by_words)
    ask("text", by_text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (lambda it: {"text": it.text.strip()}, "the text does not come back"),
        (lambda it: {"words": it.words[:-1]}, "words have"),
        (lambda it: {"labels": it.labels[1:]}, "words have"),
        (lambda it: {"coverage": Coverage(words=len(it.words) + 1, windows=1)}, "words have"),
        (lambda it: {"offsets": tuple((a + 1, b + 1) for a, b in it.offsets)}, "do not stand where their offsets say"),
        (lambda it: {"spans": tuple(replace(one, text="") for one in it.spans)}, "is not ''"),
        (lambda it: {"spans": tuple(replace(one, score=math.nan) for one in it.spans)}, "between 0 and 1"),
        (lambda it: {"labels": ("X",) * len(it.labels)}, "'X' is not a label of the schema"),
    ],
)
def test_what_a_record_of_words_loses_is_caught(changes: Any, said: str) -> None:
    def label(given: Any) -> Labelled:
        record = by_words(given)
        return replace(record, **changes(record))

    with pytest.raises(Broken) as caught:
        ask("token", label)
    assert said in caught.value.why


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": ""}, "the text does not come back"),
        ({"scores": {}}, "the scores are"),
        ({"scores": {"O": math.nan}}, "the scores are"),
        ({"label": "X"}, "'X' is not a label of the schema"),
    ],
)
def test_what_a_record_of_a_text_loses_is_caught(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Broken) as caught:
        ask("text", lambda given: replace(by_text(given), **changes))
    assert said in caught.value.why


def test_an_error_in_labelling_names_the_text() -> None:
    def label(given: Any) -> Labelled:
        raise IndexError(given)

    with pytest.raises(Broken) as caught:
        ask("text", label)
    assert caught.value.why.startswith("'': labelling with task 'pets' fails with IndexError")
