"""Archives of corpora: unpacked once, shown as ARCHIVE!MEMBER, refused where unsafe, broken or too large."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from backports import zstd

from labelkit.data.reading import kind_of, read_raw_corpus
from labelkit.data.resolution import resolve_reference
from labelkit.errors import DataError, LabelkitError
from labelkit.files.archives import is_archive
from labelkit.formats.builtin import FORMATS
from labelkit.label.inputs import find_inputs, read_inputs
from labelkit.label.records import FailedRecord
from labelkit.plugins.catalog import Catalog
from labelkit.records import LoadContext
from labelkit.settings import DataSettings

CONLL = b"Ada B-PER\nran O\n\nBob B-PER\n"
CORPUS = {"train.conll": CONLL, "dev.conll": CONLL * 2}


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes | bytes], *, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(content) if kind == tarfile.REGTYPE else 0, "train.conll"
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


PACK: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    ".zip": zipped,
    ".tar": tarred,
    ".tar.gz": lambda files: gzip.compress(tarred(files)),
    ".tgz": lambda files: gzip.compress(tarred(files)),
    ".tar.bz2": lambda files: bz2.compress(tarred(files)),
    ".tar.xz": lambda files: lzma.compress(tarred(files)),
    ".tar.zst": lambda files: zstd.compress(tarred(files)),
}


@pytest.fixture
def ctx(tmp_path: Path) -> LoadContext:
    return LoadContext(cache=tmp_path / "cache", layer="ner", kind="token")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def read(path: Path, catalog: Catalog, ctx: LoadContext) -> dict[str, int]:
    raw = read_raw_corpus(str(path), "token", catalog, ctx)
    return {split: len(examples) for split, examples in raw.splits.items()}


def failure(path: Path, catalog: Catalog, ctx: LoadContext) -> LabelkitError:
    with pytest.raises(LabelkitError) as caught:
        read(path, catalog, ctx)
    assert not list((ctx.cache / "archives").glob("*"))
    return caught.value


@pytest.mark.parametrize("suffix", PACK)
def test_a_corpus_in_an_archive_is_read_as_its_folder(
    suffix: str, tmp_path: Path, catalog: Catalog, ctx: LoadContext
) -> None:
    path = tmp_path / f"corpus{suffix}"
    path.write_bytes(PACK[suffix]({f"top/inner/{name}": content for name, content in CORPUS.items()}))
    raw = read_raw_corpus(str(path), "token", catalog, ctx)
    assert {split: len(examples) for split, examples in raw.splits.items()} == {"train": 2, "validation": 3}
    assert raw.refs["train"] == f"{path}!top/inner/train.conll"
    place = raw.splits["train"][1].place
    assert str(place) == f"{path}!top/inner/train.conll:4"
    assert kind_of(str(path), catalog, ctx) == "token"
    assert all(f"{ctx.cache}" not in line for line in raw.assumptions)
    assert len(list((ctx.cache / "archives").iterdir())) == 1


def test_an_archive_is_unpacked_once_whatever_it_is_called(tmp_path: Path, catalog: Catalog, ctx: LoadContext) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(CORPUS))
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes())
    read(tmp_path / "a.zip", catalog, ctx)
    file = next(ctx.cache.glob("archives/*/content/train.conll"))
    before = file.stat()
    read(tmp_path / "b.zip", catalog, ctx)
    after = file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert (
        read_raw_corpus(str(tmp_path / "b.zip"), "token", catalog, ctx).refs["train"].startswith(f"{tmp_path}/b.zip!")
    )


def test_one_file_in_an_archive_is_a_split(tmp_path: Path, catalog: Catalog, ctx: LoadContext) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"words.conll": CONLL, "README.txt": b"read me"}))
    (tmp_path / "b.tgz").write_bytes(PACK[".tgz"]({"x/more.conll": CONLL}))
    raw = read_raw_corpus(str(tmp_path / "a.zip"), "token", catalog, ctx)
    assert raw.single_file
    assert raw.refs == {"train": f"{tmp_path}/a.zip!words.conll"}
    named = read_raw_corpus(f"train={tmp_path}/a.zip,test={tmp_path}/b.tgz", "token", catalog, ctx)
    assert named.refs == {"train": f"{tmp_path}/a.zip!words.conll", "test": f"{tmp_path}/b.tgz!x/more.conll"}
    (tmp_path / "c.zip").write_bytes(zipped(CORPUS))
    error = failure_of(f"train={tmp_path}/c.zip", catalog, ctx)
    assert error.message == f"{tmp_path}/c.zip holds several files, and stands for one split: dev.conll, train.conll"


def failure_of(reference: str, catalog: Catalog, ctx: LoadContext) -> LabelkitError:
    with pytest.raises(LabelkitError) as caught:
        read_raw_corpus(reference, "token", catalog, ctx)
    return caught.value


def test_files_of_macos_are_named_and_not_read(tmp_path: Path, catalog: Catalog, ctx: LoadContext) -> None:
    files = {**CORPUS, "__MACOSX/._train.conll": b"\0\5\x16", "._dev.conll": b"\0", ".DS_Store": b"\0\0"}
    (tmp_path / "a.zip").write_bytes(zipped(files))
    for _ in range(2):  # unpacked, and found unpacked
        raw = read_raw_corpus(str(tmp_path / "a.zip"), "token", catalog, replace(ctx, policy=ctx.policy.renewed()))
        assert set(raw.splits) == {"train", "validation"}
        line = f"in {tmp_path}/a.zip files of macOS are not read: __MACOSX/._train.conll, ._dev.conll, .DS_Store"
        assert any(one.startswith(f"{line}: unpack the archive") for one in raw.assumptions)


def test_errors_name_the_member_and_the_line(tmp_path: Path, catalog: Catalog, ctx: LoadContext) -> None:
    path = tmp_path / "corpus.zip"
    path.write_bytes(zipped({"train.conll": b"Ada B-PER\nran\n", "dev.conll": CONLL}))
    error = failure_of(str(path), catalog, ctx)
    assert error.message.startswith(f"{path}!train.conll:2")
    path.write_bytes(zipped({"train.conll": b"", "dev.conll": CONLL}))
    assert failure_of(str(path), catalog, ctx).message.startswith(f"{path}!train.conll is empty")
    path.write_bytes(zipped({"one.conll": b"", "two.conll": CONLL}))
    assert failure_of(str(path), catalog, ctx).message.startswith(f"{path} has no train split, it holds one.conll")
    skipped: list[str] = []
    lenient = replace(ctx.policy, on_bad_record=lambda error: skipped.append(error.message))
    path.write_bytes(zipped({"train.jsonl": b'{"tokens": ["a"], "ner": ["O"]}\nno\n'}))
    resolved = resolve_reference(str(path), "token", catalog, ctx)
    assert len(list(resolved.open("train", replace(ctx, policy=lenient)))) == 1
    assert skipped[0].startswith(f"{path}!train.jsonl:2")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.zip", zipped({"../x.conll": CONLL}), "!../x.conll is an unsafe name"),
        ("a.zip", zipped({"/etc/x.conll": CONLL}), "!/etc/x.conll is an unsafe name"),
        ("a.zip", zipped({"a\\..\\..\\x": CONLL}), "is an unsafe name"),
        ("a.zip", zipped({"C:/x.conll": CONLL}), "!C:/x.conll is an unsafe name"),
        ("a.tar", tarred({"a/../../x": CONLL}), "!a/../../x is an unsafe name"),
        ("a.tar", tarred({"/x": CONLL}), "!/x is an unsafe name"),
        ("a.tar", tarred({"dev.conll": b""}, kind=tarfile.SYMTYPE), "!dev.conll is a link or a device"),
        ("a.tar", tarred({"dev.conll": b""}, kind=tarfile.LNKTYPE), "!dev.conll is a link or a device"),
        ("a.tar", tarred({"pipe": b""}, kind=tarfile.FIFOTYPE), "!pipe is a link or a device"),
        ("a.tar", tarred({"disk": b""}, kind=tarfile.BLKTYPE), "!disk is a link or a device"),
        ("a.zip", zipped({"a/" * 1900 + "x": CONLL}), " holds more than 100 folders in each other"),
        ("a.zip", zipped({}), " holds no files"),
        ("a.zip", CONLL, " is not a zip archive, or broken"),
        ("a.zip", zipped(CORPUS)[:-30], " is not a zip archive, or broken"),
        ("a.tar", CONLL, " is a broken archive: "),
        ("a.tar.gz", CONLL, " is not a gzip file"),
        ("a.tgz", PACK[".tgz"](CORPUS)[:-12], " is a broken gzip file: "),
        ("a.tar.zst", PACK[".tar.zst"](CORPUS)[:-12], " is a broken zstd file: "),
        ("a.tar", tarred(CORPUS)[:520], " is a broken archive: "),
        ("a.tar", tarred({"a": CONLL})[:-9216] + tarred({"a": CONLL}), " holds 'a' twice"),
    ],
)
def test_unsafe_and_broken_archives_leave_nothing(
    name: str, content: bytes, message: str, tmp_path: Path, catalog: Catalog, ctx: LoadContext
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    error = failure(path, catalog, ctx)
    assert error.message.startswith(str(path))
    assert message in error.message


def test_links_and_passwords_in_zip_archives_are_refused(tmp_path: Path, catalog: Catalog, ctx: LoadContext) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("train.conll")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert "!train.conll is a link or a device" in failure(path, catalog, ctx).message
    content = bytearray(zipped(CORPUS))
    for start in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[start] |= 1
    path.write_bytes(content)
    assert "!train.conll is encrypted" in failure(path, catalog, ctx).message


def test_a_damaged_member_of_a_zip_archive_is_refused(tmp_path: Path, catalog: Catalog, ctx: LoadContext) -> None:
    content = bytearray(zipped({"train.conll": bytes(range(256)) * 40}))
    content[60] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(content)
    assert "a.zip is a broken archive: " in failure(tmp_path / "a.zip", catalog, ctx).message


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (DataSettings(max_unpacked=50), "50 bytes"),
        (DataSettings(max_members=1), "1 members"),
        (DataSettings(max_ratio=2), "2 times its own size"),
    ],
)
def test_archives_hold_no_more_than_the_settings_allow(
    suffix: str,
    settings: DataSettings,
    what: str,
    tmp_path: Path,
    catalog: Catalog,
    ctx: LoadContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("labelkit.files.archives._SMALL", 1000)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(PACK[suffix]({**CORPUS, "test.conll": CONLL * 500}))
    error = failure(path, catalog, replace(ctx, settings=settings))
    assert error.message == f"{path} holds more than {what}"
    assert "--set data.max_" in str(error.hint)


def test_a_header_without_end_is_refused(tmp_path: Path, catalog: Catalog, ctx: LoadContext) -> None:
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.XHDTYPE, 1 << 26
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(1 << 26), 1))
    assert "a header in it has no end" in failure(tmp_path / "a.tar.gz", catalog, ctx).message


def test_the_ending_of_an_archive_that_a_format_claims_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "A.TAR.GZ").touch()
    assert is_archive(tmp_path / "A.TAR.GZ")
    assert not is_archive(tmp_path / "folder.zip")
    assert not is_archive(tmp_path / "missing.zip")


def test_the_files_of_an_archive_are_labelled(tmp_path: Path, ctx: LoadContext) -> None:
    path = tmp_path / "texts.zip"
    files = {"a.txt": b"Ada ran\nBob\n", "b/c.jsonl": b'{"text": "Cy"}\nno\n', "picture.png": b"\x89PNG"}
    path.write_bytes(zipped(files))
    inputs = find_inputs([str(path)], {known.name: known for known in FORMATS}, ctx=ctx)
    assert [one.name for one in inputs.files] == [f"{path}!a.txt", f"{path}!b/c.jsonl"]
    assert inputs.skipped == (Path(f"{path}!picture.png"),)
    found = list(read_inputs(inputs, "token", "ner", ctx, strict=False))
    assert isinstance(found[3], FailedRecord)
    assert found[3].message.startswith(f"{path}!b/c.jsonl:2")
    assert [one.extra["file"] for one in found[:3] if not isinstance(one, FailedRecord)] == [
        f"{path}!a.txt", f"{path}!a.txt", f"{path}!b/c.jsonl",
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"texts\.zip!b/c\.jsonl:2"):
        list(read_inputs(inputs, "token", "ner", ctx, strict=True))
