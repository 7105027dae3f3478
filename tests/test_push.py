"""Pushing a run to the stand-in Hub: one commit, nothing private, nothing twice, and every refusal on one line."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import close_session

import labelkit
from hub_server import Hub, serving, use
from hub_writing import Account
from labelkit.cli import main
from labelkit.errors import LabelkitError, NetworkError
from labelkit.hub.upload import Upload
from labelkit.plugins.catalog import Catalog
from labelkit.publish.card_text import END, START
from labelkit.publish.private_text import check_publishable
from labelkit.publish.push import PushOptions, PushResult, find_run, push_run
from labelkit.registry import Home, Registry

TOKEN, READER = "hf_" + "w" * 34, "hf_" + "r" * 34
REPOSITORY = "me/shared"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Return a stand-in that this process talks to, logged in as ``me`` with a token that may write."""
    with serving() as hub:
        use(hub, monkeypatch, tmp_path / "cache")
        hub.accounts.update({TOKEN: Account("me", orgs={"team": "write"}), READER: Account("me", role="read")})
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


@pytest.fixture
def place(trained: labelkit.RunResult, home: Path, tmp_path: Path) -> Home:
    """Return a copy of the home that holds the run ``shared``."""
    shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns("cache"))
    return Home(root=tmp_path / "home")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture
def push(place: Home, catalog: Catalog) -> Callable[..., PushResult]:
    def call(repository: str = REPOSITORY, **options: object) -> PushResult:
        chosen = PushOptions(repository=repository, **options)  # type: ignore[arg-type]
        return push_run(find_run("shared", place), chosen, place, catalog, print)

    return call


def refusal(push: Callable[..., PushResult], name: str) -> str:
    """Return what a push says that does not succeed; empty if it does."""
    try:
        push(name)
    except LabelkitError as error:
        return error.message
    return ""


def files_in(hub: Hub, name: str = REPOSITORY, branch: str = "main") -> dict[str, bytes]:
    return hub.models[name].commits[hub.models[name].branches[branch]]


def test_the_files_of_the_checkpoint_and_the_card_are_one_commit(
    hub: Hub, push: Callable[..., PushResult], trained: labelkit.RunResult, place: Home
) -> None:
    result = push(private=True, tag="v1")
    assert next(one for one in hub.asked if "agent-harnesses" not in one) == "GET /api/whoami-v2"
    pushed = files_in(hub)
    own = {file.name: file.read_bytes() for file in trained.checkpoint.iterdir()}
    assert {name: content for name, content in pushed.items() if name in own} == own
    assert set(pushed) == {*own, "README.md", ".gitattributes"}
    repository = hub.models[REPOSITORY]
    assert repository.private
    assert len(repository.messages) == 1
    assert repository.tags == {"v1": result.commit}
    assert result.written
    for content in (*pushed.values(), *hub.bodies):
        for private in (str(place.root), str(trained.checkpoint), TOKEN, os.uname().nodename + ":"):
            assert private.encode() not in content
    with Registry.open(place, create=False) as registry:
        (known,) = registry.runs.get(trained.run).publications
        assert (known.repository, known.commit_id, known.tag) == (REPOSITORY, result.commit, "v1")
        assert registry.lineage.origin_of_publication(REPOSITORY, "v1").run == trained.run
        assert TOKEN not in str(registry.runs.get(trained.run))


def test_a_push_without_changes_makes_no_commit_and_sends_nothing(hub: Hub, push: Callable[..., PushResult]) -> None:
    first = push()
    before = len(hub.sent)
    again = push()
    assert (again.written, again.commit) == (False, first.commit)
    assert len(hub.sent) == before
    assert len(hub.models[REPOSITORY].messages) == 1


