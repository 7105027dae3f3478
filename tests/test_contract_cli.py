"""``labelkit plugins check`` and ``plugins new``: what they print and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broken_packages import METRIC
from labelkit.cli import main
from labelkit.plugins import scaffold
from labelkit.plugins.catalog import Catalog

pytest_plugins = ("fake_distributions",)

GREEDY = """
import labelkit

@labelkit.hookimpl
def labelkit_decoders():
    yield labelkit.Decoder(name="greedy", kind="token", decode=lambda scores: scores.values.argmax(axis=1))
"""
NAN = METRIC.replace("if same else 0.0", "if same else float('nan')")
LOUD = METRIC.replace("same = ", "raise ValueError('[red]no\\x1b[31m')\n    same = ")


@dataclass(frozen=True)
class Done:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def statuses(self) -> dict[str, str]:
        return {one["check"]: one["status"] for one in json.loads(self.out)["checks"]}


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Done]:
    """Return a function that runs ``labelkit plugins`` with some arguments."""
    monkeypatch.delenv("LABELKIT_PLUGINS", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *given: None)  # main() listens for SIGTERM

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        status = main(("plugins", *arguments))
        return Done(status, *capsys.readouterr())

    return run


def test_a_plugin_that_keeps_the_contract(install: Callable[..., None], command: Callable[..., Done]) -> None:
    install("mine", METRIC)
    done = command("check", "mine")
    assert (done.status, done.err) == (0, "")
    rows = [line.split(maxsplit=1) for line in done.out.splitlines()]
    assert done.out.startswith("check ")
    assert ["metric-exact-finite", "ok"] in [[part.strip() for part in row] for row in rows]
    assert "not applicable  it observes no events" in done.out


def test_a_plugin_that_does_not_is_told_why_and_what_to_change(
    install: Callable[..., None], command: Callable[..., Done]
) -> None:
    install("mine", NAN)
    done = command("check", "mine")
    assert done.status == 1
    (row,) = [line for line in done.out.splitlines() if "failed" in line]
    assert row.startswith("metric-exact-finite")
    assert "gives no finite exact for no sentence at all" in row
    assert row.endswith("return 0.0 for what is undefined")
    assert done.err.startswith("error: plugin 'mine' fails 1 of 14 checks\n  ")


def test_what_a_plugin_says_is_shown_literally(install: Callable[..., None], command: Callable[..., Done]) -> None:
    install("mine", LOUD)
    done = command("check", "mine")
    assert "ValueError: [red]no␛[31m" in done.out


def test_as_json_it_is_one_document(install: Callable[..., None], command: Callable[..., Done]) -> None:
    install("mine", NAN)
    done = command("check", "mine", "--json")
    document: dict[str, Any] = json.loads(done.out)
    assert (done.status, document["plugin"], document["ok"]) == (1, "mine", False)
    assert done.statuses["metric-exact-order"] == "ok"
    (failed,) = [one for one in document["checks"] if one["status"] == "failed"]
    assert failed.keys() == {"check", "status", "why", "change"}
    assert failed["change"] == "return 0.0 for what is undefined"


@pytest.mark.slow
def test_a_failure_can_be_expected_with_a_reason(install: Callable[..., None], command: Callable[..., Done]) -> None:
    install("mine", GREEDY)
    assert command("check", "mine", "--json").statuses["decoder-greedy-valid"] == "failed"
    done = command("check", "mine", "--json", "--expected", "decoder-greedy-valid=labelkit repairs = mends it")
    assert (done.status, done.statuses["decoder-greedy-valid"]) == (0, "expected")
    (one,) = [one for one in json.loads(done.out)["checks"] if one["status"] == "expected"]
    assert one["why"].startswith("labelkit repairs = mends it (")


def test_an_expected_failure_that_passes_fails(install: Callable[..., None], command: Callable[..., Done]) -> None:
    install("mine", METRIC)
    done = command("check", "mine", "--expected", "metric-exact-order=it ranks")
    assert done.status == 1
    assert "it passes although its failure is expected (it ranks)" in done.out


@pytest.mark.parametrize("text", ["decoder-greedy-valid", "decoder-greedy-valid=", "=because"])
def test_an_expected_failure_is_written_with_its_reason(text: str, command: Callable[..., Done]) -> None:
    done = command("check", "mine", "--expected", text)
    assert done.status == 2
    assert "write CHECK=REASON" in done.err


def test_an_expected_failure_of_no_check_is_refused(install: Callable[..., None], command: Callable[..., Done]) -> None:
    install("mine", METRIC)
    done = command("check", "mine", "--expected", "metric-exact-ordre=because")
    assert (done.status, done.out) == (1, "")
    assert "did you mean metric-exact-order" in done.err


def test_a_plugin_that_is_not_there(command: Callable[..., Done]) -> None:
    done = command("check", "nre")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("error: unknown plugin 'nre'\n  did you mean ner")


def test_a_plugin_that_is_blocked_is_not_imported(install: Callable[..., None], command: Callable[..., Done]) -> None:
    install("mine", "raise SystemExit('imported')")
    done = command("check", "mine", "--no-plugin", "mine")
    assert done.status == 1
    (row,) = [line for line in done.out.splitlines() if line.startswith("plugin-loads")]
    assert "plugin 'mine' is not loaded: blocked by --no-plugin" in row
    assert row.endswith("let it load: leave out --no-plugin mine")


def test_a_plugin_that_is_not_among_the_only_ones(
    install: Callable[..., None], command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("mine", METRIC)
    monkeypatch.setenv("LABELKIT_PLUGINS", "ner,nope")
    done = command("check", "mine")
    assert done.status == 1
    assert "let it load: name it in LABELKIT_PLUGINS" in done.out
    assert done.err.startswith("note: LABELKIT_PLUGINS: unknown plugin 'nope'; labelkit plugins lists all plugins\n")


@pytest.mark.parametrize("options", [("--json",), ("--no-plugin", "ner"), ("--trace-plugins",)])
@pytest.mark.parametrize("subcommand", [("check", "ner"), ("new", "pets", "--kind", "metric")])
def test_options_before_the_subcommand_are_refused(
    options: tuple[str, ...], subcommand: tuple[str, ...], command: Callable[..., Done], tmp_path: Path
) -> None:
    done = command(*options, *subcommand)
    assert (done.status, done.out, list(tmp_path.iterdir())) == (2, "", [])
    assert f"put options after the subcommand: labelkit plugins {subcommand[0]} NAME --json" in done.err


def test_the_list_of_plugins_is_as_it_was(command: Callable[..., Done]) -> None:
    assert "labelkit_ner" in command().out
    assert "ner" in {row["name"] for row in json.loads(command("--json").out)}


# -- new --------------------------------------------------------------------------------------------------------------


def test_new_says_what_was_written_and_what_to_run_next(
    tmp_path: Path, command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(name: str, kind: str, folder: Path, catalog: Catalog) -> Path:
        made = folder / f"labelkit {name}"
        made.mkdir(parents=True)
        (made / "pyproject.toml").write_text(kind, encoding="utf-8")
        return made

    monkeypatch.setattr(scaffold, "create", create)
    done = command("new", "pets", "--kind", "metric", "--folder", str(tmp_path / "there"))
    assert done.status == 0
    made = tmp_path / "there" / "labelkit pets"
    assert done.out.splitlines() == [
        str(made / "pyproject.toml"),
        "",
        "next:",
        f"  pip install -e '{made}[test]'",
        f"  pytest '{made}'",
        "  labelkit run ner --metric pets",
    ]
    (made / "pyproject.toml").unlink()
    made.rmdir()
    document = json.loads(command("new", "pets", "--kind", "metric", "--folder", str(tmp_path / "there"), "--json").out)
    assert document["files"] == [str(made / "pyproject.toml")]
    assert len(document["next"]) == 3


def test_new_refuses_a_kind_that_there_is_not(command: Callable[..., Done]) -> None:
    done = command("new", "pets", "--kind", "gadget")
    assert done.status == 2
    assert "'gadget' is not one of" in done.err
