"""The commands: what they print where, how they end, and one clear line for every kind of bad input."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.cli import main
from labelkit.cli.progress import Progress
from labelkit.errors import LabelkitError
from labelkit.events import Event, StepDone
from labelkit.models import checkpoint
from labelkit.registry import Home, Registry

PLAIN = Path(__file__).parent / "plain.toml"

HOSTILE = "[red]Ada[/red] \x1b[31mlives\x1b[0m in <b>Rome</b>\u202e :smile: \\"
GOOD = "Ada B-PER\nlives O\nin O\nRome B-LOC\n\nNothing O\n\n"
PROGRESS = re.compile(r" *\d+\.\ds  ")


@dataclass(frozen=True)
class Done:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Return the JSON document on stdout; nothing else may be there."""
        return json.loads(self.out)

    @property
    def said(self) -> list[str]:
        """Return the lines on stderr that are not progress."""
        return [line for line in self.err.splitlines() if not PROGRESS.match(line)]


Command = Callable[..., Done]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, without any of the variables that labelkit reads."""
    for name in ("HOME", "REGISTRY", "DATA", "PLUGINS"):
        monkeypatch.delenv(f"LABELKIT_{name}", raising=False)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs ``labelkit`` with some arguments."""

    def run(*arguments: str | Path) -> Done:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Done(status, *capsys.readouterr())

    return run


