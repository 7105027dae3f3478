"""Endless, huge and odd files: each is refused with one line, in bounded memory and time."""

from __future__ import annotations

import ast
import gzip
import json
import os
import resource
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.errors import DataError, LabelkitError, ModelError, StorageError
from labelkit.files.reading import read_lines
from labelkit.files.small import read_json, read_small, read_toml
from labelkit.formats import parquet_pages
from labelkit.formats.builtin import FORMATS
from labelkit.formats.jsonl import json_line
from labelkit.formats.plain_text import text_format
from labelkit.formats.tables import read_parquet
from labelkit.models.architectures import check_layers
from labelkit.models.checkpoint import CheckpointInfo
from labelkit.models.checkpoint_files import check_safetensors, weights_of
from labelkit.records import Example, LoadContext, Schema
from labelkit.settings import MAX_RECORD, DataSettings

LIMIT = 5000
CONTEXT = LoadContext(settings=DataSettings(max_record=LIMIT), layer="ner")
READERS = {known.name: known for known in (*FORMATS, text_format("line"), text_format("document")) if known.read}
del READERS["class-folders"]  # reads folders, whose files it reads as text
#: reader → the content of a record that never ends, after its first characters
ENDLESS = {
    "conll": ("", "word O\n"),
    "conllu": ("", "1\tword\t_\tNOUN\t_\t_\t0\troot\t_\t_\n"),
    "jsonl": ('{"text": "', "x"),
    "json": ('[{"text": "', "x"),
    "fasttext": ("__label__a ", "x "),
    "csv": ('text,label\n"', "x\n"),
    "tsv": ("text\tlabel\n", "x"),
    "brat": ("", "a line\n"),
    "doccano": ('{"text": "', "x"),
    "label-studio": ('[{"data": {"text": "', "x"),
    "prodigy": ('{"text": "', "x"),
    "webanno-tsv": ("#FORMAT=WebAnno TSV 3.3\n#T_SP=custom.Span|value\n\n\n#Text=word\n", "1-1\t0-4\tword\tPER\n"),
    "text": ("", "x"),
}


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Refuse this process more than a gigabyte beyond what it has, for what a test would read without bound."""
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_record_that_does_not_end_is_refused_with_its_place(name: str, packed: bool, tmp_path: Path) -> None:
    start, more = ENDLESS[name]
    content = (start + more * (100_000 // len(more))).encode()
    path = tmp_path / ("a.ann" if name == "brat" else "file")
    path.touch()
    target = tmp_path / "a.txt" if name == "brat" else path
    target.write_bytes(gzip.compress(content) if packed else content)
    read = READERS[name].read
    assert read is not None
    with pytest.raises(DataError) as caught:
        list(read(path, CONTEXT))
    assert caught.value.message.startswith(str(target))
    assert f"more than {LIMIT // 20 if name in {'conll', 'webanno-tsv'} else LIMIT:,} " in caught.value.message
    assert "data.max_record" in str(caught.value.hint)


def test_each_reader_is_tested_with_a_record_that_does_not_end() -> None:
    assert set(ENDLESS) == set(READERS) - {"parquet", "arrow", "spacy"}


def test_a_docbin_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.spacy"
    packer = zlib.compressobj(9)
    path.write_bytes(b"".join([packer.compress(bytes(1 << 20)) for _ in range(60)]) + packer.flush())
    read = READERS["spacy"].read
    assert read is not None
    with pytest.raises(DataError, match=r"this DocBin has more than 250,000 bytes"):
        list(read(path, CONTEXT))


def test_a_long_row_of_a_table_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "long.parquet"
    pq.write_table(pa.table({"text": ["short", "x" * (LIMIT + 1)], "label": ["a", "b"]}), path)
    read = READERS["parquet"].read
    assert read is not None
    with pytest.raises(DataError, match="has a row that has more than"):
        list(read(path, replace(CONTEXT, kind="text", layer="label")))
    assert len(list(read(path, replace(CONTEXT, kind="text", layer="label", settings=DataSettings())))) == 2


@pytest.mark.parametrize("bomb", ["page", "dictionary", "lists"])
def test_a_parquet_file_that_unpacks_to_far_more_is_refused(
    bomb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr(parquet_pages, "MAX_PAGE", 1_000_000)
    monkeypatch.setattr(parquet_pages, "MAX_BATCH", 1_000_000)
    path, none = tmp_path / "bomb.parquet", pa.array([None], pa.list_(pa.string()))
    columns: dict[str, tuple[Any, dict[str, Any], str]] = {
        "page": (pa.array(["x" * 100_000] * 20), {"use_dictionary": False}, "has a page that unpacks to 2,000,0"),
        "dictionary": (pa.array(["x" * 100_000] * 1000), {}, "has a row that has more than"),
        "lists": (pa.concat_arrays([pa.array([["a"] * 60_000]), none]), {}, "has lists of 60,001 values"),
    }
    column, options, message = columns[bomb]
    pq.write_table(pa.table({"text": column, "label": ["a"] * len(column)}), path, compression="zstd", **options)
    assert path.stat().st_size < 10_000
    if bomb == "dictionary":  # rows that fit are read few at a time
        with path.open("rb") as stream:
            assert parquet_pages.check_pages(path, stream, pq.ParquetFile(stream), 10_000) == 9
    read = READERS["parquet"].read
    assert read is not None
    with pytest.raises(DataError, match=message):
        list(read(path, replace(CONTEXT, kind="text", layer="label")))


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_the_pages_of_a_parquet_file_are_all_found(version: str, compression: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"{n}" * 500 for n in range(2000)], "words": [["a", "b" * 999]] * 2000})
    given = {"data_page_version": version, "compression": compression, "write_page_checksum": True}
    pq.write_table(table, path, data_page_size=10_000, row_group_size=700, **given)
    with path.open("rb") as stream:
        file = pq.ParquetFile(stream)
        chunks = parquet_pages.read_footer(stream)
        assert [len(group) for group in chunks] == [2, 2, 2]
        for group in range(3):
            for index in range(2):
                column = file.metadata.row_group(group).column(index)
                assert chunks[group][index].path == column.path_in_schema
                found = list(parquet_pages.pages(stream, chunks[group][index]))
                assert sum(page.values for page in found if page.kind == "data") == column.num_values
                assert sum(page.size for page in found) == column.total_compressed_size
        assert parquet_pages.check_pages(path, stream, file, 10_000) == 1000


def test_a_damaged_footer_of_a_parquet_file_does_not_end_the_process(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"tokens": [["Ada", "lives"]], "ner": [["B-PER", "O"]]}), path)
    content = path.read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    refused = 0
    for position in range(start, start + 80):  # some of these make pyarrow throw where nothing catches it
        for step in (1, 17):
            damaged = bytearray(content)
            damaged[position] = (damaged[position] + step) % 256
            path.write_bytes(damaged)
            try:
                list(read_parquet(path, LoadContext(layer="ner", kind="token")))
            except LabelkitError:
                refused += 1
    assert refused > 80


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
def test_lines_up_to_the_limit_are_read_whole(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x" * (size - 1) + "\nnext\n")
    assert [len(line) for _, line in read_lines(path, limit=LIMIT)] == [size - 1, 4]
    path.write_text("first\n" + "x" * size + "\n")
    if size == LIMIT:
        with pytest.raises(DataError, match=rf"{path}:2: this line has more than {LIMIT:,} characters"):
            list(read_lines(path, limit=LIMIT))


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("source", ["/dev/zero", "a gzip file of 100 kB"])
def test_an_endless_line_ends_at_the_limit_as_it_is_by_default(source: str, tmp_path: Path) -> None:
    path = Path(source)
    if source != "/dev/zero":
        path = tmp_path / "bomb.txt.gz"
        block = gzip.compress(bytes(1 << 24))
        path.write_bytes(block * 4)
    with pytest.raises(DataError, match=f"this line has more than {MAX_RECORD:,} characters"):
        list(read_lines(path))


def test_undecodable_bytes_from_a_pipe_name_the_line_and_do_not_wait_for_more(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"one\ntwo\nthr\xe9e\n",))
    writer.start()
    with pytest.raises(DataError) as caught:
        list(read_lines(path))
    writer.join()
    assert caught.value.message == f"{path}:3: not UTF-8 at a byte (0xe9)"


# -- small files ------------------------------------------------------------------------------------------------------


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def a_link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_loop(path: Path) -> None:
    path.symlink_to(path.name)


SPOILT: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "nothing": (lambda path: None, FileNotFoundError, "No such file"),
    "a folder": (Path.mkdir, StorageError, "is a directory"),
    "a link to /dev/zero": (a_link_to_zero, ValueError, "not a regular file"),
    "a pipe": (a_pipe, ValueError, "not a regular file"),
    "a looping link": (a_loop, StorageError, "too many levels of symbolic links"),
    "a long file": (lambda path: path.write_text(" " * 2000), ValueError, "more than 1,000 bytes"),
    "bytes": (lambda path: path.write_bytes(b"\xff"), ValueError, "utf-8"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_small_files_are_regular_files_under_a_limit(spoilt: str, tmp_path: Path) -> None:
    make, error, said = SPOILT[spoilt]
    make(tmp_path / "file")
    for read in (read_json, read_toml):
        with pytest.raises(error, match=said):
            read(tmp_path / "file", 1000)


def test_small_files_behind_paths_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "file" / "config.json")
    with pytest.raises(StorageError, match="file name too long"):
        read_small(tmp_path / ("x" * 300))


def test_deep_documents_are_invalid(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(nested(100_000))
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(path)
    path.write_text(f"a = {nested(5_000)}")
    with pytest.raises(ValueError, match="nested too deeply"):
        read_toml(path)


@pytest.mark.parametrize("name", ["config.json", "labelkit.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("spoilt", ["a link to /dev/zero", "a pipe", "a looping link"])
def test_a_model_folder_holds_regular_files(name: str, spoilt: str, tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in tiny.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / name).unlink(missing_ok=True)
    SPOILT[spoilt][0](folder / name)
    with pytest.raises(LabelkitError) as caught:
        weights_of(folder)
    assert caught.value.message.startswith(f"{folder / name} ")


HEADERS = {
    "deep": nested(100_000),
    "not an object": "[]",
    "an entry that is text": '{"a": "b"}',
    "offsets that are text": '{"a": {"data_offsets": ["0", "4"]}}',
    "one offset": '{"a": {"data_offsets": [0]}}',
    "offsets that are fractions": '{"a": {"data_offsets": [0.0, 1e400]}}',
    "negative offsets": '{"a": {"data_offsets": [-4, 0]}}',
    "offsets that end before they begin": '{"a": {"data_offsets": [4, 0]}}',
    "no offsets": '{"a": {}}',
    "invalid JSON": "{",
}


@pytest.mark.parametrize("header", HEADERS)
def test_odd_safetensors_headers_are_damaged_files(header: str, tmp_path: Path) -> None:
    path, content = tmp_path / "model.safetensors", HEADERS[header].encode()
    path.write_bytes(len(content).to_bytes(8, "little") + content)
    with pytest.raises(ModelError, match="is damaged: it is not a safetensors file"):
        check_safetensors(path)
    path.write_bytes((2**63).to_bytes(8, "little"))
    with pytest.raises(ModelError, match="is damaged: it is not a safetensors file"):
        check_safetensors(path)


INFO = CheckpointInfo(
    labelkit="1", run="r", task="ner", kind="token", layer="ner", schema=Schema.bio("ner", "PER"), decoder="argmax",
    preprocessors=(), splitter="words", fallback="O", max_length=128, overlap=16, step=1, epoch=1.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decoder", []), ("task", None), ("fallback", {}), ("splitter", 3), ("temperature", 10**400),
        ("temperature", float("nan")), ("temperature", "1"), ("max_length", "128"), ("preprocessors", [1]),
        ("schema", []), ("suppliers", [[]]),
    ],
)  # fmt: skip
def test_fields_of_other_types_are_refused(field: str, value: object) -> None:
    content = {**json.loads(json.dumps(INFO.to_json())), field: value}
    with pytest.raises((TypeError, ValueError, AttributeError)):
        CheckpointInfo.from_json(content)


def test_ten_million_layers_are_refused_before_they_are_built(tiny: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig

    from labelkit.models.loading import load_config

    for file in tiny.iterdir():
        (tmp_path / file.name).symlink_to(file)
    check_layers(tmp_path, load_config(tmp_path))
    config = AutoConfig.from_pretrained(tiny)
    config.num_hidden_layers = 10**7
    with pytest.raises(ModelError, match="num_hidden_layers is 10,000,000, more than the weights have tensors"):
        check_layers(tmp_path, config)


# -- numbers that are not finite --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["label_all", "scores"])
def test_scores_that_are_not_finite_are_refused(kind: str, trained: labelkit.RunResult, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(trained.checkpoint, tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    weights["classifier.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    labeller = labelkit.load(str(folder))
    with pytest.raises(ModelError, match=rf"checkpoint {folder} computes scores that are not finite"):
        labeller.label("Ada") if kind == "label_all" else labeller.scores([Example(id="1", words=("Ada",))])


@pytest.mark.slow
def test_all_json_is_written_without_nan() -> None:
    calls = [
        (path, node.lineno, {keyword.arg for keyword in node.keywords})
        for package in ("core", "plugins", "examples")
        for path in (Path(__file__).parents[1] / package).rglob("*.py")
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.dump", "json.dumps")
    ]
    assert len(calls) > 20
    assert [f"{path}:{line}" for path, line, given in calls if "allow_nan" not in given] == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), [float("nan")]])
def test_json_holds_no_number_that_is_none(value: object) -> None:
    with pytest.raises(DataError, match="record '1' cannot be written as JSON"):
        json_line({"x": value}, "1")


def test_nan_of_a_table_is_a_missing_value_and_infinities_are_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a"], "label": ["b"], "age": [float("nan")]}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": "b", "age": NaN}\n')
    context = replace(CONTEXT, kind="text", layer="label")
    for name in ("parquet", "jsonl"):
        read = READERS[name].read
        assert read is not None
        assert [example.extra["age"] for example in read(tmp_path / f"a.{name}", context)] == [None]
    for number in ("Infinity", "-Infinity", "1e999"):
        (tmp_path / "b.jsonl").write_text(f'{{"text": "a", "label": "b", "age": {number}}}\n')
        read = READERS["jsonl"].read
        assert read is not None
        with pytest.raises(DataError, match=r"b.jsonl:1: broken JSON: "):
            list(read(tmp_path / "b.jsonl", context))


# -- ONNX models ------------------------------------------------------------------------------------------------------


def nested_graphs(depth: int) -> bytes:
    """Return an ONNX model whose only node has a graph, of which the only node has a graph, and so on."""

    def field(number: int, content: bytes) -> bytes:
        size, length = b"", len(content)
        while length > 127:
            size, length = size + bytes([length & 127 | 128]), length >> 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + content

    graph = b""
    for _ in range(depth):
        attribute = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(4, b"If") + field(5, attribute)) + field(2, b"g")
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11")


ONNX = {
    "nested": nested_graphs(2000),
    "deeply nested": nested_graphs(20_000),
    "empty": b"",
    "noise": bytes(range(256)) * 40,
    "a length of gigabytes": b"\x08\x08\x3a\xff\xff\xff\xff\x07",
}


@pytest.mark.parametrize("hostile", ONNX)
def test_hostile_onnx_models_are_one_line(hostile: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from labelkit.inference.onnx.engine import OnnxError, OnnxSession, OpenvinoSession
    from labelkit.inference.onnx.export import OnnxModel, openvino_installed

    (tmp_path / "model.onnx").write_bytes(ONNX[hostile])
    model = OnnxModel(tmp_path, "fp32")
    makers: list[Callable[[], object]] = [lambda: OnnxSession(model, 1)]
    if openvino_installed():
        makers.append(lambda: OpenvinoSession(model, 1, bf16=False))
    for make in makers:
        with pytest.raises(OnnxError) as caught:
            make()
        assert "\n" not in caught.value.message
        assert "--engine torch" in str(caught.value.hint)
