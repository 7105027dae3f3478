"""Near-duplicates: the join finds what comparing every text with every other one finds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from labelkit.checks import similar
from labelkit.checks.duplicates import duplicates, index_duplicates, near_duplicates
from labelkit.records import Example


def grams(words: Sequence[str]) -> frozenset[tuple[str, ...]]:
    if len(words) < 5:
        return frozenset([tuple(words)] if words else [])
    return frozenset(tuple(words[at : at + 5]) for at in range(len(words) - 4))


def alike(first: Sequence[str], second: Sequence[str]) -> bool:
    one, other = grams(first), grams(second)
    return bool(one) and bool(other) and 5 * len(one & other) >= 4 * len(one | other)


def brute_force(splits: Sequence[Sequence[Sequence[str]]]) -> set[tuple[int, int]]:
    """Return each text with the number of each split in which an earlier text is like it."""
    texts = [(number, text) for number, split in enumerate(splits) for text in split]
    return {
        (later, number)
        for later, (_, text) in enumerate(texts)
        for number, earlier in texts[:later]
        if alike(text, earlier)
    }


def joined(splits: Sequence[Sequence[Sequence[str]]]) -> set[tuple[int, int]]:
    starts = [0, *accumulate(len(split) for split in splits)]
    matches = list(similar.similar_pairs((text for split in splits for text in split), starts))
    texts = [text for split in splits for text in split]
    for match in matches:
        one, other = grams(texts[match.text]), grams(texts[match.earlier])
        assert match.similarity == len(one & other) / len(one | other)
        assert starts[match.split] <= match.earlier < min(match.text, starts[match.split + 1])
    found = [(match.text, match.split) for match in matches]
    assert len(found) == len(set(found))
    return set(found)


#: few words, so that grams are shared; few letters, so that texts repeat themselves
texts = st.lists(st.sampled_from("ab"), max_size=14)
corpora = st.lists(st.lists(texts, max_size=8), min_size=1, max_size=3)


@given(corpora)
@example([[["a"] * 5, ["a"] * 9], [["a"] * 4]])
@example([[[], [], ["a"]], [["a"], []]])
def test_texts_that_are_like_an_earlier_one_are_those_of_brute_force(splits: list[list[list[str]]]) -> None:
    assert joined(splits) == brute_force(splits)


@given(st.integers(0, 2**32), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_changed_copies_of_long_texts_are_found_as_by_brute_force(seed: int, count: int) -> None:
    random = Random(seed)
    words = [f"w{number}" for number in range(40)]
    originals = [random.choices(words, k=random.randint(3, 60)) for _ in range(6)]
    splits: list[list[list[str]]] = [[] for _ in range(count)]
    for _ in range(20):
        copy = list(random.choice(originals))
        for _ in range(random.randint(0, 3)):
            at = random.randrange(len(copy))
            copy[at : at + random.randint(0, 1)] = random.choices(words, k=random.randint(0, 2))
            copy = copy or ["w0"]
        random.choice(splits).append(copy)

    assert joined(splits) == brute_force(splits)


def test_texts_are_hashed_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(1)
    split = [random.choices("abc", k=random.randint(0, 30)) for _ in range(60)]
    monkeypatch.setattr(similar, "_BLOCK", 7)

    assert joined([split[:30], split[30:]]) == brute_force([split[:30], split[30:]])


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        # 90 grams each; a word in the middle changes five of them: 85 of 95
        (1, True),
        # 80 of 100: exactly 0.8
        (2, True),
        # 75 of 105
        (3, False),
    ],
)
def test_the_border_of_four_fifths_is_drawn_exactly(changed: int, found: bool) -> None:
    text = [f"w{number}" for number in range(94)]
    other = list(text)
    for number in range(changed):
        other[20 * (number + 1)] = f"x{number}"

    assert joined([[text, other]]) == ({(1, 0)} if found else set())


def test_a_text_of_fewer_than_five_words_is_compared_as_a_whole() -> None:
    split = [["a", "b"], ["a", "b"], ["a"], ["a", "b", "c"], ["a", "b", "c", "d", "e"]]

    assert joined([split]) == {(1, 0)}


def test_many_texts_that_are_all_alike_do_not_take_forever() -> None:
    """Comparing each with each would be 200 million comparisons."""
    body = [f"w{number}" for number in range(60)]
    split = [[*body[:30], f"x{number}", *body[30:]] for number in range(20_000)]

    found = sum(1 for _ in similar.similar_pairs(iter(split), [0, len(split)]))

    assert found == len(split) - 1


@given(corpora)
def test_what_is_the_same_is_no_near_duplicate(splits: list[list[list[str]]]) -> None:
    named = {
        f"s{number}": [Example(id=str(at), words=tuple(words)) for at, words in enumerate(split)]
        for number, split in enumerate(splits)
    }
    index = index_duplicates(named)
    flat = [(number, words) for number, split in enumerate(splits) for words in split]
    same = {
        (later, number)
        for later, (_, words) in enumerate(flat)
        for number, earlier in flat[:later]
        if words and words == earlier
    }

    counted = sum(finding.count for finding in duplicates(index, 3))
    near = sum(finding.count for finding in near_duplicates(index, 3))

    assert counted == len(same)
    assert near == len(brute_force(splits) - same)
