"""``labelkit ui``: its pages without a browser and without torch."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from labelkit.cli import main
from labelkit.registry import Home, PlanValue, Registry, SplitRecord
from labelkit.ui.application import CONTENT_POLICY
from labelkit.ui.site import Site
from recorded_runs import start
from ui_pages import client_of, texts_of

pytest_plugins = ("recorded_home",)
HOSTILE = "<script>alert(1)</script>\x1b[31m'\"&"


@pytest.fixture
def client(place: Home) -> Iterator[TestClient]:
    with client_of(place) as client:
        yield client


def a_run(registry: Registry, id_: str, f1: float = 0.5, *, finished: bool = True, **facts: object) -> str:
    plan = (PlanValue.of("train.learning_rate", 1e-4, "default"), PlanValue.of("train.num_train_epochs", 4, "default"))
    splits = (SplitRecord(split="validation", ref="d:validation", content_hash="va" * 32, examples=3, words=12),)
    start(registry, id_, plan=plan, splits=splits, **facts)
    metrics = {"f1": f1, "per_type": {"PER": {"f1": f1, "support": 2}}}
    registry.recorder.log_metrics(
        id_, task="ner", split="validation", metrics=metrics, step=10, epoch=1, chosen=True, train_loss=0.5
    )
    if finished:
        registry.recorder.finish(id_, "finished", seconds=12.0)
    return id_


def test_without_a_registry_there_is_a_page_and_nothing_is_created(client: TestClient, place: Home) -> None:
    answer = client.get("/")
    assert (answer.status_code, place.root.exists()) == (200, False)
    assert "No runs yet" in answer.text


def test_runs_are_filtered_sorted_and_shown_with_any_column(client: TestClient, registry: Registry) -> None:
    for number, f1 in enumerate((0.2, 0.9, 0.5)):
        a_run(registry, f"ner-{number}", f1)
    text = client.get("/", params={"where": "validation.f1 > 0.3", "columns": "lr", "sort": "-validation"}).text
    assert re.findall(r'class="open" href="/runs/([\w-]+)"', text) == ["ner-1", "ner-2"]
    assert "0.0001" in text
    assert 'aria-sort="descending"' in text
    assert "1 to 2 of 2 runs" in text


def test_pages_of_runs_follow_one_another(client: TestClient, registry: Registry) -> None:
    for number in range(53):
        start(registry, f"ner-{number:02}")
    seen = [re.findall(r'class="open" href="/runs/([\w-]+)"', client.get(f"/?page={page}").text) for page in (1, 2)]
    assert [len(page) for page in seen] == [50, 3]
    assert len({run for page in seen for run in page}) == 53
    assert "51 to 53 of 53 runs" in client.get("/?page=2").text
    assert client.get("/?page=x").text.count('class="open"') == 50


@pytest.mark.parametrize("query", ["where=nothing > 1", "where=task = ", "columns=nothing", "sort=nothing"])
def test_a_wrong_filter_is_named_beside_the_form(client: TestClient, query: str) -> None:
    answer = client.get(f"/?{query}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert 'name="where"' in answer.text


def test_a_live_run_shows_its_progress(client: TestClient, registry: Registry) -> None:
    a_run(registry, "ner-live", finished=False)
    assert "25%" in client.get("/").text
    page = client.get("/runs/ner-live").text
    assert 'hx-get="/runs/ner-live/live"' in page
    assert "25%" in client.get("/runs/ner-live/progress").text
    assert 'hx-get="/runs/ner-live/progress"' in client.get("/runs/ner-live/progress").text
    registry.recorder.finish("ner-live", "finished", seconds=1.0)
    assert "hx-trigger" not in client.get("/runs/ner-live/progress").text
    assert "hx-trigger" not in client.get("/runs/ner-live/live").text


def test_progress_is_of_steps_where_they_end_the_training(registry: Registry) -> None:
    for id_, values in (
        ("ner-1", {"max_steps": 40, "num_train_epochs": 9}),
        ("ner-2", {"max_steps": -1}),
        ("ner-3", {}),
    ):
        plan = tuple(PlanValue.of(f"train.{key}", value, "default") for key, value in values.items())
        start(registry, id_, plan=plan)
        if id_ != "ner-3":
            registry.recorder.log_metrics(id_, task="ner", split="validation", metrics={"f1": 0.1}, step=10, epoch=1)
    assert registry.runs.progress(["ner-1", "ner-2", "ner-3"]) == {"ner-1": 0.25}
    assert registry.runs.progress([]) == {}


def test_what_goes_wrong_unexpectedly_is_a_page_without_details(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Site) -> None:
        raise ValueError("secret text")

    monkeypatch.setattr(Site, "registry", fail)
    answer = client.get("/")
    assert (answer.status_code, "unexpected ValueError: a bug in labelkit" in answer.text) == (500, True)
    assert "secret text" not in answer.text


@pytest.mark.parametrize(("options", "token"), [((), False), (("--write",), True), (("--host", "0.0.0.0"), True)])
def test_the_command_makes_a_token_where_one_is_needed(
    place: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    token: bool,
) -> None:
    def ready(application: object, bound: object, limits: object, health: object, on_ready: Callable[[], None]) -> None:
        on_ready()

    monkeypatch.setattr("labelkit.serve.server.run_server", ready)
    monkeypatch.setenv("LABELKIT_HOME", str(place.root))
    monkeypatch.delenv("LABELKIT_SERVE_TOKEN", raising=False)
    assert main(["ui", "--port", "0", "--json", *options]) == 0
    document, printed = capsys.readouterr()
    found = json.loads(document)
    assert (found["token"] is not None, found["write"]) == (token, "--write" in options)
    assert (f"/login?token={found['token']}" in printed) == token
    assert not place.root.exists()


def test_a_group_shows_the_spread_over_its_seeds(client: TestClient, registry: Registry) -> None:
    for seed, f1 in ((1, 0.4), (2, 0.6)):
        a_run(registry, f"ner-{seed}", f1, group="seeds", seed=seed)
    text = client.get("/groups/seeds").text
    assert "0.5000" in text
    assert "0.1414" in text
    assert client.get("/groups/none").status_code == 400


def test_a_run_shows_what_its_report_shows(client: TestClient, registry: Registry) -> None:
    a_run(registry, "ner-1", name="first")
    for reference in ("ner-1", "first", "latest"):
        text = client.get(f"/runs/{reference}").text
        assert all(f">{title}</h2>" in text for title in ("Curves", "Lineage", "Scores", "Plan", "Checkpoints", "Run"))
        assert "labelkit runs repeat ner-1" in text
    answer = client.get("/runs/nobody")
    assert (answer.status_code, "no run &#39;nobody&#39;" in answer.text) == (404, True)


def test_the_lineage_names_ancestors_and_descendants(client: TestClient, registry: Registry) -> None:
    a_run(registry, "ner-1")
    a_run(registry, "ner-2", model="ner-1")
    assert registry.lineage.descendants("ner-1") == ("ner-2",)
    assert "continued by: ner-2" in client.get("/runs/ner-1").text
    assert "continued from: ner-1" in client.get("/runs/ner-2").text


def test_text_of_users_is_shown_as_it_is(client: TestClient, registry: Registry) -> None:
    long = HOSTILE + "x" * 1_000_000
    a_run(registry, "ner-1", data=long, model=HOSTILE)
    registry.annotations.add_note("ner-1", HOSTILE)
    for path in ("/", "/runs/ner-1", f"/?where={quote(HOSTILE)}", f"/?columns={quote(HOSTILE)}"):
        text = client.get(path).text
        assert "<script>alert" not in text
        assert "\x1b" not in text
    assert len(client.get("/").content) < 150_000
    assert HOSTILE.replace("\x1b", "␛") in texts_of(client.get("/runs/ner-1").text)


def test_no_page_may_load_anything_from_elsewhere(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-security-policy"] == CONTENT_POLICY
    assert "'self'" in CONTENT_POLICY
    assert "unsafe-eval" not in CONTENT_POLICY
    assert not re.findall(r'(?:src|href)="(?!/)', answer.text.replace('href="#main"', ""))
    for name, kind in (("style.css", "text/css"), ("pages.js", "text/javascript"), ("htmx.js", "text/javascript")):
        found = client.get(f"/static/{name}")
        assert (found.status_code, found.headers["content-type"].split(";")[0]) == (200, kind)
    assert client.get("/static/../application.py").status_code == 404


def test_only_names_of_this_machine_are_answered(place: Home) -> None:
    with client_of(place) as client:
        assert client.get("/", headers={"host": "evil.example"}).status_code == 421
    with client_of(place, loopback=False) as client:
        assert client.get("/", headers={"host": "labels.example"}).status_code == 200


def test_with_a_token_nothing_is_shown_before_it_is_given(place: Home) -> None:
    with client_of(place, token="a-token-of-sixteen") as client:
        assert client.get("/").status_code == 401
        assert client.get("/static/style.css").status_code == 200
        assert client.get("/login?token=wrong").status_code == 401
        assert client.get("/").status_code == 401
        answer = client.get("/login?token=a-token-of-sixteen", follow_redirects=False)
        assert answer.status_code == 303
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=strict" in answer.headers["set-cookie"]
        assert client.get("/").status_code == 200
        client.cookies.clear()
        client.cookies.set(next(iter(answer.cookies)), "0" * 64)
        assert client.get("/").status_code == 401
        client.cookies.clear()
        assert client.post("/login", data={"token": "a-token-of-sixteen"}).status_code == 200


def test_runs_recorded_later_are_seen_without_a_restart(client: TestClient, place: Home) -> None:
    assert "No runs yet" in client.get("/").text
    with Registry.open(place, create=True) as registry:
        a_run(registry, "ner-1")
        assert "ner-1" in client.get("/").text
    place.database.rename(place.database.with_suffix(".old"))
    assert "No runs yet" in client.get("/").text
    with Registry.open(place, create=True) as registry:  # another registry in its place
        a_run(registry, "ner-2")
    text = client.get("/").text
    assert "ner-2" in text
    assert "ner-1" not in text


@pytest.mark.slow
def test_the_command_shows_runs_without_torch(place: Home, registry: Registry, tmp_path: Path) -> None:
    a_run(registry, "ner-1")
    environment = {**os.environ, "LABELKIT_HOME": str(place.root), "PYTHONPROFILEIMPORTTIME": "1"}
    command = [sys.executable, "-m", "labelkit", "ui", "--port", "0", "--json"]
    log = tmp_path / "log"
    with (
        log.open("w", encoding="utf-8") as stderr,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdout is not None
        document = ""
        while not document.endswith("}\n"):
            document += process.stdout.readline()
        url = json.loads(document)["url"]
        for path, expected in (("/", b"ner-1"), ("/runs/ner-1", b"Lineage")):
            with urllib.request.urlopen(url + path) as answer:
                assert expected in answer.read()
        process.terminate()
        assert process.wait(timeout=60) == 0
    printed = log.read_text(encoding="utf-8").splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in printed if line.startswith("import time:")}
    assert "labelkit.ui.runs_page" in loaded
    assert not loaded & {"torch", "transformers", "datasets", "pyarrow"}
