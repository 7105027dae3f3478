"""Several processes that train one run: one entry, one set of checkpoints, scores as from one process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.registry import Home, Registry
from labelkit.train import distributed

PLAIN = str(Path(__file__).parent / "plain.toml")


def test_the_first_process_leads_and_a_lone_one_too() -> None:
    assert distributed.is_main_process({})
    assert distributed.is_main_process({"WORLD_SIZE": "1", "RANK": "0"})
    assert distributed.is_main_process({"WORLD_SIZE": "2", "RANK": "0"})
    assert not distributed.is_main_process({"WORLD_SIZE": "2", "RANK": "1"})
    assert (distributed.world_size({}), distributed.world_size({"WORLD_SIZE": "3"})) == (1, 3)


def test_a_lone_process_agrees_with_itself() -> None:
    assert [distributed.broadcast(word, "cpu") for word in (distributed.CONTINUE, distributed.STOP)] == [0, 1]


def launched(launcher: str, home: Path, *arguments: str, task: str = "ner") -> subprocess.Popen[str]:
    """Start ``labelkit run TASK`` in two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    if launcher == "torchrun":
        start = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port, "-m", "labelkit"]
    else:
        # what it does on GPUs; with --cpu it starts one process only, unless there is an MPI
        start = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
        start += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", port, "-m", "labelkit"]
    return subprocess.Popen(
        [sys.executable, *start, "run", task, *arguments],
        env={**os.environ, "LABELKIT_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def launched_on_nodes(home: Path, *arguments: str) -> list[subprocess.Popen[str]]:
    """Start ``labelkit run ner`` on two nodes with a process each, which meet on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    common = ["--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-endpoint", place]
    return [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", *common, "--rdzv-id", "two", "--node-rank", str(rank)),
                *("--local-addr", "127.0.0.1", "-m", "labelkit", "run", "ner", *arguments),
            ],
            env={**os.environ, "LABELKIT_HOME": str(home), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for rank in (0, 1)
    ]


def only_run(home: Path) -> Any:
    with Registry.open(Home(root=home), create=False) as registry:
        (listed,) = registry.runs.search()
        return registry.runs.get(listed.id)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "accelerate", "two nodes"])
def test_two_processes_train_one_run_as_one_does(launcher: str, tiny: Path, corpus: Path, tmp_path: Path) -> None:
    """Half of the windows in each process: the same optimizer steps as one process takes with all of them."""
    same = {"train.precision": "fp32", "train.dropout": 0.0, "train.train_sampling_strategy": "random"}
    alone = labelkit.run(
        "ner", data=str(corpus), model=str(tiny), recipe=PLAIN, epochs=2, lr=5e-3, settings=same, home=tmp_path / "one"
    )
    given = ["--data", str(corpus), "--model", str(tiny), "--recipe", PLAIN, "--epochs", "2", "--lr", "5e-3"]
    sets = [f"--set={key}={value}" for key, value in {**same, "train.per_device_train_batch_size": 8}.items()]
    given += [*sets, "--json"]
    home = tmp_path / "two"
    processes = launched_on_nodes(home, *given) if launcher == "two nodes" else [launched(launcher, home, *given)]
    ended = [(process.communicate(timeout=300), process.returncode) for process in processes]
    assert [status for _, status in ended] == [0] * len(ended), [err[-3000:] for (_, err), _ in ended]
    result = json.loads("".join(out for (out, _), _ in ended))  # one document, of the first process
    details = only_run(tmp_path / "two")
    assert (details.status, details.record.id) == ("finished", result["run"])
    assert sum(err.count("2 processes train together") for (_, err), _ in ended) == 1
    assert len(list((tmp_path / "two").glob("runs/*/checkpoints/*"))) == 2
    for split in ("validation", "test"):
        for figure in ("loss", "f1", "accuracy"):
            expected = alone.metrics[split]["ner"][figure]
            assert result["metrics"][split]["ner"][figure] == pytest.approx(expected, rel=1e-3), (split, figure)


@pytest.mark.slow
def test_two_processes_train_several_tasks_as_one_does(tiny: Path, tmp_path: Path) -> None:
    """A corpus for each task, so that batches of a process may lack the labels of one."""
    for task, tags in (("ner", ("B-PER", "O")), ("pos", ("NOUN", "VERB"))):
        lines = "".join(f"Ada{n} {tags[0]}\n{task} {tags[1]}\n\n" for n in range(12))
        (tmp_path / task).mkdir()
        for split in ("train", "validation", "test"):
            (tmp_path / task / f"{split}.conll").write_text(lines, encoding="utf-8")
    data = f"ner={tmp_path / 'ner'},pos={tmp_path / 'pos'}"
    same = {"train.precision": "fp32", "train.dropout": 0.0, "train.train_sampling_strategy": "random"}
    alone = labelkit.run(
        "ner+pos", data=data, model=str(tiny), recipe=PLAIN, epochs=2, lr=5e-3, settings=same, home=tmp_path / "one"
    )
    given = ["--data", data, "--model", str(tiny), "--recipe", PLAIN, "--epochs", "2", "--lr", "5e-3"]
    sets = [f"--set={key}={value}" for key, value in {**same, "train.per_device_train_batch_size": 8}.items()]
    process = launched("torchrun", tmp_path / "two", *given, *sets, "--json", task="ner+pos")
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err[-3000:]
    result = json.loads(out)
    details = only_run(tmp_path / "two")
    assert (details.status, details.record.id, details.record.task) == ("finished", result["run"], "ner+pos")
    assert "2 processes train together" in err
    for split in ("validation", "test"):
        for task, figure in (("ner", "f1"), ("pos", "accuracy"), ("ner", "loss"), ("pos", "loss")):
            expected = alone.metrics[split][task][figure]
            assert result["metrics"][split][task][figure] == pytest.approx(expected, rel=1e-3), (split, task, figure)


@pytest.mark.slow
def test_an_interrupt_ends_both_and_the_run_can_be_resumed_by_both(tiny: Path, corpus: Path, tmp_path: Path) -> None:
    given = ["--data", str(corpus), "--model", str(tiny), "--recipe", PLAIN, "--epochs", "400"]
    process = launched("torchrun", tmp_path / "home", *given, "--max-steps", "700")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "home").glob("runs/*/checkpoints/*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    details = only_run(tmp_path / "home")
    assert details.status == "interrupted"
    process = launched("torchrun", tmp_path / "home", "--resume", details.record.id)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    assert only_run(tmp_path / "home").status == "finished"


def test_several_seeds_do_not_go_with_several_processes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from labelkit.cli import main

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert main(["run", "ner", "--seeds", "3"]) == 2
    assert "start one run for each seed" in capsys.readouterr().err
