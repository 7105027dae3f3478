"""How commands end: by a closed terminal as by Ctrl-C, and never as done before they are."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelkit.cli.process import command_process
from labelkit.console.terminal import detach_closed_terminal, terminal_may_close
from labelkit.registry import Home, Registry
from labelkit.train.signals import InterruptHandler


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Finalized:
    """What gets a signal while it is finalized."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_an_interrupt_that_a_finalizer_drops_comes_again() -> None:
    def work(finalized: list[Finalized]) -> None:
        finalized.clear()
        time.sleep(30)

    with pytest.raises(KeyboardInterrupt), command_process():
        work([Finalized()])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_as_ctrl_c_does(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), command_process():
        signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_nohup_stays_in_force_in_commands_and_in_training() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with command_process(), InterruptHandler():
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.01)


def test_a_closed_terminal_is_deferred_to_the_end_of_a_step() -> None:
    with InterruptHandler() as interrupts:
        interrupts.in_step = True
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.01)
        assert interrupts.requested


def test_only_errors_of_a_closed_terminal_are_ignored() -> None:
    with terminal_may_close():
        raise OSError(5, "Input/output error")
    with pytest.raises(OSError, match="No space"), terminal_may_close():
        raise OSError(28, "No space left on device")
    kinds = [os.fstat(descriptor).st_rdev for descriptor in (0, 1, 2)]
    detach_closed_terminal()
    assert [os.fstat(descriptor).st_rdev for descriptor in (0, 1, 2)] == kinds


EXITS = """
import os, threading, time
from labelkit.cli.process import command_process

def end():
    os._exit({status})

with command_process():
    {how}
    time.sleep(20)
"""


@pytest.mark.parametrize(
    ("how", "status", "expected"),
    [
        ("threading.Thread(target=end).start()", 0, 1),
        ("end()", 0, 1),
        ("threading.Thread(target=end).start()", 7, 7),
        ("process = os.fork()\n    if not process: end()\n    end() if os.wait()[1] else os._exit(5)", 0, 5),
    ],
    ids=["thread", "main thread", "another status", "forked process"],
)
def test_nothing_ends_the_process_as_done_before_it_is(how: str, status: int, expected: int) -> None:
    code = EXITS.format(status=status, how=how)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == expected, done.stderr
    assert done.stderr == ("error: <string>:6 ended the process before the command was done\n" if expected == 1 else "")


@pytest.mark.slow
def test_a_terminal_that_is_closed_interrupts_a_run_which_can_be_resumed(
    tiny: Path, corpus: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    given = ["run", "ner", "--data", str(corpus), "--model", str(tiny), "--epochs", "400"]
    process, terminal = pty.fork()
    if process == 0:
        environment = {**os.environ, "LABELKIT_HOME": str(home), "OMP_NUM_THREADS": "1", "TERM": "xterm"}
        os.execve(sys.executable, [sys.executable, "-m", "labelkit", *given], environment)
    while not list(home.glob("runs/*/checkpoints/step-*")):
        assert os.read(terminal, 65536)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with Registry.open(Home(root=home), create=False) as registry:
        (run,) = registry.runs.search()
        assert (status, run.status, registry.runs.get(run.id).error) == (130, "interrupted", "interrupted")
    (state,) = home.glob("runs/*/resume/step-*/state.json")
    assert json.loads(state.read_text())["step"] > 0
