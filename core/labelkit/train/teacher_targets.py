"""The probabilities that teachers give the labels of train: computed once, and kept in the cache of the home.

A teacher may have another tokenizer than the run that learns from it: what is learned is its probabilities of the
labels of each word, or of each text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelkit.config.plan import Plan
from labelkit.data.corpus import Corpus, Split
from labelkit.encode.alignment import Window, encode, encode_texts, surfaces_of, texts_of
from labelkit.events import Event, Stage, StageAdvanced
from labelkit.files.atomic import new_file
from labelkit.inference.engine import Engine
from labelkit.inference.prediction import score_windows
from labelkit.inference.torch_engine import load_torch_engine
from labelkit.models.checkpoint import FirstTask
from labelkit.models.checkpoint_files import sha256_of, weights_of
from labelkit.models.heads import LINEAR
from labelkit.records import Example
from labelkit.registry.checkpoint_folders import ResolvedCheckpoint
from labelkit.registry.home import Home

#: examples that are scored at once, so that memory stays flat; and the version of what the cache holds
_BLOCK, _VERSION = 2048, 1
Probabilities = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class TeacherTargets:
    """What teachers say of train.

    :param probabilities: of the labels of each word, or text, float16 of shape (labels of all examples, labels).
    :param starts: the position of the first word of each example, int64 of shape (examples,).
    :param weight: the share of what is learned from them in the loss.
    """

    probabilities: Probabilities
    starts: NDArray[np.int64]
    weight: float

    def of_window(self, window: Window, *, text: bool) -> NDArray[np.float32]:
        """Return the probabilities for the words that begin in a window, or for its text, of shape (words, labels)."""
        rows = np.zeros(1, np.int64) if text else window.words[window.first]
        found: NDArray[np.float32] = self.probabilities[self.starts[window.example] + rows].astype(np.float32)
        return found


def teacher_targets(
    run: str,
    plan: Plan,
    corpus: Corpus,
    learned: Split,
    teachers: Sequence[ResolvedCheckpoint],
    home: Home,
    emit: Callable[[Event], object],
) -> TeacherTargets | None:
    """Return the mean probabilities of the teachers of a plan for what is learned; None where it has none.

    :param learned: train, and the text for teachers.
    :raises LabelkitError: the model of a teacher cannot be loaded.
    """
    if not teachers:
        return None
    lengths = [1 if corpus.kind == "text" else len(example.words or ()) for example in learned.examples]
    path = home.cache / "teacher" / f"{_cache_key(teachers, plan, corpus, learned)}.npy"
    probabilities = _read(path, sum(lengths), len(corpus.schema.label_names))
    if probabilities is None:
        each = (_probabilities(run, one, plan, corpus, learned.examples, emit) for one in teachers)
        total = np.zeros((sum(lengths), len(corpus.schema.label_names)), np.float32)
        for one in each:
            total += one
        probabilities = (total / len(teachers)).astype(np.float16)
        with new_file(path) as beside, beside.open("wb") as file:
            np.save(file, probabilities, allow_pickle=False)
    return TeacherTargets(probabilities, np.cumsum([0, *lengths[:-1]], dtype=np.int64), plan.train.teacher_weight)


def _cache_key(teachers: Sequence[ResolvedCheckpoint], plan: Plan, corpus: Corpus, learned: Split) -> str:
    parts = {
        "version": _VERSION,
        "content": learned.content_hash,
        "teachers": [sha256_of(*weights_of(one.folder)) for one in teachers],
        "task": plan.task.name,
        "labels": corpus.schema.label_names,
        "preprocessing": [f"{item.name} {item.version}" for item in plan.preprocessors],
        "settings": plan.part_settings,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, allow_nan=False, default=list).encode()).hexdigest()


def _read(path: Path, rows: int, labels: int) -> Probabilities | None:
    """Return what the cache holds; None where it is missing or damaged."""
    try:
        found: Probabilities = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return found if found.shape == (rows, labels) and found.dtype == np.float16 else None


def _probabilities(
    run: str,
    teacher: ResolvedCheckpoint,
    plan: Plan,
    corpus: Corpus,
    examples: Sequence[Example],
    emit: Callable[[Event], object],
) -> NDArray[np.float32]:
    """Return the probabilities of one teacher, with the labels in the order of the data."""
    whole = teacher.info
    info = whole.of_tasks.get(plan.task.name, whole)
    first = None if info.task == whole.task else FirstTask(whole, LINEAR)
    engine = load_torch_engine(teacher.folder, info, LINEAR, "fp32", plan.context, first=first)
    order = [info.schema.label_names.index(label) for label in corpus.schema.label_names]
    stage = {"run": run, "name": "asking", "detail": f"the teacher {teacher.reference}"}
    emit(Stage(**stage))
    blocks = []
    for start in range(0, len(examples), _BLOCK):
        scores = _scores(engine, examples[start : start + _BLOCK], corpus)
        blocks.append(np.exp(scores[:, order]))
        emit(StageAdvanced(**stage, done=min(start + _BLOCK, len(examples)), total=len(examples)))
    return np.concatenate(blocks)


def _scores(engine: Engine, examples: Sequence[Example], corpus: Corpus) -> NDArray[np.float32]:
    """Return the log-probabilities of the labels of each word, or text."""
    if corpus.kind == "text":
        encoded = encode_texts(engine.encoding, texts_of(examples))
        lengths = np.ones(len(examples), np.int64)
    else:
        encoded = encode(engine.encoding, surfaces_of(examples))
        lengths = np.array([len(example.words or ()) for example in examples], np.int64)
    return score_windows(engine, encoded.windows, lengths, engine.head.context.schema).values
