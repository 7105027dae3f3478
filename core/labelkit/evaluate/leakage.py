"""Whether training or selection saw what a run is scored on: decided sentence by sentence, by hashes of the words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labelkit.evaluate.recorded_data import recorded_hashes
from labelkit.records import Example

if TYPE_CHECKING:
    from labelkit.data.corpus import Corpus
    from labelkit.data.gold import Gold
    from labelkit.registry import RunDetails

#: the splits that training and selection look at
FITTED_SPLITS = ("train", "validation")


@dataclass(frozen=True, kw_only=True, slots=True)
class Leakage:
    """What a run knew of the data that it is scored on.

    :param examples: sentences (or texts) scored.
    :param shared: split of the run → how many of them it has, too; with those of the runs that its encoder came from.
    :param either: how many of them any of those splits has.
    :param own_test: the data is the run's own test split.
    :param unknown: why none of this is known; else empty.
    :param by: who saw them, in words.
    """

    examples: int
    shared: Mapping[str, int] = field(default_factory=dict)
    either: int = 0
    own_test: bool = False
    unknown: str = ""
    by: str = "the run"

    @property
    def test_score(self) -> bool | None:
        """Whether the scores count as test scores of the run; None where nobody knows.

        They do when no sentence was seen. A run's own test split stays its test while most of it is new: corpora repeat
        some short sentences in all splits.
        """
        if self.unknown:
            return None
        return self.either * 2 < self.examples if self.own_test and self.examples else not self.either

    @property
    def told(self) -> str:
        """The same in words."""
        if self.unknown:
            return f"whether this is a test score is not known: {self.unknown}"
        if not self.either:
            return f"a test score: none of {self.examples:,} examples was seen by {self.by}"
        parts = " and ".join(f"{number:,} in {split}" for split, number in self.shared.items() if number)
        many = f"{self.either:,} of {self.examples:,} examples were seen by {self.by}: {parts}"
        if self.test_score:
            return f"a test score: {many}; it is its own test split all the same"
        return f"not a test score: {many}"


def count_overlap(gold: Gold, details: RunDetails, corpora: Sequence[Corpus]) -> Leakage:
    """Return what a run saw of gold data.

    :param corpora: the run's own data first, then that of the runs that its encoder came from.
    """
    wanted = fingerprints(gold.examples)
    known: dict[str, set[bytes]] = {}
    for split, corpus in ((split, corpus) for split in FITTED_SPLITS for corpus in corpora if split in corpus.splits):
        known.setdefault(split, set()).update(fingerprints(corpus.splits[split].examples))
    return Leakage(
        examples=len(wanted),
        shared={split: sum(one in prints for one in wanted) for split, prints in known.items()},
        either=sum(any(one in prints for prints in known.values()) for one in wanted),
        own_test=gold.content_hash in recorded_hashes(details, "test"),
        by="the run" if len(corpora) == 1 else "the run, or one that its encoder came from",
    )


def fingerprints(examples: Iterable[Example]) -> Sequence[bytes]:
    """Return a hash of the words (or the text) of each example; labels play no part."""
    return [_fingerprint(example) for example in examples]


def _fingerprint(example: Example) -> bytes:
    content = json.dumps(example.text if example.words is None else example.words, ensure_ascii=False)
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()
