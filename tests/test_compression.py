"""Compressed files of each kind: read by every reader, written by their ending, refused with one line when broken."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from backports import zstd

import labelkit
from labelkit.errors import DataError
from labelkit.files.compression import COMPRESSIONS, compression_of, sibling, start_of
from labelkit.files.output import new_output
from labelkit.files.reading import STDIN, read_bytes, read_head, read_lines
from labelkit.formats.builtin import FORMATS
from labelkit.formats.plain_text import text_format
from labelkit.formats.recognition import reader_for
from labelkit.records import Example, LoadContext
from labelkit.settings import DataSettings
from test_limits import CONTEXT, ENDLESS, LIMIT, READERS

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress,
    ".zst": lambda content: zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1}),
}  # fmt: skip
KNOWN = {known.name: known for known in (*FORMATS, text_format())}
NAMES = {one.suffix: one.name for one in COMPRESSIONS}
CONLL = b"Ada B-PER\nran O\n\nBob B-PER\n"


def failure(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        list(read_lines(path))
    return caught.value


def read(path: Path, ctx: LoadContext) -> list[Example]:
    reader = reader_for(path, KNOWN, ctx=ctx).read
    assert reader is not None
    return list(reader(path, ctx))


def test_each_compression_is_tested() -> None:
    assert tuple(PACK) == tuple(one.suffix for one in COMPRESSIONS)


@pytest.mark.parametrize("suffix", PACK)
def test_files_are_known_by_their_first_bytes_and_may_be_joined(suffix: str, tmp_path: Path) -> None:
    for name in (f"a.conll{suffix}", "unnamed"):
        (tmp_path / name).write_bytes(PACK[suffix](b"a O\n") + PACK[suffix](b"b O\n"))
        assert list(read_lines(tmp_path / name)) == [(1, "a O"), (2, "b O")]
    (tmp_path / f"empty{suffix}").write_bytes(PACK[suffix](b""))
    assert list(read_lines(tmp_path / f"empty{suffix}")) == []


@pytest.mark.parametrize("suffix", PACK)
def test_broken_files_and_plain_ones_with_the_ending_are_refused(suffix: str, tmp_path: Path) -> None:
    whole = PACK[suffix](b"".join(b"word%d O\n" % number for number in range(3000)))
    path = tmp_path / f"a.conll{suffix}"
    for content in (whole[:-20], whole[:40], whole[: len(whole) // 2] + b"\xff" * 30 + whole[len(whole) // 2 + 30 :]):
        path.write_bytes(content)
        error = failure(path)
        assert error.message.startswith(f"{path} is a broken {NAMES[suffix]} file: ")
        assert error.hint == "copy or download it again"
        with pytest.raises(DataError, match="is a broken"):
            read_bytes(path)
    path.write_bytes(b"word O\n")
    assert failure(path).message == f"{path} is not a {NAMES[suffix]} file"
    assert failure(path).hint == f"drop {suffix} from its name if it is plain text"


@pytest.mark.parametrize("suffix", PACK)
def test_what_is_written_by_the_ending_is_read_back_and_is_the_same_each_time(suffix: str, tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        with new_output(tmp_path / f"{name}.ann{suffix}") as output:
            output.stream.write(b"T1\tPER 0 3\tAda\n")
            output.beside(".txt").write(b"Ada ran\n")
        contents.append((tmp_path / f"{name}.ann{suffix}").read_bytes())
    assert contents[0] == contents[1]
    assert compression_of(contents[0]) == compression_of(PACK[suffix](b""))
    examples = read(tmp_path / f"a.ann{suffix}", LoadContext(layer="ner"))
    assert examples[0].labels["ner"] == ("B-PER", "O")
    assert sibling(tmp_path / f"a.ann{suffix}", ".txt").is_file()


@pytest.mark.parametrize("suffix", [".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("name", ENDLESS)
def test_the_limit_of_a_record_holds_for_what_is_unpacked(name: str, suffix: str, tmp_path: Path) -> None:
    start, more = ENDLESS[name]
    content = (start + more * (100_000 // len(more))).encode()
    path = tmp_path / ("a.ann" if name == "brat" else "file")
    path.touch()
    target = tmp_path / "a.txt" if name == "brat" else path
    target.write_bytes(PACK[suffix](content))
    reader = READERS[name].read
    assert reader is not None
    with pytest.raises(DataError, match=f"more than {LIMIT // 20 if name in {'conll', 'webanno-tsv'} else LIMIT:,} "):
        list(reader(path, CONTEXT))


@pytest.mark.parametrize("suffix", PACK)
def test_tables_and_docbins_are_read_compressed(suffix: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"tokens": [["Ada", "ran"]], "ner": [["B-PER", "O"]]}), tmp_path / "a.parquet")
    path = tmp_path / f"b.parquet{suffix}"
    path.write_bytes(PACK[suffix]((tmp_path / "a.parquet").read_bytes()))
    assert read(path, replace(CONTEXT, kind="token", settings=DataSettings()))[0].words == ("Ada", "ran")


@pytest.mark.parametrize("suffix", PACK)
def test_standard_input_is_recognised_and_then_read_whole(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"".join(b'{"text": "number %d"}\n' % number for number in range(9000))
    (tmp_path / "in").write_bytes(PACK[suffix](lines))
    with (tmp_path / "in").open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert reader_for(STDIN, KNOWN, fallback="text").name == "jsonl"
        assert sum(1 for _ in read_lines(STDIN)) == 9000


@pytest.mark.parametrize("suffix", PACK)
def test_the_start_of_a_file_is_as_much_as_its_first_bytes_hold(suffix: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 400
    packed = PACK[suffix](content)
    assert start_of(packed, 1000) == content[:1000]
    assert content.startswith(start_of(packed[: len(packed) // 2], 1000))
    path = tmp_path / "file"
    path.write_bytes(packed)
    assert read_head(path, 300) == content[:300]


@pytest.mark.parametrize("text", ["BZh is text", "BZh9 too", "(µ/ý", "P*M"])
def test_text_that_begins_like_a_compressed_file_is_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert list(read_lines(tmp_path / "a.txt")) == [(1, text)]


@pytest.mark.parametrize("suffix", PACK)
def test_the_splits_of_a_folder_may_be_compressed(suffix: str, tmp_path: Path) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.conll{suffix}").write_bytes(PACK[suffix](CONLL))
    splits = labelkit.read(tmp_path / f"train.conll{suffix}")
    assert [example.words for example in splits] == [("Ada", "ran"), ("Bob",)]
