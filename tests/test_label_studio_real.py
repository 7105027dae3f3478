"""The real Label Studio: tasks with emoji are pre-labelled by the backend, corrected, and a new run is trained."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import labelkit
from labelkit.cli import main
from labelkit.records import LoadContext
from labelkit.registry import Home, Registry

COMMAND = os.environ.get("LABELKIT_LABEL_STUDIO", "")
CONFIG = """<View><Labels name="ner" toName="t"><Label value="Person" predicted_values="PER"/>
<Label value="LOC"/></Labels><Text name="t" value="$body"/></View>"""
NAMES, TOWNS = ("Ada Lovelace", "Bob", "Cleo", "Marie Curie", "Tim"), ("Rome", "New York", "Lima", "Paris")
TEXTS = [f"😀 {name} lives in {town} 🏠 ." for name in NAMES for town in TOWNS] + [
    f"🤷 Nothing {n} ." for n in range(10)
]
PASSWORD = "a-password-of-a-test"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not COMMAND, reason="LABELKIT_LABEL_STUDIO does not name the command label-studio"),
]


@dataclass
class Server:
    """A Label Studio server, and a client that is logged in to it."""

    url: str
    token: str

    def call(self, method: str, path: str, body: Any = None, seconds: float = 120) -> Any:
        """Return the answer to a request, as a person with a personal access token makes it."""
        access = httpx.post(f"{self.url}/api/token/refresh/", json={"refresh": self.token}).json()["access"]
        headers = {"Authorization": f"Bearer {access}"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, timeout=seconds)
        assert answer.status_code < 300, answer.text[:500]
        return answer.json() if answer.content else None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come within {seconds} s")


@contextmanager
def process(command: list[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[str]]:
    with log.open("w") as output:
        running = subprocess.Popen(command, stderr=output, text=True, start_new_session=True, **more)
        try:
            yield running
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(60)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp("label-studio"), free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "ML_BLOCK_LOCAL_IP": "false", "SSRF_PROTECTION_ENABLED": "false", "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
    }  # fmt: skip
    command = [
        COMMAND, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port),
        "--username", "me@example.com", "--password", PASSWORD,
    ]  # fmt: skip
    with process(command, folder / "log", env=environment, cwd=folder, stdout=subprocess.DEVNULL):

        def is_up() -> bool:
            try:
                return httpx.get(f"{url}/health", timeout=2).status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(is_up, 600, "Label Studio")
        with httpx.Client(base_url=url, timeout=60) as client:
            client.get("/user/login/")
            form = {"email": "me@example.com", "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
            assert client.post("/user/login/", data=form, headers={"Referer": url}).status_code == 302
            headers = {"Referer": url, "X-CSRFToken": client.cookies["csrftoken"]}
            token = client.post("/api/token/", headers=headers).json()["token"]
        yield Server(url, token)


@pytest.fixture(scope="module")
def place(trained: labelkit.RunResult, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the home whose run is called ``ner@prod``."""
    found = tmp_path_factory.mktemp("place") / "home"
    shutil.copytree(home, found)
    with Registry.open(Home(root=found), create=False) as registry:
        registry.aliases.assign(trained.run, "prod")
    return found


def truth(text: str) -> list[tuple[int, int, str]]:
    """Return start, end and label of what a person annotates."""
    found = [(text.find(name), name, "Person") for name in NAMES] + [(text.find(town), town, "LOC") for town in TOWNS]
    return sorted((start, start + len(part), label) for start, part, label in found if start >= 0)


def spans_of(results: list[Any]) -> list[tuple[int, int, str]]:
    return sorted((one["value"]["start"], one["value"]["end"], one["value"]["labels"][0]) for one in results)


def test_the_whole_loop(
    studio: Server,
    place: Path,
    trained: labelkit.RunResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(place))
    monkeypatch.setenv("LABELKIT_LABEL_STUDIO_TOKEN", studio.token)
    project = studio.call("POST", "/api/projects/", {"title": "people", "label_config": CONFIG})["id"]
    reference, log = f"{studio.url}#{project}", tmp_path / "log"
    tasks = [{"data": {"body": text}} for text in TEXTS]
    studio.call("POST", f"/api/projects/{project}/import", tasks)
    command = [sys.executable, "-m", "labelkit", "serve", "ner@prod", "--label-studio", "--port", "0", "--json"]
    with process([*command, "--engine", "torch"], log, stdout=subprocess.PIPE) as backend:
        assert backend.stdout
        url = json.loads("".join(iter(backend.stdout.readline, "}\n")) + "}")["url"]
        connected = studio.call("POST", "/api/ml/", {"url": url, "project": project, "title": "labelkit"})
        assert connected["state"] == "CO", connected
        predict(studio, project)
        corrected = correct(studio, project, trained)
        assert corrected > 0
        studio.call("POST", f"/api/ml/{connected['id']}/train")
        line = wait_for(lambda: ended_in(log), 900, "a trained run")
        run = line.split("run ")[1].split()[0]
    check_record(run, trained.run, place, len(TEXTS), capsys)
    assert studio.token not in log.read_text()
    assert TEXTS[0] not in log.read_text()
    check_pull_and_push(studio, reference, trained.run, tmp_path, capsys)


