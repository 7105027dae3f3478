"""Leakage between the corpora of a joint run: texts that one task is trained on and another one is tested on."""

from __future__ import annotations

from collections.abc import Mapping

from labelkit.data.corpus import Corpus
from labelkit.data.fingerprints import fingerprints

#: the splits that training and selection use
_FITTED = ("train", "validation")


def joint_leakage_notes(corpora: Mapping[str, Corpus]) -> list[str]:
    """Return a note for each two tasks of which one is tested on texts that the encoder is trained on for the other.

    Tasks whose corpora have the same texts in each split are layers of one corpus, and left out.

    :param corpora: task → its corpus.
    """
    hashes = {
        task: {name: frozenset(fingerprints(split.examples)) for name, split in corpus.splits.items()}
        for task, corpus in corpora.items()
    }
    notes = []
    for task, own in hashes.items():
        for other, theirs in hashes.items():
            test = own.get("test", frozenset())
            found = {name: len(test & theirs[name]) for name in _FITTED if name in theirs}
            if own != theirs and any(found.values()):
                parts = " and ".join(f"{count:,} in {name}" for name, count in found.items() if count)
                notes.append(
                    f"of the {len(test):,} different texts in test of '{task}', '{other}' has {parts}: "
                    "scores on them are not test scores"
                )
    return notes
