"""Examples that do not fit in memory: stored in an Arrow file, read lazily, carved and converted as lists are."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelkit.data import arrow_cache as stored
from labelkit.data.arrow_cache import StoredExamples, store_if_large
from labelkit.data.corpus import Corpus, load_corpus
from labelkit.data.gold import read_gold
from labelkit.data.holdout import hold_out_validation
from labelkit.data.preprocess import apply
from labelkit.data.reading import kind_of
from labelkit.data.summary import summarise
from labelkit.data.views import MappedExamples, SelectedExamples
from labelkit.errors import DataError, LabelkitError
from labelkit.formats import conll, json_files
from labelkit.records import (
    DataSettings,
    Example,
    Format,
    Kind,
    LoadContext,
    Place,
    Preprocessor,
    ReadingPolicy,
    Schema,
    Scheme,
    Source,
)
from reading_contexts import OnePlugin


class Shelf(OnePlugin):
    def __init__(self, *sources: Source) -> None:
        self.sources = {source.name: source for source in sources}
        self.schemas = {"pets": Schema.bio("pets", "cat")}
        self.formats: dict[str, Format] = {f.name: f for f in (*conll.FORMATS, *json_files.FORMATS)}


def load(
    reference: object,
    cache: Path,
    *,
    shelf: Shelf | None = None,
    kind: Kind = "token",
    scheme: Scheme = "IOB2",
    **how: Any,
) -> Corpus:
    layer = "pets" if kind == "token" else "label"
    ctx = LoadContext(cache=cache, settings=DataSettings(**how))
    target = scheme if kind == "token" else None
    return load_corpus(str(reference), layer=layer, kind=kind, scheme=target, catalog=shelf or Shelf(), ctx=ctx)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nine examples be many, and a block hold four."""
    monkeypatch.setattr(stored, "EXAMPLES", 9)
    monkeypatch.setattr(stored, "_BLOCK", 4)


def sentences(count: int, *, bordered: bool = False) -> str:
    lines = [f"Tom{n} I-cat\nand O\nRex{n} I-{'dog' if n % 2 else 'cat'}\n\n" for n in range(count)]
    return "".join(("-DOCSTART- O\n\n" if bordered and n % 5 == 0 else "") + line for n, line in enumerate(lines))


def texts(path: Path, count: int) -> Path:
    path.write_text("".join(f'{{"text": "t{n}", "label": "{"abc"[n % 3]}"}}\n' for n in range(count)))
    return path


ROWS = (
    Example(
        id="1",
        words=("a\ud800", "\ufe0f"),
        labels={"x": ("O", "B-y"), "p": ("N", "V")},
        text="a\ud800 \ufe0f",
        offsets=((0, 2), (3, 4)),
        document="d",
        extra={"n": [1, {"m": None}]},
        surface=("s", "t"),
        place=Place(file="f", line=3, word_lines=range(3, 5)),
    ),
    Example(id="2", text="", labels={"x": "y"}, surface="z", place=Place(file="f", line=9, word_lines=(9, 11))),
    Example(id="3", words=(), labels={"x": ()}),
)


@pytest.mark.usefixtures("small")
def test_examples_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [ROWS[n % 3] for n in range(14)]
    found = store_if_large(iter(rows), tmp_path / "a.arrow", ReadingPolicy())
    assert isinstance(found, StoredExamples)
    assert len(found) == 14
    assert list(found) == rows
    assert [found[n] for n in range(-14, 14)] == rows * 2
    assert found[2:11:3] == rows[2:11:3]
    assert found[-3:] == rows[-3:]
    assert list(pickle.loads(pickle.dumps(found))) == rows
    assert str(found[0].place) == "f:3"
    assert (found[0].place or ROWS[0].place) == ROWS[0].place
    for index in (14, -15):
        with pytest.raises(IndexError):
            found[index]


