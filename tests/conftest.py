"""What several test files share: a tiny encoder, a small corpus, and one run trained on it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

import labelkit
from labelkit.events import Event

NAMES = ("Ada Lovelace", "Bob", "Cleo", "Marie Curie", "Tim")
TOWNS = ("Rome", "New York", "Lima", "Paris")
PATTERNS = ("{name} lives in {town} .", "{name} met {name} .", "It rained in {town} all day .", "Nothing happened .")
SIZES = {"train": 48, "dev": 12, "test": 12}


def a_sentence(random: Random) -> list[tuple[str, str]]:
    """Return the words of a random sentence with their tags."""
    pairs: list[tuple[str, str]] = []
    for part in random.choice(PATTERNS).split():
        values, type_ = {"{name}": (NAMES, "PER"), "{town}": (TOWNS, "LOC")}.get(part, ((part,), ""))
        words = random.choice(values).split()
        tags = [f"{'I' if index else 'B'}-{type_}" if type_ else "O" for index in range(len(words))]
        pairs.extend(zip(words, tags, strict=True))
    return pairs


def as_conll(sentences: list[list[tuple[str, str]]]) -> str:
    return "".join("".join(f"{word} {tag}\n" for word, tag in sentence) + "\n" for sentence in sentences)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny random BERT that reads 128 sub-tokens; torch gets one thread."""
    import torch

    from labelkit.encode.tiny import make_tiny

    torch.set_num_threads(1)
    return make_tiny("bert", tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small CoNLL corpus: train, dev and test, types PER and LOC."""
    folder = tmp_path_factory.mktemp("corpus")
    random = Random(0)
    for split, size in SIZES.items():
        sentences = [a_sentence(random) for _ in range(size)]
        (folder / f"{split}.conll").write_text(as_conll(sentences), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the LABELKIT_HOME of :func:`trained`; whoever writes there takes a copy."""
    return tmp_path_factory.mktemp("shared") / "home"


@pytest.fixture(scope="session")
def heard() -> list[Event]:
    """Return the events of :func:`trained`."""
    return []


@pytest.fixture(scope="session")
def trained(tiny: Path, corpus: Path, home: Path, heard: list[Event]) -> labelkit.RunResult:
    """Return a run of six epochs on :func:`corpus`, called ``shared``."""
    return labelkit.run(
        "ner",
        data=str(corpus),
        model=str(tiny),
        name="shared",
        epochs=6,
        lr=1e-2,
        settings={"train.precision": "fp32"},
        home=home,
        listeners=[heard.append],
    )
