"""``labelkit serve``: labels equal those of ``labelkit label`` in each protocol, and bad requests are one line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from huggingface_hub import InferenceClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import labelkit
from labelkit import Labeller
from labelkit.cli import main
from labelkit.errors import LabelkitError
from labelkit.formats.labelled_json import to_json
from labelkit.label.assembly import PreparedBatch
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example
from labelkit.registry import Home
from labelkit.serve import models as served_models
from labelkit.serve.application import build_application
from labelkit.serve.batcher import Batcher
from labelkit.serve.gate import AccessRules
from labelkit.serve.health import Health
from labelkit.serve.limits import ServeLimits
from labelkit.serve.models import Opener, OpenOptions, ServedModel, ServedModels
from labelkit.serve.server import bind, check_token, is_loopback, run_server
from serve_stubs import StubLabeller, running

TEXTS = ["😀 Ada Lovelace lives in New York .", "", "Bob\u200b met\n Cleo .", "x " * 400, "[SEP] \x1b[31m Paris"]
LIMITS = ServeLimits(body=20_000, texts=500)
TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def texts_run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a labeller of texts."""
    folder = tmp_path_factory.mktemp("texts")
    rows = "".join(f"{text},{label}\n" for text, label in (("good film", "good"), ("dull film", "bad")) * 4)
    for split in ("train", "dev", "test"):
        (folder / f"{split}.csv").write_text("text,label\n" + rows, encoding="utf-8")
    fast = {"train.precision": "fp32"}
    done = labelkit.run("textcls", data=str(folder), model=str(tiny), max_steps=2, home=folder / "home", settings=fast)
    assert done.checkpoint
    return done.checkpoint


@pytest.fixture(scope="module")
def models(trained: labelkit.RunResult, home: Path, texts_run: Path) -> ServedModels:
    opener = Opener(Home(root=home), Catalog.load(), OpenOptions(engine="torch"), LIMITS)
    return ServedModels.open(["shared", f"texts={texts_run}"], opener, lambda line: None)


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def url(models: ServedModels, said: list[str]) -> Iterator[str]:
    with running(build_application(models, LIMITS, say=said.append)) as found:
        yield found


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=20) as found:
        yield found


@pytest.fixture(scope="module")
def labeller(trained: labelkit.RunResult) -> Labeller:
    return labelkit.load(str(trained.checkpoint))


# -- what is labelled -------------------------------------------------------------------------------------------------


def test_records_are_those_of_labelkit_label(client: httpx.Client, labeller: Labeller) -> None:
    answer = client.post("/v1/label", json={"model": "shared", "texts": TEXTS}).json()
    assert answer["records"] == json.loads(json.dumps([to_json(one) for one in labeller.label_all(TEXTS)]))
    words = [["Ada", "Lovelace", "\ufe0f"], []]
    answer = client.post("/v1/label", json={"model": "shared", "words": words}).json()
    assert answer["records"] == json.loads(json.dumps([to_json(one) for one in labeller.label_all(words)]))
    assert answer["run"] == labeller.info.run


def test_examples_that_were_prepared_together_are_the_same_apart_and_joined_anew(labeller: Labeller) -> None:
    examples = [Example(id=str(n), text=text) for n, text in enumerate(["", "Ada met Bob .", "far " * 900, *TEXTS])]
    batch = labeller.prepare(examples)
    parts = batch.by_example()
    assert [len(part.encoded.windows) for part in parts][:2] == [0, 1]
    assert parts[2].longest == batch.longest > parts[1].longest > parts[0].longest == 0
    turned = PreparedBatch.joined(parts[::-1])
    assert [window.example for window in turned.encoded.windows] == sorted(
        len(examples) - 1 - window.example for window in batch.encoded.windows
    )
    assert labeller.finish(PreparedBatch.joined(parts)) == labeller.finish(batch)
    assert labeller.finish(turned)[::-1] == [labeller.finish(part)[0] for part in parts]


def test_own_fields_come_back_and_low_scores_are_left_out(client: httpx.Client) -> None:
    record = {"id": "x", "text": "Ada Lovelace met Bob .", "author": {"n": 1}}
    body = {"model": "shared", "records": [record], "min_score": 1}
    (found,) = client.post("/v1/label", json=body).json()["records"]
    assert (found["id"], found["author"], found["spans"]) == ("x", {"n": 1}, [])
    assert found["coverage"]["below_min_score"] >= 1
    assert set(found["labels"]) == {"O"}


