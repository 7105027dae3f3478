"""Folders of classes: each file is a text, the name of its folder is its class, and what is left out is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelkit.data.convert import to_labelled
from labelkit.data.corpus import load_corpus
from labelkit.data.resolution import resolve_reference
from labelkit.errors import DataError
from labelkit.files.output import new_output
from labelkit.formats import class_folders, delimited
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Kind, LoadContext


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def lay_out(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"The text of {name},\r\n  second line.\n".encode())
    return folder


def imdb(folder: Path) -> Path:
    texts = [f"{split}/{name}/{i}_{i}.txt" for split in ("train", "test") for name in ("neg", "pos") for i in range(9)]
    return lay_out(folder, *texts, "train/unsup/0_0.txt", "train/urls_pos.txt", "train/labeledBow.feat", "imdb.vocab")


def load(path: Path, catalog: Catalog, kind: Kind = "text"):  # type: ignore[no-untyped-def]
    ctx = LoadContext(cache=path.parent / "cache")
    return load_corpus(str(path), layer="label", kind=kind, scheme=None, catalog=catalog, ctx=ctx)


def test_the_layout_of_imdb_is_read(tmp_path: Path, catalog: Catalog) -> None:
    corpus = load(imdb(tmp_path / "aclImdb"), catalog)
    assert corpus.schema.labels == ("neg", "pos")
    assert corpus.formats == ("class-folders",)
    assert len(corpus.splits["train"].examples) + len(corpus.splits["validation"].examples) == 18
    test = corpus.splits["test"].examples
    assert [example.labels["label"] for example in test] == ["neg"] * 9 + ["pos"] * 9
    assert (test[0].id, test[0].text) == ("neg/0_0.txt", "The text of test/neg/0_0.txt,\r\n  second line.")
    said = " / ".join(corpus.assumptions)
    assert "each file is a text, and the name of its folder its class (neg, pos)" in said
    assert all(name in said for name in ("labeledBow.feat", "unsup/", "urls_pos.txt", "imdb.vocab"))


def test_classes_without_splits_are_train(tmp_path: Path, catalog: Catalog) -> None:
    folder = lay_out(tmp_path / "reviews", *(f"{name}/{i}.txt" for name in ("bad", "good") for i in range(9)))
    corpus = load(folder, catalog)
    assert set(corpus.splits) == {"train", "validation"}
    assert corpus.schema.labels == ("bad", "good")
    ctx = LoadContext(cache=tmp_path / "cache")
    named = resolve_reference(f"train={folder}", "text", catalog, ctx)
    assert len(list(named.open("train", ctx))) == 18


@pytest.mark.parametrize(
    "names",
    [
        ("pos/1.txt",),
        ("pos/1.txt", "neg/deep/1.txt"),
        ("pos/1.txt", "dev/1.txt"),
        ("a/1.txt", "a/1.ann", "b/2.txt", "b/2.ann"),
    ],
)
def test_other_folders_are_not_folders_of_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert class_folders.class_splits(lay_out(tmp_path, *names)) is None


def test_folders_of_classes_hold_no_words(tmp_path: Path, catalog: Catalog) -> None:
    folder = lay_out(tmp_path / "x", "pos/1.txt", "neg/1.txt")
    with pytest.raises(DataError, match="has no train split, it holds neg/, pos/"):
        load(folder, catalog, kind="token")


def test_a_file_in_another_encoding_is_named(tmp_path: Path, catalog: Catalog) -> None:
    folder = lay_out(tmp_path / "x", "pos/1.txt", "neg/1.txt")
    (folder / "pos" / "1.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"pos/1\.txt:1: not UTF-8"):
        load(folder, catalog)


@pytest.mark.parametrize(("name", "quoted"), [("a.csv", '"good, x"'), ("a.csv", "good"), ("a.tsv", "good")])
def test_a_byte_order_mark_before_a_row_is_left_out_and_said(tmp_path: Path, name: str, quoted: str) -> None:
    path, comma = tmp_path / name, "\t" if name == "a.tsv" else ","
    path.write_text(f"text{comma}label\nbad{comma}x\n\ufeff{quoted}{comma}y\n", encoding="utf-8-sig")
    ctx = LoadContext(kind="text")
    (reader,) = [one for one in delimited.FORMATS if path.suffix in one.suffixes]
    assert reader.read is not None
    assert [example.text for example in reader.read(path, ctx)] == ["bad", quoted.strip('"')]
    assert any("byte order marks" in line for line in ctx.policy.assumptions)


def test_a_mark_of_a_text_is_read_back_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    texts = ["\ufeffgood", "line\n\ufeffline, two", "\ufeff"]
    with new_output(path, force=False) as output:
        delimited.write((to_labelled(Example(id=text, text=text, labels={"label": "x"})) for text in texts), output)
    rows = list(delimited.FORMATS[0].read(path, LoadContext(kind="text")))  # type: ignore[misc]
    assert [example.text for example in rows] == texts
