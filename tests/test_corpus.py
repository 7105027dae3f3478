from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelkit.config.environment import Environment
from labelkit.config.plan import make_plan
from labelkit.config.requests import request_of
from labelkit.data import sources
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.holdout import hold_out_validation
from labelkit.data.show import load_without_task
from labelkit.data.summary import length_statistics, sample_examples, spans_in, summarise
from labelkit.errors import DataError, LabelkitError, MissingDataError, NetworkError, UnknownNameError
from labelkit.formats import conll
from labelkit.labels.schemes import SCHEMES, convert, violations
from labelkit.plugins.catalog import Catalog
from labelkit.records import DataSettings, Example, Format, Kind, LoadContext, Schema, Scheme, Source
from labelkit.registry import Home
from labelkit.train.corpora import read_corpus
from reading_contexts import OnePlugin, reading

TRAIN = "Tom B-cat\npurrs O\n\nRex B-dog\nthe I-dog\nThird I-dog\n\n"
DEV = "Ada B-cat\nII I-cat\n\n"
TEST = "Bo B-dog\nsleeps O\n\n"


@dataclass
class Shelf(OnePlugin):
    """A catalog of what a test needs."""

    sources: dict[str, Source] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=lambda: {f.name: f for f in conll.FORMATS})
    schemas: dict[str, Schema] = field(default_factory=dict)


def load(
    reference: object,
    shelf: Shelf | None = None,
    *,
    layer: str = "pets",
    kind: Kind = "token",
    scheme: Scheme | None = "IOB2",
    root: Path | None = None,
    columns: dict[str, str] | None = None,
    **settings: Any,
) -> Corpus:
    return load_corpus(
        str(reference),
        layer=layer,
        kind=kind,
        scheme=scheme,
        catalog=shelf or Shelf(),
        ctx=reading(root=root, columns=columns or {}, offline=True, **settings),
    )


def failure(reference: object, shelf: Shelf | None = None, **how: Any) -> LabelkitError:
    with pytest.raises(LabelkitError) as caught:
        load(reference, shelf, **how)
    assert "\n" not in str(caught.value)
    return caught.value


def write(folder: Path, **splits: str) -> Path:
    folder.mkdir(exist_ok=True)
    for split, content in splits.items():
        (folder / f"{split}.conll").write_text(content)
    return folder


def labels(corpus: Corpus, split: str) -> list[tuple[str, ...] | str]:
    return [example.labels[corpus.layer] for example in corpus.splits[split].examples]


