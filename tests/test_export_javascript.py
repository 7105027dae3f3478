"""``labelkit export --to transformers.js``: labels in Node are those of Python, part by part and in the whole."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import unicodedata
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import labelkit
from labelkit.cli import main
from labelkit.encode.windows import split_into_windows
from labelkit.errors import LabelkitError, ModelError
from labelkit.exports import javascript_folder
from labelkit.exports.characters import borders, gaps, splitter_characters
from labelkit.exports.javascript_folder import SETTINGS, export_to_javascript
from labelkit.exports.javascript_settings import javascript_settings
from labelkit.exports.node import _run_node, check_node
from labelkit.inference.onnx.export import OnnxModel, export_model
from labelkit.inference.viterbi import rules_of, viterbi
from labelkit.labels.schemes import SCHEMES, repair, spans_of
from labelkit.models.case_marks import MARKS
from labelkit.models.tiny import make_tiny
from labelkit.records import Schema, Scores
from labelkit.registry import Home
from labelkit.sample.corpus import sentences
from labelkit.testing.adversarial_texts import TEXTS
from labelkit.text import splitters

pytest_plugins = ("node_packages",)

#: what splitters and tokenizers disagree about most
PIECES = (
    *"aAzZéßİΣς09.,;:!?'’\"“”()[]{}<>*_-+=/\\&#@~`^|$€%… \t\n\r\x0b\x1c\x85\u2028\u00a0\u3000\u200b\u200d\ufe0f\u0301",
    *"\u0e01\u0e33\u0903\u0600אב׳״カァー漢字东ㄅ가각①²½ſﬁ−‐‑·․,٫。、～", "𝒜", "𐐀", "𠮷", "🇯🇵", "👍🏽",
    "👩\u200d👧", "🫠", "🥰", "n't", "'s", "’ll", "'RE",
    "https://x.y/z", "www.", "U.S.", "e.g.", "Mr.", "No. 5", "Ph.D.", "a@b.co", ":-)", "<3",
    "--", "...", "!!", "&amp;", "'90s", "12:30", "1,000.5", "AT&T", "US$", "@me", "#tag", "^_^", "\\/", "\r\n", "don't",
    " , ", " . ", " '' ", " `` ", "[SEP]", "[UNK]",
)  # fmt: skip
MIXED = (
    "😀", "👩\u200d👩\u200d👧", "🇯🇵", "👍🏽", "🫠", "東京都に住んでいます。", "서울에서", "กรุงเทพ",
    "e\u0301", "Z\u0351\u036b", "नमस्ते", "שלום", "ΟΔΟΣ", "İstanbul", "ﬁn", "𠮷野家", "\u200b", "\u00ad", "…", "„Zürich“",
    "x²", "№5", "[SEP]",
)  # fmt: skip


def random_text(chance: random.Random, pieces: int) -> str:
    """Return a text of random pieces, and of characters that Unicode 15 knows."""
    found = [
        chance.choice(PIECES) if chance.random() < 0.85 else chr(chance.randrange(0x20, 0x20000)) for _ in range(pieces)
    ]
    return "".join(one for one in "".join(found) if unicodedata.category(one) not in ("Cn", "Cs"))


def mixed_texts(count: int, words: int) -> list[str]:
    """Return texts with emoji, CJK and combining marks, adversarial ones, and one of so many words."""
    chance, texts = random.Random(5), list(TEXTS)
    known = [example.words or () for example in sentences(200)]
    while len(texts) < count - 1:
        chosen = list(chance.choice(known))
        for _ in range(chance.randrange(5)):
            chosen.insert(chance.randrange(len(chosen) + 1), chance.choice(MIXED))
        text = " ".join(chosen)
        texts.append(text.replace(" .", ".").replace(" ,", ",") if chance.random() < 0.5 else text)
    long: list[str] = []
    while len(long) < words:
        long += chance.choice(known)
    return [*texts, " ".join(long[:words])]


def run_node(node: str, script: str, given: Any, tmp_path: Path) -> Any:
    """Run a script with the modules of exports beside it; return the JSON document that it makes of ``given``.

    :param script: the body of a module that has ``given`` and calls ``done(result)``.
    """
    head = (
        "import fs from 'node:fs';\n"
        "const given = JSON.parse(fs.readFileSync(0, 'utf8'));\n"
        "const done = (result) => fs.writeSync(1, JSON.stringify(result));\n"
    )
    with as_file(files("labelkit.exports").joinpath("javascript")) as modules:
        for module in modules.glob("*.js"):
            shutil.copyfile(module, tmp_path / module.name)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "script.mjs").write_text(head + script, encoding="utf-8")
    command = [node, str(tmp_path / "script.mjs")]
    result = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


# -- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_words_are_split_as_in_python(node: str, tmp_path: Path) -> None:
    chance = random.Random(11)
    texts = [*TEXTS, *(random_text(chance, chance.choice((3, 6, 12, 30))) for _ in range(3000))]
    texts += [" ".join(example.words or ()) for example in sentences(100)]
    names = ("words", "characters", "whitespace")
    script = """
    import { Characters, splitWords } from './labelkit-words.js';
    const characters = new Characters(given.characters);
    const points = (text, place) => [...text.slice(0, place)].length;
    done(given.texts.map((text) => given.names.map((name) =>
      splitWords(text, name, characters).map((word) => word.map((place) => points(text, place))))));
    """
    found = run_node(node, script, {"texts": texts, "names": names, "characters": splitter_characters()}, tmp_path)
    for text, of_text in zip(texts, found, strict=True):
        for name, places in zip(names, of_text, strict=True):
            assert places == [list(one) for one in splitters.split(text, name)], (name, text)


@pytest.mark.slow
def test_windows_are_those_of_python(node: str, tmp_path: Path) -> None:
    chance, cases = random.Random(3), []
    for _ in range(300):
        capacity = chance.randrange(4, 30)
        sizes = [chance.randrange(1, min(capacity, 5) + 1) for _ in range(chance.randrange(0, 60))]
        owners = [word for word, size in enumerate(sizes) for _ in range(size)]
        cases.append((owners, capacity, chance.randrange(0, capacity)))
    script = """
    import { splitIntoWindows } from './labelkit.js';
    done(given.map(([owners, capacity, stride]) => splitIntoWindows(owners, capacity, stride)
      .map((one) => [one.start, one.stop, one.ownStart, one.ownStop])));
    """
    expected = [
        [[one.start, one.stop, one.own_start, one.own_stop] for one in split_into_windows(*case)] for case in cases
    ]
    assert run_node(node, script, cases, tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_are_decoded_and_read_as_in_python(scheme: Any, node: str, tmp_path: Path) -> None:
    schema = Schema(name="x", kind="token", types=("PER", "creative-work"), scheme=scheme)
    chance = np.random.default_rng(7)
    names = schema.label_names
    rows = [chance.normal(size=(length, len(names))).astype(np.float32) for length in (1, 2, 3, 8, 40) * 20]
    rules = rules_of(schema)
    plain = {name: getattr(rules, name).tolist() for name in ("first", "last", "common", "inside", "openers")}
    script = """
    import { spansOf, tagsOf, viterbi } from './labelkit.js';
    const ids = given.rows.map((rows) => viterbi(rows, given.rules));
    const read = given.tags.map((tags) => spansOf(tags));
    done({ ids, spans: read.map((spans) => spans.map((one) => [one.first, one.stop, one.label])),
      repaired: read.map((spans, index) => tagsOf(spans, given.tags[index].length, given.scheme)) });
    """
    tags = [[names[id_] for id_ in chance.integers(0, len(names), size=9)] for _ in range(200)]
    given = {"rows": [one.tolist() for one in rows], "rules": plain, "tags": tags, "scheme": scheme}
    found = run_node(node, script, given, tmp_path)
    lengths = np.array([len(one) for one in rows], np.int64)
    ids = viterbi(Scores(values=np.concatenate(rows), lengths=lengths, schema=schema))
    assert found["ids"] == [one.tolist() for one in np.split(ids, np.cumsum(lengths)[:-1])]
    assert found["spans"] == [[list(one) for one in spans_of(one, scheme)] for one in tags]
    assert found["repaired"] == [list(repair(one, scheme)[0]) for one in tags]


def test_ranges_are_written_as_gaps() -> None:
    assert borders([3, 4, 5, 9]) == [3, 6, 9, 10]
    assert gaps([3, 6, 9, 10]) == [3, 3, 3, 1]
    assert borders([]) == gaps([]) == []


# -- the folder -------------------------------------------------------------------------------------------------------


def test_what_javascript_reads_otherwise_is_rewritten(tmp_path: Path) -> None:
    patterns = {**MARKS, r"(?<![\p{L}\p{M}])\p{Lu}[\p{L}\p{M}]*+\K": "^"}  # the last is of checkpoints of before
    marks = [{"type": "Replace", "pattern": {"Regex": pattern}, "content": mark} for pattern, mark in patterns.items()]
    other = {"type": "Lowercase"}
    state = {"normalizer": {"type": "Sequence", "normalizers": [*marks, other]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(state), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 1e30}', encoding="utf-8")
    javascript_folder._adapt_tokenizer(tmp_path, 128)
    written = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["normalizer"]["normalizers"]
    for part in written[:3]:
        assert part["content"] in MARKS.values()
        assert not any(only in part["pattern"]["Regex"] for only in ("\\K", "*+", "(?>"))
    assert written[3:] == [other]
    assert json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8")) == {"model_max_length": 128}


def test_a_model_of_several_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    (tmp_path / "layer.weight").write_bytes(b"weights")
    with pytest.raises(ModelError, match="larger than 2 GB"):
        javascript_folder._copy_model(OnnxModel(tmp_path, "fp32"), tmp_path / "onnx" / "model.onnx")


def test_node_and_its_packages_are_looked_for_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/node")
    with pytest.raises(LabelkitError, match="has no @huggingface/transformers"):
        check_node(tmp_path)
    package = tmp_path / "node_modules" / "@huggingface" / "transformers"
    package.mkdir(parents=True)
    (package / "package.json").write_text("{}", encoding="utf-8")
    assert check_node(tmp_path) == "/bin/node"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(LabelkitError, match="node is not installed"):
        check_node(tmp_path)


def test_a_node_that_does_not_end_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*arguments: Any, timeout: float, **options: Any) -> None:
        raise subprocess.TimeoutExpired("node", timeout)

    monkeypatch.setattr("labelkit.exports.node.check_node", lambda packages: "/bin/node")
    monkeypatch.setattr(subprocess, "run", hangs)
    with pytest.raises(LabelkitError, match="Node has not run the exported folder within 600 seconds"):
        _run_node(tmp_path, tmp_path, {})


# -- labels in Node ---------------------------------------------------------------------------------------------------

COMPARE = """
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
const entry = createRequire(given.packages + '/script.js').resolve('@huggingface/transformers');
const transformers = await import(pathToFileURL(entry));
console.log = console.warn = console.info = console.error;
transformers.env.allowRemoteModels = false;
const { Labeller } = await import(pathToFileURL(given.folder + '/labelkit.js'));
const labeller = await Labeller.load(transformers, given.folder, { dtype: given.dtype ?? 'fp32' });
done(await labeller.labelAll(given.texts));
"""


@pytest.fixture(scope="module")
def labeller_of(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Callable[..., labelkit.Labeller]:
    """Return a function that trains a tiny labeller of an architecture for some steps."""

    def train(task: str, architecture: str, data: str, **settings: Any) -> labelkit.Labeller:
        folder = tmp_path_factory.mktemp(architecture)
        model = make_tiny(architecture, folder / "encoder")
        steps: dict[str, Any] = {"epochs": 6, "lr": 1e-2, "max_steps": 30}
        done = labelkit.run(task, data=data, model=str(model), home=folder / "home", settings=settings, **steps)
        return labelkit.load(done.checkpoint, engine="torch")

    return train


def exported(labeller: labelkit.Labeller, folder: Path) -> Path:
    """Return the folder of a labeller in fp32."""
    model = export_model(labeller.engine, labeller.folder, "fp32", folder / "cache")
    export_to_javascript(labeller, folder / "out", [model], lambda beside: None)
    return folder / "out"


def spans(record: Any) -> list[dict[str, Any]]:
    return [{name: getattr(one, name) for name in ("start", "end", "label", "text")} for one in record.spans or ()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "settings", "count"),
    [
        ("bert", {}, 1000),
        ("bert", {"data.mark_case": True}, 1000),
        ("roberta", {}, 1000),
    ],
)
def test_a_thousand_texts_get_the_labels_of_python(
    architecture: str, settings: dict[str, Any], count: int,
    labeller_of: Callable[..., labelkit.Labeller], corpus: Path, node: str, packages: Path, tmp_path: Path,
) -> None:  # fmt: skip
    labeller = labeller_of("ner", architecture, str(corpus), **settings)
    folder = exported(labeller, tmp_path)
    texts = mixed_texts(count, 5000)
    found = run_node(node, COMPARE, {"packages": str(packages), "folder": str(folder), "texts": texts}, tmp_path)
    records = labeller.label_all(texts)
    assert len(records[-1].words or ()) == 5000
    seen: set[str] = set()
    for record, other in zip(records, found, strict=True):
        assert list(record.words or ()) == other["words"]
        assert list(record.labels or ()) == other["labels"], record.text
        plain = [{name: span[name] for name in ("start", "end", "label", "text")} for span in other["spans"]]
        assert plain == spans(record)
        units = record.text.encode("utf-16-le", "surrogatepass")
        for span in other["spans"]:
            place = span["utf16"]
            cut = units[2 * place["start"] : 2 * place["end"]]
            assert cut.decode("utf-16-le", "surrogatepass") == span["text"]
        for name in ("words", "windows", "fallback", "no_subtokens", "too_long", "repaired"):
            assert other["coverage"][name] == getattr(record.coverage, name)
        seen.update(record.labels or ())
    assert len(seen) > 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["labels", "sets", "numbers"])
def test_texts_get_the_labels_of_python(
    kind: str, labeller_of: Callable[..., labelkit.Labeller], node: str, packages: Path, tmp_path: Path
) -> None:
    chance = random.Random(2)
    words = ("fine", "dull", "film", "long", "short", "plot")
    values: dict[str, Callable[[str], Any]] = {
        "labels": lambda text: "good" if "fine" in text else "bad",
        "sets": lambda text: [word for word in ("fine", "dull") if word in text],
        "numbers": lambda text: text.count("fine") + 0.5,
    }
    made = [" ".join(chance.choices(words, k=6)) for _ in range(120)]
    for split, part in {"train": made[:80], "validation": made[80:100], "test": made[100:]}.items():
        lines = [json.dumps({"text": text, "label": values[kind](text)}) for text in part]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    data = ",".join(f"{split}={tmp_path / split}.jsonl" for split in ("train", "validation", "test"))
    settings = {"train.head": "regression"} if kind == "numbers" else {}
    labeller = labeller_of("textcls", "bert", data, **settings)
    folder = exported(labeller, tmp_path)
    texts = [*mixed_texts(100, 2000), *made[:20]]
    found = run_node(node, COMPARE, {"packages": str(packages), "folder": str(folder), "texts": texts}, tmp_path)
    for record, other in zip(labeller.label_all(texts), found, strict=True):
        assert other["coverage"]["windows"] == record.coverage.windows
        if kind == "numbers":
            assert other["number"] == pytest.approx(record.number, abs=1e-4)
            continue
        assert other.get("label") == record.label
        assert other.get("labels") == (None if record.labels is None else list(record.labels))
        assert other["scores"] == pytest.approx(dict(record.scores or {}), abs=2e-4)


@pytest.mark.slow
def test_bad_input_in_javascript_is_an_error(
    labeller_of: Callable[..., labelkit.Labeller], corpus: Path, node: str, packages: Path, tmp_path: Path
) -> None:
    folder = exported(labeller_of("ner", "bert", str(corpus)), tmp_path)
    script = COMPARE.replace(
        "done(await labeller.labelAll(given.texts));",
        """
        const errors = [];
        const failing = (call) => call().then(() => errors.push(null), (error) => errors.push(error.message));
        await failing(() => labeller.label(null));
        await failing(() => labeller.label(['a', 1]));
        await failing(() => labeller.labelAll('text'));
        await failing(() => Labeller.load(transformers, given.folder + '/nothing'));
        done({ errors, words: (await labeller.label(['New York', '', 'Ada'])).words });
        """,
    )
    found = run_node(node, script, {"packages": str(packages), "folder": str(folder)}, tmp_path)
    assert found["errors"][:3] == [
        "text 1: a string or an array of words is needed",
        "text 1: a string or an array of words is needed",
        "labelAll takes an array of texts",
    ]
    assert "labelkit-js.json cannot be read" in found["errors"][3]
    assert found["words"] == ["New York", "", "Ada"]


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(
    trained: labelkit.RunResult, home: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> Callable[..., SimpleNamespace]:  # fmt: skip
    """Return a function that exports the shared run in an empty folder."""
    copied = tmp_path_factory.mktemp("javascript") / "home"
    shutil.copytree(home, copied)
    for name in ("REGISTRY", "DATA", "PLUGINS"):
        monkeypatch.delenv(f"LABELKIT_{name}", raising=False)
    monkeypatch.setenv("LABELKIT_HOME", str(Home.find({}, explicit=copied).root))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> SimpleNamespace:
        before = signal.getsignal(signal.SIGTERM)
        status = main(["export", "shared", *map(str, arguments)])
        signal.signal(signal.SIGTERM, before)
        out, err = capsys.readouterr()
        return SimpleNamespace(status=status, out=out, err=err)

    return run


@pytest.mark.slow
def test_the_command_writes_the_layout_and_runs_it_in_node(
    command: Callable[..., SimpleNamespace], packages: Path, tmp_path: Path
) -> None:
    done = command("out", "--to", "transformers.js", "--threshold", "0.2", "--check-in", packages, "--json")
    assert done.status == 0, done.err
    document = json.loads(done.out)
    assert document["checked"]["program"].startswith("transformers.js 4.")
    assert document["checked"]["compared"] == document["checked"]["same"] > 100
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
    assert names == {one["name"] for one in document["files"]} | {"onnx"}
    assert {"onnx/model.onnx", "onnx/model_quantized.onnx", "config.json", "tokenizer.json", SETTINGS} <= names
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
def test_a_folder_that_labels_otherwise_in_node_is_not_written(
    command: Callable[..., SimpleNamespace], packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = javascript_settings
    for change, message in (
        ({"labels": ["B-LOC", "O", "I-PER", "B-PER", "I-LOC"]}, "trial words or texts otherwise"),
        ({"format": 99}, "Node cannot run the exported folder: "),
    ):
        monkeypatch.setattr(javascript_folder, "javascript_settings", lambda *given, new=change: made(*given) | new)
        done = command("out", "--to", "transformers.js", "--no-int8", "--check-in", packages)
        assert done.status == 1
        assert message in done.err
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_without_node_the_models_are_run_and_that_is_said(
    command: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    done = command("out", "--to", "transformers.js", "--no-int8")
    assert done.status == 0, done.err
    assert "note: run in ONNX Runtime, but not in Node" in done.err
    assert not (tmp_path / "out" / "onnx" / "model_quantized.onnx").exists()


def test_check_in_is_for_javascript_alone(command: Callable[..., SimpleNamespace], tmp_path: Path) -> None:
    done = command("out", "--to", "onnx", "--check-in", tmp_path)
    assert (done.status, "--check-in is for --to transformers.js" in done.err) == (2, True)
    done = command("out", "--to", "transformers.js", "--check-in", tmp_path / "nothing")
    assert done.status == 1
    assert not (tmp_path / "out").exists()


def test_the_modules_have_no_dependencies_and_parse(node: str) -> None:
    with as_file(files("labelkit.exports").joinpath("javascript")) as folder:
        for module in folder.glob("*.js"):
            text = module.read_text(encoding="utf-8")
            imported = [line for line in text.splitlines() if line.startswith("import ")]
            assert all(" from './labelkit-" in line for line in imported), module
            assert all(len(line) <= 120 for line in text.splitlines())
            subprocess.run([node, "--check", str(module)], check=True)