def test_labels_below_the_threshold_of_the_operating_point_are_left_out(
    trained: labelkit.RunResult, home: Path, labeller: Labeller
) -> None:
    said: list[str] = []
    opener = Opener(Home(root=home), Catalog.load(), OpenOptions(operating_point="PER:precision=1"), LIMITS)
    with running(build_application(ServedModels.open(["shared"], opener, said.append), LIMITS)) as url:
        client = httpx.Client(base_url=url, timeout=20)
        (model,) = client.get("/v1/models").json()["models"]
        (found,) = client.post("/v1/label", json={"texts": [TEXTS[0]]}).json()["records"]
    assert model["operating_point"]["target"] == "PER:precision=1"
    (least,) = model["operating_point"]["thresholds"]["ner"].values()
    spans = labeller.label(TEXTS[0]).spans or ()
    kept = [one.text for one in spans if one.label != "PER" or (least is not None and (one.score or 0) >= least)]
    assert [span["text"] for span in found["spans"]] == kept
    assert [line for line in said if line.startswith("note: shared: ") and "PER" in line]


def test_requests_at_once_get_what_each_gets_alone(url: str, labeller: Labeller) -> None:
    texts = [f"Ada {'met Bob ' * n}in Lima ." for n in range(40)]

    async def ask() -> list[Any]:
        async with httpx.AsyncClient(base_url=url) as client:
            bodies = ({"model": "shared", "texts": [text]} for text in texts)
            return await asyncio.gather(*(client.post("/v1/label", json=body) for body in bodies))

    for text, answer in zip(texts, asyncio.run(ask()), strict=True):
        (record,) = answer.json()["records"]
        alone = labeller.label(text)
        assert (record["text"], tuple(record["labels"])) == (text, alone.labels)


def test_models_are_listed(client: httpx.Client, labeller: Labeller) -> None:
    first, second = client.get("/v1/models").json()["models"]
    assert (first["name"], first["kind"], first["labels"]) == ("shared", "token", list(labeller.labels))
    assert (second["name"], second["kind"], second["on_disk"]) == ("texts", "text", True)


def test_the_client_of_hugging_face_reads_both_kinds(url: str, labeller: Labeller) -> None:
    text = "😀 Ada Lovelace lives in New York ."
    spans = labeller.label(text).spans or ()
    found = InferenceClient(model=f"{url}/hf/shared").token_classification(text)
    assert [(one.start, one.end, one.entity_group, one.word, one.score) for one in found] == [
        (span.start, span.end, span.label, span.text, span.score) for span in spans
    ]
    client: Any = InferenceClient(model=f"{url}/hf/shared")
    words = client.token_classification(text, aggregation_strategy="none", ignore_labels=["O", "I-PER"])
    assert words
    assert all(text[one.start : one.end] == one.word and one.entity != "I-PER" for one in words)
    client = InferenceClient(model=f"{url}/hf/texts")
    (best,) = client.text_classification("good film", top_k=1)
    assert best.label in ("good", "bad")
    assert len(client.text_classification("good film")) == 2


def test_tei_and_the_open_inference_protocol(client: httpx.Client) -> None:
    one = client.post("/tei/texts/predict", json={"inputs": "good film", "truncate": True}).json()
    assert client.post("/tei/texts/predict", json={"inputs": [["good film"], ["x"]]}).json()[0] == one
    assert sum(each["score"] for each in one) == pytest.approx(1, abs=1e-3)
    refused = client.post("/tei/shared/predict", json={"inputs": "x"})
    assert (refused.status_code, refused.json()["error_type"]) == (424, "Backend")
    assert client.get("/tei/texts/info").json()["model_type"]["classifier"]["label2id"] == {"bad": 0, "good": 1}
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["Ada lives in Lima .", ""]}
    version = client.get("/v2/models/shared").json()["versions"][0]
    for path in ("/v2/models/shared/infer", f"/v2/models/shared/versions/{version}/infer"):
        answer = client.post(path, json={"id": "42", "inputs": [tensor]}).json()
        (output,) = answer["outputs"]
        assert (answer["id"], answer["model_version"], output["shape"], output["data"][1]) == (
            "42",
            version,
            [2, 1],
            "[]",
        )
        assert json.loads(output["data"][0])[0]["entity_group"] == "PER"
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json()["name"] == "labelkit"


# -- bad requests -----------------------------------------------------------------------------------------------------