@pytest.mark.slow
def test_text_of_people_survives_every_push(hub: Hub, push: Callable[..., PushResult]) -> None:
    push(licence="mit")
    card = files_in(hub)["README.md"].decode()
    edited = card.replace(f"{START}\n\n{END}", f"{START}\nAsk *us* first.\n{END}", 1)
    edited = edited.replace("license: mit", "license: mit\nco2_eq_emissions: 3")
    hub.add(REPOSITORY, {**files_in(hub), "README.md": edited.encode(), "photo.png": b"x"}, kind="models")
    assert not push().written  # nothing but that text is new
    files = files_in(hub)
    assert "Ask *us* first." in files["README.md"].decode()
    assert "co2_eq_emissions: 3" in files["README.md"].decode()
    assert files["photo.png"] == b"x"
    hub.add(REPOSITORY, {**files, "README.md": card.replace("## Limits", "## No limits").encode()}, kind="models")
    with pytest.raises(LabelkitError, match="edited outside of its markers"):
        push()
    assert push(force=True).written


def test_a_card_that_a_person_wrote_becomes_own_text(hub: Hub, push: Callable[..., PushResult]) -> None:
    hub.add(REPOSITORY, {"README.md": b"---\nlicense: mit\n---\n# Mine\n\nBy hand.\n"}, kind="models")
    push()
    card = files_in(hub)["README.md"].decode()
    assert f"{START}\n# Mine\n\nBy hand.\n{END}" in card
    assert "license: mit" in card
    assert not push().written