def numbered(count: int, documents: int = 0, labels: Iterable[str] = ("x",)) -> list[Example]:
    names = list(labels)
    return [
        Example(
            id=str(n),
            text=str(n),
            labels={"l": names[n % len(names)]},
            document=str(n * documents // count) if documents else None,
        )
        for n in range(count)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "tales", train=TRAIN, dev=DEV, test=TEST)


def test_a_folder_becomes_a_corpus(folder: Path) -> None:
    corpus = load(folder)
    assert list(corpus.splits) == ["train", "validation", "test"]
    assert corpus.schema == Schema(name="pets", kind="token", types=("cat", "dog"), scheme="IOB2")
    assert (corpus.scheme_read, corpus.repaired, corpus.synthetic) == ("IOB2", 0, False)
    train = corpus.splits["train"]
    assert (len(train.examples), train.words, train.ref) == (2, 5, f"{folder}/train.conll")
    assert not any(split.held_out for split in corpus.splits.values())


def test_the_schema_is_closed_under_the_scheme(folder: Path) -> None:
    corpus = load(folder)
    assert corpus.schema.label_names == ("O", "B-cat", "I-cat", "B-dog", "I-dog")
    assert labels(corpus, "validation") == [("B-cat", "I-cat")]  # I-cat is never in train


def test_files_named_one_by_one(folder: Path) -> None:
    corpus = load(f"train={folder}/train.conll,test={folder}/dev.conll")
    assert corpus.splits["test"].ref == f"{folder}/dev.conll"
    assert corpus.splits["validation"].held_out


def test_one_file_is_train_alone(folder: Path) -> None:
    corpus = load(folder / "train.conll")
    assert list(corpus.splits) == ["train", "validation"]
    assert [len(split.examples) for split in corpus.splits.values()] == [1, 1]


def test_a_name_under_the_root(folder: Path) -> None:
    assert load("tales", root=folder.parent).splits["train"].words == 5


@pytest.mark.parametrize("written", SCHEMES)
@pytest.mark.parametrize("trained", SCHEMES)
def test_content_is_the_same_in_every_scheme(folder: Path, written: Scheme, trained: Scheme) -> None:
    first = load(folder)
    tagged = {}
    for split in first.splits.values():
        tagged[split.name] = "".join(
            "".join(
                f"{word}   {tag}\n"
                for word, tag in zip(e.words or (), convert(e.labels["pets"], "IOB2", written), strict=True)
            )
            + "\n"
            for e in split.examples
        )
    again = load(write(folder.parent / "again", **tagged), train_scheme=trained)
    assert again.scheme_read == written
    assert again.schema.scheme == trained
    for name, split in again.splits.items():
        assert split.content_hash == first.splits[name].content_hash
        assert all(violations(e.labels["pets"], trained) == [] for e in split.examples)


def test_the_hash_sees_words_labels_and_order(folder: Path, tmp_path: Path) -> None:
    def hash_of(content: str) -> str:
        return load(write(tmp_path / "x", train=content, dev=DEV)).splits["train"].content_hash

    one, two = TRAIN.split("\n\n")[:2]
    variants = [
        TRAIN,
        f"{two}\n\n{one}\n\n",
        TRAIN.replace("Tom", "Tim"),
        TRAIN.replace("the I-dog", "the O").replace("Third I-dog", "Third O"),
        TRAIN.replace("\n\n", "\n", 1),
    ]
    assert len({hash_of(variant) for variant in variants}) == len(variants)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"dev": DEV}, "{0} has no train split, it holds dev.conll"),
        ({"train": ""}, "{0}/train.conll is empty: it holds no examples"),
        ({"train": "\n \n"}, "{0}/train.conll is empty: it holds no examples"),
        ({"train": "-DOCSTART-\n"}, "{0}/train.conll is empty: it holds no examples"),
        ({"train": TRAIN, "test": "\n"}, "{0}/test.conll is empty: it holds no examples"),
        ({"train": TRAIN + "a\n"}, "{0}/train.conll:8: 2 columns expected as in line 1, 1 found"),
        (
            {"train": "a\nb\n"},
            "{0}/train.conll:1: no labels of 'pets' in train, nor any other",
        ),
        ({"train": "a O\nb O\n"}, "the training split contains only 'O' labels for 'pets'"),
        (
            {"train": TRAIN, "dev": "a O\nb I-cat\n"},
            "{0}/dev.conll:2: tag 'I-cat' does not fit IOB2 after 'O', at the end of it",
        ),
        ({"train": TRAIN, "dev": "a NN\n"}, "{0}/dev.conll:1: 'NN' is not a tag such as O or B-PER"),
        ({"train": TRAIN, "dev": "a B\n"}, "{0}/dev.conll:1: tag 'B' names no type"),
        (
            {"train": TRAIN, "dev": DEV, "test": "a O\n\nb B-cat\nc B-fish\n"},
            "{0}/test.conll:4: label 'B-fish' of type 'fish' occurs in test but never in train",
        ),
        ({"train": "a B-cat\n"}, "train has a single example: no validation split can be held out"),
    ],
)
def test_bad_data(tmp_path: Path, splits: dict[str, str], message: str) -> None:
    path = write(tmp_path / "bad", **splits)
    error = failure(path)
    assert isinstance(error, DataError)
    assert error.message == message.format(path)
    assert error.hint


def test_not_utf8_unless_told(folder: Path) -> None:
    (folder / "test.conll").write_bytes(b"caf\xe9 B-cat\n")
    assert failure(folder).message == f"{folder}/test.conll:1: not UTF-8 at byte offset 3 (0xe9)"
    ctx = LoadContext(encoding="latin-1")
    corpus = load_corpus(str(folder), layer="pets", kind="token", scheme="IOB2", catalog=Shelf(), ctx=ctx)
    assert corpus.splits["test"].examples[0].words == ("café",)


