"""The progress of a run: the metric that chooses the checkpoint has a column, marked with ``*``."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from labelkit.cli.progress import Progress
from labelkit.events import Scored, StageAdvanced, TrainingStarted


def shown(metric: str, *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200, color_system=None)
    scores = {"loss": 0.5, "f1": 0.25, "accuracy": 0.75, "kappa": 0.125}
    with Progress(console) as progress:
        progress(TrainingStarted(run="a", steps=2, epochs=1.0, metric=metric))
        progress(Scored(run="a", split="validation", task="ner", step=2, epoch=1.0, metrics=scores, best=True))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("f1", "validation loss 0.5000, F1 * 0.2500, accuracy 0.7500, step 2 of 2, best"),
        ("kappa", "F1 0.2500, accuracy 0.7500, kappa * 0.1250, step 2 of 2, best"),
        (
            "",
            "epoch 1, training loss –, validation loss 0.5000, F1 0.2500, accuracy 0.7500, step",
        ),
    ],
)
def test_lines_mark_the_metric_that_chooses_the_checkpoint(metric: str, expected: str) -> None:
    assert expected in shown(metric, terminal=False)


def test_the_table_has_a_column_for_the_metric_that_chooses_the_checkpoint() -> None:
    lines = [" ".join(line.split()) for line in shown("kappa", terminal=True).splitlines()]
    assert any(line.endswith("validation loss F1 accuracy kappa *") for line in lines)
    assert any("1 – 0.5000 0.2500 0.7500 0.1250" in line for line in lines)


def test_what_is_done_before_the_first_step_is_shown_in_a_terminal_alone() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    plain = Console(file=io.StringIO(), force_terminal=False, width=100)
    for one in (console, plain):
        with Progress(one) as progress:
            progress.stage("reading", "mine.conll")
            progress.activity("reading train")
            progress.activity("checking [labels]")
            for done in (2000, 4000):
                progress(StageAdvanced(run="a", name="encoding", detail="train: 4,000 examples", done=done, total=4000))
            progress(TrainingStarted(run="a", steps=2, epochs=1.0, metric="f1"))
    assert isinstance(console.file, io.StringIO)
    assert isinstance(plain.file, io.StringIO)
    shown = console.file.getvalue()
    for what in ("reading train", "checking [labels]", "encoding train: 4,000 examples", "0:00:00"):
        assert what in shown
    assert [line[8:].strip() for line in plain.file.getvalue().splitlines()] == [
        "reading mine.conll",
        "training 1 epochs, 2 steps",
    ]