def predict(studio: Server, project: int) -> None:
    """Ask for the predictions of all tasks, as the button of the data manager does."""
    everything = {"selectedItems": {"all": True, "excluded": []}, "project": str(project)}
    studio.call("POST", f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}", everything)


def correct(studio: Server, project: int, trained: labelkit.RunResult) -> int:
    """Check the prediction of each task, annotate it rightly, and return how many predictions were wrong."""
    labeller, wrong = labelkit.load(trained.checkpoint), 0
    exported = studio.call("GET", f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true")
    assert len(exported) == len(TEXTS)
    for task in exported:
        text = task["data"]["body"]
        (prediction,) = studio.call("GET", f"/api/predictions/?task={task['id']}")
        assert prediction["model_version"] == trained.run
        names = {"PER": "Person"}
        expected = sorted((s.start, s.end, names.get(s.label, s.label)) for s in labeller.label(text).spans or ())
        assert spans_of(prediction["result"]) == expected
        wrong += expected != truth(text)
        annotation = {"result": [result(text, *span) for span in truth(text)], "parent_prediction": prediction["id"]}
        studio.call("POST", f"/api/tasks/{task['id']}/annotations/", annotation)
    return wrong


def result(text: str, start: int, end: int, label: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text[start:end], "labels": [label]}
    return {"from_name": "ner", "to_name": "t", "type": "labels", "value": value}


def ended_in(log: Path) -> str | None:
    lines = log.read_text().splitlines()
    assert not (failed := [one for one in lines if "failed" in one or "too few" in one]), failed
    return next((one for one in lines if "is better" in one or "is not served" in one), None)


def check_record(run: str, before: str, place: Path, annotations: int, capsys: Any) -> None:
    """Check that the new run has recorded its annotations, and how people corrected the run before."""
    with Registry.open(Home(root=place), create=False) as registry:
        found = registry.runs.get(run)
    assert {one.key: one.text for one in found.record.plan}["model"] == before
    (output,) = [one for one in found.outputs if one.kind == "annotations"]
    assert output.records == annotations
    recorded = json.loads(Path(output.path).read_text())
    assert all(one["id"] and one["updated_at"] for one in recorded["annotations"])
    assert recorded["models"][before]["texts"] == annotations
    capsys.readouterr()
    assert main(["runs", "show", run]) == 0
    assert f"pre-labelled by {before}" in capsys.readouterr().out


def check_pull_and_push(studio: Server, reference: str, run: str, tmp_path: Path, capsys: Any) -> None:
    """Check that new texts are suggested and pushed once, and that annotations are pulled and trained on."""
    pool = tmp_path / "pool.txt"
    pool.write_text("\n".join(["😀 Zoe met Yan in Oslo .", "It snowed in Bern ❄ .", TEXTS[0]]), encoding="utf-8")
    target = tmp_path / "next.json"
    assert main(["suggest", run, str(pool), "--n", "3", "-o", str(target), "--to", "label-studio"]) == 0
    capsys.readouterr()
    for created in (2, 0):
        assert main(["annotations", "push", str(target), reference, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["created"] == created
    pulled = tmp_path / "pulled.json"
    assert main(["annotations", "pull", reference, "-o", str(pulled), "--json"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["annotations"]) == len(TEXTS)
    assert printed.err.endswith("to read with --columns text=body\n")
    assert {one.text for one in labelkit.read(pulled, ctx=LoadContext(columns={"text": "body"}))} == set(TEXTS)
    options = ["--max-steps", "2", "--set", "train.precision=fp32", "--set", "data.splitter=whitespace"]
    assert main(["run", "ner", "--data", f"label-studio:{reference}", "--from", run, *options, "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == "finished"
    assert studio.token not in printed.out + printed.err
