from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelkit.errors import DataError
from labelkit.files.reading import corpus_folder, read_lines


def lines(path: Path, encoding: str = "utf-8") -> list[str]:
    return [line for _, line in read_lines(path, encoding)]


def failure(path: Path, encoding: str = "utf-8") -> DataError:
    with pytest.raises(DataError) as caught:
        lines(path, encoding)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"a\n\n\nb", ["a", "", "", "b"]),
        ("a\u2028b\u0085c\x0bd\x0ce\x1cf\rg\n".encode(), ["a\u2028b\u0085c\x0bd\x0ce\x1cf\rg"]),
    ],
)
def test_only_newlines_end_lines(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert lines(path) == expected
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(content))
    assert lines(packed) == expected


def test_numbers_count_from_one_and_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "unnamed"
    path.write_bytes(gzip.compress(b"a\nb\n"))
    assert list(read_lines(path, "utf-8")) == [(1, "a"), (2, "b")]


@given(words=st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    path = tmp_path_factory.mktemp("files") / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "".join(f"{word}\r\n" for word in words).encode())
    assert lines(path) == words


@pytest.mark.parametrize(
    ("content", "encoding"), [("é\n", "latin-1"), ("日本\n", "utf-16"), ("é\n", "cp1252"), ("é\n", "UTF8")]
)
def test_other_encodings(tmp_path: Path, content: str, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content.encode(encoding))
    assert lines(path, encoding) == [content.strip()]


@pytest.mark.parametrize("before", [0, 1, 5000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_undecodable_names_line_and_byte_offset(tmp_path: Path, before: int, mark: bytes) -> None:
    path = tmp_path / "a.txt"
    content = mark + b"x\n" * (before // 2) + b"x" * (before % 2)
    path.write_bytes(content + b"\xe9\n")
    error = failure(path)
    line = before // 2 + 1
    assert error.message == f"{path}:{line}: not UTF-8 at byte offset {len(content)} (0xe9)"
    assert error.hint is not None
    assert error.hint.startswith("give the right encoding with --encoding NAME: the word here is '")
    assert "é' in cp1252, '" in error.hint
    assert "й' in cp1251" in error.hint


def test_undecodable_offset_is_that_of_the_unpacked_content(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"ab\n" * 1000 + b"\xff"))
    assert failure(path).message == f"{path}:1001: not UTF-8 at byte offset 3000 (0xff)"


def test_undecodable_in_a_character_cut_by_a_chunk_or_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * ((1 << 20) - 1) + b"\xe6\x97x")
    assert f"offset {(1 << 20) - 1} (0xe6)" in failure(path).message
    path.write_bytes(b"ab\n\xe6\x97")
    assert failure(path).message == f"{path}:2: not UTF-8 at byte offset 3 (0xe6)"


def test_missing_folder_and_forbidden(tmp_path: Path) -> None:
    assert failure(tmp_path / "none.txt").message == f"{tmp_path}/none.txt does not exist"
    assert failure(tmp_path).message == f"{tmp_path} is a folder, a file is needed"


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_told_of_as_such(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_bytes("\ufeffa\n".encode(name))
    error = failure(path)
    assert f"{path}:1: not UTF-8 at byte offset 0" in error.message
    assert "--encoding utf-16" in str(error.hint)
    assert lines(path, "utf-16") == ["a"]


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_told_of_as_such(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_bytes("Zürich\tO\n".encode(name))
    assert f"as in {name.upper()} without a byte order mark" in failure(path).message
    assert f"--encoding {name}" in str(failure(path).hint)
    assert lines(path, name) == ["Zürich\tO"]
    path.write_bytes(b"a\0b\n")  # zeros alone say nothing
    assert lines(path) == ["a\0b"]


@pytest.mark.parametrize("encoding", ["utf-99", "hex", "rot13", "", "a\0b"])
def test_unknown_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a")
    assert failure(path, encoding).message == f"unknown encoding '{encoding}'"


def test_broken_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(b"word O\n" * 1000)
    path = tmp_path / "a.conll.gz"
    for content in (whole[:-20], whole[:-12] + b"\0" * 12, whole[:30] + b"\xff" * 8 + whole[38:]):
        path.write_bytes(content)
        assert failure(path).message.startswith(f"{path} is a broken gzip file: ")
    for content in (b"word O\n", b""):
        path.write_bytes(content)
        assert failure(path).message == f"{path} is not a gzip file"


def test_corpus_folder(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    assert corpus_folder("pets", None, tmp_path) == tmp_path / "pets"
    assert corpus_folder("pets", tmp_path, None) == tmp_path
    for path, root, expected in [
        (tmp_path / "none", tmp_path, f"{tmp_path}/none does not exist"),
        (None, tmp_path / "none", f"{tmp_path}/none/pets does not exist"),
        (None, None, "'pets' needs its files, and no folder of corpora is set"),
    ]:
        with pytest.raises(DataError) as caught:
            corpus_folder("pets", path, root)
        assert caught.value.message == expected
        assert str(caught.value.hint).endswith("--set data.path=PATH")  # --data PATH would leave the source out
