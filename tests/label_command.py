"""What the tests of ``labelkit label`` share: the command in this process, with what it left."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.cli import main
from labelkit.label.labeller import Labeller
from labelkit.registry import Home
from labelkit.registry.recorder import Recorder

SENTENCES = ("Ada Lovelace lives in New York .", "Bob met Cleo in Lima .", "It rained in Paris all day .")


@dataclass(frozen=True)
class Done:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.split("\n")[:-1]]


Label = Callable[..., Done]


@pytest.fixture(scope="module")
def opened() -> dict[Any, Labeller]:
    """Return the labellers that were opened, so that not every command loads one anew."""
    return {}


@pytest.fixture
def label(
    trained: labelkit.RunResult, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes], opened: dict[Any, Labeller],
) -> Label:  # fmt: skip
    """Return a function that labels with the shared run, in an empty folder; the registry cannot be written."""
    for name in ("REGISTRY", "DATA", "PLUGINS"):
        monkeypatch.delenv(f"LABELKIT_{name}", raising=False)
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(Recorder, "log_output", lambda *arguments, **options: None)
    load = Labeller.open

    def open_once(reference: str, home: Home, catalog: Any, *how: Any, **named: Any) -> Labeller:
        key = (reference, how, *sorted(named.items()))
        opened[key] = opened.get(key) or load(reference, home, catalog, *how, **named)
        return opened[key]

    monkeypatch.setattr(Labeller, "open", open_once)

    def run(*arguments: str | Path, run: str = "shared") -> Done:
        capfdbinary.readouterr()
        before = signal.getsignal(signal.SIGTERM)
        status = main(["label", run, *map(str, arguments)])
        signal.signal(signal.SIGTERM, before)
        out, err = capfdbinary.readouterr()
        return Done(status, out.decode(), err.decode())

    return run


@pytest.fixture
def fails(label: Label) -> Callable[..., str]:
    """Return a function that labels and must fail with one line and one hint, leaving nothing behind."""

    def run(*arguments: str | Path) -> str:
        before = sorted(Path().rglob("*"))
        done = label(*arguments)
        assert (done.status, done.out) == (1, "")
        lines = done.err.splitlines()
        assert len(lines) == 2, lines
        assert lines[0].startswith("error: ")
        assert sorted(Path().rglob("*")) == before
        return done.err

    return run


def write(name: str, content: str | bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)