@pytest.mark.usefixtures("small")
@given(positions=st.lists(st.integers(0, 13), max_size=20))
def test_any_order_will_do(tmp_path_factory: pytest.TempPathFactory, positions: list[int]) -> None:
    rows = [Example(id=str(n), text=str(n)) for n in range(14)]
    found = store_if_large(iter(rows), tmp_path_factory.mktemp("s") / "a.arrow", ReadingPolicy())
    assert [found[position].id for position in positions] == [str(position) for position in positions]
    some = SelectedExamples(found, positions)
    assert [e.id for e in some] == [e.id for e in some[:]] == [str(position) for position in positions]


@pytest.mark.usefixtures("small")
def test_few_stay_a_list_and_write_nothing(tmp_path: Path) -> None:
    rows = [Example(id=str(n), text="") for n in range(9)]
    assert store_if_large(iter(rows), tmp_path / "a.arrow", ReadingPolicy()) == rows
    assert list(tmp_path.iterdir()) == []


def test_few_long_texts_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "BYTES", 10_000)
    rows = [Example(id=str(n), text="a" * 1000) for n in range(9)]
    assert list(store_if_large(iter(rows), tmp_path / "a.arrow", ReadingPolicy())) == rows
    assert (tmp_path / "a.arrow").exists()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES"])
@pytest.mark.parametrize("bordered", [False, True])
def test_a_corpus_is_the_same_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: Scheme, bordered: bool
) -> None:
    path = tmp_path / "train.conll"
    path.write_text(sentences(40, bordered=bordered))
    lazy = load(path, tmp_path / "cache", scheme=scheme)
    monkeypatch.setattr(stored, "EXAMPLES", 1000)
    plain = load(path, tmp_path / "none", scheme=scheme)
    assert isinstance(plain.splits["train"].examples, list)
    assert not isinstance(lazy.splits["train"].examples, list)
    assert not (tmp_path / "none").exists()
    assert (lazy.schema, lazy.scheme_read) == (plain.schema, plain.scheme_read)
    assert summarise(lazy) == summarise(plain)
    for name, split in plain.splits.items():
        assert list(lazy.splits[name].examples) == split.examples
        assert lazy.splits[name].content_hash == split.content_hash


@pytest.mark.usefixtures("small")
def test_texts_are_the_same_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = texts(tmp_path / "a.jsonl", 50)
    lazy = load(path, tmp_path / "cache", kind="text")
    monkeypatch.setattr(stored, "EXAMPLES", 1000)
    plain = load(path, tmp_path / "none", kind="text")
    assert [list(s.examples) for s in lazy.splits.values()] == [s.examples for s in plain.splits.values()]


@pytest.mark.usefixtures("small")
def test_what_was_stored_is_used_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = tmp_path / "train.conll", tmp_path / "cache"
    path.write_text(sentences(12))
    first = load(path, cache)
    with monkeypatch.context() as patch:
        patch.setattr(stored, "_store", lambda *_: pytest.fail("read again"))
        again = load(path, cache)
        assert again.splits["train"].content_hash == first.splits["train"].content_hash
    path.write_text(sentences(13))
    assert sum(len(split.examples) for split in load(path, cache).splits.values()) == 13
    assert len(list((cache / "examples").iterdir())) == 2
    load(path, cache, drop_overlaps=True)
    assert len(list((cache / "examples").iterdir())) == 3


@pytest.mark.usefixtures("small")
def test_a_broken_store_is_written_anew(tmp_path: Path) -> None:
    path, cache = tmp_path / "train.conll", tmp_path / "cache"
    path.write_text(sentences(12))
    content = load(path, cache).splits["train"].content_hash
    (file,) = (cache / "examples").iterdir()
    for rubbish in (b"", b"ARROW1" * 9, file.read_bytes()[:-20]):
        file.write_bytes(rubbish)
        assert load(path, cache).splits["train"].content_hash == content


