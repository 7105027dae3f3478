"""What a plugin does to the process is put back, is told, and changes nothing for commands that do not use it."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labelkit.cli import main
from labelkit.events import RunEnded
from labelkit.formats.recognition import reader_for
from labelkit.label.inputs import find_inputs
from labelkit.plugins import isolation
from labelkit.plugins.catalog import Catalog, PluginInfo
from labelkit.plugins.discovery import Candidate, find_candidates
from labelkit.records import RunContext

pytest_plugins = ("fake_distributions",)

Install = Callable[..., None]

METRIC = (
    "import labelkit\n@labelkit.hookimpl\ndef labelkit_metrics():\n"
    "    yield labelkit.Metric(name='purr', kind='token', key='f1', compute=len)\n"
)
CONTEXT = RunContext(folder=Path("run"))
OBSERVER = "import labelkit\n@labelkit.hookimpl\ndef labelkit_event(event):\n"
ENDED = RunEnded(run="r1", status="finished", seconds=1.0)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Give SIGINT Python's handler: a shell that starts the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


#: what a plugin may do to the process while it is imported → what is said of it
MISDEEDS: dict[str, tuple[str, str]] = {
    "prints": ("print('Welcome to pets!')", "printed to stdout (redirected to stderr)"),
    "writes to the buffer": ("import sys; sys.stdout.buffer.write(b'raw'); sys.stdout.flush()", ""),
    "keeps stdout": ("import sys; out = sys.stdout; out.write('kept')", "printed to stdout"),
    "closes stdout": ("import sys; sys.stdout.close()", ""),
    "replaces stdout": ("import io, sys; sys.stdout = io.StringIO(); print('x')", ""),
    "asks for the terminal": ("import sys; sys.stdout.isatty(); sys.stdout.encoding; sys.stdout.fileno()", ""),
    "prints from another program": ("import os; os.system('echo Welcome')", ""),
    "writes to the descriptor": ("import os; os.write(1, b'Welcome')", ""),
    "prints through the first stdout": ("import sys; print('Welcome', file=sys.__stdout__)", ""),
    "closes stderr": ("import sys; sys.stderr.close(); sys.stderr.write('still there')", ""),
    "replaces stderr": ("import sys; sys.stderr = None", ""),
    "changes the directory": ("import os; os.chdir('/')", "changed the working directory (restored)"),
    "configures logging": (
        "import logging, sys; logging.basicConfig(level=0, stream=sys.__stdout__, force=True)",
        "changed logging (restored)",
    ),
    "disables logging": ("import logging; logging.disable(logging.CRITICAL)", "changed logging"),
    "disables other loggers": (
        "import logging.config; logging.config.dictConfig({'version': 1, 'disable_existing_loggers': True})",
        "changed logging",
    ),
    "changes the class of loggers": (
        "import logging\nclass Mine(logging.Logger): pass\nlogging.setLoggerClass(Mine)",
        "changed logging",
    ),
    "takes Ctrl-C": (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "changed signal handlers (restored)",
    ),
}  # fmt: skip


def named(catalog: Catalog, name: str) -> PluginInfo:
    (found,) = [info for info in catalog.plugins if info.name == name]
    return found


def state() -> dict[str, Any]:
    """Return what plugins have to leave alone."""
    root = logging.getLogger()
    other = logging.getLogger("somebody.else")
    return {
        "directory": os.getcwd(),
        "streams": (sys.stdin, sys.stdout, sys.stderr, sys.stderr.closed),
        "root": (root.level, list(root.handlers), root.manager.disable, logging.getLoggerClass()),
        "other": (other.level, other.disabled, other.propagate, list(other.handlers)),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    }


@pytest.mark.parametrize("what", MISDEEDS)
@pytest.mark.parametrize("then", [METRIC, "raise RuntimeError('and fails')"], ids=["and loads", "and fails"])
def test_what_an_import_does_to_the_process_is_put_back_and_told(what: str, then: str, install: Install) -> None:
    misdeed, told = MISDEEDS[what]
    install("pets", f"{misdeed}\n{then}")
    before = state()
    info = named(Catalog.load(), "pets")
    assert state() == before
    assert info.status == ("failed" if "raise" in then else "loaded"), info.reason
    assert told in "; ".join(info.notes)
    assert bool(info.notes) == bool(told)


@pytest.mark.parametrize("what", MISDEEDS)
def test_what_a_hook_does_to_the_process_is_put_back(what: str, install: Install) -> None:
    lines = [f"    {line}" for line in MISDEEDS[what][0].splitlines()]
    install("pets", "\n".join([METRIC.replace("    yield", "\n".join([*lines, "    yield"]))]))
    before = state()
    info = named(Catalog.load(), "pets")
    assert state() == before
    assert info.status == "loaded", info.reason
    assert MISDEEDS[what][1] in "; ".join(info.notes)


@pytest.mark.parametrize("what", MISDEEDS)
def test_what_an_observer_does_to_the_process_is_put_back(what: str, install: Install) -> None:
    install("pets", OBSERVER + "".join(f"    {line}\n" for line in MISDEEDS[what][0].splitlines()))
    observe = Catalog.load().observers(CONTEXT)["pets"]
    before = state()
    observe(ENDED)
    assert state() == before


#: what the import of a plugin may do to environment variables → what is said of it
VARIABLES = {
    "sets": ("os.environ['LABELKIT_HOME'] = '/elsewhere'", "LABELKIT_HOME"),
    "removes": ("del os.environ['SOMEBODYS']", "SOMEBODYS"),
    "adds": ("os.environ.setdefault('MADE_UP', '1')", "MADE_UP"),
    "clears": ("os.environ.clear()", ""),
}


@pytest.mark.parametrize("what", VARIABLES)
@pytest.mark.parametrize("then", [METRIC, "raise RuntimeError"], ids=["and loads", "and fails"])
def test_environment_variables_that_an_import_changes_are_put_back_and_told(
    what: str, then: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEBODYS", "own")
    monkeypatch.delenv("MADE_UP", raising=False)
    change, told = VARIABLES[what]
    install("pets", f"import os\n{change}\n{then}")
    before = dict(os.environ)
    (note,) = named(Catalog.load(), "pets").notes
    assert dict(os.environ) == before
    assert note.startswith(f"changed environment variables (restored): {told}")


def test_environment_variables_of_an_observer_stay(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries that report runs elsewhere keep theirs there."""
    monkeypatch.setenv("SERVICE_OF_PETS", "")
    install("pets", OBSERVER + "    import os\n    os.environ['SERVICE_OF_PETS'] = 'on'\n")
    Catalog.load().observers(CONTEXT)["pets"](ENDED)
    assert os.environ["SERVICE_OF_PETS"] == "on"