TENSOR = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["x"]}
BAD: list[tuple[str, Any, int, str]] = [
    ("/v1/label", {"model": "shared", "texts": ["a", 5]}, 422, "texts[1]: must be text"),
    ("/v1/label", {"model": "shared", "texts": "a"}, 422, "texts: must be a list"),
    ("/v1/label", {"model": "shared", "words": [["a"], [None]]}, 422, "words[1][0]: must be text"),
    ("/v1/label", {"model": "shared", "minscore": 1}, 422, "minscore: unknown field; did you mean min_score?"),
    ("/v1/label", {"model": "shared", "texts": [], "words": []}, 422, "texts: texts and words cannot be combined"),
    ("/v1/label", {"model": "shared"}, 422, "texts: one of texts, words and records is missing"),
    ("/v1/label", {"model": "shared", "records": [{"id": "1"}]}, 422, "records[0].text: is missing, and so is words"),
    ("/v1/label", {"model": "shared", "records": [{"id": 1}]}, 422, "records[0].id: must be text"),
    ("/v1/label", {"model": "shared", "texts": [], "min_score": "1"}, 422, "min_score: must be a number"),
    ("/v1/label", {"model": "shared", "texts": [], "min_score": 2}, 422, "min_score: should be less than or equal"),
    ("/v1/label", {"texts": []}, 422, "model: is missing, and there are several: shared, texts"),
    ("/v1/label", {"model": "share", "texts": []}, 404, "model: unknown model; did you mean shared?"),
    ("/v1/label", [], 422, "the body must be an object"),
    ("/v1/label", b"{", 400, "the body is invalid JSON: EOF while parsing an object at line 1 column 1"),
    ("/v1/label", b'{"texts": ["\xff"]}', 400, "the body is invalid JSON: invalid unicode code point"),
    ("/v1/label", b'{"texts": ["a", "\\ud83d"]}', 400, "texts[1]: must be Unicode text, and has half of a surrogate"),
    ("/v1/label", b'{"records": [{"text": "", "\\udc00": 1}]}', 400, 'records[0]["\\udc00"]: must be Unicode text'),
    ("/v1/label", b"[" * 10_000, 400, "the body is invalid JSON: recursion limit exceeded"),
    ("/v1/label", b'{"texts": [], "min_score": NaN}', 422, "min_score: must be a finite number"),
    ("/hf/nonesuch", {"inputs": "x"}, 404, "model: unknown model"),
    ("/hf/shared?task=pos", {"inputs": "x"}, 404, "task: unknown task; shared serves ner"),
    ("/v2/models/shared/infer?task=pos", {"inputs": []}, 404, "task: unknown task; shared serves ner"),
    ("/hf/shared", {"inputs": 5}, 422, "inputs: must be text or must be an object or must be a list"),
    ("/hf/shared", {"inputs": ["x", 5]}, 422, "inputs[1]: must be text"),
    ("/hf/shared", {"inputs": "x", "parameters": {"topk": 1}}, 422, "parameters.topk: unknown field; did you mean"),
    ("/hf/shared", {"inputs": "x", "parameters": {"top_k": 1}}, 422, "parameters.top_k: is unknown to a labeller"),
    ("/hf/shared", {"inputs": "x", "parameters": {"ignore_labels": []}}, 422, "parameters.ignore_labels: must hold O"),
    ("/tei/texts/predict", {"inputs": []}, 400, "inputs: must not be empty"),
    ("/tei/texts/predict", {"inputs": ["a", "b"]}, 422, "the body: this is a pair of texts, and the labeller is one"),
    ("/tei/texts/predict", {"inputs": [["a", "b"]]}, 422, "the body: this is a pair of texts, and the labeller is one"),
    ("/tei/texts/predict", {"inputs": ["a", "b", "c"]}, 422, "inputs: must hold one text, or the two of a pair, not 3"),
    ("/tei/texts/predict", {"inputs": [["a"], []]}, 422, "inputs[1]: must hold one text, or the two of a pair, not 0"),
    ("/hf/texts", {"inputs": {"text": "a", "text_pair": "b"}}, 422, "the body: this is a pair of texts"),
    ("/hf/texts", {"inputs": {"text_pair": "b"}}, 422, "inputs.text: is missing"),
    ("/tei/texts/predict", {"inputs": "a", "raw_scores": True}, 422, "raw_scores: is not supported"),
    ("/v2/models/shared/infer", {"inputs": []}, 400, "inputs: must hold one input, not 0"),
    ("/v2/models/shared/infer", {"inputs": [{**TENSOR, "shape": [2]}]}, 400, "inputs[0].shape: [2] does not hold 1"),
    ("/v2/models/shared/infer", {"inputs": [{**TENSOR, "datatype": "FP32"}]}, 400, "inputs[0].datatype: must be BYTES"),
    ("/v2/models/shared/versions/1/infer", {"inputs": [TENSOR]}, 404, "version: unknown version"),
    ("/v1/nothing", {}, 404, "unknown path"),
    ("/v1/models", {}, 405, "this path has other methods"),
]  # fmt: skip
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(("path", "body", "status", "message"), BAD)
def test_a_bad_request_is_one_line_that_names_the_field(
    client: httpx.Client, path: str, body: Any, status: int, message: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body)
    answer = client.post(path, content=content, headers=JSON)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(message)
    assert "\n" not in answer.json()["error"]