@pytest.fixture
def fails(command: Command, tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a command which must fail, with one line and one hint, writing nothing."""

    def run(*arguments: str | Path) -> str:
        before = tree(tmp_path)
        done = command(*arguments)
        assert (done.status, done.out) == (1, "")
        assert tree(tmp_path) == before
        return explained(done.said)

    return run


def explained(said: list[str]) -> str:
    """Return what one error says: its line and its hint."""
    assert said[0].startswith("error: ")
    assert len(said) == 2, said
    assert said[1].startswith("  ")
    assert "mistake in labelkit" not in said[1]
    return "\n".join(said)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def shared(trained: labelkit.RunResult, home: Path, monkeypatch: pytest.MonkeyPatch) -> labelkit.RunResult:
    """Return the shared run, in the home that commands use now."""
    monkeypatch.setenv("LABELKIT_HOME", str(home))
    return trained


# -- run --------------------------------------------------------------------------------------------------------------


def test_run_prints_one_json_document(command: Command, tiny: Path, corpus: Path, tmp_path: Path) -> None:
    done = command("run", "ner", "--data", corpus, "--model", tiny, "--epochs", "1", "--name", "first", "--json")
    assert done.status == 0
    document = done.document
    assert {"run", "task", "status", "metrics", "checkpoint", "seconds"} <= document.keys()
    assert (document["task"], document["status"], document["name"]) == ("ner", "finished", "first")
    assert set(document["metrics"]) == {"validation", "test"}
    figures = document["metrics"]["test"]["ner"]
    assert {"precision", "recall", "f1", "accuracy", "per_type"} <= figures.keys()
    assert figures["per_type"]["PER"].keys() == {"precision", "recall", "f1", "support"}
    checkpoint_folder = Path(document["checkpoint"])
    assert checkpoint_folder.is_relative_to(tmp_path / "labelkit-runs")
    assert (checkpoint_folder / "model.safetensors").is_file()
    assert "training 1 epochs, 2 steps" in done.err
    assert "epoch 1, training loss " in done.err


def test_run_prints_scores_and_what_to_do_next(command: Command, tiny: Path, corpus: Path) -> None:
    done = command("run", "ner", "--data", corpus, "--model", tiny, "--max-steps", "1", "--name", "mine")
    assert done.status == 0
    assert "validation (ner)" in done.out
    assert "test (ner)" in done.out
    share = r"[01]\.\d{4}"
    assert re.search(rf"^all +{share} +{share} +{share} +\d+  \[{share}, {share}\]$", done.out, re.MULTILINE)
    assert "labelkit label mine --text" in done.out
    assert "synthetic" not in done.out


def test_a_run_whose_loss_is_no_number_fails_with_advice(command: Command, tiny: Path, corpus: Path) -> None:
    data = ("run", "ner", "--data", corpus, "--model", tiny, "--recipe", PLAIN)
    done = command(*data, "--max-steps", "2", "--lr", "1e30", "--json")
    assert (done.status, done.out) == (1, "")
    assert "loss is NaN or infinite" in done.err
    assert "lower --lr (it is 1e+30)" in done.err
    assert command("runs", "show", "latest", "--json").document["status"] == "failed"


def test_a_dry_run_shows_where_each_value_came_from_and_writes_nothing(
    command: Command, tiny: Path, corpus: Path, tmp_path: Path
) -> None:
    arguments = ("run", "ner", "--data", corpus, "--model", tiny, "--lr", "1e-3", "--set", "train.weight_decay=0.5")
    shown = command(*arguments, "--dry-run")
    assert shown.status == 0
    lines = {line.split()[0]: line for line in shown.out.splitlines() if line.strip()}
    assert re.search(r"0\.001 +--lr *$", lines["train.learning_rate"])
    assert re.search(r"0\.5 +--set *$", lines["train.weight_decay"])
    assert re.search(r"42 +default *$", lines["train.seed"])
    assert re.search(r"128 +automatic: the encoder reads 128 subwords", lines["data.max_length"])
    assert lines["train"].split()[1] == "48"
    document = command(*arguments, "--dry-run", "--json").document
    assert document["plan"]["train.learning_rate"] == {"value": 0.001, "from": "--lr"}
    assert document["plan"]["data.max_length"]["value"] == 128
    assert document["splits"]["validation"]["examples"] == 12
    assert document["labels"] == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert document["encoder"]["folder"] == str(tiny)
    assert list(tmp_path.iterdir()) == []


def test_all_misses_are_reported_at_once(command: Command, tmp_path: Path) -> None:
    done = command(
        "run", "ner", "--data", "wnut71", "--model", "/nowhere", "--metric", "seqevil", "--recipe", "quick",
        "--set", "train.learning_rat=1", "--set", "train.output_dir=x", "--name", "Best", "--dry-run",
    )  # fmt: skip
    assert (done.status, done.out) == (1, "")
    assert done.said[0] == "error: 7 errors in the settings of this run"
    assert [line.split(".")[0].strip() for line in done.said[1:]] == ["1", "2", "3", "4", "5", "6", "7"]
    for part in ("wnut17", "/nowhere", "seqeval", "quickstart", "train.learning_rate", "LABELKIT_HOME", "Best"):
        assert part in done.err
    assert list(tmp_path.iterdir()) == []


# -- run: bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nre",), "error: unknown task 'nre'\n  did you mean ner?"),
        (("ner", "--recipe", "bset"), "error: unknown recipe 'bset' of task 'ner'\n  did you mean best?"),
        (("ner", "--recipe", "no.toml"), "error: recipe no.toml does not exist"),
        (
            ("ner", "--data", "sampel"),
            "error: no data source, file or folder is called 'sampel'\n  did you mean sample",
        ),
        (
            ("ner", "--metric", "seqval"),
            "error: unknown metric 'seqval'\n  did you mean seqeval or seqeval-unseen or seqeval-strict?",
        ),
        (("ner", "--model", "bundeld"), "error: unknown model 'bundeld'\n  did you mean bundled?"),
        (("ner", "--model", "tiny:brt"), "error: unknown architecture 'brt'\n  did you mean b"),
        (("ner", "--model", "./nowhere"), "error: model folder ./nowhere does not exist\n"),
        (("ner", "--set", "train.learning_rat=1"), "error: unknown setting 'train.learning_rat'\n  did you mean"),
        (("ner", "--set", "train.save_steps=1"), "error: train.save_steps is set by labelkit\n"),
        (("ner", "--set", "train.max_steps=many"), "error: invalid train.max_steps: 'many'\n  it takes a whole"),
        (("ner", "--set", "epochs"), "error: invalid --set 'epochs': expected KEY=VALUE\n"),
        (("ner", "--name", "latest"), "error: a run cannot be called 'latest'\n"),
        (("ner", "--name", "My Run"), "error: a run cannot be called 'My Run'\n"),
        (("ner", "--data", "wnut17"), "error: 'wnut17' needs its files"),
    ],
)
def test_unknown_names_are_told_with_the_nearest_ones(
    fails: Callable[..., str],
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = [] if "--data" in arguments else ["--data", write(tmp_path / "train.conll", GOOD)]
    model = [] if "--model" in arguments else ["--model", tiny]
    found = fails("run", *arguments, *data, *model)
    assert found.startswith(said), found


@pytest.mark.parametrize(
    ("files", "data", "said"),
    [
        ({}, "missing.conll", "error: missing.conll does not exist"),
        ({}, "missing/folder", "error: missing/folder does not exist"),
        ({}, "train=missing.conll", "error: missing.conll does not exist"),
        ({"d/dev.conll": GOOD}, "d", "error: d has no train split, it holds dev.conll\n"),
        ({"d/README": "read me"}, "d", "error: d has no train split, it holds no files\n"),
        ({"t.conll": GOOD + "Bob B-PER\nsleeps\n"}, "t.conll", "error: t.conll:9: 2 columns expected as in"),
        ({"t.conll": GOOD.encode() + b"Z\xfcrich B-LOC\n"}, "t.conll", "error: t.conll:8: not UTF-8 at byte offset 47"),
        ({"t.conll": ""}, "t.conll", "error: t.conll is empty"),
        ({"t.conll": "\n\n-DOCSTART- O\n\n"}, "t.conll", "error: t.conll is empty"),
        ({"t.conll": GOOD, "v.conll": "\n"}, "train=t.conll,validation=v.conll", "error: v.conll is empty"),
        ({"t.conll": GOOD + "Tim I-PER\n"}, "t.conll", "error: t.conll:8: "),
        ({"t.conll": GOOD + "Tim PER\n"}, "t.conll", "error: t.conll:8: "),
        ({"t.conll": GOOD, "v.conll": GOOD + "Acme B-ORG\n"}, "train=t.conll,validation=v.conll", "error: v.conll:8: "),
        ({"t.conll": GOOD, "v.conll": GOOD + "Acme B-ORG\n"}, "train=t.conll,test=v.conll", "error: v.conll:8: label"),
        ({"t.conll": "It O\nrains O\n\nNothing O\n"}, "t.conll", "error: the training split contains only 'O'"),
        ({"t.conll": GOOD}, "train=t.conll,test=t.conll", "error: t.conll is given as train and as test"),
        ({"t.json": "{}"}, "t.json", "error: t.json:1: no column of the tokens"),
        ({"t.conll.gz": "not packed"}, "t.conll.gz", "error: t.conll.gz is not a gzip file"),
    ],
)  # fmt: skip
def test_bad_data_is_told_with_its_place(
    fails: Callable[..., str], tiny: Path, tmp_path: Path, files: dict[str, str | bytes], data: str, said: str
) -> None:
    for name, content in files.items():
        write(tmp_path / name, content)
    found = fails("run", "ner", "--data", data, "--model", tiny)
    assert found.startswith(said), found


def test_columns_that_a_file_lacks_are_told(fails: Callable[..., str], tiny: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "t.conll", GOOD)
    assert "t.conll:1" in fails("run", "ner", "--data", data, "--model", tiny, "--columns", "tokens=0,ner=3")
    assert "tokens=0,ner=3" in fails("run", "ner", "--data", data, "--model", tiny, "--columns", "tokens")


def test_another_encoding_is_read_when_it_is_named(command: Command, tiny: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "t.conll", f"Zürich B-LOC\n\n{GOOD}".encode("latin-1"))
    arguments = ("run", "ner", "--data", data, "--model", tiny, "--dry-run", "--json")
    assert command(*arguments).status == 1
    done = command(*arguments, "--encoding", "latin-1")
    assert done.status == 0
    assert sum(split["words"] for split in done.document["splits"].values()) == 6
    assert "unknown encoding 'klingon'" in command(*arguments, "--encoding", "klingon").err


def test_new_labels_are_taken_when_they_are_allowed(command: Command, tiny: Path, tmp_path: Path) -> None:
    write(tmp_path / "train.conll", GOOD)
    write(tmp_path / "dev.conll", "Acme B-ORG\n")
    done = command("run", "ner", "--data", tmp_path, "--model", tiny, "--allow-new-labels", "--dry-run", "--json")
    assert done.status == 0
    assert "B-ORG" in done.document["labels"]


def test_a_name_can_be_given_once(
    shared: labelkit.RunResult, fails: Callable[..., str], tiny: Path, corpus: Path
) -> None:
    said = fails("run", "ner", "--data", corpus, "--model", tiny, "--name", "shared")
    assert said.startswith(f"error: there is a run called 'shared' already: {shared.run}\n")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", None, "holds no model.safetensors"),
        ("model.safetensors", b"garbage", "is damaged: it is not a safetensors file"),
        ("config.json", None, "has no config.json"),
        ("config.json", b"{", "cannot be read"),
    ],
)
def test_a_damaged_encoder_is_told(
    fails: Callable[..., str], tiny: Path, corpus: Path, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    assert said in fails("run", "ner", "--data", corpus, "--model", folder)


def test_an_encoder_with_only_pickled_weights_is_refused(
    fails: Callable[..., str], tiny: Path, corpus: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "holds only pickled weights (pytorch_model.bin), which labelkit never loads" in fails(
        "run", "ner", "--data", corpus, "--model", folder
    )


def test_a_hub_reference_offline_is_told(
    fails: Callable[..., str], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = fails("run", "ner", "--data", corpus, "--model", "labelkit-tests/nonesuch")
    assert said.startswith(
        "error: model 'labelkit-tests/nonesuch' is not in the local cache and HF_HUB_OFFLINE is set\n"
    )
    assert "--model bundled" in said


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_told_soon(corpus: Path, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    endpoint = {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(tmp_path / "hf")}
    started = time.monotonic()
    done = finished(start("run", "ner", "--data", corpus, "--model", "org/name", **endpoint))
    assert time.monotonic() - started < 15
    assert (done.status, done.out) == (1, "")
    said = explained(done.said)
    assert said.startswith("error: the Hugging Face Hub cannot be reached for model 'org/name' (")
    assert "--model bundled" in said
    assert not (tmp_path / "labelkit-runs").exists()


# -- a disk that refuses ----------------------------------------------------------------------------------------------


def test_a_home_that_cannot_be_made_is_told(
    fails: Callable[..., str], tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "file", "in the way")
    monkeypatch.setenv("LABELKIT_HOME", str(tmp_path / "file" / "home"))
    assert "LABELKIT_HOME" in fails("run", "ner", "--data", corpus, "--model", tiny)


def test_a_disk_that_fills_up_ends_the_run_in_one_line(
    command: Command, tiny: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*files: Path) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "sha256_of", full)
    done = command("run", "ner", "--data", corpus, "--model", tiny, "--max-steps", "1")
    assert (done.status, done.out) == (1, "")
    assert explained(done.said).startswith("error: the disk is full: ")
    assert list((tmp_path / "labelkit-runs").glob("runs/*/checkpoints/*")) == []
    (run,) = command("runs", "list", "--json").document
    assert run["status"] == "failed"
    assert run["error"].startswith("the disk is full: ")


POWERLESS = """
import ctypes, sys
# root may write anywhere: without its capabilities it is refused like others
header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert ctypes.CDLL(None, use_errno=True).capset(header, nothing) == 0
from labelkit.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_read_only_home_is_told(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    arguments = ["run", "ner", "--data", str(corpus), "--model", str(tiny)]
    process = popen([sys.executable, "-c", POWERLESS, *arguments], {"LABELKIT_HOME": str(home)})
    done = finished(process)
    assert (done.status, done.out) == (1, "")
    assert "ermission denied" in explained(done.said)
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_is_told(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    """No file may grow beyond 2 MB: enough for the registry, too little for the weights."""
    process = popen(
        [sys.executable, "-m", "labelkit", "run", "ner", "--data", str(corpus), "--model", str(wide(tiny, tmp_path))],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
    )
    done = finished(process)
    assert (done.status, done.out) == (1, "")
    assert explained(done.said).startswith("error: the disk is full: ")
    assert list((tmp_path / "labelkit-runs").rglob("*.safetensors")) == []
    with Registry.open(Home(root=tmp_path / "labelkit-runs"), create=False) as registry:
        (run,) = registry.runs.search()
    assert run.status == "failed"


def wide(tiny: Path, tmp_path: Path) -> Path:
    from transformers import BertConfig, BertModel

    folder = Path(shutil.copytree(tiny, tmp_path / "wide"))
    config = BertConfig.from_pretrained(folder)
    config.hidden_size = config.intermediate_size = 512
    BertModel(config).save_pretrained(folder)
    return folder


# -- interrupted ------------------------------------------------------------------------------------------------------


def test_an_interrupted_run_ends_with_130(
    command: Command, tiny: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(progress: Progress, event: Event) -> None:
        if isinstance(event, StepDone):
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "__call__", interrupt)
    done = command("run", "ner", "--data", corpus, "--model", tiny)
    assert (done.status, done.out, done.said) == (130, "", ["", "interrupted"])
    (run,) = command("runs", "list", "--json").document
    assert run["status"] == "interrupted"


def start(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    return popen([sys.executable, "-m", "labelkit", *map(str, arguments)], environment=environment)


def popen(
    arguments: list[str], environment: Mapping[str, str] | None = None, preexec_fn: Callable[[], object] | None = None
) -> subprocess.Popen[str]:
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell has its background jobs ignore it
        if preexec_fn:
            preexec_fn()

    return subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        preexec_fn=prepare,
    )


def finished(process: subprocess.Popen[str]) -> Done:
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    return Done(process.returncode, out, err)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_is_recorded(
    tiny: Path, corpus: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("run", "ner", "--data", corpus, "--model", tiny, "--epochs", "10000", "--json")
    assert process.stderr
    for line in process.stderr:
        if "epoch 2," in line:
            process.send_signal(number)
            break
    done = finished(process)
    assert (done.status, done.out) == (130, "")
    assert done.said[-1] == "interrupted"
    assert "Traceback" not in done.err
    with Registry.open(Home(root=tmp_path / "labelkit-runs"), create=False) as registry:
        (run,) = registry.runs.search()
        details = registry.runs.get(run.id)
    assert (run.status, bool(run.seconds)) == ("interrupted", True)
    kept = {one.folder for one in details.checkpoints if not one.removed}
    assert kept
    assert kept == set((tmp_path / "labelkit-runs").glob("runs/*/checkpoints/*"))


# -- label ------------------------------------------------------------------------------------------------------------


def test_label_prints_the_text_with_its_spans(shared: labelkit.RunResult, command: Command) -> None:
    done = command("label", "shared", "--text", "Ada Lovelace lives in Rome .")
    assert done.status == 0
    record = command("label", "shared", "--text", "Ada Lovelace lives in Rome .", "--json").document
    assert record["spans"]
    for span in record["spans"]:
        assert span["text"] in done.out
        assert span["label"] in done.out


def test_label_prints_one_labelled_record_as_json(shared: labelkit.RunResult, command: Command) -> None:
    done = command("label", "latest", "--text", "Zoë lives in Rome.", "--json")
    record = done.document
    assert list(record) == ["id", "text", "words", "labels", "spans", "coverage"]
    assert record["words"] == ["Zoë", "lives", "in", "Rome", "."]
    assert len(record["labels"]) == 5
    assert "Zoë" in done.out  # not escaped


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("nonesuch", "error: no run 'nonesuch' in the registry\n"),
        ("shard", "error: no run 'shard' in the registry\n  did you mean shared?"),
        ("./nowhere", "error: checkpoint nowhere does not exist\n"),
        ("nowhere/", "error: checkpoint nowhere does not exist\n"),
        ("", "error: no run '' in the registry\n"),
        ("chunk@best", "error: no finished run of 'chunk'"),
    ],
)
def test_an_unknown_run_is_told(
    shared: labelkit.RunResult, fails: Callable[..., str], reference: str, said: str
) -> None:
    found = fails("label", reference, "--text", "Ada")
    assert found.startswith(said), found


def test_label_without_any_run_says_what_to_do(fails: Callable[..., str]) -> None:
    assert fails("label", "latest", "--text", "Ada").startswith("error: no finished run in the registry yet\n")


def test_a_damaged_checkpoint_or_one_with_a_pickle_is_told(
    shared: labelkit.RunResult, fails: Callable[..., str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(shared.checkpoint, tmp_path / "copy"))
    (folder / "training_args.bin").write_bytes(b"\x80")
    assert "holds a pickle (training_args.bin)" in fails("label", folder, "--text", "Ada")
    (folder / "training_args.bin").unlink()
    (folder / "labelkit.json").write_text("{}")
    assert "labelkit.json is damaged" in fails("label", folder, "--text", "Ada")


# -- runs and lists ---------------------------------------------------------------------------------------------------


def test_an_empty_home_lists_nothing_and_stays_empty(command: Command, tmp_path: Path) -> None:
    done = command("runs", "list")
    assert (done.status, done.out) == (0, "")
    assert "labelkit run" in done.err
    assert command("runs", "list", "--json").document == []
    assert command("runs", "show", "latest").status == 1
    assert list(tmp_path.iterdir()) == []


def test_runs_are_listed_and_shown(shared: labelkit.RunResult, command: Command) -> None:
    listed = command("runs", "list")
    assert listed.status == 0
    for part in (shared.run, "shared", "finished", f"{shared.metrics['test']['ner']['f1']:.4f}"):
        assert part in listed.out
    (row,) = command("runs", "list", "--json").document
    assert (row["id"], row["name"], row["test"]) == (shared.run, "shared", shared.metrics["test"]["ner"]["f1"])
    assert command("runs", "list", "--status", "failed", "--json").document == []
    assert command("runs", "list", "--task", "nonesuch").err == "no matching runs\n"
    shown = command("runs", "show", shared.run[:-2])
    assert shown.status == 0
    for part in ("train.learning_rate", "--lr", "validation (ner)", "test (ner)", "torch", shared.checkpoint.name):
        assert part in shown.out
    document = command("runs", "show", "shared", "--json").document
    assert document["scores"]["test"]["ner"]["per_type"] == shared.metrics["test"]["ner"]["per_type"]
    assert document["record"]["id"] == shared.run


@pytest.mark.parametrize("name", ["tasks", "recipes", "formats", "plugins"])
def test_lists_name_what_is_there(command: Command, name: str, tmp_path: Path) -> None:
    expected = {"tasks": "ner", "recipes": "quickstart", "formats": "conll", "plugins": "labelkit_ner"}[name]
    shown, rows = command(name), command(name, "--json").document
    assert (shown.status, expected in shown.out) == (0, True)
    assert expected in json.dumps(rows)
    assert list(tmp_path.iterdir()) == []


def test_a_blocked_plugin_is_listed_as_blocked_and_not_used(command: Command) -> None:
    rows = {row["name"]: row for row in command("plugins", "--no-plugin", "ner", "--json").document}
    assert (rows["ner"]["status"], rows["ner"]["reason"]) == ("blocked", "blocked by --no-plugin")
    assert "ner" not in [row["name"] for row in command("tasks", "--no-plugin", "ner", "--json").document]
    assert "import" in command("tasks", "--trace-plugins").err.lower()


def test_listing_loads_no_heavy_library(tmp_path: Path) -> None:
    script = """
import sys
from labelkit.cli import main
for arguments in (["--help"], ["run", "--help"], ["tasks"], ["formats"], ["plugins"], ["runs", "list"],
                  ["data", "show", "sample"], ["recipes"], ["run", "nre"], ["run", "ner", "--model", "./nowhere"]):
    validates_settings = arguments[0] in ("recipes", "run") and "--help" not in arguments
    main(arguments)
    assert validates_settings or "pydantic" not in sys.modules, arguments
    heavy = {"torch", "transformers", "datasets", "evaluate", "sklearn"} & sys.modules.keys()
    assert not heavy, (arguments, heavy)
    if arguments == ["--help"]:
        light = {"rich", "sqlalchemy", "alembic", "huggingface_hub", "numpy"} & sys.modules.keys()
        assert not light, light
print("done")
"""
    done = finished(popen([sys.executable, "-c", script]))
    assert done.out.endswith("done\n"), done.err
    assert list(tmp_path.iterdir()) == []


# -- usage, debugging and text of users -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "ner", "--epochs", "many"),
        ("run", "ner", "--nonesuch"),
        ("run", "ner", "more"),
        ("label", "latest"),
        ("runs", "list", "--limit", "0"),
        ("runs", "list", "--status", "lost"),
        ("nonesuch",),
        ("--nonesuch",),
    ],
)
def test_wrong_usage_ends_with_2(command: Command, arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = command(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "Usage: labelkit" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help"), ("runs", "show", "-h")])
def test_help_and_version_end_with_0(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(labelkit.__version__ if arguments == ("--version",) else "Usage: labelkit")


def test_debug_shows_the_traceback(command: Command) -> None:
    with pytest.raises(LabelkitError, match="unknown task 'nre'"):
        command("run", "nre", "--debug")


def test_a_mistake_of_ours_is_one_line_too_and_debug_shows_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr(Registry, "open", broken)
    done = command("runs", "list")
    assert (done.status, done.out) == (1, "")
    assert done.said[0] == "error: ZeroDivisionError: first line second line"
    assert "add --debug to the command for the traceback" in done.said[1]
    with pytest.raises(ZeroDivisionError):
        command("runs", "list", "--debug")


def literal(text: str) -> bool:
    """Return whether nothing in ``text`` can steer a terminal."""
    return not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_labelled_text_is_shown_literally(shared: labelkit.RunResult, command: Command) -> None:
    done = command("label", "shared", "--text", HOSTILE)
    assert literal(done.out)
    shown = done.out.replace("\n", " ")
    for part in ("[/red]", ":smile:", "</b>", "[31m"):
        assert part in shown
    assert command("label", "shared", "--text", HOSTILE, "--json").document["text"] == HOSTILE


def test_bytes_that_are_no_text_are_shown_all_the_same(
    shared: labelkit.RunResult, command: Command, fails: Callable[..., str]
) -> None:
    text = os.fsdecode(b"Ada \xff lives")
    record = command("label", "shared", "--text", text, "--json")
    assert (record.status, record.document["text"]) == (0, text)
    shown = command("label", "shared", "--text", text)
    assert (shown.status, "\ufffd" in shown.out) == (0, True)
    assert fails("run", text).startswith("error: unknown task 'Ada \ufffd lives'\n")


def test_words_types_and_file_names_of_users_are_shown_literally(command: Command, tiny: Path, tmp_path: Path) -> None:
    word, type_ = "[red]\x1b[31mAda[/red]", "[bold]\x1b[1mP"
    folder = tmp_path / "[blink]\x1b[5m"
    write(folder / "train.conll", f"{word} B-{type_}\nsleeps O\n\n" * 20)
    shown = command("data", "show", folder)
    assert shown.status == 0
    assert "[red]␛[31mAda[/red]" in shown.out
    done = command("run", "ner", "--data", folder, "--model", tiny, "--max-steps", "1")
    assert done.status == 0
    assert "[bold]␛[1mP" in done.out
    listed, details = command("runs", "list"), command("runs", "show", "latest")
    planned = command("run", "ner", "--data", folder, "--model", tiny, "--dry-run")
    missing = command("run", "ner", "--data", f"{folder}x/", "--model", tiny)
    assert "[blink]␛[5mx" in missing.err
    for each in (shown, done, listed, details, planned, missing):
        assert literal(each.out), each.out
        assert literal(each.err), each.err
        assert "[blink]␛[5m" in each.out + each.err


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(shared: labelkit.RunResult) -> None:
    process = start("runs", "list", "--json")
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == ""
    assert process.wait(60) == 0


def test_a_dry_run_finds_training_settings_that_do_not_go_together(command: Command, tiny: Path, corpus: Path) -> None:
    arguments = ("run", "ner", "--data", corpus, "--model", tiny, "--dry-run")
    done = command(*arguments, "--set", "train.optim=sdg")
    assert done.status == 1
    assert "error: these training settings cannot be combined" in done.err


@pytest.mark.slow
def test_a_table_whose_reader_goes_away_is_no_error() -> None:
    script = f"{sys.executable} -m labelkit data show sample --count 2000 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_plugin_that_is_blocked_and_not_there_is_told(command: Command) -> None:
    done = command("tasks", "--no-plugin", "nix")
    assert done.status == 0
    assert "--no-plugin: unknown plugin 'nix'" in done.err
