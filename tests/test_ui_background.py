"""Work that pages wait for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from labelkit.ui.background import Background


def test_work_does_not_become_done_while_a_page_is_made() -> None:
    background, goes_on = Background(), Event()

    def work(say: Callable[[str], object]) -> int:
        goes_on.wait(20)
        return 3

    began = background.start("work", work)
    looked = background.find("work")
    assert looked is not None
    goes_on.set()
    background.call(lambda: None)  # runs after it
    assert not began.done
    assert not looked.done
    later = background.start("work", work)
    assert (later.done, later.error, later.result) == (True, None, 3)
    background.close()
