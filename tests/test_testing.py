"""The contract kit as plugin authors use it: from Python, as a decorator, and what is expected or not applicable."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from broken_packages import METRIC as METRIC_MODULE
from broken_plugins import BROKEN, FORMAT, METRIC, SCHEMA, SOURCE, a_catalog, exact_match
from labelkit import Example, LabelkitError, LoadContext, Metric, Predictions
from labelkit.errors import NetworkError
from labelkit.plugins.catalog import Candidate, Catalog
from labelkit.testing import (
    Broken,
    Check,
    DataAbsentError,
    Outcome,
    check_plugin,
    checks,
    contract,
    network,
    subprocess_checks,
)
from labelkit.testing.framework import BlockedError, CheckRunner, CheckSpec, NotApplicableError

pytest_plugins = ("fake_distributions",)

GREEDY = BROKEN["greedy"].catalog
REPAIRED = {"decoder-mine-valid": "labelkit repairs what it gives"}


def outcomes(catalog: Catalog, **options: Any) -> dict[str, Outcome]:
    return {one.check: one for one in check_plugin("mine", catalog=catalog, **options)}


# -- which checks there are -------------------------------------------------------------------------------------------


def test_which_checks_apply_follows_from_what_the_plugin_yields() -> None:
    names = [check.name for check in checks("mine", a_catalog(METRIC)) if not check.inapplicable]
    assert names == [
        "plugin-loads",
        "plugin-clashes",
        "metric-exact-kind",
        "metric-exact-key",
        "metric-exact-perfect",
        "metric-exact-finite",
        "metric-exact-order",
        "metric-exact-mentions",
        "metric-exact-counts",
    ]


def test_what_does_not_apply_says_why() -> None:
    known = {check.name: check.inapplicable for check in checks("mine", a_catalog(replace(FORMAT, write=None)))}
    assert known["format-pairs-repeats"] == "it only reads"
    assert known["plugin-subprocess"] == "'mine' is not installed, so no other process finds it"
    assert known["plugin-observes"] == "it observes no events"
    assert known["format-pairs-fields"] == ""


def test_a_metric_where_less_is_better_passes() -> None:
    def error_rate(given: Predictions) -> Mapping[str, float]:
        return {"error": 1.0 - exact_match(given)["exact_match"] if given.references else 0.0}

    record = Metric(name="exact", kind="token", compute=error_rate, key="error", higher_is_better=False)
    assert not any(one.failed for one in outcomes(a_catalog(record)).values())


def test_a_metric_of_texts_passes() -> None:
    assert not any(one.failed for one in outcomes(a_catalog(replace(METRIC, kind="text"))).values())


def test_a_plugin_that_does_not_load_fails_with_its_reason() -> None:
    def absent() -> object:
        raise ImportError("no module named pets")

    catalog = Catalog([Candidate("mine", "1.0", "mine-dist", "mine", absent)])
    found = outcomes(catalog)["plugin-loads"]
    assert found.why == "plugin 'mine' is failed: ImportError: no module named pets"


def test_a_plugin_that_is_not_installed_says_how_to_declare_it() -> None:
    found = check_plugin("nre")[0]
    assert found.failed
    assert "did you mean ner" in found.why
    assert "[project.entry-points.labelkit]" in found.change


def test_the_other_claimant_of_a_name_learns_of_it_too() -> None:
    found = check_plugin("other", catalog=BROKEN["a name that is taken"].catalog)[0]
    assert found.failed
    assert "metric 'exact' comes from 'mine' and 'other'" in found.why


# -- running ----------------------------------------------------------------------------------------------------------


def runner(*specs: CheckSpec) -> CheckRunner:
    return CheckRunner("thing-t", None, specs)


def raising(error: Exception) -> Callable[[Any], None]:
    def ask(thing: Any) -> None:
        raise error

    return ask


def test_a_check_runs_once() -> None:
    calls: list[Any] = []
    several = runner(CheckSpec("a", "", calls.append), CheckSpec("b", "", print, needs=("a",)))
    for name in ("b", "a", "b"):
        several.run(name)
    assert len(calls) == 1


def test_what_needs_a_check_that_fails_does_not_run_nor_what_needs_that() -> None:
    several = runner(
        CheckSpec("a", "", raising(Broken("why", "change"))),
        CheckSpec("b", "", raising(AssertionError("asked")), needs=("a",)),
        CheckSpec("c", "", raising(AssertionError("asked")), needs=("b",)),
    )
    for name in ("b", "c"):
        with pytest.raises(BlockedError, match="thing-t-a fails"):
            several.run(name)


def test_what_needs_a_check_that_does_not_apply_runs() -> None:
    several = runner(
        CheckSpec("a", "", print, skip_reason=lambda subject: "not here"),
        CheckSpec("b", "", raising(Broken("why", "change")), needs=("a",)),
    )
    with pytest.raises(Broken):
        several.run("b")
    with pytest.raises(NotApplicableError, match="not here"):
        several.run("a")


def test_an_error_of_the_kit_itself_is_a_failure_even_where_one_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(runner: CheckRunner, name: str) -> None:
        raise KeyError(name)

    catalog = a_catalog(METRIC)
    monkeypatch.setattr(CheckRunner, "run", lost)
    found = outcomes(catalog, expected={"metric-exact-key": "so it is"})["metric-exact-key"]
    assert found.failed
    assert "the check itself failed with KeyError" in found.why
    assert "report it" in found.change


# -- expected failures ------------------------------------------------------------------------------------------------


def test_an_expected_failure_is_none_and_keeps_its_reason() -> None:
    found = outcomes(GREEDY, expected=REPAIRED)["decoder-mine-valid"]
    assert (found.status, found.failed) == ("expected", False)
    assert found.why.startswith("labelkit repairs what it gives (decoder 'mine': tag 'I-PER'")


def test_an_expected_failure_that_passes_is_a_failure() -> None:
    found = outcomes(a_catalog(METRIC), expected={"metric-exact-order": "we rank by order"})["metric-exact-order"]
    assert found.failed
    assert "it passes although its failure is expected (we rank by order)" in found.why
    assert "take it out" in found.change


def test_an_expected_failure_of_a_check_that_there_is_not_is_refused() -> None:
    with pytest.raises(LabelkitError, match="has no such check") as caught:
        check_plugin("mine", catalog=GREEDY, expected={"decoder-mine-vald": "because"})
    assert caught.value.hint == "did you mean decoder-mine-valid or decoder-mine-ids or decoder-mine-kind?"


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_expected_failure_needs_a_reason(reason: str) -> None:
    with pytest.raises(LabelkitError, match="without a reason"):
        contract("mine", catalog=GREEDY, expected={"decoder-mine-valid": reason})


# -- importing --------------------------------------------------------------------------------------------------------


def test_a_light_plugin_passes_though_this_process_has_loaded_a_heavy_library(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "evaluate", ModuleType("evaluate"))
    install("light", METRIC_MODULE)
    found = {one.check: one.status for one in check_plugin("light")}
    assert found["plugin-imports-light"] == found["plugin-subprocess"] == "ok"


def test_a_slow_import_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([9.0, 8.0, 0.1])

    def ask(what: str, **request: Any) -> subprocess_checks.Answer:
        found = {"status": "loaded", "reason": "", "records": [["task", "ner"]], "heavy": [], "notes": []}
        return {**found, "seconds": next(seconds)}

    monkeypatch.setattr(subprocess_checks, "run_in_subprocess", ask)
    found = {one.check: one.status for one in (_judged(check) for check in checks("ner") if "plugin-" in check.name)}
    assert found["plugin-imports-quickly"] == "ok"
    assert list(seconds) == []


def _judged(check: Check) -> Outcome:
    from labelkit.testing.checks import judge

    return judge(check)


def test_a_process_that_hangs_is_given_up(install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess_checks, "TIMEOUT", 0.2)
    install("hangs", f"import time, sys\nif 'pytest' not in sys.modules: time.sleep(60)\n{METRIC_MODULE}")
    found = {one.check: one for one in check_plugin("hangs")}["plugin-subprocess"]
    assert found.why == "a process that loads plugin 'hangs' does not end"


@pytest.mark.slow
def test_the_kit_itself_needs_neither_pytest_nor_a_heavy_library(install: Callable[..., None], tmp_path: Path) -> None:
    install("light", METRIC_MODULE)
    script = (
        "import sys; sys.modules['pytest'] = None; from labelkit.testing import check_plugin; "
        "print([o.reason for o in check_plugin('light') if o.failed], {'torch', 'evaluate'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.strip() == "[] set()", done.stderr


@pytest.mark.parametrize(("ours", "theirs"), [(None, "0"), ("random", "0"), ("0", "1"), ("1", "0")])
def test_another_process_hashes_in_its_own_way(ours: str | None, theirs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], *, env: Mapping[str, str], **options: Any) -> subprocess.CompletedProcess[str]:
        Path(command[-1]).write_text(json.dumps({"seed": env["PYTHONHASHSEED"]}), encoding="utf-8")
        return subprocess.CompletedProcess(command, 0, "", "")

    if ours is None:
        monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    else:
        monkeypatch.setenv("PYTHONHASHSEED", ours)
    monkeypatch.setattr(subprocess, "run", run)
    assert subprocess_checks.run_in_subprocess("load", plugin="mine") == {"seed": theirs}


# -- no network -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        ("corpora.invalid", 443),
        ("192.0.2.1", 443),
        ("2001:db8::1", 443),
        ("2001:db8::1", 443, 0, 0),
        ("fe80::1%eth0", 1),
    ],
)
def test_what_is_on_another_machine_is_told(address: tuple[Any, ...]) -> None:
    assert network.remote_host(address) == address[0]


@pytest.mark.parametrize(
    "address", [("localhost", 5432), ("127.0.0.1", 1), ("::1", 1, 0, 0), ("", 0), "/run/store.sock", b"s", (0, 0), None]
)
def test_what_is_on_this_machine_is_not(address: object) -> None:
    assert network.remote_host(address) == ""


def test_nothing_reaches_another_machine_and_everything_is_as_before_afterwards() -> None:
    before = socket.getaddrinfo, socket.socket.connect, dict(vars(socket.socket))
    hosts: list[str] = []
    with network.block_network(hosts):
        with pytest.raises(OSError, match="no network may be used here"):
            socket.getaddrinfo(b"corpora.invalid", 443)
        with socket.socket() as plug:
            for connect in (plug.connect, plug.connect_ex):
                with pytest.raises(OSError, match="192"):
                    connect(("192.0.2.1", 443))
    assert hosts == ["corpora.invalid", "192.0.2.1", "192.0.2.1"]
    assert before == (socket.getaddrinfo, socket.socket.connect, dict(vars(socket.socket)))


def test_this_machine_may_be_reached() -> None:
    hosts: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server, network.block_network(hosts):
        socket.create_connection(server.getsockname(), timeout=5).close()
        socket.getaddrinfo("localhost", 80)
    assert hosts == []


def test_a_source_that_would_have_to_fetch_its_data_counts_as_absent() -> None:
    def fetching(split: str, ctx: LoadContext) -> Iterable[Example]:
        if ctx.offline:
            raise NetworkError("'tales' has to be fetched", hint="connect and try again")
        return ()

    found = outcomes(a_catalog(replace(SOURCE, load=fetching), SCHEMA))
    assert found["source-tales-splits"].status == "not applicable"
    assert found["source-tales-splits"].why == "data absent: 'tales' has to be fetched (connect and try again)"
    assert found["source-tales-references"].status == "ok"


def test_figures_that_are_arrays_are_compared() -> None:
    def per_sentence(given: Predictions) -> Mapping[str, Any]:
        import numpy as np

        same = [gold == guess for gold, guess in zip(given.references, given.predictions, strict=True)]
        return {**exact_match(given), "each": np.array(same, np.float64)}

    assert not any(
        one.failed for one in outcomes(a_catalog(replace(METRIC, compute=per_sentence, counts=None))).values()
    )


# -- absent data ------------------------------------------------------------------------------------------------------


def from_folder(split: str, ctx: LoadContext) -> Iterable[Example]:
    words = [line for _, line in ctx.lines(ctx.folder("tales") / f"{split}.txt")]
    return [Example(id="1", words=tuple(words), labels={"pets": tuple("O" for _ in words)})]


def corpus(**counts: int) -> Catalog:
    return a_catalog(replace(SOURCE, load=from_folder, counts=counts), SCHEMA)


def test_absent_data_is_not_applicable_and_present_data_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = corpus(train=1, test=2)
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    before = outcomes(catalog)
    assert before["plugin-loads"].status == "ok"
    assert before["source-tales-splits"].status == "not applicable"
    assert before["source-tales-splits"].why.startswith("data absent: 'tales' needs its files")
    monkeypatch.setenv("LABELKIT_DATA", str(tmp_path))
    assert "does not exist" in outcomes(catalog)["source-tales-ids"].why
    (tmp_path / "tales").mkdir()
    for split in ("train", "test"):
        (tmp_path / "tales" / f"{split}.txt").write_text("Tom\npurrs\n", encoding="utf-8")
    assert [name for name, one in outcomes(catalog).items() if one.failed] == ["source-tales-counts"]


def test_a_file_that_is_missing_in_a_folder_that_is_there_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tales").mkdir()
    monkeypatch.setenv("LABELKIT_DATA", str(tmp_path))
    assert "fails with DataError" in outcomes(corpus())["source-tales-splits"].why


def test_a_check_tells_absent_data_by_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    known = {check.name: check for check in checks("mine", corpus())}
    with pytest.raises(DataAbsentError):
        known["source-tales-repeats"]()


# -- pytest -----------------------------------------------------------------------------------------------------------


def parametrized(catalog: Catalog, **options: Any) -> dict[str, Callable[[], None]]:
    """Return the cases that the decorator makes, by their ids."""
    mark = contract("mine", catalog=catalog, **options).mark
    assert mark.args[0] == "check"
    return {case.id: case.values[0] for case in mark.args[1]}


def test_the_decorator_makes_one_case_for_each_check_that_applies_with_its_name_as_id() -> None:
    catalog = BROKEN["no example"].catalog
    cases = parametrized(catalog)
    assert list(cases) == [check.name for check in checks("mine", catalog) if not check.inapplicable]
    cases["task-pets-references"]()
    with pytest.raises(Broken, match="give it a handful"):
        cases["task-pets-examples"]()


def test_the_decorator_skips_where_data_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELKIT_DATA", raising=False)
    with pytest.raises(pytest.skip.Exception, match="data absent: 'tales'"):
        parametrized(corpus())["source-tales-splits"]()


def test_the_decorator_skips_what_builds_on_a_check_that_fails() -> None:
    with pytest.raises(pytest.skip.Exception, match="task-pets-examples fails"):
        parametrized(BROKEN["no example"].catalog)["task-pets-learns"]()


def test_the_decorator_expects_a_failure_with_its_reason() -> None:
    with pytest.raises(pytest.xfail.Exception, match="labelkit repairs"):
        parametrized(GREEDY, expected=REPAIRED)["decoder-mine-valid"]()


def test_the_decorator_fails_where_an_expected_failure_passes() -> None:
    cases = parametrized(a_catalog(METRIC), expected={"metric-exact-order": "we rank by order"})
    with pytest.raises(Broken, match="take it out of the expected failures"):
        cases["metric-exact-order"]()


@pytest.fixture
def three_lines(install: Callable[..., None], tmp_path: Path) -> Path:
    """Return a test file of three lines for an installed metric."""
    install("light", METRIC_MODULE)
    file = tmp_path / "test_light.py"
    file.write_text(
        'from labelkit.testing import contract\n\n@contract("light")\ndef test_contract(check): check()\n',
        encoding="utf-8",
    )
    return file


@pytest.mark.slow
def test_three_lines_are_a_whole_test_file(three_lines: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-c", "/dev/null", str(three_lines)],
        capture_output=True, text=True, check=False, cwd=three_lines.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "PASSED test_light.py::test_contract[metric-exact-order]" in done.stdout
