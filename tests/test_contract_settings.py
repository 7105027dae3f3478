"""Contract checks with settings: what they read, and what functions of plugins learn of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pytest

import labelkit
from broken_plugins import FORMAT, SCHEMA, SOURCE, TASK, a_catalog
from labelkit import Encoder, Example, LabelkitError, Labelled, LoadContext, Output
from labelkit.cli import main
from labelkit.errors import MissingDataError
from labelkit.plugins.functions import with_context
from labelkit.testing import Outcome, check_plugin, contract, subprocess_checks
from labelkit.testing.contexts import Setup
from labelkit.testing.trial_training import Trial

pytest_plugins = ("fake_distributions",)


@dataclass(frozen=True)
class StoreSettings:
    store: Annotated[Path | None, labelkit.Doc("folder of the store")] = None
    separator: Annotated[str, labelkit.Doc("between a word and its tag")] = "/"

    def __post_init__(self) -> None:
        if not self.separator:
            raise ValueError("separator is empty")


SETTINGS = labelkit.Settings(name="store", fields=StoreSettings)


def from_store(split: str, ctx: LoadContext) -> Iterator[Example]:
    store = ctx.settings_of(StoreSettings).store
    if store is None:
        raise MissingDataError("no store is named", hint="--set store.store=FOLDER")
    for number, line in ctx.lines(store / f"{split}.txt"):
        words = tuple(line.split())
        yield Example(id=str(number), words=words, labels={"pets": tuple("O" for _ in words)})


def outcomes(catalog: labelkit.plugins.catalog.Catalog, **options: Any) -> dict[str, Outcome]:
    return {one.check: one for one in check_plugin("mine", catalog=catalog, **options)}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a folder with two splits of one sentence."""
    for split in ("train", "test"):
        (tmp_path / f"{split}.txt").write_text("Tom purrs\n", encoding="utf-8")
    return tmp_path


# -- sources ----------------------------------------------------------------------------------------------------------


def test_a_source_whose_data_a_setting_names_is_read_where_the_setting_is_given(store: Path) -> None:
    catalog = a_catalog(replace(SOURCE, load=from_store, counts={}), SCHEMA, SETTINGS)
    absent = outcomes(catalog)["source-tales-splits"]
    assert (absent.status, absent.why) == (
        "not applicable",
        "data absent: no store is named (--set store.store=FOLDER)",
    )
    found = outcomes(catalog, settings={"store.store": store})
    assert found["source-tales-splits"].status == found["source-tales-ids"].status == "ok"
    assert [one.check for one in found.values() if one.failed] == []
    (store / "test.txt").unlink()
    assert "fails with DataError" in outcomes(catalog, settings={"store.store": str(store)})["source-tales-splits"].why


