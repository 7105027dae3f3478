"""``labelkit runs alias, tag, note, why, verify, rm, gc, reap``: what they print, and how they end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labelkit.cli import main
from labelkit.cli.runs import COMMANDS
from labelkit.cli.runs.housekeeping_display import CATEGORIES
from labelkit.events import Status
from labelkit.registry import Home, Registry
from recorded_runs import ended, fill, save, start, write_output

pytest_plugins = ("recorded_home",)

HOSTILE = "[red]Ada[/red] \x1b[31m<b>\u202e :smile:"


@dataclass(frozen=True)
class Done:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Return the JSON document on stdout; nothing else may be there."""
        return json.loads(self.out)


Command = Callable[..., Done]


@pytest.fixture
def command(
    registry: Registry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """Return a function that runs ``labelkit runs`` with some arguments in the home of the registry."""
    monkeypatch.setenv("LABELKIT_HOME", str(registry.home.root))
    monkeypatch.delenv("LABELKIT_REGISTRY", raising=False)

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        status = main(["runs", *map(str, arguments)])
        return Done(status, *capsys.readouterr())

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


def refused(done: Done) -> str:
    """Return the one line and the hint with which a command was refused."""
    assert (done.status, done.out) == (1, "")
    line, hint = done.err.splitlines()
    assert line.startswith("error: ")
    assert hint.startswith("  ")
    assert "mistake in labelkit" not in hint
    return f"{line}\n{hint}"


def test_an_alias_from_setting_to_undoing(registry: Registry, command: Command) -> None:
    for run in ("ner-1", "ner-2"):
        ended(registry, run)
    assert command("alias", "ner-1", "prod").out == "ner@prod means ner-1\n"
    assert command("alias", "ner-2", "prod").out == "ner@prod means ner-2 (before: ner-1; --undo ner@prod reverts it)\n"
    assert "ner-2" in command("alias", "--list").out
    assert command("alias", "--list", "pos").err == "no aliases; labelkit runs alias RUN NAME makes one\n"
    assert command("alias", "--undo", "prod").out == "ner@prod means ner-1\n"
    assert command("alias", "--remove", "prod").out == "ner@prod means no run\n"
    rows = command("alias", "--history", "ner@prod").out.splitlines()
    assert [bool(re.search(" undone ", row)) for row in rows] == [False, False, True, False]
    assert rows[3].rstrip().endswith("(removed)  now")


def test_an_alias_as_json(registry: Registry, command: Command) -> None:
    ended(registry)
    made = command("alias", "latest", "prod", "--json").document
    assert (made["task"], made["name"], made["run"], made["before"]) == ("ner", "prod", "ner-1", None)
    assert [one["run"] for one in command("alias", "--list", "--json").document] == ["ner-1"]
    assert command("alias", "--undo", "prod", "--json").document == {"alias": "ner@prod", "run": None}
    assert len(command("alias", "--history", "prod", "--json").document) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("alias",),
        ("alias", "ner-1"),
        ("alias", "--undo"),
        ("alias", "--undo", "a", "b"),
        ("alias", "--list", "a", "b"),
        ("tag", "ner-1"),
        ("note", "ner-1"),
        ("why",),
        ("rm",),
        ("gc", "--older-than", "3d"),
        ("gc", "--cache", "--older-than", "soon"),
    ],
)
def test_wrong_usage_ends_with_2(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "Usage: labelkit runs" in done.err


def test_tags_and_notes(registry: Registry, command: Command) -> None:
    ended(registry)
    assert command("tag", "ner-1", "b", "a").out == "ner-1: a, b\n"
    assert command("tag", "ner-1", "b", "--remove", "--json").document == {"run": "ner-1", "tags": ["a"]}
    assert command("tag", "ner-1", "a", "--remove").out == "ner-1: no tags\n"
    assert command("note", "latest", HOSTILE).out == "ner-1: 1 note\n"
    assert command("note", "latest", "more", "--json").document["notes"][0]["text"] == HOSTILE
    assert "invalid tag" in refused(command("tag", "ner-1", "A b"))


def test_why_says_where_a_file_came_from(registry: Registry, command: Command, tmp_path: Path) -> None:
    ended(registry, data=HOSTILE)
    path = write_output(registry, "ner-1", tmp_path / "[red]out", b"labels")
    shown = command("why", path)
    assert shown.status == 0
    for part in ("written as labelled", "ner-1", "step 1, epoch 1", "f1 0.1000", "finished", "[red]out", "[red]Ada"):
        assert part in shown.out
    assert "\x1b" not in shown.out
    found = command("why", path, "--json").document
    assert (found["run"], found["step"], found["changed"], found["summary"]["data"]) == ("ner-1", 1, False, HOSTILE)
    path.write_bytes(b"others")
    assert "it has changed since it was written" in command("why", path).out
    assert command("why", path, "--json").document["changed"]
    assert "does not exist" in refused(command("why", tmp_path / "nowhere"))


def test_why_names_the_changed_files_of_a_checkpoint(registry: Registry, command: Command) -> None:
    folder = save(registry, start(registry))
    assert ": a checkpoint\n" in command("why", folder).out
    (folder / "tokenizer.json").write_text("[]")
    shown = command("why", folder).out
    assert "a checkpoint, changed since it was written" in shown
    assert "changed: tokenizer.json\n" in shown


def test_verify_ends_with_1_when_something_is_wrong(registry: Registry, command: Command) -> None:
    for run in ("ner-1", "ner-2"):
        ended(registry, run)
    done = command("verify")
    assert (done.status, done.out.splitlines()[-1]) == (0, "whole: 2 checkpoints")
    weights = registry.home.runs / "ner-2" / "checkpoints" / "step-000001" / "model.safetensors"
    weights.write_bytes(b"x")
    done = command("verify")
    assert done.status == 1
    assert "changed: model.safetensors" in done.out
    assert done.err.startswith("error: 1 of 2 checkpoints do not match their recorded checksums\n")
    done = command("verify", "--json")
    assert (done.status, done.document["ok"]) == (1, False)
    states = {one["name"]: one["state"] for one in done.document["checkpoints"][1]["files"]}
    assert states == {"labelkit.json": "ok", "model.safetensors": "changed", "tokenizer.json": "ok"}
    assert command("verify", "ner-1", "--json").document["ok"]


def test_rm_says_what_it_frees(registry: Registry, command: Command) -> None:
    for run in ("ner-1", "ner-2"):
        ended(registry, run)
    folder = registry.home.runs / "ner-2"
    planned = command("rm", "ner-2", "--dry-run", "--json").document
    assert folder.exists()
    done = command("rm", "ner-2", "--json").document
    assert not folder.exists()
    assert (planned["dry_run"], done["dry_run"]) == (True, False)
    assert planned["freed"] == done["freed"] > 0
    registry.aliases.assign("ner-1", "prod")
    assert "the run 'ner-1' is ner@prod" in refused(command("rm", "latest"))
    lines = command("rm", "prod", "--force").out.splitlines()
    assert lines[0].startswith("deleted ner-1, ")
    assert lines[1:] == ["  removed the alias ner@prod", f"freed {lines[0].partition(', ')[2]}"]
    assert "no run 'ner-1' in the registry" in refused(command("rm", "ner-1"))


def test_what_has_lost_its_state_is_said_to_start_again(registry: Registry, command: Command) -> None:
    said = "labelkit run --resume restarts it from the beginning"
    statuses: dict[str, Status] = {"ner-1": "finished", "ner-2": "failed", "ner-3": "interrupted"}
    for run, status in statuses.items():
        ended(registry, run, status)
        (registry.home.runs / run / "resume").mkdir()
    for arguments in (["--dry-run"], []):
        lines = command("rm", "--checkpoints-only", "ner-1", "ner-2", *arguments).out.splitlines()
        assert [line for line in lines if said in line] == [f"  {said}"]
        assert lines.index(f"  {said}") == 2
    (registry.home.runs / "ner-1" / "resume").mkdir()
    assert said not in command("gc").out
    assert f"ner-3: {said}\n" in command("gc", "--unfinished").out
    assert said not in command("rm", "ner-3").out


def test_gc_says_the_same_in_a_dry_run(registry: Registry, command: Command) -> None:
    run = ended(registry)
    left = registry.home.runs / run / "checkpoints" / ".step-000002-a1b2c3d4"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"x" * 5000)
    planned = command("gc", "--dry-run")
    assert f"would delete {left} (" in planned.out
    assert left.exists()
    document = command("gc", "--dry-run", "--json").document
    done = command("gc")
    assert not left.exists()
    assert planned.out.splitlines()[-1].removeprefix("would free") == done.out.splitlines()[-1].removeprefix("freed")
    assert document["freed"][0]["path"] == str(left)
    assert document["freed_bytes"] >= 5000
    assert command("gc", "--json").document["freed"] == []