def test_a_card_of_gigabytes_is_not_fetched(
    hub: Hub, push: Callable[..., PushResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPOSITORY, {"README.md": b"---\nlicense: mit\n---\n" + b"x" * 3000}, kind="models")
    monkeypatch.setattr("labelkit.hub.upload.MAX_TEXT", 3000)
    with pytest.raises(LabelkitError, match=r"README.md of model 'me/shared' has more than 3,000 bytes"):
        push()
    assert not any("/resolve/" in one for one in hub.asked)
    assert not hub.sent


def test_files_of_the_checkpoint_before_are_deleted_and_others_stay(hub: Hub, push: Callable[..., PushResult]) -> None:
    push()
    more = {"model-00001-of-00002.safetensors": b"old", "onnx/model.onnx": b"of these weights", "data.csv": b"x"}
    hub.add(REPOSITORY, {**files_in(hub), **more}, kind="models")
    result = push()
    assert [one.path for one in result.changes if one.action == "deleted"] == ["model-00001-of-00002.safetensors"]
    assert {"onnx/model.onnx", "data.csv"} <= set(files_in(hub))


@pytest.mark.slow
def test_branches_and_pull_requests(hub: Hub, push: Callable[..., PushResult]) -> None:
    branch = push(revision="dev")
    assert hub.models[REPOSITORY].branches["dev"] == branch.commit
    assert set(files_in(hub)) == {".gitattributes"}
    request = push(pull_request=True)
    assert request.pull_request == f"{hub.endpoint}/{REPOSITORY}/discussions/1"
    assert set(files_in(hub)) == {".gitattributes"}
    assert "model.safetensors" in files_in(hub, branch="refs/pr/1")


@pytest.mark.parametrize(
    ("token", "repository", "message", "hint"),
    [
        ("", REPOSITORY, "not logged in", "labelkit login"),
        ("hf_" + "x" * 34, REPOSITORY, "does not accept the token", "labelkit login"),
        (READER, REPOSITORY, "may only read", "role write"),
        (TOKEN, "others/x", "me does not belong to 'others'", "push to one of: me, team"),
        (TOKEN, "no-owner", "not a valid name", "org/name"),
    ],
)
def test_who_may_not_write_is_told_before_anything_is_sent(
    hub: Hub,
    push: Callable[..., PushResult],
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    repository: str,
    message: str,
    hint: str,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(LabelkitError, match=message) as caught:
        push(repository)
    assert hint in (caught.value.hint or "")
    assert not hub.sent


def test_a_fine_grained_token_needs_the_repository(hub: Hub, push: Callable[..., PushResult]) -> None:
    hub.accounts[TOKEN] = Account("me", role="fineGrained", scoped={"me/other": ["repo.write"]})
    with pytest.raises(LabelkitError, match="may not write to repositories of 'me'"):
        push()
    hub.accounts[TOKEN] = Account("me", role="fineGrained", scoped={REPOSITORY: ["repo.content.read", "repo.write"]})
    assert push().written


@pytest.mark.parametrize(
    ("request_", "status", "message", "hint"),
    [
        ("POST /api/repos/create", 403, "may not write", "write access"),
        ("POST /api/models/me/shared/preupload", 404, "there is no model 'me/shared'", "whoami"),
        ("POST /api/models/me/shared/commit", 409, "has this name already, or is being changed", "try again"),
        ("POST /api/models/me/shared/commit", 412, "was changed by somebody else", "run the command again"),
        ("GET /api/whoami-v2", 429, "too many requests", "wait some minutes"),
        ("POST /api/models/me/shared/commit", 500, "failed with status 500", "try again later"),
        ("GET /api/models/me/shared/revision", 401, "does not accept the token", "labelkit login"),
    ],
)
def test_each_refusal_is_one_line_and_what_to_do(
    hub: Hub, push: Callable[..., PushResult], request_: str, status: int, message: str, hint: str
) -> None:
    hub.answers[request_] = status
    with pytest.raises(LabelkitError, match=message) as caught:
        push()
    assert "\n" not in caught.value.message + (caught.value.hint or "")
    assert hint in (caught.value.hint or "")
    assert "model.safetensors" not in (files_in(hub) if REPOSITORY in hub.models else {})


@pytest.mark.slow
def test_somebody_who_pushed_in_between_is_not_overwritten(
    hub: Hub, push: Callable[..., PushResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    push()
    commit = Upload.commit

    def after_somebody(self: Upload, *arguments: object, **options: object) -> object:
        hub.add(REPOSITORY, {**files_in(hub), "theirs": b"x"}, kind="models")
        return commit(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Upload, "commit", after_somebody)
    with pytest.raises(LabelkitError, match="changed by somebody else"):
        push(licence="mit")
    assert files_in(hub)["theirs"] == b"x"


def test_gated_and_no_network(hub: Hub, push: Callable[..., PushResult]) -> None:
    push()
    hub.gated = True
    with pytest.raises(LabelkitError, match="gated") as caught:
        push(licence="mit")
    assert "accept its terms" in (caught.value.hint or "")
    hub.server.shutdown()
    hub.server.server_close()
    close_session()
    with pytest.raises(NetworkError, match="did not answer for the account"):
        push()


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.slow
def test_a_connection_that_breaks_at_any_request_leaves_the_old_commit_or_the_new(
    hub: Hub, push: Callable[..., PushResult], monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    push("me/whole")
    requests, expected = len(hub.asked), {**files_in(hub, "me/whole")}
    hub.drop_late = late
    for number in range(1, requests + 1):
        name = f"me/broken-{number}"
        hub.asked.clear()
        hub.objects.clear()
        hub.drop = number
        said = refusal(push, name)
        hub.drop = 0
        assert "\n" not in said
        found = files_in(hub, name) if name in hub.models else {}
        assert set(found) in ((set(), {".gitattributes"}, set(expected)) if said else (set(expected),))
        kept = set(hub.objects)
        hub.asked.clear()
        push(name)
        assert set(files_in(hub, name)) == set(expected)
        assert len(hub.models[name].messages) == 1
        resent = {one.rpartition("/")[2] for one in hub.asked if one.startswith("PUT")}
        assert not resent & kept, number


@pytest.mark.slow
def test_a_push_that_is_killed_at_any_moment_is_completed_by_the_next(hub: Hub, place: Home, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "LABELKIT_HOME": str(place.root),
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [sys.executable, "-m", "labelkit", "push", "shared", REPOSITORY]
    moments = random.Random(0)
    for _ in range(4):
        before = len(hub.asked)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        wanted = before + moments.randint(1, 9)
        while len(hub.asked) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
        process.wait()
        if REPOSITORY in hub.models:
            assert len(hub.models[REPOSITORY].messages) in (0, 1)
            assert ("model.safetensors" in files_in(hub)) == ("README.md" in files_in(hub))
    kept = set(hub.objects)
    hub.asked.clear()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"model.safetensors", "README.md", "labelkit.json"} <= set(files_in(hub))
    assert not {one.rpartition("/")[2] for one in hub.asked if one.startswith("PUT")} & kept


def test_files_with_secrets_or_paths_of_this_machine_are_not_sent(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"note": TOKEN}), encoding="utf-8")
    with pytest.raises(LabelkitError, match=r"config.json seems to hold a Hugging Face token") as caught:
        check_publishable({"config.json": tmp_path / "config.json"})
    assert TOKEN not in str(caught.value)
    (tmp_path / "labelkit.json").write_text(
        json.dumps({"plugin_settings": {"dates": {"names": "/srv/ada/names.txt"}}}), encoding="utf-8"
    )
    with pytest.raises(LabelkitError, match=r"path of this machine in 'plugin_settings\.dates\.names'"):
        check_publishable({"labelkit.json": tmp_path / "labelkit.json"})
    (tmp_path / "labelkit.json").write_text(json.dumps({"schema": {"types": ["/person/artist"]}}), encoding="utf-8")
    check_publishable({"labelkit.json": tmp_path / "labelkit.json"})


def test_a_secret_stops_a_push_before_it_sends(
    hub: Hub, push: Callable[..., PushResult], place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelkit.publish.push.read_checkpoint", lambda folder, files=None: None)
    details = find_run("shared", place)
    assert details.best is not None
    assert details.best.folder is not None
    (details.best.folder / "config.json").write_text(json.dumps({"token": TOKEN}), encoding="utf-8")
    with pytest.raises(LabelkitError, match="nothing was sent"):
        push()
    assert not hub.sent


@pytest.mark.slow
def test_the_command_lists_the_files_of_a_dry_run_and_pushes(
    hub: Hub, place: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(place.root))
    assert main(["push", "shared", REPOSITORY, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "new" in out
    assert "model.safetensors" in out
    assert "nothing was sent" in out
    assert not hub.sent
    assert main(["push", "shared", REPOSITORY, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["commit"] == hub.models[REPOSITORY].branches["main"]
    assert main(["push", "shared", REPOSITORY]) == 0
    assert "holds all of it already" in capsys.readouterr().out
    assert main(["runs", "show", "shared"]) == 0
    assert document["commit"][:12] in capsys.readouterr().out
    assert main(["runs", "why", f"hub:{REPOSITORY}"]) == 0
    assert REPOSITORY in capsys.readouterr().out
    assert main(["push", "shared", REPOSITORY, "--onnx"]) == 1
    assert "no accepted ONNX model" in capsys.readouterr().err


def test_onnx_models_go_where_other_programs_look_for_them(
    hub: Hub, push: Callable[..., PushResult], place: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelkit.inference.onnx.export import OnnxModel

    def find(folder: Path, precision: str, cache: Path) -> OnnxModel:
        model = OnnxModel(tmp_path / precision, precision)
        model.folder.mkdir(exist_ok=True)
        model.path.write_bytes(precision.encode())
        model.write_check({"accepted": True})
        return model

    monkeypatch.setattr("labelkit.publish.push.find_model", find)
    push(onnx=True)
    files = files_in(hub)
    assert (files["onnx/model.onnx"], files["onnx/model_quantized.onnx"]) == (b"fp32", b"int8")
    assert "onnx/check.json" not in files
    assert "onnx/model_quantized.onnx" in files["README.md"].decode()


def test_from_python(hub: Hub, place: Home, trained: labelkit.RunResult) -> None:
    assert labelkit.push("shared", REPOSITORY, home=place.root).written
    assert not replace(trained, checkpoint=trained.checkpoint).push(REPOSITORY, home=place.root).written