def test_a_plugin_that_does_nothing_of_the_kind_has_no_notes(install: Install) -> None:
    install("pets", f"import logging\nlog = logging.getLogger('pets'); log.setLevel(10)\n{METRIC}")
    assert named(Catalog.load(), "pets").notes == ()
    assert logging.getLogger("pets").level == 10  # its own logger is its own business


def test_handlers_that_were_there_stay_as_they_were(install: Install) -> None:
    handler = logging.StreamHandler()
    logger = logging.getLogger("somebody.with.a.handler")
    logger.addHandler(handler)
    install("pets", "import logging\nlogging.getLogger('somebody.with.a.handler').handlers.clear()\n" + METRIC)
    assert named(Catalog.load(), "pets").notes == ("changed logging (restored)",)
    assert logger.handlers == [handler]


def test_a_working_directory_that_is_gone_stops_nothing(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    install("pets", METRIC)
    assert named(Catalog.load(), "pets").status == "loaded"


@pytest.mark.parametrize(
    "fault", ["class Odd(BaseException): pass\nraise Odd('on its own tree')", "raise GeneratorExit"]
)
def test_whatever_is_raised_is_caught_but_for_ctrl_c(fault: str, install: Install) -> None:
    install("odd", fault)
    install("later", METRIC)
    catalog = Catalog.load()
    assert named(catalog, "odd").status == "failed"
    assert "purr" in catalog.metrics


# -- commands that do not use it --------------------------------------------------------------------------------------


def command(folder: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run ``labelkit`` with the plugins of ``folder`` beside what is installed."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "LABELKIT_HOME": str(folder / "home")}
    return subprocess.run(
        [sys.executable, "-m", "labelkit", *arguments],
        env=environment, cwd=folder, capture_output=True, text=True, check=False, **more,
    )  # fmt: skip


@pytest.mark.slow
def test_no_command_that_does_not_use_them_is_broken_by_all_of_them_together(install: Install, tmp_path: Path) -> None:
    for number, (misdeed, _) in enumerate(MISDEEDS.values()):
        install(f"bad{number}", f"{misdeed}\nraise SystemExit({number})")
    install("newer", "requires_labelkit = '>=99'\nfrom labelkit import NewRecord\n")
    install("wrapper", "import labelkit\n@labelkit.hookimpl(wrapper=True)\ndef labelkit_tasks():\n    return (yield)\n")
    done = command(tmp_path, "formats", "--json")
    assert done.returncode == 0, done.stderr
    assert "conll" in [row["name"] for row in json.loads(done.stdout)]
    statuses = {row["name"]: row["status"] for row in json.loads(command(tmp_path, "plugins", "--json").stdout)}
    third = {name: status for name, status in statuses.items() if name.startswith(("bad", "newer", "wrapper"))}
    assert set(third.values()) == {"failed"}
    assert len(third) == len(MISDEEDS) + 2


def test_a_format_that_claims_endings_of_core_changes_nothing_for_commands_that_do_not_name_it(
    install: Install, tmp_path: Path
) -> None:
    install(
        "greedy",
        "import labelkit\n@labelkit.hookimpl\ndef labelkit_formats():\n"
        "    yield labelkit.Format(name='greedy', kinds=('token',), suffixes=('.jsonl', '.mine'), read=pow)\n",
    )
    formats = Catalog.load().formats
    places = {ending: tmp_path / f"a.{ending}" for ending in ("jsonl", "mine")}
    for place in places.values():
        place.touch()
    by_ending = {ending: find_inputs([str(place)], formats).files[0] for ending, place in places.items()}
    assert {ending: one.format.name for ending, one in by_ending.items()} == {"jsonl": "jsonl", "mine": "greedy"}
    by_ending_of_data = {ending: reader_for(place, formats, kind="token").name for ending, place in places.items()}
    assert by_ending_of_data == {"jsonl": "jsonl", "mine": "greedy"}
    named_one = find_inputs([str(places["jsonl"])], formats, format_name="greedy").files[0]
    assert named_one.format.name == reader_for(places["jsonl"], formats, "greedy", kind="token").name == "greedy"


def test_what_a_plugin_prints_arrives_on_stderr(install: Install, tmp_path: Path) -> None:
    install("pets", f"import os\nprint('from Python')\nos.system('echo from a program')\n{METRIC}")
    done = command(tmp_path, "plugins", "--json")
    row = next(row for row in json.loads(done.stdout) if row["name"] == "pets")
    assert (row["status"], row["notes"]) == ("loaded", ["printed to stdout (redirected to stderr)"])
    assert {"from Python", "from a program"} <= set(done.stderr.splitlines())


def test_the_table_of_plugins_shows_what_went_wrong(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("pets", f"import os\nos.chdir('/')\n{METRIC}")
    install("worse", "import os\nos.chdir('/')\n1 / 0")
    assert main(["plugins"]) == 0
    lines = {line.split()[0]: " ".join(line.split()) for line in capsys.readouterr().out.splitlines()}
    told = "changed the working directory (restored)"
    assert lines["pets"].endswith(f"metrics loaded {told}")
    assert lines["worse"].endswith(f"failed ZeroDivisionError: division by zero; {told}")


READS = {
    "input": "try: x = input()\nexcept EOFError: x = ''",
    "sys.stdin": "import sys; x = sys.stdin.read()",
    "the first stdin": "import sys; x = sys.__stdin__.read()",
    "the descriptor": "import os; x = os.read(0, 100).decode()",
    "another program": "import subprocess; x = subprocess.run('cat', capture_output=True, text=True).stdout",
}

#: loads the plugins and prints what they found on stdin and what is left there
WHAT_IS_LEFT = (
    "import os, sys; from labelkit.plugins.catalog import Catalog; found = Catalog.load(only=['pets']); import pets; "
    "print([repr(pets.x), [one.status for one in found.plugins if one.name == 'pets'], sys.stdin and sys.stdin.read()])"
)


@pytest.mark.parametrize("what", READS)
def test_what_is_piped_to_a_command_is_not_read_by_plugins(what: str, install: Install, tmp_path: Path) -> None:
    install("pets", f"{READS[what]}\n{METRIC}")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", WHAT_IS_LEFT],
        env=environment, input="Ada lives in Rome .\n", capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == str([repr(""), ["loaded"], "Ada lives in Rome .\n"]) + "\n"


def test_a_command_without_stdin_runs(install: Install, tmp_path: Path) -> None:
    install("pets", f"import sys\nx = sys.stdin.read()\n{METRIC}")
    line = f'exec "{sys.executable}" -c "$0" <&-'
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", line, WHAT_IS_LEFT], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (str([repr(""), ["loaded"], None]) + "\n", "")


def test_a_terminal_is_a_terminal_again(install: Install, tmp_path: Path) -> None:
    install("pets", f"import sys\nx = str(sys.stdin.isatty())\n{METRIC}")
    main_side, other_side = os.openpty()
    os.write(main_side, b"typed\n")
    script = WHAT_IS_LEFT.replace("sys.stdin.read()", "[sys.stdin.isatty(), input()]")
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(tmp_path)}, stdin=other_side,
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    os.close(main_side)
    os.close(other_side)
    assert done.stdout == str([repr("False"), ["loaded"], [True, "typed"]]) + "\n"


def test_a_plugin_that_raises_as_ctrl_c_does_is_named(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("pets", "raise KeyboardInterrupt")
    assert main(["formats"]) == 130
    told = ["note: interrupted while plugin 'pets' was loading", "", "interrupted"]
    assert capsys.readouterr().err.splitlines() == told


def test_a_command_without_stdout_runs(install: Install, tmp_path: Path) -> None:
    install("pets", METRIC)
    line = f'exec "{sys.executable}" -m labelkit plugins >&-'
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "LABELKIT_HOME": str(tmp_path / "home")}
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


# -- what is installed badly ------------------------------------------------------------------------------------------

UNREADABLE = {
    "a line without =": (b"[labelkit]\nbroken\n", "failed", "its entry_points.txt cannot be read"),
    "no module": (b"[labelkit]\nbroken = not a module!\n", "failed", "AttributeError"),
    "not text": (b"\xff\xfe[labelkit]\n", "", ""),
    "of other groups": (b"[console_scripts]\nbroken\n", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", UNREADABLE)
def test_entry_points_that_cannot_be_read_stop_nothing(what: str, install: Install, tmp_path: Path) -> None:
    """One such package on the path would make ``importlib.metadata.entry_points`` fail for everybody."""
    content, status, reason = UNREADABLE[what]
    install("broken", "")
    install("later", METRIC)
    (tmp_path / "broken-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    catalog = Catalog.load()
    assert "purr" in catalog.metrics
    found = [info for info in catalog.plugins if info.name == "broken"]
    assert [info.status for info in found] == [status] * bool(status)
    assert all(reason in info.reason for info in found)


def test_of_a_distribution_that_is_installed_twice_the_first_on_the_path_counts(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("pets", METRIC)
    newer = tmp_path / "newer" / "pets-2.0.dist-info"
    newer.mkdir(parents=True)
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: pets\nVersion: 2.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(newer.parent))
    assert "pets" not in [candidate.name for candidate in find_candidates()]  # version 2.0 has no plugin


# -- records that would break others ----------------------------------------------------------------------------------

MISFITS = {
    "Format(name='half', kinds=('token',), suffixes=None)": "Format 'half' with suffixes=None: it must be a tuple",
    "Format(name='half', kinds='token', suffixes=('.x',))": "kinds='token': it must be a tuple",
    "Format(name='half', kinds=('token',), suffixes=('.x',), read='read')": "read='read': it must be a function",
    "Format(name='half', kinds=('token',), suffixes=('',), read=len)": "suffixes=('',): a file ending is longer",
    "Task(name='half', summary=3, kind='token', layer='x', source='x', metrics=())": "summary=3: it must be a str",
    "Task(name='half', summary='', kind='token', layer='x', source='x', metrics='f1')": "metrics='f1': it must be",
    "Task(name='half', summary='', kind='token', layer='x', source='x', metrics=(), recipes=3)": "recipes=3",
    "Task(name='half', summary='', kind='token', layer='x', source='x', metrics=(), examples=(1,))": "examples=(1,)",
    "Source(name='half', kind='token', layers=['x'], splits=(), load=len, licence='')": "layers=['x']: it must be a",
    "Metric(name='half', kind='token', key='f1', compute=None)": "compute=None: it must be a function",
    "Metric(name='half', kind='token', key='f1', compute=len, higher_is_better='no')": "must be True or False",
}  # fmt: skip


@pytest.mark.parametrize("record", MISFITS)
def test_a_record_whose_fields_would_fail_others_is_refused(record: str, install: Install) -> None:
    hook = {"Format": "formats", "Task": "tasks", "Source": "sources", "Metric": "metrics"}[record.partition("(")[0]]
    install("half", f"import labelkit\n@labelkit.hookimpl\ndef labelkit_{hook}():\n    yield labelkit.{record}\n")
    info = named(Catalog.load(), "half")
    assert info.status == "failed"
    assert MISFITS[record] in info.reason
    for name in ("tasks", "formats", "recipes"):
        assert main([name, "--json"]) == 0


# -- plugins that take long -------------------------------------------------------------------------------------------


def test_a_slow_import_is_named_with_the_way_out(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    # the import waits for the line, so no clock decides
    waiter = "import threading, builtins\nbuiltins.told.wait(60)\n"
    monkeypatch.setattr(isolation, "SLOW_LOADING", 0.01)
    monkeypatch.setattr("builtins.told", (told := __import__("threading").Event()), raising=False)
    install("slow", waiter + METRIC)

    def say(line: str) -> None:
        if "'slow'" in line:
            lines.append(line)
            told.set()

    assert named(Catalog.load(say=say), "slow").status == "loaded"
    assert len(lines) == 1
    assert "the plugin 'slow' has been loading for 0.01 s" in lines[0]
    assert "--no-plugin slow" in lines[0]


def test_core_is_not_named_as_what_to_leave_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(isolation, "SLOW_LOADING", 0.0)
    slow = Candidate("core", "1", "labelkit", "core", lambda: time.sleep(0.2))
    Catalog([slow], say=lines.append)
    Catalog([dataclasses.replace(slow, name="other")], say=lines.append)
    assert ["core" in line for line in lines] == [False]


def test_a_quick_import_is_not_named(install: Install) -> None:
    install("quick", METRIC)
    lines: list[str] = []
    Catalog.load(say=lines.append)
    assert lines == []


@pytest.mark.slow
@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_waits_for_a_plugin_says_so_and_stops_when_told(
    ends: signal.Signals, install: Install, tmp_path: Path
) -> None:
    install("slow", "import time\ntime.sleep(300)\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "LABELKIT_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "labelkit", "plugins", "--json"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    ) as process:  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline()
        process.send_signal(ends)
        out, err = process.communicate(timeout=60)
    assert line == (
        "note: the plugin 'slow' has been loading for 5 s; Ctrl-C stops this command, and --no-plugin slow runs it "
        "without the plugin\n"
    )
    told = ["note: interrupted while plugin 'slow' was loading", "", "interrupted"]
    assert (process.returncode, out, err.splitlines()) == (130, "", told)


@pytest.mark.parametrize("flag", ["--no-plugin", "LABELKIT_PLUGINS"])
def test_a_blocked_plugin_is_never_imported_by_a_command(flag: str, install: Install, tmp_path: Path) -> None:
    install("slow", f"open({str(tmp_path / 'ran')!r}, 'w').close()\nimport time\ntime.sleep(300)\n")
    options = ["--no-plugin", "slow"] if flag == "--no-plugin" else []
    limit = {} if options else {"LABELKIT_PLUGINS": "ner"}
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "LABELKIT_HOME": str(tmp_path / "home"), **limit}
    done = subprocess.run(
        [sys.executable, "-m", "labelkit", "plugins", "--json", *options],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    rows = {row["name"]: row["status"] for row in json.loads(done.stdout)}
    assert rows["slow"] == "blocked"
    assert not (tmp_path / "ran").exists()


def test_the_trace_tells_how_a_call_ended(install: Install) -> None:
    install("broken", METRIC + "    raise KeyError\n")
    lines: list[str] = []
    Catalog.load(trace=lines.append)
    (line,) = [line for line in lines if line.startswith("broken.labelkit_metrics")]
    assert line.endswith(" ms, raised KeyError")
