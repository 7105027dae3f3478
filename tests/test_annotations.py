"""Projects of Label Studio as data and back: what is fetched, recorded and sent, and one line for what fails."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labelkit
from label_studio_server import CONFIG, TOKEN, StubLabelStudio, annotated_task, label_studio
from labelkit.cli import main
from labelkit.config.environment import Environment
from labelkit.data.reading import read_raw_corpus
from labelkit.data.resolved_splits import read_shards, source_context
from labelkit.errors import DataError, LabelkitError, NetworkError
from labelkit.label_studio import client as client_module
from labelkit.label_studio.client import LabelStudioClient
from labelkit.label_studio.provenance import provenance_of
from labelkit.label_studio.references import ProjectReference, parse_project
from labelkit.label_studio.tasks import counting_annotation, is_held_out
from labelkit.plugins.catalog import Catalog
from labelkit.records import DataSettings, Example, Format, LoadContext, Source
from labelkit.registry import Home, Registry


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubLabelStudio]:
    monkeypatch.setenv("LABELKIT_LABEL_STUDIO_TOKEN", TOKEN)
    with label_studio() as found:
        found.tasks = [
            annotated_task(number, f"😀 Ada {number} ran", (2, 5, "Person"), predicted=[(2, 5, "Person")])
            for number in range(30)
        ]
        yield found


@pytest.fixture
def ctx(tmp_path: Path, server: StubLabelStudio) -> LoadContext:
    return Environment.read().load_context(DataSettings(), tmp_path / "home" / "cache")


CATALOG = Catalog.load()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("label-studio:http://localhost:8080#2", ProjectReference("http://localhost:8080", 2)),
        ("https://x.org/ls/#12", ProjectReference("https://x.org/ls", 12)),
        ("http://x#1@0123456789abcdef", ProjectReference("http://x", 1, "0123456789abcdef")),
    ],
)
def test_references_name_a_server_a_project_and_once_read_a_snapshot(text: str, found: ProjectReference) -> None:
    assert parse_project(text) == found
    assert parse_project(str(found)) == found


@pytest.mark.parametrize("text", ["label-studio:", "http://x", "http://x#a", "ftp://x#1", "http://x#1@zz"])
def test_other_references_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="names no project of Label Studio"):
        parse_project(text)
    with pytest.raises(DataError, match="holds a password"):
        parse_project("http://me:secret@x#1")


def test_the_annotation_that_counts_is_the_truth_or_the_latest_and_nothing_about_people_is_kept() -> None:
    def one(id_: int, **more: Any) -> dict[str, Any]:
        return {"id": id_, "result": [], "updated_at": f"2026-01-0{id_}", "completed_by": {"email": "x"}, **more}

    assert (counting_annotation([one(1), one(2), one(3, was_cancelled=True)]) or {})["id"] == 2
    assert (counting_annotation([one(1, ground_truth=True), one(2)]) or {})["id"] == 1
    assert counting_annotation([one(3, was_cancelled=True)]) is None
    assert counting_annotation("none") is None
    given = one(1, prediction={"model_version": "r", "result": [], "task": 1})
    assert counting_annotation([given]) == {
        "id": 1, "result": [], "updated_at": "2026-01-01", "prediction": {"model_version": "r", "result": []},
    }  # fmt: skip


def test_agreement_counts_what_people_kept_removed_and_added_by_type() -> None:
    tasks = [
        annotated_task(1, "Ada ran", (0, 3, "PER"), predicted=[(0, 3, "PER"), (4, 7, "LOC")]),
        annotated_task(2, "Bob met Cleo", (0, 3, "PER"), (8, 12, "PER"), predicted=[(0, 7, "PER")]),
        annotated_task(3, "x"),
    ]
    found = provenance_of(tasks)
    corrections = found.corrections["old-run"]
    assert corrections.to_json() == {
        "texts": 2,
        "agreement": pytest.approx(1 / 3),
        "per_type": {
            "LOC": {"kept": 0, "removed": 1, "added": 0},
            "PER": {"kept": 1, "removed": 1, "added": 2},
        },
    }
    assert found.notes() == [
        "3 annotations, the latest of 2026-11-29 05:27:03",
        f"2 of them were pre-labelled by old-run: {corrections}",
    ]
    assert str(corrections) == "people kept 33.3% of 3 labels, and added 2 (kept: PER 1 of 2, 2 added; LOC 0 of 1)"
    assert found.to_json()["annotations"][0] == {"task": 1, "id": 101, "updated_at": "2026-11-29T05:27:01.5Z"}
    assert provenance_of([{"data": {}}, 7, {"annotations": [{"result": []}]}]).notes() == []


def test_a_project_is_divided_by_hash_and_kept_as_it_was(server: StubLabelStudio, ctx: LoadContext) -> None:
    reference = f"label-studio:{server.url}#2"
    server.tasks += [annotated_task(90, "unused"), {"id": 91, "annotations": [], "data": {"text": "later"}}]
    server.tasks[-2]["annotations"][0]["was_cancelled"] = True
    server.tasks.append({"id": 92, "annotations": [{"id": 1, "result": []}], "data": {"other": "x"}})
    first = read_raw_corpus(reference, "token", CATALOG, ctx)
    texts = {split: [example.text or "" for example in examples] for split, examples in first.splits.items()}
    assert sorted(texts) == ["train", "validation"]
    assert all(is_held_out(text) for text in texts["validation"])
    assert not any(is_held_out(text) for text in texts["train"])
    assert sum(map(len, texts.values())) == 30
    assert "tasks without a text in 'text': 1" in first.notes
    assert first.refs["train"] == f"{first.pinned}:train"
    server.tasks = server.tasks[:1]
    asked = len(server.asked)
    again = read_raw_corpus(first.pinned, "token", CATALOG, ctx)
    assert [list(again.splits[split]) for split in texts] == [list(first.splits[split]) for split in texts]
    assert len(server.asked) == asked
    kept = "".join(path.read_text() for path in (ctx.cache.parent / "label-studio").rglob("*.json"))
    assert "me@example.com" not in kept
    assert TOKEN not in kept
    with pytest.raises(DataError, match=r"the annotations of .* are not in"):
        read_raw_corpus(f"{reference}@{'0' * 16}", "token", CATALOG, ctx)


def test_an_export_that_was_downloaded_is_recorded_in_the_same_way(
    server: StubLabelStudio, ctx: LoadContext, tmp_path: Path
) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(server.tasks))
    found = read_raw_corpus(str(path), "token", CATALOG, ctx)
    assert found.annotation_files == (path,)
    assert found.pinned == ""
    (tmp_path / "a.conll").write_text("Ada B-PER\n\n")
    assert read_raw_corpus(str(tmp_path / "a.conll"), "token", CATALOG, ctx).annotation_files == ()


def test_choices_of_another_field_are_read_and_another_kind_is_refused(
    server: StubLabelStudio, ctx: LoadContext
) -> None:
    with pytest.raises(DataError, match=r'a project of another kind: it has <Labels name="label">, and .* <Choices>'):
        read_raw_corpus(f"label-studio:{server.url}#2", "text", CATALOG, ctx)
    server.config = """<View><Text name="t" value="$body"/><Choices name="mood" toName="t"><Choice value="good"/>
    <Choice value="bad"/></Choices></View>"""
    for number, task in enumerate(server.tasks):
        task["data"] = {"body": f"text {number}"}
        value = {"choices": ["good" if number % 2 else "bad"]}
        task["annotations"][0]["result"] = [{"from_name": "mood", "to_name": "t", "type": "choices", "value": value}]
    found = read_raw_corpus(f"label-studio:{server.url}#2", "text", CATALOG, ctx)
    assert {one.labels[layer] for one in found.splits["train"] for layer in one.labels} == {"good", "bad"}
    assert {one.text for examples in found.splits.values() for one in examples} == {f"text {n}" for n in range(30)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": "<View/>"}, "#2: the label config has no labels or choices of a text"),
        ({"tasks": []}, "#2 has no annotated texts"),
        ({"fault": 500}, "refuses with status 500: it is full"),
        ({"fault": 302}, "leads elsewhere"),
    ],
)
def test_projects_that_cannot_be_read_are_one_line(
    server: StubLabelStudio, ctx: LoadContext, change: dict[str, Any], message: str
) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(LabelkitError) as caught:
        read_raw_corpus(f"label-studio:{server.url}#2", "token", CATALOG, ctx)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_server_that_is_away_slow_or_refuses_is_one_line(
    server: StubLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = parse_project(f"{server.url}#2")
    with pytest.raises(LabelkitError, match="needs a token"):
        LabelStudioClient(reference, None)
    with pytest.raises(LabelkitError, match="does not accept the token") as caught:
        LabelStudioClient(reference, "wrong-secret").label_config()
    assert "wrong-secret" not in str(caught.value)
    with pytest.raises(LabelkitError, match="has no project 3 that this token may use"):
        LabelStudioClient(parse_project(f"{server.url}#3"), TOKEN).label_config()
    monkeypatch.setattr(client_module, "SECONDS", 0.02)
    server.delay = 0.1
    with pytest.raises(NetworkError, match=r"did not answer within 0\.02 s"):
        LabelStudioClient(reference, TOKEN).label_config()
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with pytest.raises(NetworkError, match="does not answer: connection refused"):
        LabelStudioClient(parse_project(f"http://127.0.0.1:{port}#2"), TOKEN).label_config()


# -- the commands -----------------------------------------------------------------------------------------------------


def test_pull_writes_what_other_commands_read(
    server: StubLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LABELKIT_LABEL_STUDIO_TOKEN")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    target, arguments = tmp_path / "a.json", ["annotations", "pull", f"{server.url}#2", "-o", str(tmp_path / "a.json")]
    assert main(arguments) == 1
    assert "needs a token" in capsys.readouterr().err
    arguments += ["--token-file", str(tmp_path / "token")]
    assert main([*arguments, "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["models"]["old-run"]["agreement"] == 1.0
    assert "30 of them were pre-labelled by old-run: people kept 100.0% of 30 labels" in printed.err
    assert TOKEN not in printed.out + printed.err
    assert len(list(labelkit.read(target))) == 30
    assert main(arguments) == 1
    assert "exists" in capsys.readouterr().err
    (tmp_path / "token").write_text("\n")
    assert main([*arguments, "--force"]) == 1
    assert "holds no token" in capsys.readouterr().err


def test_push_creates_new_tasks_as_the_project_calls_labels_once(
    server: StubLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    server.config = CONFIG.replace('"text"', '"t"').replace("$text", "$body")
    server.tasks = [{"id": 1, "annotations": [], "data": {"body": "old"}}]

    def task(text: str, *labels: str) -> dict[str, Any]:
        results = [
            {
                "from_name": "label",
                "to_name": "text",
                "type": "labels",
                "value": {"start": 0, "end": 1, "labels": [one]},
            }
            for one in labels
        ]
        return {"data": {"text": text, "own": 1}, "predictions": [{"model_version": "r", "result": results}]}

    path = tmp_path / "next.json"
    path.write_text(json.dumps([task("old", "PER"), task("new", "PER", "LOC", "MISC"), task("new", "PER"), task("z")]))
    assert main(["annotations", "push", str(path), f"{server.url}#2", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"created": 2, "predicted": 2, "already_there": 2, "unknown_labels": {"MISC": 1}}
    assert "label 'MISC' is unknown to the project and not sent (1 times)" in printed.err
    (sent,) = server.imports
    assert sent[0]["data"] == {"own": 1, "body": "new"}
    results = sent[0]["predictions"][0]["result"]
    assert [(one["to_name"], one["value"]["labels"]) for one in results] == [("t", ["Person"]), ("t", ["LOC"])]
    path.write_text(json.dumps([{"data": {}}]))
    assert main(["annotations", "push", str(path), f"{server.url}#2"]) == 1
    assert "task 1 has no text in 'data.text'" in capsys.readouterr().err
    choices = {"from_name": "label", "type": "choices", "value": {"choices": ["good"]}}
    path.write_text(json.dumps([{"data": {"text": "x"}, "predictions": [{"result": [choices]}]}]))
    assert main(["annotations", "push", str(path), f"{server.url}#2"]) == 1
    assert "task 1 has results of type 'choices', and the project has <Labels>" in capsys.readouterr().err


# -- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_continues_on_annotations_and_records_them_and_no_test_text_enters_it(
    server: StubLabelStudio,
    trained: labelkit.RunResult,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    with Registry.open(Home(root=home), create=False) as registry:
        details = registry.runs.get(trained.run)
    from labelkit.train.corpora import held_out_keys, read_recorded_corpus

    environment, place = Environment.read(), Home(root=home)
    test = read_recorded_corpus(details, CATALOG, environment, place).splits["test"].examples
    assert len(held_out_keys(trained.run, CATALOG, environment, place)) <= len(test)
    server.config = CONFIG.replace('value="Person" predicted_values="PER"', 'value="PER"')
    server.tasks = [
        annotated_task(number, f"Zoe {number} ran", (0, 3, "PER"), predicted=[(0, 3, "LOC")]) for number in range(24)
    ]
    server.tasks += [annotated_task(99, " ".join(test[0].words or ()))]
    data = f"label-studio:{server.url}#2"
    arguments = ["run", "ner", "--data", data, "--from", "shared", "--max-steps", "2", "--set", "train.precision=fp32"]
    assert main([*arguments, "--json"]) == 0
    printed = capsys.readouterr()
    run = json.loads(printed.out)["run"]
    assert "are in a test split, and left out" in printed.err
    with Registry.open(place, create=False) as registry:
        found = registry.runs.get(run)
    plan = {one.key: one.text for one in found.record.plan}
    assert (plan["model"], plan["data.without_test_of"]) == (trained.run, trained.run)
    assert found.record.data.startswith(f"{data}@")
    assert sum(split.examples for split in found.record.splits) == 24
    (output,) = [one for one in found.outputs if one.kind == "annotations"]
    assert output.records == 25
    recorded = json.loads(Path(output.path).read_text())
    assert recorded["annotations"][0].keys() == {"task", "id", "updated_at"}
    assert recorded["models"]["old-run"]["agreement"] == 0.0
    assert main(["runs", "show", run]) == 0
    shown = capsys.readouterr().out
    assert "24 of them were pre-labelled by old-run: people kept 0.0% of 24 labels, and added 24" in shown
    assert main(["runs", "report", run, "-o", str(tmp_path / "report.html")]) == 0
    assert "pre-labelled by old-run" in (tmp_path / "report.html").read_text()
    assert TOKEN not in shown + printed.out + printed.err
    assert main([*arguments, "--model", "bundled"]) == 1
    assert "--from cannot be combined with --model" in capsys.readouterr().err


def test_no_source_or_format_of_a_plugin_gets_the_token(tmp_path: Path) -> None:
    seen: list[str | None] = []

    def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
        seen.append(ctx.label_studio_token)
        yield Example(id="1", words=("Ada",), labels={"ner": ("O",)})

    ctx = LoadContext(kind="token", label_studio_token=TOKEN)
    list(read_shards([tmp_path / "a.x"], Format(name="x", kinds=("token",), suffixes=(".x",), read=read), ctx))
    source = Source(
        name="s", kind="token", layers={"ner": None}, splits=("train",), licence="MIT", load=lambda split, ctx: ()
    )
    assert [*seen, source_context(source, ctx, {}).label_studio_token] == [None, None]