@pytest.mark.usefixtures("small")
def test_a_source_is_stored_but_never_stale(tmp_path: Path) -> None:
    words = ["Tom"]

    def read(split: str, ctx: LoadContext) -> Iterable[Example]:
        return (Example(id=str(n), words=(words[0],), labels={"pets": ("B-cat",)}) for n in range(20))

    source = Source(name="tales", kind="token", layers={"pets": "pets"}, splits=("train",), load=read, licence="CC0")
    assert load("tales", tmp_path, shelf=Shelf(source)).splits["train"].examples[0].words == ("Tom",)
    words[0] = "Rex"
    assert load("tales", tmp_path, shelf=Shelf(source)).splits["train"].examples[0].words == ("Rex",)


@pytest.mark.usefixtures("small")
def test_counts_are_stored_with_the_examples(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    record = {"text": "Ada ran", "spans": [[0, 3, "x"], [0, 7, "y"]]}
    path.write_text(f"{json.dumps(record)}\n" * 12)
    notes = {load(path, tmp_path / "cache", drop_overlaps=True).notes for _ in range(2)}
    assert notes == {("nested or overlapping spans were dropped, the longer ones kept: 12",)}


@pytest.mark.parametrize("file", ["small", "large"])
def test_assumptions_are_repeated_by_stored_examples(tmp_path: Path, file: str, request: pytest.FixtureRequest) -> None:
    if file == "large":
        request.getfixturevalue("small")

    def read_assuming(path: Path, ctx: LoadContext) -> Iterable[Example]:
        ctx.policy.assume("words are words", "--set data.format=other")
        yield from conll.read(path, ctx)

    shelf = Shelf()
    shelf.formats = {"odd": Format(name="odd", kinds=("token",), suffixes=(".odd",), read=read_assuming)}
    for split in ("train", "test"):
        (tmp_path / f"{split}.odd").write_text(sentences(12))
    assumed = ("words are words: --set data.format=other",)
    reference = f"train={tmp_path}/train.odd,test={tmp_path}/test.odd"
    assert [load(reference, tmp_path / "cache", shelf=shelf).assumptions[:1] for _ in range(2)] == [assumed] * 2
    # the test split repeats its own, also where train is not read before it
    settings: dict[str, Any] = {"layer": "pets", "schema": Schema.bio("pets", "cat", "dog"), "catalog": shelf}
    gold = read_gold(reference, "test", ctx=LoadContext(cache=tmp_path / "cache"), **settings)
    assert gold.assumptions[:1] == assumed


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("a B-fish\nb\n", "{}:49: 2 columns expected as in line 1, 1 found"),
        ("a B-fish\n", "{}:48: tag 'B-fish' does not fit IOB1 at the start of a sentence, at the end of it"),
        ("a x\n", "{}:48: 'x' is not a tag such as O or B-PER"),
    ],
)
def test_errors_name_the_line_of_stored_examples(tmp_path: Path, last: str, message: str) -> None:
    path = tmp_path / "train.conll"
    path.write_text(sentences(11) + "Tom I-cat\nB B-cat\n\n" + last)
    with pytest.raises(LabelkitError) as caught:
        load(path, tmp_path / "cache")
    assert caught.value.message == message.format(path)
    if "columns" in message:
        assert list((tmp_path / "cache" / "examples").iterdir()) == []


@pytest.mark.usefixtures("small")
def test_repairs_of_stored_examples_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "train.conll"
    path.write_text(sentences(12) + "a O\nb I-cat\n\n" + "c B-cat\n\n")
    ctx = LoadContext(cache=tmp_path / "cache", settings=DataSettings(repair=True, scheme="IOB1"))
    corpus = load_corpus(str(path), layer="pets", kind="token", scheme="IOB2", catalog=Shelf(), ctx=ctx)
    assert corpus.repaired == 1
    everything = [example for split in corpus.splits.values() for example in split.examples]
    assert next(e.labels["pets"] for e in everything if e.words == ("c",)) == ("B-cat",)


