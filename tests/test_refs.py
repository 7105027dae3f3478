from __future__ import annotations

from pathlib import Path

import pytest

from labelkit.data.references import find_split_files, parse_columns, parse_reference, shards_of
from labelkit.errors import DataError


def message(text: str) -> str:
    with pytest.raises(DataError) as caught:
        parse_reference(text)
    assert "\n" not in str(caught.value)
    return caught.value.message


def folder(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).write_text("a O\n")
    return path


@pytest.mark.parametrize("text", ["wnut17", "some/folder", "a.conll", "C:\\data", "with space", "a,b"])
def test_names_and_paths(text: str) -> None:
    reference = parse_reference(text)
    assert (reference.kind, reference.text, reference.path) == ("place", text, Path(text))


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("train=a.txt", {"train": "a.txt"}),
        ("train=a,validation=b,test=c", {"train": "a", "validation": "b", "test": "c"}),
        ("test=c,dev=b,train=a", {"train": "a", "validation": "b", "test": "c"}),
        ("train=a,val=b", {"train": "a", "validation": "b"}),
        ("train=a,valid=b", {"train": "a", "validation": "b"}),
        ("train=a,b=c.txt,test=d=e", {"train": "a,b=c.txt", "test": "d=e"}),
    ],
)
def test_one_file_per_split(text: str, files: dict[str, str]) -> None:
    reference = parse_reference(text)
    assert reference.kind == "files"
    assert reference.files == {split: Path(path) for split, path in files.items()}


def test_paths_that_exist_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder(tmp_path, "train=a,test=b", "a,test=b", "c", "hub:x"))
    assert parse_reference("train=a,test=b").kind == "place"
    assert parse_reference("hub:x").kind == "place"
    assert parse_reference("train=a,test=b,dev=c").files == {
        "train": Path("a,test=b"),
        "validation": Path("c"),
    }
    assert parse_reference("dev=c,train=a,test=b").files == {
        "train": Path("a,test=b"),
        "validation": Path("c"),
    }


def test_hub() -> None:
    reference = parse_reference("hub:org/name@refs/convert/parquet")
    assert (reference.kind, reference.hub, reference.revision) == ("hub", "org/name", "refs/convert/parquet")
    assert parse_reference("hub:imdb").revision is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the data reference is empty"),
        ("  ", "the data reference is empty"),
        ("hub:", "'hub:' names no dataset"),
        ("hub:a@", "'hub:a@' names no dataset"),
        ("trian=a,test=b", "unknown split 'trian' in 'trian=a,test=b'"),
        ("train=a,dev=b,val=c", "'train=a,dev=b,val=c' gives the validation split twice"),
        ("train=,test=b", "'train=,test=b' names no file for the train split"),
    ],
)
def test_bad_references(text: str, expected: str) -> None:
    assert message(text) == expected


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("eng.train", "eng.testa", "eng.testb"),
        ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"),
        ("en_ewt-ud-train.conllu.gz", "en_ewt-ud-dev.conllu.gz", "en_ewt-ud-test.conllu.gz"),
        ("train.txt", None, "test.txt"),
        ("TRAIN.conll", "Valid.conll", "Test.conll"),
        ("x_train_v2.bio", "x_val_v2.bio", "x_test_v2.bio"),
        ("train-00000-of-00001.iob2", "validation-00000-of-00001.iob2", None),
        ("training.conll", "devel.conll", "test.conll"),
    ],
)
def test_usual_names(tmp_path: Path, train: str, validation: str | None, test: str | None) -> None:
    expected = {"train": train, "validation": validation, "test": test}
    present = {split: name for split, name in expected.items() if name}
    folder(tmp_path, *present.values(), "README.train.txt", "LICENSE-test", ".train.conll.swp", "train.py")
    folder(tmp_path, "train.log", "strainer.conll", "latest.conll", "trainer.conll")
    (tmp_path / "test").mkdir()
    assert find_split_files(tmp_path) == {split: tmp_path / name for split, name in present.items()}


def test_data_files_come_before_others_of_the_same_split(tmp_path: Path) -> None:
    folder(tmp_path, "train.conll", "train.vocab", "test.vocab")
    assert find_split_files(tmp_path) == {"train": tmp_path / "train.conll", "test": tmp_path / "test.vocab"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["dev.txt", "test.txt"], "{0} has no train split, it holds dev.txt, test.txt"),
        ([], "{0} has no train split, it holds no files"),
        (["README"], "{0} has no train split, it holds no files"),
        (["train.txt", "a.dev", "valid.b"], "two files for the validation split: {0}/a.dev and {0}/valid.b"),
        (
            ["a.train.conll", "b.train.conll"],
            "two files for the train split: {0}/a.train.conll and {0}/b.train.conll",
        ),
        (["train.dev.conll"], "{0}/train.dev.conll could be the train or the validation split"),
    ],
)
def test_bad_folders(tmp_path: Path, names: list[str], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        find_split_files(folder(tmp_path, *names))
    assert caught.value.message == expected.format(tmp_path)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_the_first_part_of_a_split_stands_for_all(tmp_path: Path) -> None:
    parts = [f"train-0000{index}-of-00003.parquet" for index in range(3)]
    folder(tmp_path, *parts, "test-00000-of-00001.parquet")
    found = find_split_files(tmp_path, [".parquet"])
    assert shards_of(found["train"]) == [tmp_path / name for name in parts]
    assert shards_of(found["test"]) == [tmp_path / "test-00000-of-00001.parquet"]
    assert shards_of(tmp_path / parts[1]) == [tmp_path / parts[1]]
    (tmp_path / parts[1]).unlink()
    with pytest.raises(DataError, match=r"one of 3 parts, and train-00001-of-00003\.parquet is missing"):
        shards_of(found["train"])


def test_a_script_may_name_several_splits(tmp_path: Path) -> None:
    assert list(find_split_files(folder(tmp_path, "train.conll", "train_test_split.json"))) == ["train"]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none does not exist"):
        find_split_files(tmp_path / "none")


def test_columns() -> None:
    assert parse_columns("tokens=0, ner=-1") == {"tokens": "0", "ner": "-1"}
    assert parse_columns("text=review=x,label=stars") == {"text": "review=x", "label": "stars"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ner", "--columns cannot read 'ner' in 'ner'"),
        ("", "--columns cannot read '' in ''"),
        ("tokens=0,", "--columns cannot read '' in 'tokens=0,'"),
        ("=1", "--columns cannot read '=1' in '=1'"),
        ("ner=", "--columns cannot read 'ner=' in 'ner='"),
        ("ner=1,ner=2", "--columns gives 'ner' twice in 'ner=1,ner=2'"),
    ],
)
def test_bad_columns(text: str, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_columns(text)
    assert caught.value.message == expected
