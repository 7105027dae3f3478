"""Property of each reader of annotations: nothing disappears without being counted or reported."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelkit.errors import DataError
from labelkit.formats import class_folders, conllu, json_files, tables
from labelkit.formats.tools import brat, doccano, label_studio, prodigy, spacy_docbin, webanno
from reading_contexts import accounted, reading

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
kinds = st.sampled_from(("token", "text"))
texts = st.sampled_from(("Ada ran home .", "Bob", "", None, 3))
labels = st.sampled_from(("PER", "", None, 7))
offsets = st.integers(-1, 15)
odd = st.one_of(st.none(), st.text(max_size=2), st.integers(0, 3), st.lists(st.none(), max_size=2))


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects with some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def listed(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(items, max_size=3), odd)


triples = st.tuples(offsets, offsets, labels).map(list)
entities = record(start_offset=offsets, end_offset=offsets, label=labels)
spans = record(start=offsets, end=offsets, label=labels, answer=st.sampled_from(("accept", "reject")))
values = record(start=offsets, end=offsets, labels=listed(labels), choices=listed(labels), text=texts)
results = record(
    type=st.sampled_from(("labels", "choices", "hypertextlabels", "relation")), value=st.one_of(values, odd),
    from_name=st.sampled_from(("label", "other")), to_name=st.sampled_from(("text", "note", None)),
)  # fmt: skip
reviewed = record(result=listed(results), was_cancelled=st.booleans(), ground_truth=st.booleans())
cats = st.dictionaries(labels.map(str), st.just(1))
FILES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "doccano": (doccano.read, record(
        text=texts, id=st.integers(1, 9), label=st.one_of(listed(triples), listed(labels)), entities=listed(entities),
        annotations=listed(entities),
    )),
    "prodigy": (prodigy.read, record(
        text=texts, spans=listed(spans), tokens=listed(record(text=texts, start=offsets, end=offsets)), label=labels,
        answer=st.sampled_from(("accept", "reject", "ignore")), accept=listed(labels), _is_binary=st.booleans(),
    )),
    "label-studio": (label_studio.read, st.one_of(
        record(id=st.integers(1, 3), data=record(text=texts, note=texts), annotations=listed(reviewed)),
        record(id=st.integers(1, 3), text=texts, label=st.one_of(st.lists(values, max_size=2), labels)),
    )),
    "spacy-json": (json_files.read_lines, st.one_of(
        st.tuples(st.sampled_from(("Ada ran home .", "")), st.one_of(record(entities=listed(triples), cats=cats), odd)
                  ).map(list),
        record(text=texts, ents=listed(spans), cats=cats),
    )),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@few
@given(data=st.data(), kind=kinds)
def test_each_record_is_read_or_accounted_for(tmp_path: Path, name: str, data: st.DataObject, kind: str) -> None:
    read, records = FILES[name]
    found = data.draw(st.lists(records, min_size=1, max_size=5))
    path = tmp_path / "a.jsonl"
    content = json.dumps(found) if name == "label-studio" else "".join(f"{json.dumps(one)}\n" for one in found)
    path.write_text(content)
    try:
        done, missing = accounted(path, read, kind, on_bad_span=lambda error: None)
    except DataError:
        return  # one clear line
    assert done + missing == len(found)


@few
@given(rows=st.lists(st.tuples(st.sampled_from(("a", "", None)), labels.map(lambda one: one and str(one))), min_size=1))
def test_each_row_of_parquet_is_read_or_accounted_for(tmp_path: Path, rows: list[tuple[Any, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=["text", "label"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert sum(accounted(tmp_path / "a.parquet", tables.read_parquet, "text")) == len(rows)


words = st.one_of(st.none(), st.lists(st.sampled_from(("Ada", "ran", "")), max_size=3))
tags = st.one_of(st.none(), st.lists(st.sampled_from(("B-PER", "O", "", None)), max_size=3))


@few
@given(rows=st.lists(st.tuples(words, tags), min_size=1, max_size=4))
def test_each_row_of_words_in_parquet_and_arrow_is_read_or_accounted_for(
    tmp_path: Path, rows: list[tuple[Any, Any]]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [pa.array(column, pa.list_(pa.string())) for column in zip(*rows, strict=True)]
    table = pa.table(columns, names=["tokens", "ner_tags"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as file:
        file.write_table(table)
    assert sum(accounted(tmp_path / "a.parquet", tables.read_parquet, "token")) == len(rows)
    assert sum(accounted(tmp_path / "a.arrow", tables.read_arrow, "token")) == len(rows)


conllu_lines = st.sampled_from((
    "1\ta\ta\tX\t_\t_\t0\troot\t_\tNER=B-A", "2\tb\tb\tX\t_\t_\t1\tdep\t_\t_", "1-2\tab" + "\t_" * 8,
    "2.1\tc" + "\t_" * 8, "3\td\t\tX\t_\t_\t0\troot\t_\t_", "x\te" + "\t_" * 8, "1\tf\tX", "# text = ab",
))  # fmt: skip


@few
@given(
    found=st.lists(st.lists(conllu_lines, min_size=1, max_size=4), max_size=4), layer=st.sampled_from(("pos", "ner"))
)
def test_each_sentence_of_conllu_is_read_or_accounted_for(tmp_path: Path, found: list[list[str]], layer: str) -> None:
    path = tmp_path / "a.conllu"
    path.write_text("".join("\n".join(lines) + "\n\n" for lines in found))
    words = [[line for line in lines if line[0] in "123x" and line[1:2] not in "-."] for lines in found]
    bad: list[DataError] = []
    ctx = reading(
        kind="token", layer=layer, on_bad_record=bad.append, columns={layer: "upos" if layer == "pos" else "misc:NER"}
    )
    assert len(list(conllu.read(path, ctx))) + len(bad) == len([one for one in words if one])


names = st.sampled_from(("a.txt", "b.txt", "c.csv", ".hidden.txt", "sub/d.txt"))


@few
@given(files=st.lists(st.tuples(st.sampled_from(("pos", "neg", "unsup", "")), names), max_size=6, unique=True))
def test_each_file_in_folders_of_classes_is_read_or_named(files: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for label, file in files:
            path = folder / label / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("It rained.")
        with suppress(DataError):  # no folder of classes at all
            examples = list(class_folders.read(folder, reading(kind="text", layer="label")))
            left = class_folders.beside_classes(folder)
            read = {one.id: one.labels["label"] for one in examples}
            for shown in (str(Path(label) / file) for label, file in files):
                named = any(shown == one or (one.endswith("/") and shown.startswith(one)) for one in left)
                assert (read.get(shown) == Path(shown).parts[0]) != named
            assert len(examples) <= len(files)


@few
@given(
    lines=st.lists(st.sampled_from(("Ada ran home .", "Bob", "  ", "")), min_size=1, max_size=4),
    found=st.lists(st.tuples(offsets, offsets, st.sampled_from(("PER", "", "A B"))), max_size=4),
)
def test_each_line_and_span_of_brat_is_read_or_accounted_for(
    tmp_path: Path, lines: list[str], found: list[tuple[int, int, str]]
) -> None:
    (tmp_path / "a.txt").write_text("\n".join(lines))
    spans = [f"T{number}\t{label} {start} {end}\tx\n" for number, (start, end, label) in enumerate(found)]
    (tmp_path / "a.ann").write_text("".join(spans))
    bad: list[DataError] = []
    ctx = reading(kind="token", layer="ner", on_bad_span=bad.append)
    examples = list(brat.read(tmp_path / "a.ann", ctx))
    assert len(examples) == len([line for line in lines if line.strip()])
    read = sum(label.startswith("B-") for one in examples for label in one.labels["ner"])
    assert read + len(bad) == len(found)


cells = st.sampled_from(("_", "PER", "PER[1]", "LOC[2]", "PER[1]|LOC[3]", "*"))


@few
@given(found=st.lists(st.lists(st.tuples(cells, st.sampled_from(("", ".1", "x"))), min_size=1, max_size=4), max_size=4),
       how=st.sampled_from(("error", "expand", "contract", "drop")))  # fmt: skip
def test_each_sentence_of_webanno_is_read_or_accounted_for(
    tmp_path: Path, found: list[list[tuple[str, str]]], how: str
) -> None:
    content = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Ner|value\n\n\n"
    for number, rows in enumerate(found, start=1):
        words = "".join(f"{number}-{word}{part}\t0-1\ta\t{cell}\t\n" for word, (cell, part) in enumerate(rows, 1))
        content += f"#Text=a\n{words}\n"
    (tmp_path / "a.tsv").write_text(content)
    assert sum(accounted(tmp_path / "a.tsv", webanno.read, "token", align_spans=how)) == len(found)


@pytest.mark.slow
@few
@given(
    found=st.lists(st.tuples(st.sampled_from(("outside", "missing", "entity", "none", "group")),
                             st.dictionaries(st.sampled_from("ab"), st.sampled_from((0.0, 1.0)))), min_size=1,
                   max_size=4),
    kind=kinds,
)  # fmt: skip
def test_each_document_of_spacy_is_read_or_accounted_for(
    tmp_path: Path, found: list[tuple[str, dict[str, float]]], kind: str
) -> None:
    tokens = pytest.importorskip("spacy.tokens")
    vocab = pytest.importorskip("spacy.vocab").Vocab()
    box = tokens.DocBin(attrs=["ORTH", "SPACY", "ENT_IOB", "ENT_TYPE"], store_user_data=True)
    for how, cats in found:
        doc = tokens.Doc(vocab, words=["Ada", "ran"])
        doc.cats = cats
        entity = tokens.Span(doc, 0, 1, label="PER")
        if how == "group":
            doc.spans["sc"] = [entity]
        elif how != "none":
            default = "missing" if how == "missing" else "outside"
            doc.set_ents([entity] if how == "entity" else [], default=default)
        box.add(doc)
    box.to_disk(tmp_path / "a.spacy")
    try:
        done, missing = accounted(tmp_path / "a.spacy", spacy_docbin.read, kind)
    except DataError:
        return  # one clear line
    assert done + missing == len(found)
