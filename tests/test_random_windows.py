"""One random window of each text and epoch: never longer than asked for, anew each epoch, the same when resumed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labelkit.config.plan import Request, make_plan
from labelkit.encode.alignment import Encoding
from labelkit.encode.cache import LabelTarget, WindowStore, cached_windows
from labelkit.encode.pairs import NO_PAIR
from labelkit.errors import PlanError
from labelkit.models.tiny_tokenizers import BERT, make
from labelkit.plugins.catalog import Catalog
from labelkit.records import Example, Schema
from labelkit.train.sampling import TokenBatchSampler, TrainSampler
from labelkit.train.training_windows import RandomTextWindows

SCHEMA = Schema(name="x", kind="text", labels=("bad", "good"))
#: a short text, one of a window, and one of several
TEXTS = ("good", " ".join("abcdefgh"), " ".join("abcdefghijklmnopqrstuvwxyz" * 3))


@pytest.fixture(scope="module")
def encoding() -> Encoding:
    return Encoding.of(make("wordpiece", BERT), 32, 8)


@pytest.fixture(scope="module")
def store(encoding: Encoding, tmp_path_factory: pytest.TempPathFactory) -> WindowStore:
    return stored(encoding, tmp_path_factory.mktemp("cache"))


def stored(encoding: Encoding, cache: Path, **fields: Any) -> WindowStore:
    examples = [Example(id=str(n), text=text, labels={"x": "good"}, **fields) for n, text in enumerate(TEXTS)]
    return cached_windows(examples, f"of the test {fields}", encoding, LabelTarget("x", SCHEMA, False), cache)


def contents(windows: RandomTextWindows, epoch: int) -> list[list[int]]:
    return [windows[epoch * len(windows) + text]["input_ids"].tolist() for text in range(len(windows))]


def test_each_text_has_one_window_an_epoch_within_the_length(store: WindowStore, encoding: Encoding) -> None:
    windows = RandomTextWindows(store, encoding, 16, seed=1)
    assert (len(windows), len(store)) == (3, 6)
    assert windows.mean_weight == 1.0
    whole = [store[number].ids.tolist() for number in range(len(store))]
    for epoch in range(8):
        for length, ids, text in zip(windows.lengths(), contents(windows, epoch), range(3), strict=True):
            assert len(ids) <= min(length, 16)
            assert (ids[0], ids[-1]) == (whole[0][0], whole[0][-1])
            inner = ids[1:-1]
            assert any(
                one[start : start + len(inner)] == inner
                for number, one in enumerate(whole)
                if store[number].example == text
                for start in range(len(one))
            )
    assert contents(windows, 0)[0] == whole[0]


def test_places_follow_from_seed_and_epoch_and_reach_the_whole_text(store: WindowStore, encoding: Encoding) -> None:
    windows = RandomTextWindows(store, encoding, 16, seed=1)
    assert contents(windows, 3) == contents(RandomTextWindows(store, encoding, 16, seed=1), 3)
    assert contents(windows, 3)[2] != contents(windows, 4)[2]
    assert contents(windows, 3)[2] != contents(RandomTextWindows(store, encoding, 16, seed=2), 3)[2]
    seen = Counter(one for epoch in range(60) for one in contents(windows, epoch)[2])
    assert set(seen) == {one for number in range(2, len(store)) for one in store[number].ids.tolist()}


def test_windows_of_a_pair_stay_whole(encoding: Encoding, tmp_path: Path) -> None:
    pairs = stored(encoding, tmp_path, pair="a second text of some words")
    windows = RandomTextWindows(pairs, encoding, 16, seed=1)
    whole = [pairs[number].ids.tolist() for number in range(len(pairs))]
    assert all(pairs[number].second != NO_PAIR for number in range(len(pairs)))
    assert all(ids in whole for ids in contents(windows, 2))
    assert max(windows.lengths()) == max(map(len, whole))


@pytest.mark.parametrize("epoch", [0, 3])
def test_samplers_tell_the_epoch_by_the_numbers_of_windows(epoch: int) -> None:
    lengths = [3, 9, 4, 1, 5]
    batches = TokenBatchSampler(lengths, 10, 7, mark_epochs=True)
    single = TrainSampler(lengths, 2, 7, by_length=True, mark_epochs=True)
    batches.set_epoch(epoch)
    single.set_epoch(epoch)
    expected = set(range(5 * epoch, 5 * epoch + 5))
    assert {one for batch in batches for one in batch} == set(single) == expected
    plain = TokenBatchSampler(lengths, 10, 7)
    plain.set_epoch(epoch)
    assert [[one % 5 for one in batch] for batch in batches] == list(plain)


def test_words_have_no_random_windows() -> None:
    with pytest.raises(PlanError, match=r"train\.random_window is for texts, this task labels words"):
        make_plan(Request(task="ner", sets=("train.random_window=64",)), Catalog.load())
    with pytest.raises(PlanError, match=r"invalid train\.random_window: 8"):
        make_plan(Request(task="textcls", sets=("train.random_window=8",)), Catalog.load())