@pytest.mark.parametrize(
    ("reference", "kind", "message", "hint"),
    [
        ("no/such.conll", DataError, "no/such.conll does not exist", "check the path"),
        ("such.conll", DataError, "such.conll does not exist", "check the path"),
        (
            "wnut71",
            UnknownNameError,
            "no data source, file or folder is called 'wnut71'",
            "did you mean wnut17?",
        ),
        (
            "tails",
            UnknownNameError,
            "no data source, file or folder is called 'tails'",
            "did you mean tales?",
        ),
        ("train=no.conll", DataError, "no.conll does not exist", "check the path"),
        ("test=no.conll", DataError, "no.conll does not exist", "check the path"),
        (
            "hub:labelkit-tests/nonesuch",
            NetworkError,
            "dataset 'labelkit-tests/nonesuch' is not in the local cache and HF_HUB_OFFLINE is set",
            "give local files: --data PATH, or connect and try again",
        ),
        (
            "wnut17",
            MissingDataError,
            "{}/wnut17 does not exist",
            (
                "put the files of wnut17 there, or name their folder: --set data.path=PATH; "
                "or unset HF_HUB_OFFLINE: the Hub has it as leondz/wnut_17"
            ),
        ),
    ],
)
def test_bad_references(folder: Path, reference: str, kind: type, message: str, hint: str) -> None:
    shelf = Shelf(sources={source.name: source for source in sources.SOURCES})
    error = failure(reference, shelf, layer="ner", root=folder.parent)
    assert type(error) is kind
    assert error.message == message.format(folder.parent)
    assert error.hint == hint


def test_train_is_needed_and_no_file_serves_twice(folder: Path) -> None:
    assert failure(f"test={folder}/test.conll").message.endswith("has no train split")
    error = failure(f"train={folder}/train.conll,test={folder}/../tales/train.conll")
    assert error.message.endswith("/train.conll is given as train and as test")


def test_repair_counts_what_it_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "bad", train=TRAIN, dev="a O\nb I-cat\nc I-dog\n", test=TEST)
    assert "data.repair=true" in str(failure(path).hint)
    corpus = load(path, repair=True)
    assert corpus.repaired == 2
    assert labels(corpus, "validation") == [("O", "B-cat", "B-dog")]
    assert load(path, repair=True, train_scheme="BIOES").repaired == 2
    assert load(write(tmp_path / "good", train=TRAIN), repair=True).repaired == 0


def test_repair_cannot_guess_a_type(tmp_path: Path) -> None:
    path = write(tmp_path / "bad", train=TRAIN, dev="a O\nb B\n")
    assert failure(path, repair=True).message == f"{path}/dev.conll:2: tag 'B' names no type"


def test_the_scheme_can_be_given(folder: Path) -> None:
    ctx = LoadContext(settings=DataSettings(scheme="BIOES"))
    with pytest.raises(DataError) as caught:
        load_corpus(str(folder), layer="pets", kind="token", scheme="IOB2", catalog=Shelf(), ctx=ctx)
    assert caught.value.message.startswith(f"{folder}/train.conll:1: tag 'B-cat' does not fit BIOES")
    assert caught.value.hint == "the tags look like IOB2: --set data.scheme=IOB2"


def test_new_types_are_accepted_on_demand(tmp_path: Path) -> None:
    path = write(tmp_path / "new", train=TRAIN, dev=DEV, test="a B-fish\nb B-ant\n")
    assert "--allow-new-labels" in str(failure(path).hint)
    assert load(path, allow_new_labels=True).schema.types == ("cat", "dog", "ant", "fish")


def test_plain_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "pos", train="a DT\ncat NN\n\nb DT\n\n", test="sat VBD\n")
    error = failure(path, scheme=None)
    assert error.message == f"{path}/test.conll:1: label 'VBD' occurs in test but never in train"
    corpus = load(path, scheme=None, allow_new_labels=True)
    assert corpus.schema == Schema(name="pets", kind="token", labels=("DT", "NN", "VBD"))
    assert corpus.scheme_read is None


def test_types_are_taken_before_carving(tmp_path: Path) -> None:
    content = "".join(f"w{n} B-type{n}\n\n" for n in range(30))
    corpus = load(write(tmp_path / "many", train=content))
    assert corpus.schema.types == tuple(sorted(f"type{n}" for n in range(30)))
    assert len(corpus.splits["validation"].examples) == 3