def test_what_cannot_be_stored_is_refused(tmp_path: Path, small: None) -> None:
    rows = [Example(id="odd", text="", extra={"x": object()})] * 20
    with pytest.raises(DataError, match="example 'odd' holds what cannot be stored"):
        store_if_large(rows, tmp_path / "a.arrow", ReadingPolicy())


@pytest.mark.usefixtures("small")
def test_preprocessors_wait_until_stored_examples_are_read(tmp_path: Path) -> None:
    from dataclasses import replace

    upper = Preprocessor(name="up", kind="text", apply=lambda e: replace(e, surface=(e.text or "").upper()))
    bad = Preprocessor(name="bad", kind="text", apply=lambda e: replace(e, text="x"))
    rows = store_if_large([Example(id=str(n), text=f"t{n}") for n in range(12)], tmp_path / "a.arrow", ReadingPolicy())
    found = apply([upper], rows)
    assert isinstance(found, MappedExamples)
    assert [found[3].surface, [e.surface for e in found][3], found[2:4][1].surface] == ["T3"] * 3
    with pytest.raises(LabelkitError, match="changed more than the surface of example 0"):
        list(apply([bad], rows))
    with pytest.raises(LabelkitError, match="changed more than the surface of example 0"):
        apply([bad], list(rows))


# Carving must choose what it always chose: seeds stand in recorded runs


def test_carving_has_not_changed() -> None:
    rows = [Example(id=str(n), text="", labels={"l": "ab"[n % 3 == 0]}, document=str(n // 7)) for n in range(60)]
    alone = [Example(id=e.id, text="", labels=e.labels) for e in rows]
    found = [
        [int(e.id) for e in hold_out_validation(rows, "l", "token", 0.2, 1)[1]],
        [int(e.id) for e in hold_out_validation(alone, "l", "token", 0.1, 1)[1]],
        [int(e.id) for e in hold_out_validation(alone, "l", "text", 0.1, 1)[1]],
    ]
    assert found == [[14, 15, 16, 17, 18, 19, 20, 56, 57, 58, 59], [4, 8, 36, 48, 51, 54], [4, 7, 8, 16, 36, 54]]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["token", "text"])
def test_memory_stays_flat(tmp_path: Path, kind: Kind) -> None:
    """Three times the examples take about the memory of one: what grows is some bytes for each example's place."""
    peaks = []
    for count in (100_000, 300_000):
        path = tmp_path / f"{count}.{'conll' if kind == 'token' else 'jsonl'}"
        with path.open("w") as file:
            for n in range(count):
                file.write(
                    f"word{n} B-cat\nb O\nc O\n\n"
                    if kind == "token"
                    else f'{{"text": "a b {n}", "label": "{n % 3}"}}\n'
                )
        # what getrusage says includes the process that this one was forked from
        script = f"""
from pathlib import Path
from test_stored import load
corpus = load({str(path)!r}, Path({str(tmp_path / "cache")!r}), kind={kind!r})
assert sum(len(split.examples) for split in corpus.splits.values()) == {count}
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
        where = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run([sys.executable, "-c", script], env=where, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 20_000  # kB; as lists they would differ by more than 200,000


def test_the_kind_of_a_source_without_splits_is_that_of_the_source(tmp_path: Path) -> None:
    empty = Source(name="empty", kind="text", layers={"label": None}, splits=(), licence="CC0", load=lambda *_: ())
    assert kind_of("empty", Shelf(empty), LoadContext(cache=tmp_path)) == "text"


def test_lenient_reading_is_stored_apart_from_strict_reading(tmp_path: Path) -> None:
    def ignore(error: DataError) -> None:
        """Leave the record out."""

    policies = [ReadingPolicy(), ReadingPolicy(on_bad_record=ignore), ReadingPolicy(on_bad_span=ignore)]
    contexts = [LoadContext(cache=tmp_path, policy=policy) for policy in policies]
    assert len({stored.cache_path(ctx, "x.jsonl") for ctx in contexts}) == 3