def test_a_folder_is_named_as_for_a_run(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(split: str, ctx: LoadContext) -> Iterable[Example]:
        seen.append((ctx.trial, ctx.offline, ctx.encoding))
        lines = ctx.lines(ctx.folder("tales") / f"{split}.txt")
        return [Example(id=str(number), words=(line,), labels={"pets": ("O",)}) for number, line in lines]

    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    seen: list[tuple[bool, bool, str]] = []
    catalog = a_catalog(replace(SOURCE, load=load), SCHEMA)
    given = {"data.path": store, "data.encoding": "latin-1"}
    assert outcomes(catalog, settings=given)["source-tales-splits"].status == "ok"
    assert set(seen) == {(True, True, "latin-1")}


def test_another_process_is_given_the_settings(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    catalog = a_catalog(replace(SOURCE, load=from_store, counts={}), SCHEMA, SETTINGS)
    monkeypatch.setattr("labelkit.plugins.catalog.find_candidates", lambda: catalog.plugins)
    monkeypatch.setattr("labelkit.plugins.catalog.Catalog.load", lambda only: catalog)
    asked: list[dict[str, Any]] = []

    def ask(what: str, **request: Any) -> subprocess_checks.Answer:
        if what != "digests":
            return {"status": "loaded", "records": [], "notes": [], "heavy": [], "seconds": 0}
        asked.append(json.loads(json.dumps(request)))
        return subprocess_checks.digests(**asked[-1])

    monkeypatch.setattr(subprocess_checks, "run_in_subprocess", ask)
    assert outcomes(catalog, settings={"store.store": store})["source-tales-subprocess"].status == "ok"
    assert [one["settings"] for one in asked] == [{"store.store": str(store)}]


# -- formats, encoders, tasks -----------------------------------------------------------------------------------------


def test_formats_and_encoders_know_that_a_check_calls_and_the_settings() -> None:
    def noting(what: str, ctx: labelkit.Context) -> None:
        seen.add((what, ctx.trial, ctx.offline, ctx.settings_of(StoreSettings).separator))

    def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
        noting("read", ctx)
        yield from FORMAT.read(path, ctx)  # type: ignore[misc]

    def write(records: Iterable[Labelled], output: Output, ctx: labelkit.Context) -> None:
        noting("write", ctx)
        FORMAT.write(records, output)  # type: ignore[misc]

    def resolve(rest: str, ctx: LoadContext) -> labelkit.ResolvedEncoder:
        noting("resolve", ctx)
        raise LabelkitError(f"there is no {rest}", hint="see the list")

    seen: set[tuple[str, bool, bool, str]] = set()
    parts = (replace(FORMAT, read=read, write=write), Encoder(name="house", resolve=resolve), SETTINGS)
    found = outcomes(a_catalog(*parts), settings={"store.separator": "~"})
    assert [one for one in found.values() if one.failed] == []
    assert seen == {(what, True, True, "~") for what in ("read", "write", "resolve")}


def test_a_task_is_trained_with_the_settings_of_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(request: Any, *given: Any, **named: Any) -> Any:
        raise LabelkitError(f"{request.overrides['store.separator']}, {'data.path' in request.overrides}")

    monkeypatch.setattr("labelkit.train.preparation.prepare", prepare)
    monkeypatch.setattr("labelkit.testing.trial_training.tiny_encoder", lambda: Path("tiny"))
    setup = Setup(a_catalog(SCHEMA, SOURCE, SETTINGS, TASK), {"store.separator": "~", "data.path": "elsewhere"})
    with pytest.raises(labelkit.testing.Broken, match=r"\('~', 'contract'\), False"):
        _ = Trial(TASK, setup).trained


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"store.strore": 1}, "unknown setting 'store.strore'"),
        ({"store.separator": 1}, "invalid store.separator: 1"),
        ({"store.separator": ""}, "invalid settings of 'store': separator is empty"),
        ({"data.encoding": 1}, "invalid data.encoding: 1"),
        ({"train.seed": 1}, "only data settings apply here"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(LabelkitError) as error:
        contract("mine", catalog=a_catalog(SETTINGS), settings=settings)
    assert said in str(error.value)


def test_the_command_takes_settings(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *given: None)  # main() listens for SIGTERM
    monkeypatch.setattr(subprocess_checks, "not_installed", lambda plugin: "not asked here")
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    install(
        "tales",
        "import labelkit\ndef load(split, ctx):\n"
        "    for number, line in ctx.lines(ctx.folder('tales') / 'train.txt'):\n"
        "        yield labelkit.Example(id=str(number), words=(line,), labels={'pets': ('O',)})\n"
        "@labelkit.hookimpl\ndef labelkit_sources():\n    yield labelkit.Source(name='tales', kind='token', "
        "layers={'pets': None}, splits=('train',), licence='CC0', load=load)\n",
    )
    assert main(["plugins", "check", "tales", "--set", f"data.path={store}", "--json"]) == 0
    checked = {one["check"]: one["status"] for one in json.loads(capsys.readouterr().out)["checks"]}
    assert checked["source-tales-splits"] == "ok"
    assert main(["plugins", "check", "tales", "--set", "tails.x=1"]) == 1
    assert "unknown setting 'tails.x'" in capsys.readouterr().err


# -- outside of checks ------------------------------------------------------------------------------------------------


def test_a_format_that_is_bound_to_a_context_reads_with_its_settings_where_it_is_given_none() -> None:
    def read(path: Path, ctx: LoadContext) -> Iterator[Example]:
        yield Example(id=ctx.settings_of(StoreSettings).separator, words=("x",))

    bound = with_context(replace(FORMAT, read=read), labelkit.Context(plugin_settings=(StoreSettings(separator="~"),)))
    assert bound.read is not None
    assert next(iter(bound.read(Path("x"), LoadContext()))).id == "~"
    other = LoadContext(plugin_settings=(StoreSettings(separator="-"),))
    assert next(iter(bound.read(Path("x"), other))).id == "-"
