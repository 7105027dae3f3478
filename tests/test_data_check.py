"""``labelkit data check``: every planted fault is found at its place, and nothing where there is none."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from labelkit.checks import columns
from labelkit.checks.findings import CHECKS, Finding
from labelkit.checks.loading import load
from labelkit.checks.run import CheckOptions, check
from labelkit.cli import main
from labelkit.encode.alignment import Encoding
from labelkit.errors import DataError
from labelkit.labels import schemes
from labelkit.models.tokenizer import load_tokenizer
from labelkit.plugins.catalog import Catalog
from labelkit.records import DataSettings, Example, Scheme
from reading_contexts import reading
from spoiled_corpus import Everything, Placed, Records, Words, long_sentence, reviews, spans, untagged


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


@pytest.fixture(scope="module")
def encoding(tiny: Path) -> Encoding:
    return Encoding.of(load_tokenizer(tiny), 128, 32)


@pytest.fixture
def findings(catalog: Catalog, encoding: Encoding, tmp_path: Path) -> Callable[..., list[Finding]]:
    def run(reference: str, *, layer: str | None = None, scheme: Scheme | None = None, **how: Any) -> list[Finding]:
        data = load(reference, layer, catalog, reading(**how), folder=tmp_path / "stored", limit=100)
        return list(
            check(
                data, CheckOptions(settings=DataSettings(scheme=scheme or "auto"), encoding=encoding, limit=100)
            ).findings
        )

    return run


Run = Callable[..., list[Finding]]


@pytest.mark.parametrize(("how", "held_out"), [({}, 1), ({"validation_fraction": 0.3}, 3)])
def test_the_split_that_a_run_holds_out_is_shown(
    tmp_path: Path, catalog: Catalog, how: dict[str, Any], held_out: int
) -> None:
    file = tmp_path / "a.conll"
    file.write_text("".join(f"Ada{number}\tB-PER\n\n" for number in range(10)))
    data = load(str(file), None, catalog, reading(**how), folder=tmp_path / "stored", limit=1)
    assert (data.held_out, data.sizes) == (held_out, {"train": 10 - held_out, "validation": held_out})
    assert len(data.splits["train"]) == 10  # which are all checked


def test_records_whose_kind_is_not_known_are_refused_as_elsewhere(tmp_path: Path, catalog: Catalog) -> None:
    file = tmp_path / "min.json"
    region = [{"start": 0, "end": 3, "labels": ["PER"]}]
    file.write_text(json.dumps([{"id": 1, "text": "Ada ran", "people": region, "places": region}] * 2))
    with pytest.raises(DataError, match="labels come from several tags of the labelling configuration: people, places"):
        load(str(file), None, catalog, reading(format="label-studio"), folder=tmp_path / "stored", limit=1)


def test_the_advice_on_spans_is_that_of_their_only_fault(tmp_path: Path, catalog: Catalog) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "Ada ran", "label": [[0, 3, 2]]}\n{"text": "Bob ran", "label": [[0, 3, "PER"]]}\n')
    data = load(str(file), None, catalog, reading(format="doccano"), folder=tmp_path / "stored", limit=1)
    (finding,) = data.findings
    assert (finding.check, "align_spans" in finding.advice) == ("spans", False)


def load_words(reference: str, catalog: Catalog, folder: Path, **how: Any) -> Sequence[Example]:
    """Return the train split as the command reads it."""
    return load(reference, None, catalog, reading(**how), folder=folder / "stored", limit=1).splits["train"]


def places(found: list[Finding]) -> Placed:
    """Return where each finding is, and check that it counts what it lists."""
    placed: Placed = {}
    for finding in found:
        placed.setdefault((finding.check, finding.split, finding.against), []).extend(
            case.place for case in finding.examples
        )
    return placed


# -- clean ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", schemes.SCHEMES)
def test_a_clean_corpus_of_words_gives_nothing_in_any_scheme(scheme: Scheme, findings: Run, tmp_path: Path) -> None:
    clean = Words()
    for sentences in clean.splits.values():
        for sentence in sentences:
            words, tags = zip(*sentence, strict=True)
            sentence[:] = list(zip(words, schemes.convert(tags, "IOB2", scheme), strict=True))

    assert findings(clean.write(tmp_path)) == []


@pytest.mark.parametrize("make", [reviews, spans])
def test_clean_records_give_nothing(make: Callable[[], Records], findings: Run, tmp_path: Path) -> None:
    assert findings(make().write(tmp_path)) == []


def test_a_lone_file_without_faults_gives_nothing(findings: Run, tmp_path: Path) -> None:
    Words().write(tmp_path)

    assert findings(str(tmp_path / "train.conll")) == []


# -- words, one fault at a time ---------------------------------------------------------------------------------------

Plant = Callable[[Words, Path], Placed]


def an_improper_tag(corpus: Words, folder: Path) -> Placed:
    corpus.splits["train"][3][2] = ("saw", "I-ORG")
    corpus.splits["test"][0][1] = ("Stone", "I-LOC")
    return {
        ("transitions", "train", None): [corpus.place(folder, "train", 3, 2)],
        ("transitions", "test", None): [corpus.place(folder, "test", 0, 1)],
    }


def a_label_that_is_no_tag(corpus: Words, folder: Path) -> Placed:
    corpus.splits["train"][3][2] = ("saw", "PER")
    corpus.splits["train"][4][2] = ("saw", "B-")
    return {("scheme", "train", None): [corpus.place(folder, "train", number, 2) for number in (3, 4)]}


def a_split_in_another_scheme(corpus: Words, folder: Path) -> Placed:
    found = []
    for number, sentence in enumerate(corpus.splits["test"]):
        for index, (word, tag) in enumerate(sentence):
            if tag.startswith("B-"):
                sentence[index] = (word, f"I-{tag[2:]}")
                found.append(corpus.place(folder, "test", number, index))
    return {("scheme", "test", None): found}


def a_byte_that_is_none(corpus: Words, folder: Path) -> Placed:
    corpus.splits["validation"][5][3] = (b"caf\xe9".decode("utf-8", "surrogateescape"), "O")
    return {("encoding", "validation", None): [corpus.place(folder, "validation", 5, 3)]}


def text_decoded_wrongly(corpus: Words, folder: Path) -> Placed:
    wrong = ["cafÃ©", "caf\ufffd", "well\x85", "donâ€™t", "ÐŸÑ€Ð¸", "ðŸ™‚", "Â£5", "ä¸–ç•Œ"]
    for number, word in enumerate(wrong):
        corpus.splits["train"][number][3] = (word, "O")
    right = ["café", "naïve", "À", "ÄÖÜ", "Ångström", "don’t", "Привет", "🙂", "£5", "你好", "É™", "à", "Ελλάδα", "ÎLE"]
    for number, word in enumerate(right):
        corpus.splits["test"][number][3] = (word, "O")
    by_kind = (1, 0, 3, 4, 5, 6, 7, 2)  # replaced, mojibake, Windows-1252
    return {("encoding", "train", None): [corpus.place(folder, "train", number, 3) for number in by_kind]}


def odd_characters(corpus: Words, folder: Path) -> Placed:
    odd = ["in\u200bvisible", "so\u00adft", "\x07bell", "New\u00a0York", "\ue000own", "right\u202eleft"]
    for number, word in enumerate(odd):
        corpus.splits["test"][number][3] = (word, "O")
    fine = ["👨‍👩‍👧", "نمی‌خواهم", "क्‍ष", "e\u0301", "❤\ufe0f"]
    for number, word in enumerate(fine):
        corpus.splits["train"][number][3] = (word, "O")
    return {("characters", "test", None): [corpus.place(folder, "test", number, 3) for number in range(len(odd))]}


def markup_of_web_pages(corpus: Words, folder: Path) -> Placed:
    marked = ["R&amp;D", "<br", "&#39;s", "&quot;", "</p>"]
    for number, word in enumerate(marked):
        corpus.splits["train"][number][3] = (word, "O")
    corpus.splits["train"][1][4] = ("/>", "O")
    fine = ["<3", "AT&T;", "List<int>", "&", "a<b>c", "<br>", "&nosuch;", "x&y;z"]  # two with tags are too few
    for number, word in enumerate(fine):
        corpus.splits["test"][number][3] = (word, "O")
    return {("markup", "train", None): [corpus.place(folder, "train", number, 0) for number in range(len(marked))]}


def a_word_that_shows_nothing(corpus: Words, folder: Path) -> Placed:
    corpus.splits["validation"][2][3] = ("\ufe0f", "O")
    place = [corpus.place(folder, "validation", 2, 3)]
    return {("empty", "validation", None): place, ("subtokens", "validation", None): place}


def a_word_without_sub_tokens(corpus: Words, folder: Path) -> Placed:
    corpus.splits["test"][2][3] = ("\u0301\u0302", "O")
    return {("subtokens", "test", None): [corpus.place(folder, "test", 2, 3)]}


def a_type_that_train_lacks(corpus: Words, folder: Path) -> Placed:
    corpus.splits["test"][2][3] = ("sight", "B-EVENT")
    return {("types", "test", "train"): [corpus.place(folder, "test", 2, 3)]}


def a_type_that_only_train_has(corpus: Words, folder: Path) -> Placed:
    for number in range(20, 32):
        corpus.splits["train"][number][3] = (f"sight{number}", "B-EVENT")
    place = [corpus.place(folder, "train", 20, 3)]
    return {("types", "train", "validation"): place, ("types", "train", "test"): place}


def types_that_differ_by_spelling(corpus: Words, folder: Path) -> Placed:
    corpus.splits["train"][7][0] = ("Ada", "B-per")
    corpus.splits["train"][7][1] = ("Stone", "I-per")
    place = [corpus.place(folder, "train", 7)]
    return {
        ("spelling", "train", None): place,
        # and what follows from it
        ("types", "train", "validation"): place,
        ("types", "train", "test"): place,
        ("balance", "train", None): place,
    }


def a_rare_type(corpus: Words, folder: Path) -> Placed:
    for split in corpus.splits:
        corpus.splits[split][1][3] = ("sight", "B-EVENT")
    return {("balance", "train", None): [corpus.place(folder, "train", 1, 3)]}


def a_split_made_up_otherwise(corpus: Words, folder: Path) -> Placed:
    for sentence in corpus.splits["test"]:
        sentence[5] = (sentence[5][0], "B-PER")
    corpus.splits["test"][0][5] = ("Rome", "B-LOC")
    return {("balance", "test", "train"): ["", "", ""]}


def train_sorted_by_label(corpus: Words, folder: Path) -> Placed:
    corpus.splits["train"].sort(key=len)
    return {("order", "train", None): [corpus.place(folder, "train", 30)]}


def the_same_again(corpus: Words, folder: Path) -> Placed:
    corpus.splits["train"].append(corpus.splits["train"][5])
    corpus.splits["test"] += [corpus.splits["train"][6], corpus.splits["validation"][7], corpus.splits["train"][6]]
    return {
        ("duplicates", "train", None): [corpus.place(folder, "train", 60)],
        ("duplicates", "test", "train"): [corpus.place(folder, "test", 20), corpus.place(folder, "test", 22)],
        ("duplicates", "test", "validation"): [corpus.place(folder, "test", 21)],
        ("duplicates", "test", None): [corpus.place(folder, "test", 22)],
    }


def nearly_the_same_again(corpus: Words, folder: Path) -> Placed:
    numbers = []
    for split in ("train", "train", "test"):
        numbers.append(len(corpus.splits[split]))
        # all of the 26 grams but the last one are the same
        corpus.splits[split].append(untagged([*long_sentence(0, 29), f"{split}{numbers[-1]}"]))
    # the third word from the end is in 3 of 26 grams: 23 of 29 are too few
    other = long_sentence(100, 30)
    corpus.splits["validation"] += [untagged(other), untagged([*other[:27], "b", *other[28:]])]
    return {
        ("near-duplicates", "train", None): [corpus.place(folder, "train", numbers[1])],
        ("near-duplicates", "test", "train"): [corpus.place(folder, "test", numbers[2])],
    }


def the_same_with_other_labels(corpus: Words, folder: Path) -> Placed:
    corpus.splits["train"].append([(word, tag.replace("LOC", "PER")) for word, tag in corpus.splits["train"][5]])
    place = [corpus.place(folder, "train", 60)]
    return {("duplicates", "train", None): place, ("conflicts", "train", None): place}


def a_sentence_of_several_windows(corpus: Words, folder: Path) -> Placed:
    number = len(corpus.splits["validation"])
    corpus.splits["validation"].append(untagged(long_sentence(500, 200)))
    return {("windows", "validation", None): [corpus.place(folder, "validation", number)]}


def a_word_longer_than_a_window(corpus: Words, folder: Path) -> Placed:
    corpus.splits["validation"][4][3] = ("-" * 200, "O")
    # no window holds it; what is left of the sentence is one window
    return {("subtokens", "validation", None): [corpus.place(folder, "validation", 4, 3)]}


@pytest.mark.parametrize(
    "plant",
    [
        an_improper_tag,
        a_label_that_is_no_tag,
        a_split_in_another_scheme,
        a_byte_that_is_none,
        text_decoded_wrongly,
        odd_characters,
        markup_of_web_pages,
        a_word_that_shows_nothing,
        a_word_without_sub_tokens,
        a_type_that_train_lacks,
        a_type_that_only_train_has,
        types_that_differ_by_spelling,
        a_rare_type,
        a_split_made_up_otherwise,
        train_sorted_by_label,
        the_same_again,
        nearly_the_same_again,
        the_same_with_other_labels,
        a_sentence_of_several_windows,
        a_word_longer_than_a_window,
    ],
)
def test_a_fault_is_found_at_its_place_and_nothing_else(plant: Plant, findings: Run, tmp_path: Path) -> None:
    corpus = Words()
    expected = plant(corpus, tmp_path)

    found = findings(corpus.write(tmp_path))

    assert places(found) == expected
    for finding in found:
        assert finding.message
        assert finding.advice


def test_every_fault_of_a_wholly_spoiled_corpus_is_found_and_nothing_else(findings: Run, tmp_path: Path) -> None:
    spoiled = Everything(tmp_path)

    found = places(findings(spoiled.write()))

    assert {check for check, _, _ in spoiled.placed} == set(CHECKS)
    # the shares of types stand nowhere, and labels change at other faults too
    assert set(found.pop(("balance", "test", "train"))) == {""}
    del spoiled.placed["balance", "test", "train"]
    assert set(spoiled.placed.pop(("order", "train", None))) < set(found.pop(("order", "train", None)))
    assert {told: sorted(where) for told, where in found.items()} == {
        told: sorted(where) for told, where in spoiled.placed.items()
    }


# -- what cannot be read ----------------------------------------------------------------------------------------------


def test_uneven_lines_are_all_told_of_and_the_rest_is_checked(findings: Run, tmp_path: Path) -> None:
    corpus = Words()
    corpus.splits["train"][50][2] = ("saw", "I-ORG")
    reference = corpus.write(tmp_path)
    file = tmp_path / "train.conll"
    lines = file.read_text().split("\n")
    lines[2], lines[30], lines[40] = "one", "a\tb\tc", "word\t "
    file.write_text("\n".join(lines))

    found = findings(reference)

    assert places(found) == {
        ("reading", "train", None): [f"{file}:3", f"{file}:31", f"{file}:41"],
        ("transitions", "train", None): [corpus.place(tmp_path, "train", 50, 2)],
    }


def test_records_that_are_broken_are_all_told_of(findings: Run, tmp_path: Path) -> None:
    reference = reviews().write(tmp_path)
    file = tmp_path / "test.jsonl"
    lines = file.read_bytes().split(b"\n")
    lines[1], lines[3], lines[5] = b'{"text": "half', b'{"label": "good"}', b'{"text": "caf\xe9", "label": "good"}'
    file.write_bytes(b"\n".join(lines))

    assert places(findings(reference)) == {
        ("reading", "test", None): [f"{file}:2", f"{file}:4"],
        ("encoding", "test", None): [f"{file}:6"],
    }


def test_rows_of_csv_are_read_on_after_a_bad_one(findings: Run, tmp_path: Path) -> None:
    rows = [f"{record['text']},{record['label']}\n".encode() for record in reviews().splits["train"]]
    rows[2], rows[8] = b"three,columns,here\n", b"caf\xe9 is a word,good\n"
    file = tmp_path / "reviews.csv"
    file.write_bytes(b"text,label\n" + b"".join(rows))

    assert places(findings(str(file))) == {
        ("reading", "train", None): [f"{file}:4"],
        ("encoding", "train", None): [f"{file}:10"],
    }


def test_sentences_of_conllu_are_read_on_after_a_bad_one(findings: Run, tmp_path: Path) -> None:
    lines = []
    for number in range(40):
        words = ((f"w{number}", "NOUN"), ("runs", "VERB"), (f"v{number}", "NOUN"))
        lines += [f"{at}\t{word}\t_\t{tag}" + "\t_" * 6 for at, (word, tag) in enumerate(words, start=1)] + [""]
    lines[1], lines[9] = "2\truns", "x\tv2\t_\tNOUN\t_\t_\t_\t_\t_\t_"
    file = tmp_path / "a.conllu"
    file.write_text("\n".join(lines) + "\n")

    assert places(findings(str(file))) == {("reading", "train", None): [f"{file}:2", f"{file}:10"]}


def test_reading_that_stops_within_a_file_is_told_of(findings: Run, tmp_path: Path) -> None:
    reference = reviews().write(tmp_path)
    # so long that some of it can be unpacked
    whole = gzip.compress((tmp_path / "test.jsonl").read_bytes() * 200)
    (tmp_path / "test.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    found = findings(reference.replace("test.jsonl", "test.jsonl.gz"))

    stopped = next(finding for finding in found if finding.check == "reading")
    assert (stopped.severity, stopped.split, stopped.count) == ("error", "test", 1)
    assert "broken gzip file" in stopped.examples[0].text
    assert ("duplicates", "test", None) in places(found)


@pytest.mark.parametrize(
    ("check", "name", "content", "advice"),
    [
        ("reading", "test.conll.gz", b"\x1f\x8bnothing", "download it again"),
        ("encoding", "test.conll", "Ada\tB-PER\n".encode("utf-16"), "--encoding utf-16"),
    ],
)
def test_a_split_that_cannot_be_read_at_all_is_told_of_and_the_others_are_checked(
    check: str, name: str, content: bytes, advice: str, findings: Run, tmp_path: Path
) -> None:
    corpus = Words()
    expected = an_improper_tag(corpus, tmp_path)
    reference = corpus.write(tmp_path).replace("test.conll", name)
    (tmp_path / name).write_bytes(content)

    found = findings(reference)

    assert [(one.check, one.severity, one.split, one.count) for one in found] == [
        (check, "error", "test", 1),
        ("transitions", "error", "train", 1),
    ]
    assert advice in found[0].advice
    assert places(found)["transitions", "train", None] == expected["transitions", "train", None]


def test_a_file_that_is_not_there_is_a_wrong_command_and_no_finding(findings: Run, tmp_path: Path) -> None:
    reference = Words().write(tmp_path)

    with pytest.raises(DataError, match=r"tost\.conll does not exist"):
        findings(reference.replace("test.conll", "tost.conll"))


def test_utf_16_is_read_where_it_is_named(findings: Run, catalog: Catalog, tmp_path: Path) -> None:
    reference = Words().write(tmp_path)
    for split in ("train", "validation", "test"):
        file = tmp_path / f"{split}.conll"
        file.write_bytes(file.read_text().encode("utf-16"))

    with pytest.raises(DataError, match="it begins like UTF-16"):
        findings(reference)
    assert len(load_words(reference, catalog, tmp_path, encoding="utf-16")) == 60


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (None, "does not exist")])
def test_data_that_cannot_be_read_at_all_is_an_error(
    content: bytes | None, reason: str, findings: Run, tmp_path: Path
) -> None:
    file = tmp_path / "train.conll"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(DataError, match=reason):
        findings(str(file))


def test_a_split_without_examples_is_told_of(findings: Run, tmp_path: Path) -> None:
    corpus = Words()
    corpus.splits["test"] = []

    found = findings(corpus.write(tmp_path))

    assert ("empty", "test", None) in places(found)


# -- labels -----------------------------------------------------------------------------------------------------------


def test_examples_whose_labels_do_not_fit_their_words_are_told_of(findings: Run, tmp_path: Path) -> None:
    splits = Words().splits
    records = Records(
        {
            split: [{"tokens": [w for w, _ in one], "tags": [t for _, t in one]} for one in sentences]
            for split, sentences in splits.items()
        }
    )
    records.splits["train"][4]["tags"].pop()
    records.splits["test"][2].pop("tags")

    found = findings(records.write(tmp_path))

    assert places(found) == {
        ("labels", "train", None): [records.place(tmp_path, "train", 4)],
        ("labels", "test", None): [records.place(tmp_path, "test", 2)],
    }


def test_each_layer_is_checked_for_itself(findings: Run, tmp_path: Path) -> None:
    corpus = Words()
    corpus.splits["train"][3][2] = ("saw", "I-ORG")
    for sentences in corpus.splits.values():
        for sentence in sentences:
            sentence[:] = [(word, f"{'NN' if word[0].isupper() else 'VB'}\t{tag}") for word, tag in sentence]
    reference = corpus.write(tmp_path)
    columns = {"tokens": "0", "pos": "1", "ner": "2"}

    found = findings(reference, columns=columns)

    assert [(finding.check, finding.layer) for finding in found] == [("transitions", "ner")]
    assert findings(reference, columns=columns, layer="pos") == []
    with pytest.raises(DataError, match="no layer 'chunk'"):
        findings(reference, columns=columns, layer="chunk")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w.jsonl", '{"words": ["Bob", "met"], "ner": ["B-PER", "O"], "pos": ["X", "Y"]}\n'),
        ("t.csv", "text,ner,pos\nIt was good,5,happy\n"),
        ("t.tsv", "text\tner\tpos\nIt was good\t5\thappy\n"),
    ],
)
def test_a_layer_that_a_file_with_named_columns_lacks_is_a_wrong_command(
    name: str, text: str, findings: Run, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    assert "labels" not in {finding.check for finding in findings(str(file), layer="ner")}
    with pytest.raises(DataError, match="has no layer 'nre'") as caught:
        findings(str(file), layer="nre")
    assert "ner" in str(caught.value.hint)


def test_the_scheme_can_be_named(findings: Run, tmp_path: Path) -> None:
    reference = Words().write(tmp_path)

    found = findings(reference, scheme="BIOES")

    assert {(finding.check, finding.split) for finding in found} == {
        ("scheme", split) for split in ("train", "validation", "test")
    }


@pytest.mark.parametrize(("prefix", "shown"), [("▁", "'▁'"), ("Ġ", "'Ġ'"), ('"', "'\"'"), ("en|", "'en|'"), ("a", "")])
def test_a_prefix_that_every_word_has_is_told_of(prefix: str, shown: str) -> None:
    examples = [Example(id=str(number), words=(f"{prefix}Ada{number}", f"{prefix}ran")) for number in range(12)]
    found = [one.advice or "" for one in columns.words({"train": examples}, 5)]
    assert found == ([f"remove it; of column files --set data.word_prefix={shown} leaves it out"] if shown else [])


def test_a_slip_of_the_pen_is_told_of_only_where_it_is_rare(findings: Run, tmp_path: Path) -> None:
    corpus = Words()
    for sentences in corpus.splits.values():
        for sentence in sentences:
            sentence[:] = [(word, tag.replace("PER", "PERSON").replace("ORG", "PERSONS")) for word, tag in sentence]
    reference = corpus.write(tmp_path)
    assert findings(reference) == []

    corpus.splits["train"][0][0] = ("Ada", "B-PESRON")
    corpus.splits["train"][0][1] = ("Stone", "I-PESRON")
    for number in range(60):
        corpus.splits["train"].append([(f"x{number}", "O"), *[(f"y{number}", "B-PERSON")] * 2])

    found = places(findings(corpus.write(tmp_path)))

    assert found["spelling", "train", None] == [corpus.place(tmp_path, "train", 0)]


@pytest.mark.parametrize(
    "spelling", ["LOC\u200b", "\uff2c\uff2f\uff23", "Loc", "L-O-C", "LOCC", "LOOC", "LCO", "LIC", "LO"]
)
def test_a_type_in_another_spelling_is_told_of_once(spelling: str, findings: Run, tmp_path: Path) -> None:
    corpus = Words()
    corpus.splits["train"][3][5] = ("Rome", f"B-{spelling}")
    reference = corpus.write(tmp_path)

    found = [one for one in findings(reference) if one.check == "spelling"]

    if spelling == "LO":  # too short to tell a slip from another type
        assert found == []
        return
    assert [(one.split, one.count) for one in found] == [("train", 1)]
    assert [case.place for case in found[0].examples] == [corpus.place(tmp_path, "train", 3, 5)]
    assert "'LOC' (99)" in found[0].examples[0].text
    assert "\u200b" not in found[0].examples[0].text


@pytest.mark.parametrize("spelling", ["LOC\u200b", "\uff2c\uff2f\uff23", "loc", "L_OC"])
def test_two_spellings_are_one_type_however_frequent_each_is(spelling: str, findings: Run, tmp_path: Path) -> None:
    corpus = Words()
    for sentences in corpus.splits.values():
        for sentence in sentences[::3]:
            sentence[5] = (sentence[5][0], f"B-{spelling}")

    found = findings(corpus.write(tmp_path))

    assert [(one.check, one.split, one.count) for one in found] == [
        ("spelling", "train", 20),
        ("spelling", "validation", 7),
        ("spelling", "test", 7),
    ]


def test_plain_labels_of_three_letters_are_no_slips_of_each_other(findings: Run, tmp_path: Path) -> None:
    corpus = Words()
    for sentences in corpus.splits.values():
        for sentence in sentences:
            sentence[:] = [(word, "NNP" if word[0].isupper() else "VB") for word, _ in sentence]
    for split in corpus.splits:
        corpus.splits[split][0][3] = (f"sight-{split}", "NNPS")
    for number in range(300):
        corpus.splits["train"].append([(f"a{number}", "NNP"), (f"b{number}", "VB"), (f"c{number}", "NNP")])

    assert [one.check for one in findings(corpus.write(tmp_path)) if one.check == "spelling"] == []


def test_three_spellings_of_a_class_are_each_counted_once(findings: Run, tmp_path: Path) -> None:
    corpus = reviews()
    train = corpus.splits["train"]
    good = [number for number, record in enumerate(train) if record["label"] == "good"]
    train[good[0]]["label"], train[good[1]]["label"] = "Good", "good "

    found = [one for one in findings(corpus.write(tmp_path)) if one.check == "spelling"]

    assert [(one.count, [case.place for case in one.examples]) for one in found] == [
        (2, [corpus.place(tmp_path, "train", number) for number in good[:2]])
    ]
    assert all("'good' (" in case.text for case in found[0].examples)


# -- texts ------------------------------------------------------------------------------------------------------------


def test_faults_of_texts_are_found_at_their_places(findings: Run, tmp_path: Path) -> None:
    corpus = reviews()
    train, test = corpus.splits["train"], corpus.splits["test"]
    train[3]["text"] = " \n "
    train[4]["text"] = "donâ€™t \x0b see it twice , it is dull and it is long ."
    test[5] = dict(train[6])
    test[6] = {"text": train[7]["text"], "label": "good" if train[7]["label"] == "bad" else "bad"}
    test[8]["text"] = " ".join(long_sentence(0, 200))

    found = findings(corpus.write(tmp_path))

    def at(split: str, *records: int) -> list[str]:
        return [corpus.place(tmp_path, split, record) for record in records]

    assert places(found) == {
        ("encoding", "train", None): at("train", 4),
        ("empty", "train", None): at("train", 3),
        ("characters", "train", None): at("train", 4),
        ("conflicts", "test", None): at("test", 6),
        ("duplicates", "test", "train"): at("test", 5, 6),
        ("subtokens", "train", None): at("train", 3),
        ("windows", "test", None): at("test", 8),
    }


def test_classes_out_of_balance_and_in_order_are_told_of(findings: Run, tmp_path: Path) -> None:
    corpus = reviews()
    train = corpus.splits["train"]
    for record in train[:56]:
        record["label"] = "good"
    for record in train[56:]:
        record["label"] = "bad"

    found = findings(corpus.write(tmp_path))

    place = corpus.place(tmp_path, "train", 56)
    assert places(found) == {
        ("balance", "train", None): [place],
        ("balance", "validation", "train"): ["", ""],
        ("balance", "test", "train"): ["", ""],
        ("order", "train", None): [place],
    }


@pytest.mark.parametrize("label", ["good", "O"])
def test_data_with_one_label_only_teaches_nothing(label: str, findings: Run, tmp_path: Path) -> None:
    words, texts = Words(), reviews()
    for sentences in words.splits.values():
        for sentence in sentences:
            sentence[:] = untagged([word for word, _ in sentence])
    for records in texts.splits.values():
        for record in records:
            record["label"] = label

    found = findings((words if label == "O" else texts).write(tmp_path))

    assert [(one.check, one.severity, one.split, one.count) for one in found] == [("balance", "error", "train", 1)]
    assert "nothing to learn" in found[0].message


@pytest.mark.parametrize("some_have_none", [True, False])
def test_one_label_can_be_learned_where_some_texts_have_none(
    some_have_none: bool, findings: Run, tmp_path: Path
) -> None:
    texts = reviews()
    for records in texts.splits.values():
        for record in records:
            record["label"] = [] if some_have_none and record["label"] == "bad" else ["good"]

    found = findings(texts.write(tmp_path), multilabel=True)

    assert [one.severity for one in found if "nothing to learn" in one.message] == ["error"] * (not some_have_none)


def test_a_column_that_holds_no_classes_is_told_of(findings: Run, tmp_path: Path) -> None:
    corpus = reviews()
    for split, records in corpus.splits.items():
        for number, record in enumerate(records):
            record["label"] = f"id{split}{number}"

    found = findings(corpus.write(tmp_path))

    first = found[0]
    assert (first.check, first.severity, first.split, first.count) == ("types", "error", "train", 60)
    assert "--columns" in first.advice


# -- spans ------------------------------------------------------------------------------------------------------------


def test_spans_that_cannot_be_used_are_told_of_one_by_one(findings: Run, tmp_path: Path) -> None:
    corpus = spans()
    records = corpus.splits["train"]
    text = records[0]["text"]
    records[0]["spans"] += [[2, 5, "PER"], [0, 8, "PER"], [5, 400, "LOC"], ["a", 3, "LOC"]]
    records[4]["spans"].append([len(text) - 1, len(text) - 1, "PER"])
    records[5]["spans"].append([3, 4, "PER"])

    found = findings(corpus.write(tmp_path))

    assert places(found) == {
        ("spans", "train", None): [corpus.place(tmp_path, "train", record) for record in (0, 0, 0, 0, 4, 5)]
    }
    texts = "\n".join(case.text for case in found[0].examples)
    for part in ("overlap", "does not lie in a text", "a span is start, end and label", "holds no word"):
        assert part in texts


def test_a_span_that_cuts_a_word_is_left_out_and_its_record_stays(findings: Run, tmp_path: Path) -> None:
    corpus = spans()
    record = corpus.splits["test"][3]
    record["spans"][1] = [record["spans"][1][0], record["spans"][1][1] - 1, "LOC"]
    reference = corpus.write(tmp_path)

    found = findings(reference)

    assert places(found) == {("spans", "test", None): [corpus.place(tmp_path, "test", 3)]}
    assert "cuts the word" in found[0].examples[0].text


def test_overlaps_that_are_dropped_on_purpose_are_no_finding(
    findings: Run, catalog: Catalog, encoding: Encoding, tmp_path: Path
) -> None:
    corpus = spans()
    corpus.splits["train"][0]["spans"].append([0, 8, "PER"])
    reference = corpus.write(tmp_path)
    assert ("spans", "train", None) in places(findings(reference))

    assert findings(reference, drop_overlaps=True) == []


@pytest.mark.parametrize("format_", ["doccano", "prodigy"])
def test_spans_of_annotation_tools_are_told_of_one_by_one(
    format_: str, findings: Run, catalog: Catalog, tmp_path: Path
) -> None:
    corpus = spans()
    key = {"doccano": "label", "prodigy": "spans"}[format_]
    for records in corpus.splits.values():
        for record in records:
            found = record.pop("spans")
            record[key] = [
                {"start": start, "end": end, "label": label} if format_ == "prodigy" else [start, end, label]
                for start, end, label in found
            ]
    overlap, cut, outside = (corpus.splits["train"][number][key] for number in range(3))
    for spans_, (start, end) in ((overlap, (0, 8)), (cut, (4, 6)), (outside, (-2, 5)), (outside, (9, 900))):
        spans_.append({"start": start, "end": end, "label": "PER"} if format_ == "prodigy" else [start, end, "PER"])

    told = findings(corpus.write(tmp_path), format=format_)

    assert places(told) == {
        ("spans", "train", None): [corpus.place(tmp_path, "train", record) for record in (0, 1, 2, 2)]
    }
    assert len(load_words(str(tmp_path / "train.jsonl"), catalog, tmp_path, format=format_)) == 60


def test_spans_of_label_studio_are_told_of_one_by_one(findings: Run, tmp_path: Path) -> None:
    tasks = []
    for number, record in enumerate(spans().splits["train"]):
        regions = [{"start": start, "end": end, "labels": [label]} for start, end, label in record["spans"]]
        if number == 4:
            regions += [{"start": 5, "end": 900, "labels": ["PER"]}, {"start": 7, "end": 3, "labels": ["PER"]}]
        result = [{"from_name": "label", "to_name": "text", "type": "labels", "value": region} for region in regions]
        # two people who agree, so that each fault is there twice and told once
        tasks.append({"id": number, "data": {"text": record["text"]}, "annotations": [{"result": result}] * 2})
    (tmp_path / "train.json").write_text(json.dumps(tasks))

    told = findings(str(tmp_path / "train.json"), format="label-studio")

    assert places(told) == {("spans", "train", None): [f"{tmp_path / 'train.json'}:5"] * 2}


def test_spans_of_brat_are_told_of_one_by_one(findings: Run, tmp_path: Path) -> None:
    texts: list[str] = []
    marks: list[str] = []
    start = 0
    for number, record in enumerate(spans().splits["train"]):
        for begin, end, label in record["spans"]:
            marks.append(f"T{len(marks) + 1}\t{label} {start + begin} {start + end}\t{record['text'][begin:end]}")
        texts.append(record["text"] + "\n")
        start += len(texts[number])
    marks[6] = "T7\tPER 0 9999\tnobody"
    marks[10] = "T11\tPER nowhere\tnobody"
    marks[12] = f"T13\tPER 3 {len(texts[0]) + 3}\t"
    (tmp_path / "train.txt").write_text("".join(texts))
    (tmp_path / "train.ann").write_text("\n".join(marks) + "\n")

    told = findings(str(tmp_path / "train.ann"))

    assert sorted(places(told)["spans", "train", None]) == sorted(f"{tmp_path / 'train.ann'}:{n}" for n in (7, 11, 13))


# -- large data -------------------------------------------------------------------------------------------------------


def test_splits_that_do_not_stay_in_memory_are_checked_all_the_same(
    findings: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = Words()
    expected = {**the_same_again(corpus, tmp_path), **an_improper_tag(corpus, tmp_path)}
    expected["encoding", "validation", None] = a_byte_that_is_none(corpus, tmp_path)["encoding", "validation", None]
    reference = corpus.write(tmp_path)
    monkeypatch.setattr("labelkit.data.arrow_cache.EXAMPLES", 10)

    assert places(findings(reference)) == expected
    assert sorted(file.name for file in (tmp_path / "stored").iterdir()) == [
        "test.arrow",
        "train.arrow",
        "validation.arrow",
    ]


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    return tmp_path / "home"


def spoiled(folder: Path) -> str:
    corpus = Words()
    an_improper_tag(corpus, folder)
    the_same_again(corpus, folder)
    return corpus.write(folder)


def test_the_document_has_one_shape_whatever_is_found(
    home: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, shapes, counts = Words(), [], []
    for write in (corpus.write, spoiled):
        assert main(["data", "check", write(tmp_path), "--model", str(tiny), "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        shapes.append(list(document))
        counts.append(document["counts"])

    assert (
        shapes[0]
        == shapes[1]
        == [
            "reference",
            "kind",
            "splits",
            "layers",
            "max_length",
            "skipped",
            "notes",
            "assumptions",
            "counts",
            "findings",
        ]
    )
    assert counts == [{"error": 0, "warning": 0, "note": 0}, {"error": 2, "warning": 2, "note": 2}]
    assert document["layers"] == {"labels": {"scheme": "IOB2"}}
    assert document["splits"]["test"]["examples"] == 23
    assert document["max_length"] == 128
    assert document["findings"][0] == {
        "check": "transitions",
        "severity": "error",
        "split": "train",
        "count": 1,
        "examples": [
            {
                "place": corpus.place(tmp_path, "train", 3, 2),
                "text": "tag 'I-ORG' does not fit IOB2 after 'I-PER', before 'O'",
            }
        ],
        "advice": "correct them, or let --set data.repair=true read them as the CoNLL scorer does",
        "message": "tags do not fit IOB2 where they stand",
        "total": None,
        "layer": "labels",
        "against": None,
        "share": None,
    }
    assert not home.exists()


def test_only_strict_makes_findings_a_failure(
    home: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["data", "check", spoiled(tmp_path), "--model", str(tiny)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "6 findings: 2 errors, 2 warnings, 2 notes" in shown
    assert "train, labels: tags do not fit IOB2 where they stand (1)\n" in shown

    assert main([*command, "--strict"]) == 1
    printed = capsys.readouterr()
    assert "6 findings: 2 errors, 2 warnings, 2 notes" in printed.out
    assert "error: 6 findings: 2 errors, 2 warnings, 2 notes, and --strict allows none" in printed.err

    skipping = [option for name in ("transitions", "duplicates") for option in ("--skip", name)]
    assert main([*command, "--strict", *skipping]) == 0
    assert "transitions was not checked: left out by --skip" in capsys.readouterr().out


def test_counts_are_whole_however_few_examples_are_shown(
    home: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Words()
    a_split_in_another_scheme(corpus, tmp_path)
    reference = corpus.write(tmp_path)

    documents = []
    for number in ("0", "3"):
        assert main(["data", "check", reference, "--model", str(tiny), "--json", "--examples", number]) == 0
        documents.append(json.loads(capsys.readouterr().out)["findings"])

    assert [[(one["count"], len(one["examples"])) for one in found] for found in documents] == [[(50, 0)], [(50, 3)]]


def test_without_an_encoder_the_rest_is_checked(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = spoiled(tmp_path)
    monkeypatch.setattr("labelkit.models.references.BUNDLED_PACKAGE", "no_such_package")

    assert main(["data", "check", reference, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["max_length"] is None
    assert list(document["skipped"]) == ["subtokens", "windows"]
    assert "not installed" in document["skipped"]["windows"]
    assert len(document["findings"]) == 6

    assert main(["data", "check", reference, "--model", "bundled"]) == 1
    assert "the bundled encoder is not installed" in capsys.readouterr().err


def test_the_length_of_a_window_can_be_set(
    home: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["data", "check", Words().write(tmp_path), "--model", str(tiny), "--json"]

    assert main([*command, "--set", "data.max_length=12"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {one["check"] for one in document["findings"]} == {"windows"}

    assert main([*command, "--set", "data.max_length=500"]) == 1
    assert "exceeds the 128 subword tokens" in capsys.readouterr().err


def test_what_users_wrote_is_shown_literally(
    home: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Words()
    corpus.splits["train"][2][3] = ("[bold]\x1b[31mred\u200b", "O")
    corpus.splits["train"][3][3] = ("caf\udce9", "O")

    assert main(["data", "check", corpus.write(tmp_path), "--model", str(tiny)]) == 0

    shown = capsys.readouterr().out
    assert "[bold]␛[31mred" in shown
    assert "\x1b" not in shown


def test_the_sources_that_labelkit_makes_are_checked(
    home: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", "sample-reviews", "--model", str(tiny), "--skip", "windows", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_the_files_of_a_named_corpus_are_checked_as_they_are(
    home: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, folder = Words(), tmp_path / "wnut17"
    folder.mkdir()
    corpus.splits["test"][0][1] = ("Stone", "I-LOC")
    corpus.write(folder)
    monkeypatch.setenv("LABELKIT_DATA", str(tmp_path))

    assert main(["data", "check", "wnut17", "--model", str(tiny), "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["layers"] == {"ner": {"scheme": "IOB2"}}
    assert document["notes"][0] == "wnut17: train has 60 examples, 3,394 were published"
    told = [(one["check"], one["examples"][0]["place"]) for one in document["findings"]]
    assert told == [("transitions", corpus.place(folder, "test", 0, 1))]


def test_every_check_is_described_in_the_docs() -> None:
    docs = (Path(__file__).parent.parent / "docs" / "how-to" / "check-data.md").read_text(encoding="utf-8")

    assert [name for name in CHECKS if f"| `{name}` |" not in docs] == []
