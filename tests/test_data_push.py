"""Pushing labelled data to the stand-in Hub, where ``datasets`` and labelkit read it back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub_server import Hub, serving, use
from hub_writing import Account
from labelkit.cli import main
from labelkit.data.corpus import load_corpus
from labelkit.errors import LabelkitError
from labelkit.plugins.catalog import Catalog
from labelkit.publish.dataset import DataPushOptions, LabelledData, push_data, read_labelled_data
from labelkit.records import LoadContext

TOKEN = "hf_" + "w" * 34
REPOSITORY = "me/corpus"
OPTIONS = DataPushOptions(repository=REPOSITORY, licence="cc-by-4.0")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serving() as hub:
        use(hub, monkeypatch, tmp_path / "cache")
        hub.accounts[TOKEN] = Account("me")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def read(reference: str, catalog: Catalog, layer: str | None = None) -> LabelledData:
    return read_labelled_data(reference, layer, catalog, LoadContext(formats=catalog.formats))


def files_in(hub: Hub) -> dict[str, bytes]:
    repository = hub.repositories[REPOSITORY]
    return repository.commits[repository.branches["main"]]


@pytest.mark.slow
def test_words_come_back_equal_for_labelkit_and_with_class_names_for_datasets(
    hub: Hub, corpus: Path, catalog: Catalog, tmp_path: Path
) -> None:
    data = read(str(corpus), catalog)
    result = push_data(data, OPTIONS)
    assert result.written
    files = files_in(hub)
    parquet = [f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")]
    assert set(files) == {".gitattributes", "README.md", *parquet}
    ctx = LoadContext(formats=catalog.formats)
    back = load_corpus(f"hub:{REPOSITORY}", layer="ner", kind="token", scheme="IOB2", catalog=catalog, ctx=ctx)
    given = load_corpus(str(corpus), layer="ner", kind="token", scheme="IOB2", catalog=catalog, ctx=ctx)
    assert {name: one.content_hash for name, one in back.splits.items()} == {
        name: one.content_hash for name, one in given.splits.items()
    }
    assert [one.id for one in back.splits["test"].examples] == [one.id for one in given.splits["test"].examples]
    assert not push_data(data, OPTIONS).written


@pytest.mark.slow
def test_datasets_opens_it_without_a_script(hub: Hub, corpus: Path, catalog: Catalog, tmp_path: Path) -> None:
    from datasets import ClassLabel, load_dataset

    data = read(str(corpus), catalog)
    push_data(data, OPTIONS)
    for path, content in files_in(hub).items():
        (tmp_path / "copy" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / path).write_bytes(content)
    found = load_dataset(str(tmp_path / "copy"), cache_dir=str(tmp_path / "datasets"))
    labels = found["train"].features["labels"].feature
    assert isinstance(labels, ClassLabel)
    assert labels.names == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    first = next(iter(data.splits["train"]))
    assert tuple(labels.int2str(found["train"][0]["labels"])) == first.labels["labels"]
    assert {name: len(split) for name, split in found.items()} == {name: len(one) for name, one in data.splits.items()}


def test_texts_have_one_class_and_the_card_their_counts_and_licence(hub: Hub, tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\ngood,pos\nbad,neg\nfine,pos\n", encoding="utf-8")
    data = read(str(path), catalog)
    push_data(data, OPTIONS)
    card = files_in(hub)["README.md"].decode()
    assert "license: cc-by-4.0" in card
    assert "| 1 | pos | 2 |" in card
    assert str(tmp_path) not in card
    ctx = LoadContext(formats=catalog.formats)
    back = read(f"hub:{REPOSITORY}", catalog)
    assert back.hashes == data.hashes
    assert ctx


def test_texts_with_several_labels_come_back_equal(hub: Hub, tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "topics.jsonl"
    lines = ('{"text": "a", "label": []}', '{"text": "b", "label": ["art", "law"]}', '{"text": "c", "label": "law"}')
    path.write_text("\n".join(lines), encoding="utf-8")
    data = read(str(path), catalog)
    push_data(data, OPTIONS)
    assert read(f"hub:{REPOSITORY}", catalog).hashes == data.hashes


@pytest.mark.slow
def test_all_layers_of_a_source_go_up_and_its_licence(hub: Hub, catalog: Catalog) -> None:
    data = read("sample", catalog)
    small = replace(data, splits={name: examples[:20] for name, examples in data.splits.items()})
    push_data(small, replace(OPTIONS, licence=None))
    card = files_in(hub)["README.md"].decode()
    assert data.licence is not None
    assert "synthetic" in card
    assert all(f"`{column}`" in card for column in data.columns.values())
    assert set(data.columns) == set(catalog.sources["sample"].layers)


def test_data_without_a_licence_or_with_a_secret_is_not_sent(hub: Hub, tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(f"text,label\nmy key is {TOKEN},pos\nbad,neg\n", encoding="utf-8")
    data = read(str(path), catalog)
    with pytest.raises(LabelkitError, match=r"licence of .* is unknown") as caught:
        push_data(data, replace(OPTIONS, licence=None))
    assert "--license" in (caught.value.hint or "")
    with pytest.raises(LabelkitError, match="example '1' seems to hold a Hugging Face token"):
        push_data(data, OPTIONS)
    assert not hub.sent


@pytest.mark.slow
def test_the_command(hub: Hub, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["data", "push", str(corpus), REPOSITORY, "--license", "mit"]
    assert main([*arguments, "--dry-run"]) == 0
    assert "nothing was sent" in capsys.readouterr().out
    assert not hub.sent
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"]
    # the licence stands in the card now
    assert main(arguments[:4]) == 0
    assert "holds all of it already" in capsys.readouterr().out
