"""The records of the splits that a run reads: of its corpus, or of those of several tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from labelkit.data.corpus import Corpus, Split
from labelkit.registry import SplitRecord


def split_records(corpora: Mapping[str, Corpus], teacher_text: Split | None = None) -> tuple[SplitRecord, ...]:
    """Return the records of the splits of a run.

    Of several tasks a split ``validation`` stands for all of them, with a content hash of their content hashes, so that
    runs are compared where all are the same; ``TASK.validation`` is that of one.

    :param corpora: task → its corpus.
    :param teacher_text: text without gold labels that is learned, too.
    """
    if len(corpora) == 1:
        (corpus,) = corpora.values()
        splits = (*corpus.splits.values(), *((teacher_text,) if teacher_text else ()))
        return tuple(_record(split.name, [split], split.content_hash) for split in splits)
    together: list[SplitRecord] = []
    for name in dict.fromkeys(name for corpus in corpora.values() for name in corpus.splits):
        found = {task: corpus.splits[name] for task, corpus in corpora.items() if name in corpus.splits}
        hashes = json.dumps(
            {task: split.content_hash for task, split in found.items()}, sort_keys=True, allow_nan=False
        )
        together.append(_record(name, list(found.values()), hashlib.sha256(hashes.encode()).hexdigest()))
    single = [
        _record(f"{task}.{split.name}", [split], split.content_hash)
        for task, corpus in corpora.items()
        for split in corpus.splits.values()
    ]
    return (*together, *single)


def _record(name: str, splits: Sequence[Split], content_hash: str) -> SplitRecord:
    """Return the record of the splits of one name; the same examples count once."""
    sizes = {(split.ref, len(split.examples)): (len(split.examples), split.words) for split in splits}
    return SplitRecord(
        split=name,
        ref=",".join(dict.fromkeys(split.ref for split in splits)),
        content_hash=content_hash,
        examples=sum(examples for examples, _ in sizes.values()),
        words=sum(words for _, words in sizes.values()),
        carved=any(split.held_out for split in splits),
    )
