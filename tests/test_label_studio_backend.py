"""The backend for Label Studio: a result for each task, labels that its config knows, one training job at most."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

import labelkit
from labelkit.errors import DataError, StorageError, TrainingError
from labelkit.label_studio.label_config import Control, parse_label_config
from labelkit.plugins.catalog import Catalog
from labelkit.records import Coverage, Example, Labelled
from labelkit.registry import Home
from labelkit.registry.run_lock import hold_lock
from labelkit.serve.application import build_application
from labelkit.serve.label_studio import training
from labelkit.serve.label_studio.annotations import AnnotationStore, training_data
from labelkit.serve.label_studio.backend import LabelStudioBackend, secret_path
from labelkit.serve.label_studio.training import TrainingJobs
from labelkit.serve.limits import ServeLimits
from labelkit.serve.models import Opener, OpenOptions, ServedModels
from labelkit.serve.operations import Labelling
from serve_stubs import running

CONFIG = """<View><Labels name="label" toName="text"><Label value="Person" predicted_values="PER,PERSON"/>
<Label value="LOC"/></Labels><Text name="text" value="$text"/></View>"""
CHOICES = """<View><Text name="t" value="$body"/><Choices name="mood" toName="t" choice="multiple">
<Choice value="good" alias="g"/><Choice value="bad" predicted_values="BAD"/></Choices></View>"""
LIMITS = ServeLimits()


# -- label configs ----------------------------------------------------------------------------------------------------


def test_a_label_config_says_where_the_text_is_and_what_labels_are_called() -> None:
    (labels,) = parse_label_config(CONFIG)
    assert (labels.name, labels.to_name, labels.kind, labels.type, labels.data_key) == (
        "label", "text", "token", "labels", "text",
    )  # fmt: skip
    assert labels.names == {"PER": "Person", "PERSON": "Person", "Person": "Person", "LOC": "LOC"}
    assert labels.label_of("Person", {"PER": 1}) == "PER"
    assert labels.label_of("LOC", {"PER": 1}) == "LOC"
    (choices,) = parse_label_config(CHOICES)
    assert (choices.kind, choices.type, choices.data_key) == ("text", "choices", "body")
    assert choices.names == {"BAD": "bad", "good": "g", "g": "g", "bad": "bad"}
    both = parse_label_config(f"<View>{CONFIG}{CHOICES}</View>")
    assert [one.name for one in both] == ["label", "mood"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "invalid XML"),
        ("<View>", "invalid XML"),
        ("<View/>", "no labels or choices of a text"),
        (
            '<View><Image name="i" value="$i"/><Labels name="l" toName="i"/></View>',
            "no labels",
        ),
        ('<View><Text name="t" value="$t" valueType="url"/><Labels name="l" toName="t"/></View>', "no labels"),
        ('<View><Text name="t" value="fixed"/><Labels name="l" toName="t"/></View>', "no labels"),
        ('<View><Text name="t" value="$t"/><Choices name="c" toName="t" perRegion="true"/></View>', "no labels"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>', "declares a document type"),
    ],
)
def test_a_config_without_labels_of_a_text_is_refused(config: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_label_config(config)


# -- predictions ------------------------------------------------------------------------------------------------------


@pytest.fixture
def said() -> list[str]:
    return []


class StubJobs:
    """Jobs that only remember what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[Any] = []

    def store(self, project: int) -> AnnotationStore:
        return AnnotationStore(self.folder / f"project-{project}")

    def count(self, project: int, pairs: Any, annotations: int) -> None:
        self.asked.append(("count", project, annotations))

    def start(self, project: int, pairs: Any) -> str:
        self.asked.append(("start", project))
        return "job-1"


@pytest.fixture(scope="module")
def models(trained: labelkit.RunResult, home: Path) -> ServedModels:
    opener = Opener(Home(root=home), Catalog.load(), OpenOptions(engine="torch"), LIMITS)
    return ServedModels.open(["shared"], opener, lambda line: None)


