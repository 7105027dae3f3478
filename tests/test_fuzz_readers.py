"""Every reader on damaged and random files: it reads them, or raises an error of labelkit."""

from __future__ import annotations

import contextlib
import gzip
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelkit.errors import DataError, LabelkitError
from labelkit.files.output import new_output
from labelkit.formats.builtin import FORMATS
from labelkit.formats.labelled_json import gold_coverage
from labelkit.formats.plain_text import text_format
from labelkit.records import Kind, Labelled, LoadContext, ReadingPolicy
from labelkit.settings import DataSettings

READERS = {known.name: known for known in (*FORMATS, text_format("line"), text_format("document")) if known.read}
del READERS["class-folders"]  # reads folders, whose files it reads as text
#: what damaged files have in wrong places
PIECES = (
    b"", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\t", b'"', b"'", b"{", b"}", b"[" * 3000, b"]", b",", b":",
    b"null", b"NaN", b"1e999", b"-1", b"99999999999999999999", b"true", b'{"a": 1}', b'"text"', b"T1\tA 0 1\tx\n", b"#",
    b"-DOCSTART-", "\u2028\ud7ff".encode(), b"B-", b"I-X", b"1-2\t_", b"__label__", b"[[0, 1, 2]]", b'{"start": -5}',
)  # fmt: skip
SEEDS: dict[str, list[bytes]] = {
    "tsv": [b"text\tlabel\nAda lives.\tgood\nBob.\tbad\n"],
    "fasttext": [b"__label__good Ada lives.\n__label__bad Bob.\n"],
    "text": [b"Ada lives.\n\nBob.\n"],
    "doccano": [b'{"id": 1, "text": "Ada lives.", "label": [[0, 3, "PER"]]}\n'],
    "webanno-tsv": [
        b"#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.NER|value\n\n\n#Text=Ada\n1-1\t0-3\tAda\tPER\t\n",
    ],
    "json": [b'[{"tokens": ["Ada"], "ner": ["B-PER"]}]', b'{"data": [{"text": "Ada", "label": "x"}]}'],
}


def records(kind: Kind) -> list[Labelled]:
    if kind == "text":
        return [Labelled(id="1", text="Ada\nlives.", label="good", coverage=gold_coverage(1), extra={"a": [1, None]})]
    words, labels = ("Ada", "lives", "."), ("B-PER", "O", "O")
    return [Labelled(id="1", text="Ada lives .", words=words, labels=labels, coverage=gold_coverage(3))]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """Return valid files of each reader, by its name."""
    folder, found = tmp_path_factory.mktemp("seeds"), {name: list(contents) for name, contents in SEEDS.items()}
    for known in READERS.values():
        for kind in known.kinds if known.write else ():
            # fastText holds no text of several lines, and has files of its own above
            with contextlib.suppress(DataError), new_output(folder / f"{known.name}-{kind}.ann") as output:
                assert known.write is not None
                known.write(records(kind), output)
            for file in folder.glob(f"{known.name}-{kind}*"):
                found.setdefault(known.name, []).append(file.read_bytes())
    import pyarrow as pa

    table = pa.table({"text": ["Ada lives.", "Bob."], "label": ["good", "bad"]})
    with pa.OSFile(str(folder / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return {**found, "arrow": [(folder / "a.arrow").read_bytes()]}


@st.composite
def damaged(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """Return one of ``contents`` with some pieces replaced, or bytes of any kind."""
    content = draw(st.sampled_from(contents) if contents else st.binary(max_size=200))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(content)))
        stop = draw(st.integers(start, min(len(content), start + 20)))
        content = content[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=8)) + content[stop:]
    return gzip.compress(content) if draw(st.integers(0, 20)) == 0 else content


def read_all(name: str, path: Path, context: LoadContext) -> Counter[str]:
    """Read a file as examples of each kind, strictly and leniently; return how often it was read, and how refused."""
    reader, ends = READERS[name].read, Counter[str]()
    assert reader is not None
    skipped: list[DataError] = []
    for kind in (None, "token", "text"):
        for policy in (ReadingPolicy(), ReadingPolicy(on_bad_record=skipped.append, labels="ignored")):
            try:
                for example in reader(path, replace(context, kind=kind, policy=policy)):
                    assert example.id
                ends["read"] += 1
            except LabelkitError as error:
                ends["refused" if "\n" not in error.message else "in several lines"] += 1
    return ends


def fuzz(name: str, seeds: dict[str, list[bytes]], folder: Path, examples: int) -> Counter[str]:
    ends = Counter[str]()
    suffix = READERS[name].suffixes[0] if READERS[name].suffixes else ".txt"
    path, context = folder / f"file{suffix}", LoadContext(settings=DataSettings(max_record=5000), layer="ner")

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def attack(data: Any) -> None:
        path.write_bytes(data.draw(damaged(seeds.get(name, []))))
        if name == "brat":
            path.with_suffix(".txt").write_bytes(data.draw(damaged([b"Ada lives .\n"])))
        ends.update(read_all(name, path, context))

    attack()
    assert not ends["in several lines"]
    return ends


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(name: str, seeds: dict[str, list[bytes]], tmp_path: Path) -> None:
    assert fuzz(name, seeds, tmp_path, 8).total() >= 6


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_are_read_or_refused(name: str, seeds: dict[str, list[bytes]], tmp_path: Path) -> None:
    ends = fuzz(name, seeds, tmp_path, 500)
    assert ends["refused"] > 30 or name == "text"
    assert ends["read"] > 30


def test_each_reader_has_files_to_be_damaged(seeds: dict[str, list[bytes]]) -> None:
    assert set(READERS) == set(seeds)