def test_columns_choose_the_layer(tmp_path: Path) -> None:
    path = write(tmp_path / "cols", train="Tom NNP B-cat 1\n\nRex NNP B-dog 2\n")
    corpus = load(path, columns={"tokens": "0", "pets": "2"})
    assert corpus.schema.types == ("cat", "dog")
    error = failure(path, columns={"tokens": "0", "pos": "1"})
    assert error.message == f"{path}/train.conll:1: no labels of 'pets' in train, only pos"
    assert failure(path, columns={"pets": "7"}).message.startswith(f"{path}/train.conll:1: no column 7 for 'pets'")


# Formats


def refusing(path: Path, ctx: LoadContext) -> Iterator[Example]:
    raise DataError("not today")


def test_formats_by_ending_by_name_and_by_default(tmp_path: Path, folder: Path) -> None:
    odd = Format(name="odd", kinds=("token",), suffixes=(".odd",), read=conll.read)
    writer = Format(name="writer", kinds=("token",), suffixes=(".w",), write=conll.write)
    shelf = Shelf(formats={"odd": odd, "writer": writer, **Shelf().formats})
    for name in ("a.odd", "a.odd.gz", "eng.train", "a.annotated", "plain"):
        (tmp_path / name).write_text(TRAIN)
        if name != "a.odd.gz":
            assert load(tmp_path / name, shelf).splits["train"].words
    assert "is not a gzip file" in failure(tmp_path / "a.odd.gz", shelf).message
    rival = replace(odd, name="rival")
    error = failure(tmp_path / "a.odd", Shelf(formats={"odd": odd, "rival": rival}))
    assert error.message == f"the ending of {tmp_path}/a.odd names several formats: odd and rival"
    assert load(tmp_path / "a.odd", Shelf(formats={"odd": odd, "rival": rival}), format="rival")
    greedy = Shelf(formats={"odd": replace(odd, suffixes=(".conll",), read=refusing), **Shelf().formats})
    (tmp_path / "a.conll").write_text(TRAIN)
    assert load(tmp_path / "a.conll", greedy).splits["train"].words  # core's keep their endings
    assert failure(tmp_path / "a.conll", greedy, format="odd").message == "not today"
    assert failure(folder, shelf, format="conl").hint == "did you mean conll?"
    assert failure(folder, shelf, format="writer").message == "format 'writer' cannot be read"


@pytest.mark.parametrize("name", ["train.parquet", "train.jsonl.gz", "train.conllu"])
def test_what_is_plainly_no_columns_is_not_read_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1")
    assert failure(tmp_path / name).message == f"no format reads {tmp_path}/{name} as token examples"


# Sources


def source(**changes: Any) -> Source:
    def read(split: str, ctx: LoadContext) -> Iterator[Example]:
        for number, (_, line) in enumerate(ctx.lines(ctx.folder("tales") / f"{split}.conll")):
            if line:
                word, tag = line.split()
                yield Example(id=str(number), words=(word,), labels={"pets": (tag,)})

    whole = Source(
        name="tales", kind="token", layers={"pets": "pets"}, splits=("train", "dev"), load=read, licence="CC0"
    )
    return replace(whole, **changes)


def shelf_with(source_: Source, *schemas: Schema) -> Shelf:
    return Shelf(sources={source_.name: source_}, schemas={schema.name: schema for schema in schemas})


def test_a_source_comes_before_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "root") / "tales"
    write(root, train="a B-dog\n", validation="b B-dog\n")
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tales", train=TRAIN)
    known = source(splits=("train", "validation"), synthetic=True, counts={"train": 1, "validation": 2})
    corpus = load("tales", shelf_with(known, Schema.bio("pets", "dog", "cat")), root=tmp_path / "root")
    assert corpus.splits["train"].ref == "tales:train"
    assert corpus.schema.types == ("dog", "cat")
    assert corpus.synthetic
    assert corpus.notes == ("tales: validation has 1 examples, 2 were published",)
    elsewhere = load("tales", shelf_with(source(splits=("train",)), Schema.bio("pets", "dog", "cat")),
                     path=write(tmp_path / "other", train="a B-cat\nb O\n"))  # fmt: skip
    assert [len(split.examples) for split in elsewhere.splits.values()] == [1, 1]