@pytest.fixture(scope="module")
def backend(
    models: ServedModels, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, StubJobs, list[str]]]:
    lines: list[str] = []
    jobs = StubJobs(tmp_path_factory.mktemp("label-studio"))
    found = LabelStudioBackend(Labelling(models, LIMITS), cast(TrainingJobs, jobs), lines.append)
    application = build_application(models, LIMITS, token="t" * 20, more=found.operations("/secret"), say=lines.append)
    with running(application) as url, httpx.Client(base_url=f"{url}/secret", timeout=20) as client:
        yield client, jobs, lines


def task(number: int, **data: Any) -> dict[str, Any]:
    return {"id": number, "data": data, "meta": {}, "project": 2, "annotations": [], "inner_id": number}


def test_the_calls_of_label_studio_need_no_token_but_the_secret(
    backend: tuple[httpx.Client, StubJobs, list[str]], trained: labelkit.RunResult
) -> None:
    client, _, lines = backend
    assert client.get("/health").json() == {"status": "UP", "model_class": "labelkit"}
    setup = {"project": "2.1795873288", "schema": CONFIG, "hostname": "http://x", "access_token": "hush"}
    assert client.post("/setup", json={**setup, "extra_params": None}).json() == {"model_version": trained.run}
    assert client.get("/versions").json() == {"versions": [trained.run]}
    assert httpx.get(str(client.base_url).replace("/secret/", "/health")).status_code == 401
    assert not any("hush" in line or "/secret" in line for line in lines)
    document = httpx.get(str(client.base_url).replace("/secret/", "/openapi.json")).text
    assert "/{secret}/webhook" in document
    assert '"/secret' not in document


def test_each_task_gets_one_result_with_offsets_in_code_points(
    backend: tuple[httpx.Client, StubJobs, list[str]], trained: labelkit.RunResult
) -> None:
    client, _, lines = backend
    texts = ["😀 Ada Lovelace lives in New York .", "", "Nothing happened .", "x"]
    tasks = [task(number, text=text) for number, text in enumerate(texts)]
    tasks += [task(8, other="no text"), task(9, text=None), task(10, text="Bob met Cleo .")]
    body = {"tasks": tasks, "project": "2.1", "label_config": CONFIG, "params": {"login": None, "context": None}}
    results = client.post("/predict", json=body).json()["results"]
    assert len(results) == len(tasks)
    assert [one["result"] for one in results[4:6]] == [[], []]
    spans = labelkit.load(str(trained.checkpoint)).label(texts[0]).spans or ()
    assert results[0]["model_version"] == trained.run
    assert [one["value"] for one in results[0]["result"]] == [
        {"start": s.start, "end": s.end, "text": s.text, "labels": ["Person" if s.label == "PER" else s.label]}
        for s in spans
    ]
    first = results[0]["result"][0]
    assert (first["from_name"], first["to_name"], first["type"], first["id"]) == ("label", "text", "labels", "r1")
    assert results[0]["score"] == min(span.score or 0 for span in spans)
    assert lines.count("note: project 2: tasks without a text in 'text' get no labels") == 1
    assert client.post("/predict", json={"tasks": [], "label_config": CONFIG}).json() == {"results": []}


def test_labels_that_the_config_does_not_know_are_reported_and_not_sent(
    backend: tuple[httpx.Client, StubJobs, list[str]],
) -> None:
    client, _, lines = backend
    config = CONFIG.replace('<Label value="LOC"/>', "")
    text = "Ada Lovelace lives in New York . Bob lives in Lima ."
    for _ in range(2):
        body = {"tasks": [task(1, text=text)], "project": "3.1", "label_config": config}
        (result,) = client.post("/predict", json=body).json()["results"]
    assert {one["value"]["labels"][0] for one in result["result"]} <= {"Person"}
    note = "note: project 3: label 'LOC' is unknown to its label config and not sent"
    assert [line.startswith(note) for line in lines if "project 3" in line] == [True]


