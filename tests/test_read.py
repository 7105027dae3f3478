"""``labelkit.read``: the readers of all formats, for the sources of plugins and for programs."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import labelkit
from labelkit import DataSettings, Example, Format, LoadContext, ReadingPolicy
from labelkit.cli import main
from labelkit.data import hub_mirrors
from labelkit.errors import DataError, NetworkError, UnknownNameError
from labelkit.plugins.catalog import Catalog
from labelkit.testing.checks import checks, judge

pytest_plugins = ("fake_distributions",)

CONLL = "Tom B-cat\npurrs O\n\nRex B-dog\n. O\n\n"
SOURCE = """
import labelkit

def load(split, ctx):
    yield from labelkit.read(ctx.folder("tales") / f"{split}.conll", ctx=ctx)

@labelkit.hookimpl
def labelkit_sources():
    yield labelkit.Source(
        name="tales", kind="token", layers={"pets": None}, splits=("train", "validation"), load=load, licence="CC0"
    )
"""


@pytest.fixture
def tales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of corpora that holds ``tales``."""
    folder = tmp_path / "corpora" / "tales"
    folder.mkdir(parents=True)
    (folder / "train.conll").write_text(CONLL, encoding="utf-8")
    (folder / "validation.conll").write_text(CONLL.replace("Tom", "Mimi"), encoding="utf-8")
    monkeypatch.setenv("LABELKIT_DATA", str(folder.parent))
    return folder


def words(examples: Iterator[Example]) -> list[tuple[str, ...] | None]:
    return [example.words for example in examples]


def test_a_file_is_read_in_the_format_of_its_ending_with_places(tales: Path) -> None:
    first, second = labelkit.read(str(tales / "train.conll"))
    assert (first.words, first.labels) == (("Tom", "purrs"), {"labels": ("B-cat", "O")})
    assert str(second.place) == f"{tales}/train.conll:4"
    (tales / "one.jsonl").write_text('{"tokens": ["Tom"], "pets": ["B-cat"]}\n', encoding="utf-8")
    (only,) = labelkit.read(tales / "one.jsonl", ctx=LoadContext(layer="pets", kind="token"))
    assert (only.words, only.labels) == (("Tom",), {"pets": ("B-cat",)})
    (tales / "train.conll.gz").write_bytes(gzip.compress(CONLL.encode()))
    assert words(labelkit.read(tales / "train.conll.gz")) == [("Tom", "purrs"), ("Rex", ".")]


def test_the_format_can_be_named_and_that_of_the_settings_counts(tales: Path) -> None:
    (tales / "data.json").write_text("Tom O\n", encoding="utf-8")
    assert words(labelkit.read(tales / "data.json", format="conll")) == [("Tom",)]
    ctx = LoadContext(settings=DataSettings(format="conll"))
    assert words(labelkit.read(tales / "data.json", ctx=ctx)) == [("Tom",)]
    with pytest.raises(UnknownNameError, match=r"unknown format 'conl' \(did you mean conll"):
        labelkit.read(tales / "data.json", format="conl", ctx=ctx)
    with pytest.raises(DataError, match=r"no format reads .*data.pdf .*format='NAME'.* or --set data.format=NAME"):
        labelkit.read(tales / "data.pdf")


def test_encoding_columns_and_policy_are_those_of_the_context(tales: Path) -> None:
    file = tales / "wide.conll"
    file.write_bytes("Zoë NNP B-cat\n\nTom B-cat\n".encode("latin-1"))
    policy = ReadingPolicy(on_bad_record=lambda error: None)
    ctx = LoadContext(encoding="latin-1", columns={"tokens": "0", "pets": "2"}, policy=policy)
    (example,) = labelkit.read(file, ctx=ctx)
    assert (example.words, example.labels) == (("Zoë",), {"pets": ("B-cat",)})
    with pytest.raises(DataError, match=f"{file}:1: not UTF-8"):
        list(labelkit.read(file, ctx=replace(ctx, encoding="utf-8")))
    with pytest.raises(DataError, match=f"{file}:3: 3 columns expected"):
        list(labelkit.read(file, ctx=replace(ctx, policy=ReadingPolicy())))


def test_shards_are_read_as_one_file(tmp_path: Path) -> None:
    for index, word in enumerate(("Tom", "Rex")):
        (tmp_path / f"train-0000{index}-of-00002.jsonl").write_text(f'{{"tokens": ["{word}"], "x": ["O"]}}\n')
    found = list(labelkit.read(tmp_path / "train-00000-of-00002.jsonl", ctx=LoadContext(layer="x", kind="token")))
    assert [(example.id, example.words) for example in found] == [("1", ("Tom",)), ("2", ("Rex",))]


def test_the_formats_are_those_that_the_context_knows(tmp_path: Path) -> None:
    (tmp_path / "a.odd").write_text("x", encoding="utf-8")
    odd = Format(
        name="odd", kinds=("token",), suffixes=(".odd",), read=lambda path, ctx: [Example(id="1", words=("odd",))]
    )
    assert words(labelkit.read(tmp_path / "a.odd", ctx=LoadContext(formats={"odd": odd}))) == [("odd",)]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.conll does not exist"):
        list(labelkit.read(tmp_path / "no.conll"))


# -- in a source ------------------------------------------------------------------------------------------------------


def test_a_source_of_one_line_keeps_the_contract(install: Callable[..., None], tales: Path) -> None:
    install("tales", SOURCE)
    outcomes = [judge(check) for check in checks("tales", Catalog.load()) if check.name.startswith("source")]
    assert len(outcomes) > 3
    assert [outcome for outcome in outcomes if outcome.failed] == []
    assert {outcome.status for outcome in outcomes if "splits" in outcome.check} == {"ok"}


def test_a_source_honours_the_options_of_commands(
    install: Callable[..., None], tales: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *given: None)  # main() listens for SIGTERM
    install("tales", SOURCE)
    (tales / "train.conll").write_bytes("Zoë NNP B-cat\n".encode("latin-1"))
    target = tales / "out.jsonl"
    given = ["--columns", "tokens=0,pets=2", "--encoding", "latin-1"]
    command = ["data", "convert", "tales", str(target), "--to", "jsonl", "--split", "train", "--layer", "pets"]
    assert main([*command, *given, "--drop", "id"]) == 0, capsys.readouterr().err
    assert '"Zoë"' in target.read_text(encoding="utf-8")


def test_a_source_whose_folder_is_missing_names_the_flag_that_works(
    install: Callable[..., None], tales: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *given: None)
    install("tales", SOURCE)
    monkeypatch.delenv("LABELKIT_DATA")
    command = ["data", "show", "tales", "--layer", "pets"]
    assert main(command) != 0
    assert "--set data.path=PATH" in capsys.readouterr().err
    assert main([*command, "--set", f"data.path={tales}"]) == 0
    assert "Tom" in capsys.readouterr().out


def test_a_corpus_that_neither_a_folder_nor_the_hub_has_names_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*given: object) -> None:
        raise NetworkError("the Hub cannot be reached", hint="connect")

    monkeypatch.setattr(hub_mirrors, "find_cached_dataset", lambda *given: None)
    monkeypatch.setattr(hub_mirrors, "find_hub_dataset", unreachable)
    with pytest.raises(NetworkError, match="needs its files; the Hub cannot be reached") as error:
        hub_mirrors.find_mirror("conll2003", LoadContext(), DataError("'conll2003' needs its files"))
    assert "--set data.path=PATH" in str(error.value.hint)
