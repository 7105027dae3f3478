"""Every reader is given a file of every other format, by name and by content: right data, or one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelkit.data.convert import to_labelled
from labelkit.data.layer_schema import check_examples
from labelkit.errors import LabelkitError
from labelkit.files.output import new_output
from labelkit.formats.builtin import FORMATS
from labelkit.formats.recognition import reader_for
from labelkit.labels.notation import as_iob2
from labelkit.records import Example, Format, Kind, LoadContext, ReadingPolicy

KNOWN = {known.name: known for known in FORMATS}
READERS = sorted(name for name, known in KNOWN.items() if known.read)
WRITTEN = sorted(name for name, known in KNOWN.items() if known.read and known.write)
GOLD: dict[Kind, list[Example]] = {
    "token": [
        Example(id="1", words=("Ada", "lives", "in", "Rome"), labels={"ner": ("B-PER", "O", "O", "B-LOC")}),
        Example(id="2", words=("Marie", "Curie", "ran"), labels={"ner": ("B-PER", "I-PER", "O")}),
        Example(id="3", words=("It", "rained", "all", "day"), labels={"ner": ("O", "O", "O", "O")}),
    ],
    "text": [
        Example(id="1", text="It was good, very good.", labels={"label": "positive"}),
        Example(id="2", text="It was bad.", labels={"label": "negative"}),
        Example(id="3", text="Good. I liked it.", labels={"label": "positive"}),
    ],
}


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Kind], Path]:
    """Return a file with the gold examples in each format that writes them."""
    folder = tmp_path_factory.mktemp("golden")
    found: dict[tuple[str, Kind], Path] = {}
    for name in WRITTEN:
        known = KNOWN[name]
        for kind in known.kinds:
            assert known.write is not None
            path = folder / name / kind / f"a{(*known.suffixes, '.json')[0]}"
            path.parent.mkdir(parents=True)
            with new_output(path, force=False) as output:
                known.write(map(to_labelled, GOLD[kind]), output)
            found[name, kind] = path
    return found


def read(chosen: Format, path: Path, kind: Kind, policy: ReadingPolicy) -> list[Example]:
    assert chosen.read is not None
    layer = "ner" if kind == "token" else "label"
    found = list(chosen.read(path, LoadContext(kind=kind, layer=layer, policy=policy)))
    check_examples("train", found, layer, kind)  # as all commands do
    return found


def content(examples: list[Example]) -> list[tuple[object, object]]:
    """Return the words or texts and the labels, whatever the layer is called."""
    labels = [next(iter(example.labels.values()), None) for example in examples]
    return [
        (example.words or example.text, as_iob2(one) if isinstance(one, tuple) else one)
        for example, one in zip(examples, labels, strict=True)
    ]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["token", "text"])
def test_what_is_read_by_name_is_right_or_refused(
    golden: dict[tuple[str, Kind], Path], tmp_path: Path, reader: str, kind: Kind
) -> None:
    wrong = []
    for (written, of_kind), path in golden.items():
        if kind not in KNOWN[reader].kinds:
            continue
        policy = ReadingPolicy()
        try:
            found = read(KNOWN[reader], path, kind, policy)
        except LabelkitError as error:
            if "\n" in str(error) or str(path) not in error.message:
                wrong.append(f"{written} of {of_kind}: {error}")
            continue
        if not found:  # commands refuse a split without examples
            continue
        if (of_kind != kind or content(found) != content(GOLD[kind])) and not policy.assumptions:
            wrong.append(f"{written} of {of_kind}: {content(found)[:2]}")
    assert not wrong


@pytest.mark.parametrize("suffix", ["", ".data", ".txt"])
@pytest.mark.parametrize("kind", ["token", "text"])
def test_what_is_read_by_content_is_right_or_refused(
    golden: dict[tuple[str, Kind], Path], tmp_path: Path, suffix: str, kind: Kind
) -> None:
    wrong = []
    for (written, of_kind), path in golden.items():
        if of_kind != kind or written == "brat":
            continue
        copy = tmp_path / f"{written}{suffix}"
        copy.write_bytes(path.read_bytes())
        policy = ReadingPolicy()
        try:
            found = read(reader_for(copy, KNOWN, kind=kind, ctx=LoadContext(policy=policy)), copy, kind, policy)
        except LabelkitError as error:
            if "\n" in str(error) or str(copy) not in error.message or not error.hint:
                wrong.append(f"{written}: {error}")
            continue
        if content(found) != content(GOLD[kind]):
            wrong.append(f"{written}: {content(found)[:2]}")
    assert not wrong