class StubTexts(Labelling):
    """Labels texts as they are written: ``good BAD 0.8`` has two labels and the score 0.8."""

    async def label(self, model: Any, examples: list[Example]) -> tuple[list[Labelled], Any]:
        return [self._record(model, example) for example in examples], model.info

    def _record(self, model: Any, example: Example) -> Labelled:
        *labels, score = (example.text or "").split()
        scores = dict.fromkeys(labels, float(score))
        found = Labelled(id=example.id, text=example.text or "", coverage=Coverage(words=1, windows=1), scores=scores)
        if model.info.schema.multilabel:
            return replace(found, labels=tuple(labels))
        return replace(found, label=labels[0], score=float(score))


@pytest.mark.parametrize("several", [False, True])
def test_single_and_multiple_choices_are_predicted(several: bool, tmp_path: Path) -> None:
    schema = SimpleNamespace(types=(), scheme=None, label_names=("good", "BAD", "odd"), multilabel=several)
    model = SimpleNamespace(info=SimpleNamespace(kind="text", run="texts-run", schema=schema), run="texts-run")
    lines: list[str] = []
    stub = StubTexts(cast(ServedModels, [model]), LIMITS)
    found = LabelStudioBackend(stub, cast(TrainingJobs, StubJobs(tmp_path)), lines.append)
    routes = [Route(one.path, one, methods=[one.method]) for one in found.operations("")]
    texts = ["good 0.9", "BAD 0.7", "odd 0.6", "good BAD 0.8", "1"]
    tasks = [task(number, body=text) for number, text in enumerate(texts[: 5 if several else 3])]
    body = {"tasks": tasks, "project": "1.2", "label_config": CHOICES}

    async def ask() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes))) as client:
            return (await client.post("http://localhost/predict", json=body)).json()["results"]

    results = asyncio.run(ask())
    assert [one["model_version"] for one in results] == ["texts-run"] * len(tasks)
    chosen = [[each["value"]["choices"] for each in one["result"]] for one in results]
    assert chosen == [[["g"]], [["bad"]], [], [["g", "bad"]], []][: len(tasks)]
    first = results[0]["result"][0]
    assert (first["type"], first["from_name"], first["to_name"]) == ("choices", "mood", "t")
    assert [one.get("score") for one in results] == [0.9, 0.7, None, 0.8, None][: len(tasks)]
    assert any("label 'odd' is unknown to its label config" in line for line in lines)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/setup", {"project": "2.1", "schema": "<View/>"}, "schema: the label config has no labels"),
        ("/predict", {"tasks": [], "project": "77.1"}, "label_config: the label config is invalid XML"),
        (
            "/predict",
            {"tasks": [], "label_config": CHOICES},
            "label_config: the models of this server predict",
        ),
        ("/predict", {"tasks": [{"id": 1}], "label_config": CONFIG}, "tasks[0].data: is missing"),
        ("/webhook", {"action": "START_TRAINING"}, "project: is missing"),
    ],
)
def test_bad_requests_of_label_studio(
    backend: tuple[httpx.Client, StubJobs, list[str]], path: str, body: Any, message: str
) -> None:
    answer = backend[0].post(path, json=body)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"].startswith(message)


def test_webhooks_keep_annotations_without_secrets_and_start_jobs(
    backend: tuple[httpx.Client, StubJobs, list[str]],
) -> None:
    client, jobs, _ = backend
    project = {"id": 5, "label_config": CONFIG, "model_version": "x", "token": "hush"}
    annotation = {"id": 7, "result": [], "completed_by": {"email": "me@x"}, "updated_at": "2026"}
    event = {"action": "ANNOTATION_CREATED", "annotation": annotation, "project": project, "task": task(1, text="Ada")}
    assert client.post("/webhook", json=event).json() == {}
    assert client.post("/webhook", json={**event, "action": "ANNOTATION_UPDATED"}).json() == {}
    assert jobs.store(5).current() == [
        ({"id": 1, "data": {"text": "Ada"}}, {"id": 7, "result": [], "updated_at": "2026"})
    ]
    deleted = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 7}], "project": project}
    assert client.post("/webhook", json=deleted).status_code == 200
    assert jobs.store(5).current() == []
    assert client.post("/webhook", json={"action": "START_TRAINING", "project": project}).json() == {"job": "job-1"}
    assert client.post("/webhook", json={"action": "PROJECT_UPDATED", "project": project}).json() == {}
    assert jobs.asked == [("count", 5, 1), ("count", 5, 1), ("start", 5)]
    kept = (jobs.folder / "project-5" / "annotations.jsonl").read_text(encoding="utf-8")
    assert "hush" not in kept
    assert "me@x" not in kept


