"""Parts of a search that need no database: the gain, processes that ended, and the recipe file."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from labelkit.errors import DataError
from labelkit.registry.liveness import STALE_AFTER, now
from labelkit.search.process import is_gone, this_process
from labelkit.search.recipe_file import check_recipe_file, mark_of
from labelkit.search.winner import Gain

LONG_AGO = (now() - 2 * STALE_AFTER).isoformat()


def _ended_process() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def test_a_process_is_gone_when_it_ended_and_elsewhere_after_a_while() -> None:
    me = this_process()
    assert not is_gone(me)
    assert is_gone({**me, "pid": _ended_process()})
    assert is_gone({**me, "begun": "0"})  # the id was used again
    assert not is_gone({**me, "boot": "other"})
    assert is_gone({**me, "boot": "other", "at": LONG_AGO})


def test_a_process_that_ended_and_was_not_waited_for_is_gone() -> None:
    child = os.fork()
    if child == 0:
        signal.pause()
    me = {**this_process(), "pid": child}
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert is_gone(me)
    os.waitpid(child, 0)


@pytest.mark.parametrize(
    ("first", "maximize", "gain", "better"),
    [((0.5, 0.6, 0.7), True, 0.1, True), ((0.5, 0.6, 0.7), False, -0.1, False), ((0.3, 0.9, 0.6), True, 0.1, False)],
)
def test_a_gain_has_an_interval(first: tuple[float, ...], maximize: bool, gain: float, better: bool) -> None:
    found = Gain.of(first, (0.4, 0.5, 0.6), maximize=maximize)
    assert found.gain == pytest.approx(gain)
    assert found.better is better
    assert found.interval[0] <= found.gain <= found.interval[1]


def test_the_interval_is_students() -> None:
    found = Gain.of((1.0, 2.0, 3.0), (0.0, 0.0, 0.0), maximize=True)
    assert found.interval == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5))


def test_a_recipe_file_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    check_recipe_file(path, "s", force=False)
    path.write_text("model = 'bundled'\n")
    with pytest.raises(DataError, match="exists already"):
        check_recipe_file(path, "s", force=False)
    check_recipe_file(path, "s", force=True)
    path.write_text(f"{mark_of('s')}\n")
    check_recipe_file(path, "s", force=False)
    with pytest.raises(DataError, match="exists already"):
        check_recipe_file(path, "t", force=False)