def test_other_types_of_bodies_and_other_hosts_are_refused(client: httpx.Client) -> None:
    assert client.post("/v1/label", content="{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.get("/v1/models", headers={"Host": "attacker.example"}).status_code == 421
    assert client.get("/v1/models", headers={"Host": "localhost:1"}).status_code == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: httpx.Client, url: str) -> None:
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10) as connection:
        head = (
            "POST /v1/label HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 999999999"
        )
        connection.sendall(f"{head}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")
    parts = (b"x" * 10_000 for _ in range(3))  # without a length
    assert client.post("/v1/label", content=parts, headers=JSON).status_code == 413


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/label", {"model": "shared", "texts": [""] * 501}),
        ("/hf/shared", {"inputs": [""] * 501}),
        ("/tei/texts/predict", {"inputs": [[""]] * 501}),
        (
            "/v2/models/shared/infer",
            {"inputs": [{"name": "text", "shape": [501], "datatype": "BYTES", "data": [""] * 501}]},
        ),
    ],
)
def test_a_request_of_too_many_texts_is_refused(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    answer = client.post(path, json=body)
    assert (answer.status_code, "501 texts are more than 500" in answer.text) == (413, True), answer.text


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ("model", "texts", "words", "records", "min_score", "inputs", "parameters", "raw_scores", "id")
)
BODIES = (
    st.binary(max_size=40)
    | st.dictionaries(FIELDS, JSON_VALUES | st.just("shared") | st.just("Ada"), max_size=4).map(
        lambda value: json.dumps(value).encode()
    )
)  # fmt: skip
PATHS = ("/v1/label", "/hf/shared", "/hf/texts", "/tei/texts/predict", "/v2/models/shared/infer")