def test_annotations_made_of_predictions_at_once_are_kept_with_what_was_predicted(
    backend: tuple[httpx.Client, StubJobs, list[str]], trained: labelkit.RunResult
) -> None:
    client, jobs, _ = backend
    tasks = [task(1, text="Ada ran"), task(2, text="Bob met Cleo .")]
    client.post("/predict", json={"tasks": tasks, "project": "6.1", "label_config": CONFIG})
    made = [{"id": 10 + one["id"], "task": one["id"], "result": [], "parent_prediction": 7} for one in tasks]
    made.append({"id": 20, "task": 1, "result": [], "parent_prediction": None})
    event = {"action": "ANNOTATIONS_CREATED", "annotation": made, "task": list(reversed(tasks))}
    assert client.post("/webhook", json={**event, "project": {"id": 6, "label_config": CONFIG}}).json() == {}
    assert jobs.asked[-1] == ("count", 6, 3)
    later = [{**one, "model_version": "later"} for _, one in jobs.store(6).current()]
    jobs.store(6).add_predictions([(1, later[0])])
    updated = {**event, "action": "ANNOTATION_UPDATED", "annotation": made[0], "task": tasks[0]}
    client.post("/webhook", json={**updated, "project": {"id": 6, "label_config": CONFIG}})
    kept = jobs.store(6).current()
    assert [(one["id"], annotation["id"]) for one, annotation in kept] == [(1, 11), (2, 12), (1, 20)]
    versions = [(annotation.get("prediction") or {}).get("model_version") for _, annotation in kept]
    assert versions == [trained.run, trained.run, None]


# -- training ---------------------------------------------------------------------------------------------------------


def annotated(number: int, text: str, *labels: tuple[int, int, str], **more: Any) -> Any:
    results = [
        {"from_name": "label", "value": {"start": start, "end": end, "labels": [label]}} for start, end, label in labels
    ]
    return {"id": number, "data": {"text": text}}, {"id": number, "result": results, "updated_at": "t", **more}


def test_annotations_become_records_of_the_labellers_own_labels_and_the_same_texts_are_held_out() -> None:
    (control,) = parse_label_config(CONFIG)
    given = [annotated(number, f"Ada {number}", (0, 3, "Person")) for number in range(100)]
    given += [annotated(200, "skipped", was_cancelled=True), ({"id": 201, "data": {}}, {"id": 1, "result": []})]
    data = training_data(given, control, {"PER": None})
    assert len(data.train) + len(data.validation) == len(data.annotations) == 100
    assert 8 < len(data.validation) < 35
    assert {one["value"]["labels"][0] for task in data.train for one in results_of(task)} == {"PER"}
    again = training_data(given[:50], control, {"PER": None})
    assert {text_of(one) for one in again.validation} <= {text_of(one) for one in data.validation}
    truth = [annotated(1, "x", (0, 1, "LOC"), ground_truth=True), annotated(1, "x")]
    (task,) = [one for part in (training_data(truth, control, {}),) for one in (*part.train, *part.validation)]
    assert [one["value"] for one in results_of(task)] == [{"start": 0, "end": 1, "labels": ["LOC"]}]


def text_of(task: Any) -> str:
    return str(task["data"]["text"])