def test_gc_names_what_it_could_not_free(registry: Registry, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ended(registry)
    (registry.home.runs / run / "resume").mkdir()

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    done = command("gc")
    assert (done.status, done.out.splitlines()[-1]) == (1, "freed 0 B")
    assert "error: not everything could be deleted (1 left): " in done.err


def test_gc_frees_the_cache_by_age(registry: Registry, command: Command) -> None:
    file = registry.home.cache / "encoded" / "a.arrow"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x" * 5000)
    then = time.time() - 3600 * 5
    os.utime(file, (then, then))
    assert command("gc", "--cache").out == "freed 0 B\n"
    assert command("gc", "--cache", "--older-than", "6h").out == "freed 0 B\n"
    assert "cache" in command("gc", "--cache", "--older-than", "4h").out
    assert not file.exists()


def test_reap_says_how_to_go_on(registry: Registry, command: Command, dead: int) -> None:
    assert command("reap").err == "no stale runs\n"
    start(registry, pid=dead)
    assert "labelkit run --resume ner-1" in command("reap").out
    assert command("list", "--status", "stale", "--json").document[0]["id"] == "ner-1"
    start(registry, "ner-2", pid=dead)
    assert [run["status"] for run in command("reap", "--json").document] == ["stale"]


def test_every_category_is_described() -> None:
    import inspect

    from labelkit.registry import garbage_collection as collecting

    named = set(re.findall(r'category="(\w+)"', inspect.getsource(collecting)))
    assert named == set(CATEGORIES)


@pytest.mark.parametrize("name", ["alias", "tag", "note", "why", "verify", "rm", "gc", "reap"])
def test_every_command_has_help(command: Command, name: str) -> None:
    done = command(name, "--help")
    assert done.status == 0
    assert done.out.startswith(f"Usage: labelkit runs {name}")
    assert name in COMMANDS


@pytest.mark.slow
def test_no_command_makes_a_registry_or_loads_torch(tmp_path: Path) -> None:
    script = """
import sys
from labelkit.cli import main
for arguments in (["alias", "a", "b"], ["alias", "--list"], ["alias", "--undo", "a"], ["tag", "a", "b"],
                  ["note", "a", "b"], ["why", "nowhere"], ["verify"], ["rm", "a"], ["gc"], ["reap"]):
    main(["runs", *arguments])
heavy = {"torch", "transformers", "datasets", "evaluate", "numpy", "pyarrow", "alembic"} & sys.modules.keys()
print("heavy:", sorted(heavy))
"""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LABELKIT_")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_freed_with_the_help_of_the_cache(
    small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(root=small / "home")
    monkeypatch.setenv("LABELKIT_HOME", str(home.root))
    monkeypatch.delenv("LABELKIT_REGISTRY", raising=False)
    with Registry.open(home, create=True) as registry:
        for run in ("ner-1", "ner-2"):
            ended(registry, run)
    fill(small)
    assert main(["runs", "rm", "ner-1"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"error: the registry {home.database} cannot ")
    assert said.err.count("\n") == 2
    (small / "fill").unlink()
    cached = home.cache / "encoded" / "a.arrow"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"x" * 1_200_000)
    fill(small)
    assert main(["runs", "rm", "ner-1", "--dry-run"]) == 0
    assert cached.exists()
    assert main(["runs", "rm", "ner-1"]) == 0
    assert "of the cache freed" in capsys.readouterr().err
    assert not (home.runs / "ner-1").exists()
    assert main(["runs", "verify"]) == 0
