"""Layouts of column files that people have: each is read right, and says what was assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labelkit.errors import DataError
from labelkit.formats import conll, conllu
from labelkit.formats.content import guess_format
from labelkit.formats.tools import webanno
from labelkit.records import Example
from reading_contexts import Found, reading, saved

Read = tuple[list[Example], list[str]]
ADA = [("Ada", "B-PER"), ("ran", "O"), ("home", "O")]
TWICE = [ADA, ADA]


def read(path: Path, content: str, layer: str | None = "ner", reader: Any = conll.read, **how: Any) -> Read:
    path.write_text(content, encoding="utf-8")
    ctx = reading(layer=layer, **how)
    return list(reader(path, ctx)), list(ctx.policy.assumptions)


def pairs(examples: list[Example], layer: str = "ner") -> list[list[tuple[str, str]]]:
    return [list(zip(one.words or (), one.labels[layer], strict=True)) for one in examples]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.conll"


INDEXED = "1 Ada B-PER\n2 ran O\n3 home O\n\n"
LAYOUTS = {
    "numbers from 1": (2 * INDEXED, "words in column 1"),
    "numbers from 0": ("0\tAda\tB-PER\n1\tran\tO\n2\thome\tO\n\n" * 2, "words in column 1"),
    "numbers through the file": ("1 Ada B-PER\n2 ran O\n3 home O\n\n4 Ada B-PER\n5 ran O\n6 home O\n", "column 1"),
    "prediction beside gold": ("Ada B-PER B-PER\nran O B-PER\nhome O O\n\n" * 2, "tags of the same types"),
    "nested tags": ("Ada B-PER O\nran O O\nhome O O\n\n" * 2, "'ner' in column 1"),
    "white space": ("Ada\tB-PER\t+\nran\tO\t-\nhome\tO\t+\n\n" * 2, "marks of white space"),
    "SpaceAfter": ("Ada\tB-PER\tSpaceAfter=No\nran\tO\t_\nhome\tO\t_\n\n" * 2, "marks of white space"),
    "parts of speech last": ("Ada B-PER NNP\nran O VBD\nhome O NN\n\n" * 2, "'ner' in column 1"),
    "tags first": ("B-PER\tAda\nO\tran\nO\thome\n\n" * 2, "words in column 1"),
    "a header": ("Token\tTag\n" + "Ada\tB-PER\nran\tO\nhome\tO\n\n" * 2, "the first row names the columns"),
    "a header with the layer": ("word ner pos\n" + "Ada B-PER O\nran O O\nhome O O\n\n" * 2, "'ner' in column 1"),
    "offsets": ("0 3 Ada B-PER\n4 7 ran O\n8 12 home O\n\n" * 2, "words in column 2"),
    "sentence and word": ("1-1\tAda\tB-PER\n1-2\tran\tO\n1-3\thome\tO\n\n" * 2, "words in column 1"),
    "sentence numbers": ("1 Ada B-PER\n1 ran O\n1 home O\n2 Ada B-PER\n2 ran O\n2 home O\n", "no blank lines"),
    "sentence names, filled forward": (
        "Sentence #\tWord\tTag\n" + "".join(f"Sentence: {n}\tAda\tB-PER\n\tran\tO\n\thome\tO\n" for n in (1, 2)),
        "a sentence begins where column 0 changes",
    ),
    "numbers of words alone": ("1 Ada B-PER\n2 ran O\n3 home O\n" * 2, "a sentence begins where column 0 starts again"),
    "comments of as many fields": ("# id 7 en\nAda _ _ B-PER\nran _ _ O\nhome _ _ O\n\n" * 2, "are comments"),
    "comments of other fields": ("# http://x.y [9]\n1\tAda\tB-PER\n2\tran\tO\n3\thome\tO\n\n" * 2, "words in column 1"),
    "comments with tabs": ("#\thttp://x.y\t[2009]\n1\tAda\tB-PER\n2\tran\tO\n3\thome\tO\n\n" * 2, "are comments"),
    "tabs and blanks": ("Ada\tB-PER\nran O\nhome O\n\n" * 2, "separated by tabs and by blanks"),
    "bars": ("Ada|B-PER\nran|O\nhome|O\n\n" * 2, "separated by '|'"),
    "semicolons": ("Ada;B-PER\nran;O\nhome;O\n\n" * 2, "separated by ';'"),
    "commas": ("Ada,B-PER\nran,O\nhome,O\n\n" * 2, "separated by ','"),
    "sentences with bars": ("Ada|NNP|B-PER ran|VBD|O home|NN|O\n" * 2, "each line is a sentence"),
    "sentences with slashes": ("Ada/B-PER ran/O home/O\n" * 2, "each line is a sentence"),
    "languages": ("en:Ada\tB-PER\nen:ran\tO\nen:home\tO\n\n" * 2, "code of its language ('en:')"),
    "joined files": ("Ada\tB-PER\nran\tO\nhome\tO\n\n\ufeffAda\tB-PER\nran\tO\nhome\tO\n", "byte order marks"),
    "no-break spaces": ("Ada\u00a0B-PER\nran\u00a0O\nhome\u00a0O\n\n" * 2, "separated by no-break spaces (U+00A0)"),
    "carriage returns": ("Ada\tB-PER\rran\tO\rhome\tO\r\r" * 2, "two columns: words in column 0"),
    "brackets": ("d 0 0 Ada NNP (PER)\nd 0 1 ran VBD *\nd 0 2 home NN *\n\n" * 2, "'ner' in column 5"),
    "brackets over words": ("Ada * NNP\nran (X* VBD\nhome *) NN\n\n" * 2, "'ner' in column 1"),
    "documents of CoNLL-2012": (
        "#begin document (a); part 0\nd 0 Ada (PER)\nd 1 ran *\nd 2 home *\n\n#end document\n" * 2, "words in column 2"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_are_read_and_said(path: Path, name: str) -> None:
    content, said = LAYOUTS[name]
    examples, assumed = read(path, content)
    gold = [("Ada", "O"), ("ran", "B-X"), ("home", "I-X")] if name == "brackets over words" else ADA
    assert pairs(examples) == [gold, gold]
    assert said in " | ".join(assumed)
    assert all(": " in statement for statement in assumed)


CONLL2003 = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\nGerman JJ B-NP B-MISC\ncall NN I-NP O\n. . O O\n\n" * 2


@pytest.mark.parametrize(
    ("layer", "how", "label"),
    [
        ("ner", {}, "B-ORG"),
        ("chunk", {}, "B-NP"),
        ("pos", {"plain_labels": True}, "NNP"),
        (None, {}, "B-ORG"),
        ("slots", {"train_scheme": "IOB2"}, "B-ORG"),
        ("pos", {"columns": {"pos": "2"}}, "B-NP"),
    ],
)
def test_each_layer_has_its_column(path: Path, layer: str | None, how: dict[str, Any], label: str) -> None:
    (first, _), _ = read(path, CONLL2003, layer, **how)
    assert next(iter(first.labels.values()))[0] == label


def test_the_columns_are_named_with_three_values(path: Path) -> None:
    _, assumed = read(path, CONLL2003)
    assert assumed == [
        (
            "columns: words in column 0 (EU, rejects, German), 'ner' in column 3 (B-ORG, B-MISC, O); other columns: "
            "1, 2; others that could be meant: column 2 (B-NP, B-VP, I-NP): --columns tokens=0,ner=3 says otherwise"
        )
    ]
    assert read(path, CONLL2003, columns={"ner": "3"})[1] == []
    _, assumed = read(path, INDEXED, columns={"tokens": "0", "ner": "2"})
    said = "the words are read from column 0 (1, 2, 3), which holds running numbers"
    assert assumed == [f"{said}: --columns tokens=… names another column"]


@pytest.mark.parametrize(
    ("content", "layer", "how", "message"),
    [
        (
            "It O +\nis O +\nFrench B-LOC -\n",
            "pos",
            {},
            "no column holds labels of 'pos': column 1 (B-LOC, O) holds tags",
        ),
        ("It a _\nis b _\n", "ner", {"columns": {"ner": "-5"}}, "no column -5 for 'ner'"),
        ("word tag\na O\nb O\n", "ner", {"columns": {"ner": "tags"}}, "no column 'tags' for 'ner'"),
        ("Ada (PER*\nran (X*)\nhome *)\n", "ner", {}, "spans in brackets are nested"),
        ("Ada (PER*\nran *\n", "ner", {}, "the bracket of '(PER' is not closed"),
        ("Ada *\nran (PER*)\nhome *)\n", "ner", {}, "'*)' closes a bracket that was not opened"),
    ],
)
def test_what_fits_nothing_is_an_error(path: Path, content: str, layer: str, how: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(path, content, layer, **how)
    assert message in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("a O\nb O\nEOS\nc O\n", "'EOS' has no label; sentences are separated by blank lines"),
        ("a\tO\nb\tO\n-----\nc\tO\n", "'-----' has no label; sentences are separated by blank lines"),
        ("[Ada](PER) ran home late .\nBob ran .\n", "texts without labels are read by labelkit label"),
        ("a B-PER\nb x O\n", "separated by spaces; --set data.separator"),
        ("a\tB-PER\nb\t\n", "the label of a word outside of spans is O"),
    ],
)
def test_hints_for_lines_that_do_not_fit(path: Path, content: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        read(path, content, "ner")
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("content", "how", "words"),
    [
        ("# id 7\nAda _ O\n", {"comments": False}, ["#", "Ada"]),
        ("Token Tag\nAda B-PER\n", {"header": False}, ["Token", "Ada"]),
        ("Ada B-PER\nran O\n", {"header": True}, ["ran"]),
        ("en:a O\nen:b O\nen:c O\n", {"word_prefix": ""}, ["en:a", "en:b", "en:c"]),
        ("xx_a O\nxx_b O\n", {"word_prefix": "xx_"}, ["a", "b"]),
        ("a~O\nb~c~O\n", {"separator": "~"}, ["a", "b~c"]),
        ("a b\tO\nc\tO\n", {"separator": "tab"}, ["a b", "c"]),
        ("word tag\nAda B-PER\n", {"columns": {"ner": "tag"}}, ["Ada"]),
    ],
)
def test_settings_say_otherwise(path: Path, content: str, how: dict[str, Any], words: list[str]) -> None:
    examples, _ = read(path, content, **how)
    assert [word for one in examples for word in one.words or ()] == words


def test_a_file_without_blank_lines_is_said_to_be_one_sentence(path: Path) -> None:
    examples, assumed = read(path, "a O\nb O\n" * 150)
    assert len(examples) == 1
    assert assumed[-1] == f"{path} is one sentence of 300 words: separate sentences by blank lines to say otherwise"


def test_outer_spans_in_brackets_are_kept_and_the_others_counted(path: Path) -> None:
    path.write_text("Ada (PER*\nran (X*)\nhome *)\n")
    ctx = reading(layer="ner", drop_overlaps=True)
    assert pairs(list(conll.read(path, ctx))) == [[("Ada", "B-PER"), ("ran", "I-PER"), ("home", "I-PER")]]
    assert list(ctx.policy.counts.values()) == [1]


WORD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=5)
LINE = st.one_of(
    st.just(""),
    st.builds(lambda words, mark: mark.join(words), st.lists(WORD, min_size=1, max_size=4), st.sampled_from("\t |/;")),
    st.builds(lambda word, tag: f"{word}\t{tag}", WORD, st.sampled_from(["O", "B-x", "I-x", "_", "+"])),
    st.sampled_from(["# id = 3", "#begin document (x)", "-DOCSTART- O", "word\ttag", "\ufeff", "1\tb\tO", "en:x\tO"]),
)  # fmt: skip


@given(lines=st.lists(LINE, max_size=12), layer=st.sampled_from(["ner", "pos", None]))
@example(lines=["# a", "b O"], layer="ner")
@example(lines=["word\ttag", "a\tO"], layer="ner")
def test_no_line_disappears_uncounted(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], layer: str | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.conll"
    path.write_text("\n".join(lines), encoding="utf-8")
    errors: list[DataError] = []
    ctx = reading(layer=layer, on_bad_record=errors.append)
    try:
        examples = list(conll.read(path, ctx))
    except DataError:
        return
    read_lines = {line for one in examples for line in (one.place.word_lines if one.place else ())}
    left = [
        line
        for number, line in enumerate(lines, start=1)
        if line.strip(" \t\ufeff") and number not in read_lines and not line.startswith(("#begin", "-DOCSTART-"))
    ]
    said = any("comments" in one or "names the columns" in one for one in ctx.policy.assumptions)
    tabbed = any(line.startswith("# ") and "\t" not in line for line in left)
    assert not left or errors or said or tabbed


MISC = "1\tAda\tAda\tPROPN\tNNP\t_\t0\troot\t_\t{}\n2\tran\trun\tVERB\tVBD\t_\t1\tx\t_\t{}\n\n"


@pytest.mark.parametrize(
    ("misc", "layer", "how", "labels"),
    [
        (("NER=S-PER", "NER=O|SpaceAfter=No"), "ner", {}, ("S-PER", "O")),
        (("ner=B-PER", "_"), "ner", {}, ("B-PER", "O")),
        (("Slot=B-x", "_"), "ner", {"columns": {"ner": "misc:Slot"}}, ("B-x", "O")),
        (("NER=B-PER", "_"), "ner", {"columns": {"ner": "misc"}}, ("B-PER", "O")),
        (("NER=B-PER", "_"), "pos", {}, ("PROPN", "VERB")),
        (("NER=B-PER", "_"), None, {}, ("PROPN", "VERB")),
        (("_", "_"), "xpos", {}, ("NNP", "VBD")),
    ],
)
def test_entities_in_misc(
    path: Path, misc: tuple[str, str], layer: str | None, how: dict[str, Any], labels: tuple[str, ...]
) -> None:
    (only,), _ = read(path, MISC.format(*misc), layer, conllu.read, **how)
    assert next(iter(only.labels.values())) == labels


@pytest.mark.parametrize(
    ("content", "layer", "message"),
    [
        (MISC.format("_", "_"), "ner", "no labels of 'ner': UPOS holds no tags, and MISC no key such as NER="),
        (MISC.format("_", "_").replace("PROPN", "_").replace("VERB", "_"), "pos", "the column UPOS is not filled"),
        (MISC.format("NER=O", "_"), "ner", ":1: the word 'ran' has no NER= in MISC"),
    ],
)  # fmt: skip
def test_columns_of_conllu_that_hold_no_labels(path: Path, content: str, layer: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(path, content, layer, conllu.read)
    assert message in caught.value.message


WEBANNO = """#FORMAT=WebAnno TSV 3.3
#T_SP=de.core.api.lexmorph.type.pos.POS|PosValue
#T_SP=webanno.custom.Ner|identifier|value
#T_RL=x.Dependency|DependencyType|BT_pos