@pytest.mark.parametrize(
    ("changes", "schemas", "message"),
    [
        (
            {},
            [Schema.bio("pets", "cat")],
            "example '3', word 1: label 'B-dog' of type 'dog' is not in schema 'pets'",
        ),
        ({}, [], "source 'tales' names the schema 'pets', which no plugin supplies"),
        ({"layers": {"pet": None}}, [], "source 'tales' has no layer 'pets'"),
        ({"kind": "text"}, [], "source 'tales' holds text examples, the task needs token examples"),
        (
            {"load": lambda split, ctx: []},
            [],
            "the train split of source 'tales' is empty: it holds no examples",
        ),
        (
            {},
            [Schema(name="pets", kind="token", labels=("B-cat", "B-dog"))],
            "schema 'pets' of layer 'pets' does not hold the span types that the task needs",
        ),
    ],
)
def test_bad_sources(tmp_path: Path, changes: dict[str, Any], schemas: list[Schema], message: str) -> None:
    write(tmp_path / "tales", train="a O\nb O\n\nc B-dog\n")
    known = source(splits=("train",), **changes)
    assert failure("tales", shelf_with(known, *schemas), root=tmp_path).message == message


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            Example(id="1", words=("a", "b"), labels={"pets": ("O",)}),
            "record 1: example 1: 2 words have 1 labels of 'pets'; give one label per word",
        ),
        (
            Example(id="1", text="a", labels={"pets": ("O",)}),
            "record 1: example 1 has no words; kind 'token' needs words=(…), a tuple of str",
        ),
        (
            Example(id="1", words=("a",)),
            "example '1': no labels of 'pets' in train, nor any other",
        ),
    ],
)
def test_bad_examples(bad: Example, message: str) -> None:
    known = source(splits=("train",), load=lambda split, ctx: [bad])
    found = failure("tales", shelf_with(known, Schema.bio("pets", "cat"))).message
    assert found.removeprefix("source 'tales' of plugin 'tests', split 'train', ") == message


@pytest.fixture
def conll2003(tmp_path: Path) -> Path:
    """Made-up lines in the shape of CoNLL-2003."""
    folder = tmp_path / "conll2003"
    folder.mkdir()
    lines = "Ada NNP I-NP I-PER\nBo NNP B-NP B-PER\nruns VBZ I-VP O\n\n-DOCSTART- -X- O O\n\nRex NNP I-NP I-PER\n"
    for name in ("eng.train", "eng.testa", "eng.testb"):
        (folder / name).write_text(lines)
    return folder


def conll2003_split(split: str, folder: Path) -> list[Example]:
    known = {source.name: source for source in sources.SOURCES}["conll2003"]
    return list(known.load(split, LoadContext(root=folder.parent)))


def test_core_sources_give_labels_of_their_schemas(conll2003: Path) -> None:
    first, second = conll2003_split("validation", conll2003)
    assert first.labels == {
        "pos": ("NNP", "NNP", "VBZ"),
        "chunk": ("B-NP", "B-NP", "B-VP"),
        "ner": ("B-PER", "B-PER", "O"),
    }
    assert (first.document, second.document) == ("1", "2")


def test_core_sources_prefer_the_published_files(conll2003: Path) -> None:
    (conll2003 / "train.txt").write_text("x NN O O\n")
    assert len(conll2003_split("train", conll2003)) == 2
    (conll2003 / "eng.train").unlink()
    assert [e.words for e in conll2003_split("train", conll2003)] == [("x",)]
    (conll2003 / "eng.testb").unlink()
    with pytest.raises(DataError, match="conll2003 has no test split of conll2003"):
        conll2003_split("test", conll2003)


def test_core_sources_refuse_changed_files(conll2003: Path) -> None:
    with (conll2003 / "eng.testa").open("a") as file:
        file.write("\nx NN O B-PER\n")
    with pytest.raises(DataError) as caught:
        conll2003_split("validation", conll2003)
    assert caught.value.message.startswith(f"{conll2003}/eng.testa:9: tag 'B-PER' does not fit IOB1")
    assert "not the published files" in str(caught.value.hint)


def test_texts() -> None:
    known = source(kind="text", layers={"l": None}, splits=("train",), load=lambda s, c: numbered(20, labels="ab"))
    corpus = load("tales", shelf_with(known), layer="l", kind="text", scheme=None)
    assert corpus.schema == Schema(name="l", kind="text", labels=("a", "b"))
    assert sorted(labels(corpus, "validation")) == ["a", "b"]


# Carving


