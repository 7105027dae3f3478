"""The account on the Hub: tokens are stored by huggingface_hub, and never shown."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_server import Hub, serving, use
from hub_writing import Account
from labelkit.cli import main

TOKEN = "hf_" + "w" * 34


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serving() as hub:
        use(hub, monkeypatch, tmp_path / "cache")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        hub.accounts[TOKEN] = Account("me", orgs={"team": "admin"})
        yield hub


def test_a_token_from_a_pipe_is_stored_and_not_shown(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TOKEN}\n"))
    assert main(["login"]) == 0
    assert (tmp_path / "cache" / "token").read_text(encoding="utf-8") == TOKEN
    assert main(["whoami", "--json"]) == 0
    shown = capfd.readouterr()
    assert TOKEN not in shown.out + shown.err
    document = json.loads(shown.out.partition("\n")[2])
    assert (document["name"], document["role"], document["organizations"]) == ("me", "write", {"team": "admin"})
    assert main(["logout"]) == 0
    assert not (tmp_path / "cache" / "token").exists()
    assert main(["whoami"]) == 1
    assert "not logged in" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"), [("", "not a token"), ("hf a", "not a token"), ("hf_wrong", "does not accept")]
)
def test_a_wrong_token_is_not_stored(
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    given: str,
    message: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert main(["login"]) == 1
    shown = capfd.readouterr().err
    assert message in shown
    assert not given or given not in shown.replace("begins with hf_", "")
    assert not (tmp_path / "cache" / "token").exists()


def test_a_token_that_stays_in_the_environment_is_named(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(["logout"]) == 1
    assert "unset HF_TOKEN" in capfd.readouterr().err