#Text=Ada B. ran to Rome
1-1\t0-3\tAda\tNNP\t*[1]\tPER[1]\t_\t_
1-2\t4-6\tB.\tNNP\t*[1]\tPER[1]\t_\t_
1-3\t7-10\tran\tVBD\t_\t_\t_\t_
1-4\t11-13\tto\tIN\t_\t_\t_\t_
1-5\t14-18\tRome\tNNP\t*\tLOC\t_\t_
"""


def test_webanno_spans_and_plain_labels(path: Path) -> None:
    (only,), assumed = read(path, WEBANNO, "ner", webanno.read)
    assert only.labels == {"ner": ("B-PER", "I-PER", "O", "O", "B-LOC")}
    assert (only.text, only.offsets) == ("Ada B. ran to Rome", ((0, 3), (4, 6), (7, 10), (11, 13), (14, 18)))
    assert assumed == [
        "'ner' is read from the feature Ner.value, not from POS.PosValue: --columns ner=… names another one"
    ]
    (only,), _ = read(path, WEBANNO, "pos", webanno.read, plain_labels=True)
    assert only.labels == {"pos": ("NNP", "NNP", "VBD", "IN", "NNP")}
    (only,), _ = read(path, WEBANNO, "x", webanno.read, columns={"x": "Ner.value"})
    assert only.labels["x"][0] == "B-PER"


# "ran" has a part "ra", and the person goes on into it.
PARTS = WEBANNO.replace("1-4\t", "1-3.1\t7-9\tra\t_\t*|*[1]\tX|PER[1]\t_\t_\n1-4\t")


@pytest.mark.parametrize(
    ("how", "labels", "counts"),
    [
        ("expand", ("B-PER", "I-PER", "I-PER", "O", "B-LOC"), {"expanded": 2}),
        ("contract", ("B-PER", "I-PER", "O", "O", "B-LOC"), {"contracted": 1, "dropped": 1}),
        ("drop", ("O", "O", "O", "O", "B-LOC"), {"dropped": 2}),
    ],
)
def test_webanno_parts_of_words(path: Path, how: str, labels: tuple[str, ...], counts: dict[str, int]) -> None:
    path.write_text(PARTS)
    ctx = reading(layer="ner", columns={"ner": "value"}, align_spans=how, drop_overlaps=True)
    (only,) = webanno.read(path, ctx)
    assert only.labels == {"ner": labels}
    found = {word: times for what, times in ctx.policy.counts.items() for word in counts if f"were {word}" in what}
    assert (found, "'ra' of 'ran'" in " ".join(ctx.policy.assumptions)) == (counts, True)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("\t*\tLOC\t", "\t*[2]|*[3]\tLOC[2]|ORG[3]\t", ":8: annotations are nested or overlap"),
        ("1-4\t", "1-3.1\t7-9\tra\t_\t*\tX\t_\t_\n1-4\t", ":11: an annotation covers part of a word"),
        ("1-4\t", "four\t", ":11: invalid line of a word"),
        ("custom.Ner|identifier|value", "custom.Ner|identifier", "no feature 'value' for 'ner'"),
    ],
)
def test_webanno_that_cannot_be_read(path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(path, WEBANNO.replace(before, after), "ner", webanno.read, columns={"ner": "value"})
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (WEBANNO, "webanno-tsv"),
        ("Word\tTag\nAda\tPER\nran\tO\n", "conll"),
        ("token\tpos\nAda\tNNP\n\nran\tVBD\n", "conll"),
        ("text\tlabel\nAda ran.\tgood\n", "tsv"),
        ("words\tlabel\nAda ran.\tgood\n", "tsv"),
    ],
)
def test_column_files_are_told_from_tables(content: str, name: str) -> None:
    assert guess_format(content, complete=True) == name


PLUS = """# global.columns = ID FORM UPOS XX:NER MWE
# text = Ada don't run
1\tAda\tPROPN\tB-PER\t*
2-3\tdon't\t_\t_\t_
2\tdo\tAUX\tO\t1:x
3\tn't\tPART\tO\t*
4\trun\tVERB\tO\t1
"""


@pytest.mark.parametrize(
    ("layer", "columns", "labels", "assumed"),
    [
        ("ner", {}, ("B-PER", "O", "O", "O"), "the column XX:NER: --columns ner=… names another one"),
        ("pos", {}, ("PROPN", "AUX", "PART", "VERB"), ""),
        ("ner", {"ner": "MWE"}, ("*", "1:x", "*", "1"), ""),
    ],
)
def test_the_columns_of_conllu_plus_are_read_by_name(
    tmp_path: Path, layer: str, columns: dict[str, str], labels: tuple[str, ...], assumed: str
) -> None:
    found = Found(saved(tmp_path / "a.conllup", PLUS), kind="token", layer=layer, columns=columns, keep_columns=True)
    (example,) = found.examples
    assert (example.words, example.labels) == (("Ada", "do", "n't", "run"), {layer: labels})
    assert example.offsets == ((0, 3), (4, 6), (6, 9), (10, 13))
    assert {"upos", "xx:ner", "mwe"} - example.extra.keys() == {"pos": {"upos"}}.get(
        layer, {"mwe"} if columns else {"xx:ner"}
    )
    assert assumed in found.assumed
    assert bool(found.assumed) == bool(assumed)


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("# global.columns = ID UPOS\n1\tX\n", "must name each column once, the words as FORM", "correct"),
        (
            PLUS.replace("\t1:x", ""),
            ":5: 5 columns separated by tabs expected, 4 found",
            "'# global.columns' names one",
        ),
    ],
)
def test_columns_of_conllu_plus_that_do_not_fit(tmp_path: Path, content: str, message: str, hint: str) -> None:
    found = Found(saved(tmp_path / "a.txt", content), kind="token", layer="ner")
    assert message in found.error
    assert hint in found.hint