def results_of(task: Any) -> list[Any]:
    return list(task["annotations"][0]["result"])


def test_choices_and_predictions_are_called_as_the_labeller_calls_them() -> None:
    (choices,) = parse_label_config(CHOICES)
    result = {"from_name": "mood", "value": {"choices": ["g"]}}
    prediction = {"model_version": "r", "result": [result, {"from_name": "other", "value": {"choices": ["x"]}}]}
    annotation = {"id": 1, "result": [result], "prediction": prediction}
    given: Any = [
        ({"id": 1, "data": {"body": "b"}}, annotation),
        ({"id": 2, "data": {"body": "c"}}, {"id": 2, "result": []}),
    ]
    data = training_data(given, choices, {"good": 1})
    (task,) = [*data.train, *data.validation]
    assert task["data"] == {"text": "b"}
    assert [one["value"] for one in results_of(task)] == [{"choices": ["good"]}]
    assert [one["value"] for one in task["annotations"][0]["prediction"]["result"]] == [{"choices": ["good"]}]
    assert len(training_data(given, choices, {"good": 1}, several=True).annotations) == 2


def test_a_line_that_a_full_disk_cut_is_left_out(tmp_path: Path) -> None:
    store = AnnotationStore(tmp_path)
    store.add([({"id": 1, "data": {}}, {"id": 1, "result": []})])
    with (tmp_path / "annotations.jsonl").open("a") as file:
        file.write('{"task": {"id"')
    assert len(store.current()) == 1


class StubModel:
    """A served model that remembers what it was told to serve."""

    name = "ner"

    def __init__(self) -> None:
        self.info: Any = SimpleNamespace(
            run="old", task="ner", splitter="words", kind="token",
            schema=SimpleNamespace(types=("PER", "LOC"), scheme="IOB2", label_names=(), multilabel=False),
        )  # fmt: skip
        self.labeller = SimpleNamespace(folder=Path("old-folder"))
        self.served: list[str] = []
        self.run = "old"

    def promote(self, run: str) -> None:
        self.served.append(run)


@pytest.fixture
def jobs(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> TrainingJobs:
    found = TrainingJobs(Home(root=tmp_path), tmp_path, 3, said.append)
    monkeypatch.setattr(found, "_metric", lambda run: ("f1", True))
    for number in range(60):
        found.store(1).add([annotated(number, f"Ada {number}", (0, 3, "Person"))])
    return found


def commands(scores: dict[str, float], calls: list[Any], hold: threading.Event | None = None) -> Callable[..., Any]:
    def run(project: int, *arguments: str) -> Any:
        calls.append(arguments)
        if arguments[0] == "run":
            assert hold is None or hold.wait(5)
            return {"run": "new"}
        return {"metrics": {"all": {"ner": {"f1": scores[arguments[1]]}}}}

    return run


def wait_for(condition: Callable[[], object]) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.002)
    raise AssertionError("it never came to that")


def pairs_of(model: StubModel) -> Sequence[tuple[Control, Any]]:
    return [(parse_label_config(CONFIG)[0], model)]


