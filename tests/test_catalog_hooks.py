"""Each hook, implemented by an installed plugin and used by what uses it; every hook has a test called after it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main
from labelkit.config.plan import Request, Setting, make_plan
from labelkit.data import preprocess
from labelkit.data.corpus import load_corpus
from labelkit.events import RunEnded
from labelkit.models.references import resolve
from labelkit.plugins.catalog import EVENT_HOOK, RECORD_HOOKS, Catalog
from labelkit.train.listeners import Emitter

pytest_plugins = ("fake_distributions",)

Install = Callable[..., None]

CONTEXT = labelkit.RunContext(folder=Path("run"))
HOOKS = (*RECORD_HOOKS, EVENT_HOOK)
TASK = """
    yield labelkit.Task(
        name="pets", summary="", kind="token", layer="pets", source="tales", metrics=("seqeval",), scheme="IOB2"
    )
"""
SOURCE = """
    def load(split, ctx):
        yield labelkit.Example(id="1", words=("Tom", "purrs"), labels={"pets": ("B-cat", "O")})
        yield labelkit.Example(id="2", words=("Rex", "barks"), labels={"pets": ("B-dog", "O")})
    yield labelkit.Source(
        name="tales", kind="token", layers={"pets": "pets"}, splits=("train", "validation"), licence="CC0", load=load
    )
"""
SCHEMA = "    yield labelkit.Schema.bio('pets', 'dog', 'cat', 'bird')\n"


def plugin(**hooks: str) -> str:
    """Return a module that implements these hooks, ``tasks`` for ``labelkit_tasks``, by their bodies."""
    parts = [f"@labelkit.hookimpl\ndef labelkit_{name}():\n{body}" for name, body in hooks.items()]
    return "\n".join(["import dataclasses", "import labelkit", *parts, ""])


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("signal.signal", lambda *given: None)  # main() listens for SIGTERM


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test(hook: str) -> None:
    assert callable(globals().get(f"test_{hook}"))


def test_labelkit_tasks(install: Install) -> None:
    install("pets", plugin(tasks=TASK, sources=SOURCE))
    plan = make_plan(Request(task="pets"), Catalog.load())
    assert (plan.task.name, plan.settings.reference, plan.metrics[0].name) == ("pets", "tales", "seqeval")


def test_labelkit_sources(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("tales", plugin(sources=SOURCE, schemas=SCHEMA))
    assert main(["data", "show", "tales", "--layer", "pets", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {tuple(one["words"]) for one in shown["examples"]} == {("Tom", "purrs"), ("Rex", "barks")}


def test_labelkit_schemas(install: Install, tmp_path: Path) -> None:
    install("tales", plugin(sources=SOURCE, schemas=SCHEMA))
    ctx = labelkit.LoadContext(cache=tmp_path)
    corpus = load_corpus("tales", layer="pets", kind="token", scheme="IOB2", catalog=Catalog.load(), ctx=ctx)
    assert corpus.schema.types == ("dog", "cat", "bird")  # as it names them, not as train has them


def test_labelkit_formats(install: Install, tmp_path: Path) -> None:
    body = """
    def read(path, ctx):
        for number, line in ctx.lines(path):
            label, _, text = line.partition(" ")
            yield labelkit.Example(id=str(number), text=text, labels={"label": label})
    def write(records, output):
        for record in records:
            output.stream.write(f"{record.label} {record.text}\\n".encode())
    yield labelkit.Format(name="plain", kinds=("text",), suffixes=(".plain",), read=read, write=write)
"""
    install("plain", plugin(formats=body))
    source, target = tmp_path / "a.plain", tmp_path / "b.jsonl"
    source.write_text("good I like it\nbad I do not\n", encoding="utf-8")
    assert main(["data", "convert", str(source), str(target), "--to", "jsonl"]) == 0
    assert [json.loads(line)["text"] for line in target.read_text(encoding="utf-8").splitlines()] == [
        "I like it", "I do not",
    ]  # fmt: skip
    back = tmp_path / "c.plain"
    assert main(["data", "convert", str(target), str(back), "--to", "plain", "--drop", "id"]) == 0
    assert back.read_bytes() == source.read_bytes()


def test_labelkit_preprocessors(install: Install) -> None:
    body = """
    def lower(example):
        return dataclasses.replace(example, surface=tuple(word.lower() for word in example.words))
    yield labelkit.Preprocessor(name="lower", kind="token", apply=lower)
"""
    install("lower", plugin(preprocessors=body))
    example = labelkit.Example(id="1", words=("Tom", "PURRS"))
    (changed,) = preprocess.apply([Catalog.load().preprocessors["lower"]], [example])
    assert (changed.words, changed.surface) == (("Tom", "PURRS"), ("tom", "purrs"))


def test_labelkit_metrics(install: Install) -> None:
    body = "    yield labelkit.Metric(name='purrs', kind='token', key='loudness', compute=lambda given: {})\n"
    install("purrs", plugin(metrics=body))
    request = Request(task="ner", overrides={"metric": ("purrs", "--metric")})
    chosen = make_plan(request, Catalog.load()).metrics[0]
    assert (chosen.name, chosen.key) == ("purrs", "loudness")


def test_labelkit_decoders(install: Install) -> None:
    body = "    yield labelkit.Decoder(name='first', kind='token', decode=lambda scores: scores.values[:, 0] * 0)\n"
    install("first", plugin(decoders=body))
    request = Request(task="ner", overrides={"decoder": ("first", "--decoder")})
    chosen = make_plan(request, Catalog.load()).decoder
    assert chosen is not None
    assert chosen.name == "first"


def test_labelkit_heads(install: Install) -> None:
    decoder = "    yield labelkit.Decoder(name='first', kind='token', decode=lambda scores: scores.values[:, 0] * 0)\n"
    head = "    yield labelkit.Head(name='mine', kinds=('token',), loss=pow, decoder='first')\n"
    install("mine", plugin(heads=head, decoders=decoder))
    plan = make_plan(Request(task="ner", sets=("train.head=mine",)), Catalog.load())
    assert (plan.head.name, plan.decoder.name) == ("mine", "first")
    assert plan.entries()["decoder"].origin == "head mine"


def test_labelkit_encoders(install: Install, tmp_path: Path) -> None:
    body = f"""
    def resolve(rest, ctx):
        return labelkit.ResolvedEncoder(folder={str(tmp_path)!r} + "/" + rest, revision="1", sha256="0" * 64)
    yield labelkit.Encoder(name="house", resolve=resolve)
"""
    install("house", plugin(encoders=body))
    found = resolve("house:small", Catalog.load().encoders, labelkit.LoadContext())
    assert str(found.folder) == f"{tmp_path}/small"


def test_labelkit_settings(install: Install) -> None:
    head = "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass PetSettings:\n    size: int = 3\n"
    install("pets", head + plugin(settings="    yield labelkit.Settings(name='pets', fields=PetSettings)\n"))
    plan = make_plan(Request(task="ner", sets=("pets.size=4",)), Catalog.load())
    assert plan.entries()["pets.size"] == Setting(4, "--set")
    assert plan.context.settings_of(sys.modules["pets"].PetSettings).size == 4


def test_labelkit_event(install: Install) -> None:
    install(
        "watcher", "import labelkit\nheard = []\n@labelkit.hookimpl\ndef labelkit_event(event): heard.append(event)\n"
    )
    event = RunEnded(run="r1", status="finished", seconds=1.0)
    Emitter([], Catalog.load().observers(CONTEXT), print)(event)
    assert sys.modules["watcher"].heard == [event]