@given(st.sampled_from(PATHS), BODIES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_is_an_error_of_the_server(client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body, headers=JSON)
    assert answer.status_code in (200, 400, 404, 422), answer.text
    assert answer.status_code == 200 or set(answer.json()) <= {"error", "error_type"}


# -- who may ask, and what is shown -----------------------------------------------------------------------------------


def refusal(rules: AccessRules, path: str = "/v1/label", **headers: str) -> int | None:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    found = rules.refusal({"type": "http", "path": path, "headers": pairs})
    return found[0] if found else None


def test_a_token_is_needed_where_there_is_one() -> None:
    rules = AccessRules(TOKEN, {"/health/live"}, loopback=False)
    assert refusal(rules, authorization=f"Bearer {TOKEN}") is None
    assert refusal(rules, authorization=f"bearer  {TOKEN}") is None
    for given_ in ("", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9", TOKEN):
        assert refusal(rules, authorization=given_) == 401
    assert refusal(rules) == 401
    assert refusal(rules, "/health/live") is None
    assert TOKEN not in repr(rules)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:80", "[::1]", "[::1]:80", ""])
def test_names_of_this_machine_are_answered_on_loopback(host: str) -> None:
    assert refusal(AccessRules(), host=host) is None
    assert refusal(AccessRules(), host="a.localhost:80") == 421


def test_the_documentation_loads_nothing_and_the_document_is_whole(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert not re.findall(r"<script|<link|<img|@import|url\(|https?://", page.text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))) <= set(schemas)
    assert {"LabelBody", "InferenceBody", "PredictBody", "InferBody"} <= set(schemas)
    assert {"/v1/label", "/metrics", "/hf/{model}", "/v2/models/{model}/infer"} <= set(document["paths"])
    for path in document["paths"]:
        assert path in page.text


def test_the_document_says_what_each_operation_returns(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    media = client.get("/metrics").headers["content-type"].partition(";")[0]
    assert list(paths["/metrics"]["get"]["responses"]["200"]["content"]) == [media]
    refused = client.post("/tei/shared/predict", json={"inputs": "x"}).status_code
    assert str(refused) in paths["/tei/{model}/predict"]["post"]["responses"]


def test_an_unexpected_error_is_json_without_its_message(
    client: httpx.Client, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object) -> None:
        raise ZeroDivisionError("a text of somebody")

    monkeypatch.setattr(served_models.ServedModel, "info", property(fail))
    answer = client.get("/v1/models")
    assert answer.status_code == 500
    assert answer.json() == {"error": "unexpected ZeroDivisionError: a bug in labelkit"}
    for _ in range(100):  # it is told of after the answer
        if any("ZeroDivisionError at" in line for line in said):
            break
        time.sleep(0.01)
    assert [line for line in said if "ZeroDivisionError at" in line]
    assert not any("somebody" in line for line in said)


def test_neither_metrics_nor_the_log_hold_a_text(client: httpx.Client, said: list[str]) -> None:
    client.post("/v1/label", json={"model": "shared", "texts": ["Confidential"]})
    client.get("/v1/Confidential")
    text = client.get("/metrics").text
    assert 'labelkit_requests_total{route="/v1/label",status="200"}' in text
    assert 'labelkit_model_records_total{model="shared",run=' in text
    assert "Confidential" not in text
    assert not any("Confidential" in line for line in said)


# -- other runs -------------------------------------------------------------------------------------------------------


class StubOpener:
    """Opens stubs that are named by the folder of the reference."""

    home = Home(root=Path("nowhere"))

    def open(self, reference: str) -> Batcher:
        stub: Any = StubLabeller(reference)
        stub.folder, stub.info = Path(reference), replace_info(reference)
        return Batcher(stub, 1 << 20, large=False)


class Info:
    kind = "token"
    task = "ner"
    pairs = False

    def __init__(self, run: str) -> None:
        self.run = run


def replace_info(run: str) -> Any:
    return Info(run)


@pytest.fixture
def aliased(monkeypatch: pytest.MonkeyPatch) -> tuple[ServedModel, list[Any], list[str]]:
    """Return a model whose reference resolves to the last of a list, which a test appends to."""
    refers: list[Any] = ["old"]

    def find(reference: str, home: Home) -> tuple[Path, dict[str, Any]]:
        if isinstance(refers[-1], LabelkitError):
            raise refers[-1]
        return Path(refers[-1]), {}

    monkeypatch.setattr(served_models, "find_checkpoint", find)
    monkeypatch.setattr(Path, "is_dir", lambda self: str(self) != "gone")
    lines: list[str] = []
    opener = cast(Opener, StubOpener())
    open_ = opener.open
    opener.open = lambda reference: open_(refers[-1])  # type: ignore[method-assign]
    return ServedModel("ner@prod", "ner@prod", opener.open("old"), opener, lines.append), refers, lines


def test_an_alias_that_moves_is_followed_and_no_request_is_lost(
    aliased: tuple[ServedModel, list[Any], list[str]],
) -> None:
    model, refers, lines = aliased

    async def ask() -> list[str | None]:
        found: list[str | None] = []

        async def client() -> None:
            for _ in range(60):
                records, info = await model.label([Example(id="1", text="x")], 5)
                assert records[0].label == info.run
                found.append(records[0].label)

        clients = [asyncio.create_task(client()) for _ in range(8)]
        for name in ("new", "newer"):
            await asyncio.sleep(0.005)
            refers.append(name)
            await asyncio.to_thread(model.refresh)
        await asyncio.gather(*clients)
        return found

    found = asyncio.run(ask())
    assert len(found) == 480
    assert model.run == "newer"
    assert lines == [f"ner@prod: run {a} is served in place of {b}" for a, b in (("new", "old"), ("newer", "new"))]


@pytest.mark.parametrize(("reference", "moved"), [("ner@prod", ["prod"]), ("prod", ["prod"]), ("ner@best", [])])
def test_a_promoted_run_takes_the_alias_with_it(
    aliased: tuple[ServedModel, list[Any], list[str]], monkeypatch: pytest.MonkeyPatch, reference: str, moved: list[str]
) -> None:
    model, refers, _ = aliased
    model.reference = reference
    assigned: list[str] = []

    def assign(run: str, name: str) -> None:
        assigned.append(name)
        refers.append(run)

    alias = SimpleNamespace(reference="ner@prod", name="prod")
    aliases = SimpleNamespace(current=lambda task: [alias], assign=assign)
    opened = contextlib.nullcontext(SimpleNamespace(aliases=aliases))
    monkeypatch.setattr("labelkit.registry.registry.Registry.open", lambda home, create: opened)
    refers.append("new")
    model.promote("new")
    refers.append("new" if moved else "old")
    model.refresh()
    assert (model.run, model.swaps, assigned) == ("new", 1, moved)


def test_what_cannot_be_resolved_or_is_gone_is_said_once_and_served_on(
    aliased: tuple[ServedModel, list[Any], list[str]],
) -> None:
    model, refers, lines = aliased
    refers.append(LabelkitError("'ner@prod' refers to no run"))
    model.refresh()
    model.refresh()
    assert lines == ["note: ner@prod: run old stays, because 'ner@prod' refers to no run"]
    refers.append("gone")
    model.refresh()
    model.refresh()
    assert model.missing
    assert [line for line in lines if "is gone" in line] == [
        "note: ner@prod: checkpoint gone is gone; it is served from memory until the end"
    ]


def test_a_run_of_another_kind_is_not_served_in_its_place(aliased: tuple[ServedModel, list[Any], list[str]]) -> None:
    model, refers, lines = aliased
    refers.append("texts")
    model.info.kind = "text"  # type: ignore[misc]
    model.refresh()
    assert model.run == "old"
    assert "is of kind token" in lines[0]


@pytest.mark.parametrize("pairs", [True, False])
def test_a_labeller_of_pairs_and_one_of_single_texts_are_not_swapped(
    aliased: tuple[ServedModel, list[Any], list[str]], monkeypatch: pytest.MonkeyPatch, pairs: bool
) -> None:
    model, refers, lines = aliased
    model.info.pairs = pairs  # type: ignore[misc]
    monkeypatch.setattr(Info, "pairs", not pairs)
    refers.append("others")
    model.refresh()
    assert (model.run, model.swaps) == ("old", 0)
    assert lines == [
        "note: ner@prod: run old stays, because only one of ner@prod and run 'others' is a labeller of pairs of texts"
    ]
    monkeypatch.setattr(Info, "pairs", pairs)
    refers.append("same")
    model.refresh()
    assert (model.run, model.swaps) == ("same", 1)


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def fails(
    home: Path, trained: labelkit.RunResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    monkeypatch.setenv("LABELKIT_HOME", str(home))

    def run(*arguments: str) -> str:
        assert main(["serve", *arguments]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 2, lines
        return lines[0]

    return run


def test_what_cannot_be_served_is_said_before_anything_is(fails: Callable[..., str], tmp_path: Path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    assert fails("shared", "--port", str(port)) == f"error: port {port} of 127.0.0.1 is in use"
    taken.close()
    assert fails("nonesuch", "--port", "0") == "error: no run 'nonesuch' in the registry"
    assert fails("shared", "--host", "0.0.0.0").startswith("error: 0.0.0.0 is reached from other machines, and there")
    assert fails("shared", "--host", "no.such.host.invalid", "--token-file", "nowhere").startswith("error: nowhere")
    short = tmp_path / "token"
    short.write_text("short\n")
    assert "holds no token" in fails("shared", "--token-file", str(short))
    assert fails("a=shared", "a=shared", "--port", "0", "--engine", "torch") == "error: two runs are called 'a'"
    assert fails("A=shared", "--port", "0") == "error: a model cannot be called 'A'"


def test_addresses_and_tokens() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    with pytest.raises(LabelkitError, match="unknown host"):
        bind("no.such.host.invalid", 0)
    assert check_token(TOKEN, "it") == TOKEN
    for bad in ("short", "has a space in it here", "é" * 20, ""):
        with pytest.raises(LabelkitError, match="it holds no token"):
            check_token(bad, "it")


def test_the_server_runs_on_uvloop_and_ends_by_a_signal() -> None:
    pytest.importorskip("uvloop")
    loops: list[str] = []

    def on_ready() -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)
        os.kill(os.getpid(), signal.SIGTERM)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with bind("127.0.0.1", 0) as bound:
        run_server(application, bound, ServeLimits(), Health(), on_ready)
    assert loops == ["uvloop"]