@pytest.mark.parametrize(("new", "served"), [(0.6, ["new"]), (0.5, []), (0.4, [])])
def test_a_new_run_is_served_only_if_it_wins(
    jobs: TrainingJobs, said: list[str], monkeypatch: pytest.MonkeyPatch, new: float, served: list[str], tmp_path: Path
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(jobs, "_labelkit", commands({"old-folder": 0.5, "new": new}, calls))
    model = StubModel()
    job = jobs.start(1, pairs_of(model))
    wait_for(lambda: len(said) == 2)
    assert model.served == served
    assert [call[0] for call in calls] == ["run", "evaluate", "evaluate"]
    assert ("is better" in said[1]) == bool(served)
    provenance = json.loads((tmp_path / "project-1" / str(job) / "ner" / "provenance.json").read_text())
    assert (provenance["run"], provenance["from"], len(provenance["annotations"])) == ("new", "old", 60)


def test_many_webhooks_start_one_job_and_later_annotations_another(
    jobs: TrainingJobs, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    hold = threading.Event()
    monkeypatch.setattr(jobs, "_labelkit", commands({"old-folder": 0.5, "new": 0.4}, calls, hold))
    pairs = pairs_of(StubModel())
    jobs.count(1, pairs)
    jobs.count(1, pairs)
    assert calls == []
    jobs.count(1, pairs)
    wait_for(lambda: calls)
    first = jobs.start(1, pairs)
    assert {jobs.start(1, pairs) for _ in range(5)} == {first}
    for _ in range(3):
        jobs.count(1, pairs)
    hold.set()
    wait_for(lambda: len(said) == 4)
    assert [call[0] for call in calls] == ["run", "evaluate", "evaluate"] * 2


def test_what_cannot_be_trained_is_one_line_and_ends_nothing(
    jobs: TrainingJobs, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = pairs_of(StubModel())
    jobs.start(2, pairs)
    wait_for(lambda: said)
    assert said == [
        "note: project 2: too few annotations for ner: 0 texts to train on and 0 held out; a fifth is held out, by hash"
    ]

    def fail(project: int, *arguments: str) -> Any:
        raise TrainingError("labelkit run failed: the disk is full")

    monkeypatch.setattr(jobs, "_labelkit", fail)
    jobs.start(1, pairs)
    wait_for(lambda: len(said) == 3)
    assert said[2] == "note: project 1: labelkit run failed: the disk is full"
    jobs.end()
    assert jobs.start(1, pairs) is None


def test_two_servers_of_one_home_do_not_train_a_project_at_once(
    jobs: TrainingJobs, said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(jobs, "_labelkit", commands({"old-folder": 0.5, "new": 0.4}, []))
    with hold_lock(tmp_path / "project-1"):  # by the other server
        jobs.start(1, pairs_of(StubModel()))
        wait_for(lambda: said)
    assert said == ["note: project 1: another server trains on its annotations"]
    assert len(jobs.store(1).current()) == 60
    wait_for(lambda: jobs._projects[1].job is None)
    jobs.start(1, pairs_of(StubModel()))
    wait_for(lambda: len(said) == 3)


@pytest.mark.slow
def test_commands_run_in_processes_of_their_own(tmp_path: Path, said: list[str]) -> None:
    jobs = TrainingJobs(Home(root=tmp_path / "home"), tmp_path, None, said.append)
    assert not jobs._labelkit(1, "runs", "list")
    with pytest.raises(TrainingError, match="labelkit runs failed: no run 'nonesuch' in the registry"):
        jobs._labelkit(1, "runs", "show", "nonesuch")
    assert training._NICE > 0


def test_commands_know_neither_the_token_nor_the_bound_of_memory_of_the_server(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "command"
    command.write_text("""#!/bin/sh
echo "{\\"home\\": \\"$LABELKIT_HOME\\", \\"own\\": \\"$LABELKIT_SERVE_TOKEN$ONEDNN_PRIMITIVE_CACHE_CAPACITY\\"}"
""")
    command.chmod(0o755)
    monkeypatch.setenv("LABELKIT_SERVE_TOKEN", "secret")
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512")
    monkeypatch.setattr("sys.executable", str(command))
    jobs = TrainingJobs(Home(root=tmp_path / "home"), tmp_path, None, said.append)
    assert jobs._labelkit(1, "run") == {"home": str(tmp_path / "home"), "own": ""}


def test_the_secret_is_made_once_for_the_owner_only(tmp_path: Path) -> None:
    prefix, path = secret_path(tmp_path / "label-studio")
    assert len(prefix) > 20
    assert path.stat().st_mode & 0o077 == 0
    assert secret_path(tmp_path / "label-studio") == (prefix, path)
    assert [one.name for one in path.parent.iterdir()] == ["secret"]
    path.write_text("")
    with pytest.raises(StorageError, match="holds no secret"):
        secret_path(tmp_path / "label-studio")
