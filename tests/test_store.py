"""The cache of windows: equal to direct encoding, keyed by all that decides it, rebuilt when it is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from labelkit.encode import cache as store
from labelkit.encode.alignment import Encoding, align_labels, encode, surfaces_of
from labelkit.encode.cache import LabelTarget, WindowStore, cached_windows, total_coverage
from labelkit.errors import StorageError
from labelkit.models.tokenizer import load_tokenizer
from labelkit.records import Coverage, Example, Schema

SCHEMA = Schema.bio("ner", "PER", "LOC")
TARGET = LabelTarget("ner", SCHEMA, label_all_tokens=False)


@pytest.fixture(scope="module")
def encoding(tiny: Path) -> Encoding:
    return Encoding.of(load_tokenizer(tiny), 20, 6)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BLOCK", 3)


def examples(count: int = 8) -> list[Example]:
    """Return sentences of 0 to 5 × 7 words; some words have no sub-token, one has too many."""
    made = []
    for number in range(count):
        words = ("Ada", "Lovelace", "lives", "\ufe0f", "in", "Rome", ".") * (number % 6)
        words = (*words, "x" * 90) if number == 4 else words
        labels = tuple("B-PER" if word == "Ada" else "I-PER" if word == "Lovelace" else "O" for word in words)
        made.append(Example(id=str(number), words=words, labels={"ner": labels}))
    return made


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "encoded").iterdir())


def same(found: WindowStore, wanted: Sequence[Any]) -> bool:
    """Return whether the windows are the same, in order."""

    def plain(window: Any) -> tuple[Any, ...]:
        return window.ids.tolist(), window.words.tolist(), window.example, window.weight

    return [plain(window) for window in found] == [plain(window) for window in wanted]


@pytest.mark.parametrize("every", [False, True])
def test_what_is_read_back_equals_direct_encoding(encoding: Encoding, tmp_path: Path, every: bool) -> None:
    data, target = examples(), LabelTarget("ner", SCHEMA, label_all_tokens=every)
    direct = encode(encoding, surfaces_of(data))
    label_ids = [[SCHEMA.label_names.index(label) for label in example.labels["ner"]] for example in data]
    assert len(direct.windows) > len(data)
    for _ in ("written", "from the cache"):
        found = cached_windows(data, "hash", encoding, target, tmp_path)
        assert len(found) == len(direct.windows)
        assert same(found, direct.windows)
        assert found.lengths() == [len(window.ids) for window in direct.windows]
        for index, window in enumerate(direct.windows):
            expected = align_labels(window, label_ids[window.example], label_all_tokens=every)
            assert found.labels(index).tolist() == expected.tolist()
        assert same(WindowStoreSlice(found, slice(2, 9)), direct.windows[2:9])
        assert found[-1].ids.tolist() == direct.windows[-1].ids.tolist()
        with pytest.raises(IndexError):
            found[len(found)]


def WindowStoreSlice(found: WindowStore, where: slice) -> Any:  # noqa: N802 - reads as what it gives
    return found[where]


def test_coverage_is_the_total_of_all_blocks(encoding: Encoding, tmp_path: Path) -> None:
    data = examples()
    found = cached_windows(data, "hash", encoding, TARGET, tmp_path).coverage
    words = [word for example in data for word in example.words or ()]
    assert found.words == len(words)
    assert found.no_subtokens == words.count("\ufe0f") > 0
    assert found.too_long == 1
    assert found.fallback == found.no_subtokens + found.too_long
    assert found.windows == len(cached_windows(data, "hash", encoding, TARGET, tmp_path))
    assert found == total_coverage(encode(encoding, surfaces_of(data)).coverage)


def test_the_total_of_coverages_adds_every_figure() -> None:
    one, other = Coverage(words=5, windows=2, fallback=3, no_subtokens=2, too_long=1), Coverage(words=1, windows=1)
    assert total_coverage([one, other]) == Coverage(words=6, windows=3, fallback=3, no_subtokens=2, too_long=1)
    assert total_coverage([]) == Coverage(words=0, windows=0)
    assert asdict(total_coverage([one])) == asdict(one)


def test_the_same_question_is_answered_without_encoding_again(
    encoding: Encoding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached_windows(examples(), "hash", encoding, TARGET, tmp_path)
    before = files(tmp_path)
    monkeypatch.setattr(store, "write_windows", None)
    cached_windows(examples(), "hash", encoding, TARGET, tmp_path)
    assert files(tmp_path) == before


def test_whatever_decides_the_windows_has_a_file_of_its_own(encoding: Encoding, tiny: Path, tmp_path: Path) -> None:
    other_tokenizer = load_tokenizer(tiny)
    other_tokenizer.add_tokens(["lovelace"])  # type: ignore[no-untyped-call,unused-ignore]
    questions: list[tuple[str, Encoding, LabelTarget, list[str]]] = [
        ("hash", encoding, TARGET, []),
        ("other content", encoding, TARGET, []),
        ("hash", Encoding.of(other_tokenizer, 20, 6), TARGET, []),
        ("hash", Encoding.of(load_tokenizer(tiny), 21, 6), TARGET, []),
        ("hash", Encoding.of(load_tokenizer(tiny), 20, 5), TARGET, []),
        ("hash", encoding, replace(TARGET, label_all_tokens=True), []),
        ("hash", encoding, replace(TARGET, schema=Schema.bio("ner", "PER", "LOC", "ORG")), []),
        ("hash", encoding, replace(TARGET, schema=Schema.bio("ner", "LOC", "PER")), []),
        ("hash", encoding, TARGET, ["lowercase 1"]),
        ("hash", encoding, TARGET, ["lowercase 2"]),
    ]
    for count, (content, encoded, target, preprocessing) in enumerate(questions, 1):
        cached_windows(examples(), content, encoded, target, tmp_path, preprocessing=preprocessing)
        assert len(files(tmp_path)) == count


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 100, 0.5, -1, -200])
def test_a_damaged_file_is_made_again(encoding: Encoding, tmp_path: Path, kept: float) -> None:
    data = examples()
    cached_windows(data, "hash", encoding, TARGET, tmp_path)
    (name,) = files(tmp_path)
    path = tmp_path / "encoded" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    found = cached_windows(data, "hash", encoding, TARGET, tmp_path)
    assert same(found, encode(encoding, surfaces_of(data)).windows)
    assert path.read_bytes() == whole
    assert files(tmp_path) == [name]


def test_other_files_in_its_place_are_replaced(encoding: Encoding, tmp_path: Path) -> None:
    cached_windows(examples(), "hash", encoding, TARGET, tmp_path)
    (name,) = files(tmp_path)
    (tmp_path / "encoded" / name).write_text("something else")
    assert len(cached_windows(examples(), "hash", encoding, TARGET, tmp_path)) > 8


def test_a_failure_while_encoding_leaves_no_file(encoding: Encoding, tmp_path: Path) -> None:
    data = [*examples(), Example(id="9", words=("x",), labels={"ner": ("B-ORG",)})]
    with pytest.raises(KeyError):
        cached_windows(data, "hash", encoding, TARGET, tmp_path)
    assert files(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_told(encoding: Encoding, tmp_path: Path) -> None:
    (tmp_path / "encoded").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        cached_windows(examples(), "hash", encoding, TARGET, tmp_path)
    assert caught.value.hint


def test_examples_without_any_sub_token_have_no_windows(encoding: Encoding, tmp_path: Path) -> None:
    data = [Example(id="1", words=("\ufe0f",), labels={"ner": ("O",)}), Example(id="2", words=(), labels={"ner": ()})]
    found = cached_windows(data, "hash", encoding, TARGET, tmp_path)
    assert (list(found), found.lengths()) == ([], [])
    assert found.coverage == Coverage(words=1, windows=0, fallback=1, no_subtokens=1)