@given(
    count=st.integers(2, 60),
    documents=st.integers(0, 8),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 9),
)
def test_carving(count: int, documents: int, fraction: float, seed: int) -> None:
    examples = numbered(count, min(documents, count), "aab")
    for kind in ("token", "text"):
        train, validation = hold_out_validation(examples, "l", kind, fraction, seed)
        assert train
        assert validation
        assert sorted([*train, *validation], key=lambda e: int(e.id)) == examples
        assert [*map(int, [e.id for e in train])] == sorted(int(e.id) for e in train)
        assert (train, validation) == hold_out_validation(examples, "l", kind, fraction, seed)
        if documents > 1:
            assert not {e.document for e in train} & {e.document for e in validation}
        else:
            assert len(validation) == min(max(1, round(count * fraction)), count - 1)


def test_the_seed_decides_what_is_carved() -> None:
    examples = numbered(100)
    assert len({hold_out_validation(examples, "l", "token", 0.1, seed)[1][0].id for seed in range(5)}) > 1


def test_texts_are_stratified() -> None:
    examples = numbered(1000, labels="aaaaaaaaab")
    for seed in range(5):
        _, validation = hold_out_validation(examples, "l", "text", 0.1, seed)
        assert sum(e.labels["l"] == "b" for e in validation) == 10


def test_a_label_never_leaves_train_whole() -> None:
    examples = numbered(20, labels="aaaaaaaaaaaaaaaaaaab")
    train, _ = hold_out_validation(examples, "l", "text", 0.9, 0)
    assert {e.labels["l"] for e in train} == {"a", "b"}


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_bad_fractions(fraction: float) -> None:
    with pytest.raises(DataError, match="must lie between 0 and 1"):
        hold_out_validation(numbered(10), "l", "token", fraction, 0)


# Summaries


def test_summary(folder: Path) -> None:
    corpus = load(folder)
    train, _, test = summarise(corpus)
    assert (train.name, train.examples, train.words, train.documents) == ("train", 2, 5, 0)
    assert dict(train.labels) == {"I-dog": 2, "B-cat": 1, "B-dog": 1, "O": 1}
    assert dict(train.spans) == {"cat": 1, "dog": 1}
    assert (train.lengths.min, train.lengths.median, train.lengths.max) == (2, 2.5, 3)
    assert dict(test.spans) == {"dog": 1}
    assert spans_in(corpus.splits["train"].examples[1], "pets", "IOB2") == [(0, 3, "dog")]


def test_lengths_and_samples() -> None:
    examples = [Example(id=str(n), words=("w",) * n) for n in range(1, 101)]
    lengths = length_statistics(examples)
    assert (lengths.min, lengths.median, lengths.mean, lengths.p95, lengths.max) == (1, 50.5, 50.5, 95, 100)
    assert length_statistics([]).max == 0
    chosen = sample_examples(examples, 10, seed=3)
    assert chosen == sample_examples(examples, 10, seed=3) != sample_examples(examples, 10, seed=4)
    assert [int(e.id) for e in chosen] == sorted(int(e.id) for e in chosen)
    assert sample_examples(examples, 1000) == examples


@pytest.mark.parametrize("settings", [{}, {"validation_seed": 7, "validation_fraction": 0.3}])
@pytest.mark.parametrize(("task", "name"), [("ner", "a.conll"), ("textcls", "a.csv")])
def test_data_show_holds_out_what_a_run_would(tmp_path: Path, task: str, name: str, settings: dict[str, Any]) -> None:
    rows = [f"w{index} B-PER\nran O\n\n" for index in range(40)]
    texts = [f"text {index},{'good' if index % 3 else 'bad'}\n" for index in range(40)]
    path = tmp_path / name
    path.write_text("".join(rows) if task == "ner" else "text,label\n" + "".join(texts))
    catalog = Catalog.load()
    sets = tuple(f"data.{key}={value}" for key, value in settings.items())
    plan = make_plan(request_of(task, recipe=None, name=None, data=str(path), sets=sets), catalog)
    environment = Environment.read()
    trained = read_corpus(plan, catalog, environment, Home(root=tmp_path))
    ctx = environment.load_context(DataSettings(**settings), tmp_path / "cache")
    shown = load_without_task(str(path), None, catalog, ctx)
    assert {split: one.content_hash for split, one in shown.splits.items()} == {
        split: one.content_hash for split, one in trained.splits.items()
    }
    assert len(shown.splits["validation"].examples) == round(40 * settings.get("validation_fraction", 0.1))
