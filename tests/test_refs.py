from __future__ import annotations

from pathlib import Path

import pytest

from labelkit.data.reading import kind_of, read_raw_corpus
from labelkit.data.references import parse_columns, parse_reference, parse_split_formats
from labelkit.data.split_files import find_split_files, find_splits, shards_of
from labelkit.errors import DataError
from labelkit.files.split_names import SPLITS
from labelkit.formats.builtin import FORMATS
from labelkit.records import DataSettings, Example, LoadContext, Schema, Source
from reading_contexts import OnePlugin


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


CORPUS = "Ada B-PER\nran O\n\n"


class Shelf(OnePlugin):
    """A catalog of sources, and of core's formats."""

    def __init__(self, *sources: Source) -> None:
        self.sources = {source.name: source for source in sources}
        self.schemas: dict[str, Schema] = {}
        self.formats = {known.name: known for known in FORMATS}


def lay_out(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CORPUS)
    return root


@pytest.mark.parametrize(
    ("names", "files", "unclear", "unread"),
    [
        ("train.conll eval.conll", "train.conll eval.conll", "test", ""),
        ("train.conll test.conll held_out.conll", "train.conll held_out.conll test.conll", "validation", ""),
        ("train.conll evaluation.conll heldout.conll", "train.conll", "", "evaluation.conll heldout.conll"),
        ("train.conll test.conll tune.conll", "train.conll tune.conll test.conll", "", ""),
        ("trainset.conll devset.conll testset.conll", "trainset.conll devset.conll testset.conll", "", ""),
        *(
            (f"train.conll {name}.conll", f"train.conll {name}.conll", "test", "")
            for name in ("evalset", "devtest", "blind", "unseen", "holdout")
        ),
        ("train/a.conll eval/b.conll", "train/a.conll eval/b.conll", "test", ""),
        ("train/a.conll test/b.conll heldout/c.conll", "train/a.conll heldout/c.conll test/b.conll", "validation", ""),
        ("train.conll labels.txt README.md", "train.conll", "", "labels.txt"),
        ("train.conll test.conll dev.conll eval.conll", "train.conll dev.conll test.conll", "", "eval.conll"),
        ("train/a.conll dev/b.conll test/c.conll", "train/a.conll dev/b.conll test/c.conll", "", ""),
        ("train/a.conll train/b.conll x/c.conll", "train/a.conll", "", "x/"),
        ("data/train.jsonl data/test.jsonl README.md", "data/train.jsonl data/test.jsonl", "", ""),
        ("data/train.jsonl data/x.txt y.txt", "data/train.jsonl", "", "y.txt data/x.txt"),
        ("train-00000-of-00002.csv train-00001-of-00002.csv", "train-00000-of-00002.csv", "", ""),
        ("train.tokens train.conll", "train.conll", "", "train.tokens"),
        ("train.conll more/dev.conll", "train.conll", "", "more/"),
        ("training.bio development.bio testing.bio", "training.bio development.bio testing.bio", "", ""),
    ],
)
def test_whatever_lies_in_a_folder_is_read_or_named(
    tmp_path: Path, names: str, files: str, unclear: str, unread: str
) -> None:
    found = find_splits(lay_out(tmp_path, *names.split()), [".conll", ".jsonl", ".csv", ".bio"])
    assert " ".join(str(file.relative_to(tmp_path)) for file in found.files.values()) == files
    assert list(found.files) == [split for split in SPLITS if split in found.files]
    assert (" ".join(found.unclear), " ".join(found.unread)) == (unclear, unread)
    said = " ".join(map(str, found.assumptions(tmp_path)))
    assert all(name in said for name in unread.split())
    assert bool(said) == bool(unread or unclear)


def test_all_files_of_a_splits_own_folder_are_read(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "corpus", "train/a.conll", "train/b.conll", "test/c.conll")
    ctx = LoadContext(cache=tmp_path / "cache")
    raw = read_raw_corpus(str(root), "token", Shelf(), ctx)
    assert {split: len(examples) for split, examples in raw.splits.items()} == {"train": 2, "test": 1}
    assert [example.id for example in raw.splits["train"]] == ["1", "2"]
    assert raw.refs == {"train": f"{root}/train", "test": f"{root}/test/c.conll"}
    (root / "train" / "c.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"holds files of several formats: a\.conll, b\.conll, c\.jsonl"):
        read_raw_corpus(str(root), "token", Shelf(), ctx)


def test_backups_of_editors_are_no_splits(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "corpus", "train.conll", "dev.conll~", "test.conll.orig")
    raw = read_raw_corpus(str(root), "token", Shelf(), LoadContext(cache=tmp_path / "cache"))
    assert list(raw.splits) == ["train"]
    assert any("not read: dev.conll~, test.conll.orig" in said for said in raw.assumptions)


def test_a_format_that_fits_one_split_only_is_said_to_hold_for_all(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"words": ["Ada"], "tags": ["B-PER"]}\n')
    (tmp_path / "b.conll").write_text(CORPUS)
    text = f"train={tmp_path}/a.jsonl,test={tmp_path}/b.conll"
    with pytest.raises(DataError) as caught:
        read_raw_corpus(text, "token", Shelf(), LoadContext(settings=DataSettings(format="jsonl"), layer="tags"))
    assert "b.conll" in caught.value.message
    assert "holds for all splits: --set data.format=train=jsonl,test=NAME" in str(caught.value.hint)


def test_each_split_may_have_a_format_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.export").write_text('{"words": ["Ada"], "tags": ["B-PER"]}\n')
    (tmp_path / "b.export").write_text(CORPUS)
    settings = DataSettings(format="train=jsonl,test=conll")
    ctx = LoadContext(cache=tmp_path / "cache", settings=settings, layer="tags")
    text = f"train={tmp_path}/a.export,test={tmp_path}/b.export"
    assert kind_of(text, Shelf(), ctx) == "token"
    raw = read_raw_corpus(text, "token", Shelf(), ctx)
    assert [examples[0].words for examples in raw.splits.values()] == [("Ada",), ("Ada", "ran")]
    assert parse_split_formats("train=a, dev=b") == {"train": "a", "validation": "b"}
    for wrong in ("train=a,train=b", "trian=a", "train=", "a,test=b"):
        with pytest.raises(DataError, match=r"invalid data\.format"):
            parse_split_formats(wrong)


def test_a_folder_called_like_a_corpus_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(split: str, ctx: LoadContext) -> list[Example]:
        return [Example(id="1", words=("Tom",), labels={"pets": ("O",)})]

    monkeypatch.chdir(lay_out(tmp_path, "pets/train.conll"))
    source = Source(name="pets", kind="token", layers={"pets": None}, splits=("train",), load=load, licence="CC0")
    ctx = LoadContext(cache=tmp_path / "cache")
    assert read_raw_corpus("pets", "token", Shelf(source), ctx).assumptions == (
        "'pets' is the corpus of that name: --data ./pets means what lies in this folder",
    )
    again = LoadContext(cache=tmp_path / "cache")
    assumed = read_raw_corpus("./pets", "token", Shelf(source), again).assumptions
    assert [statement.partition(":")[0] for statement in assumed] == ["two columns"]
