"""Requests share batches, are refused when too many wait, end in time, and lose nothing when a labeller is replaced."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest

from labelkit.errors import LabelkitError
from labelkit.records import Example, Labelled
from labelkit.serve.batcher import READY_CHARACTERS, Batcher, DrainingError
from labelkit.serve.errors import RequestError
from serve_stubs import StubLabeller


def batcher_of(labeller: StubLabeller, queued: int = 1 << 20) -> Batcher:
    return Batcher(cast(Any, labeller), queued, large=False)


def examples(*texts: str) -> list[Example]:
    return [Example(id=str(number), text=text) for number, text in enumerate(texts, 1)]


def texts_of(records: Sequence[Labelled]) -> list[str]:
    return [record.text for record in records]


async def until(condition: Any) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to that")


def test_what_waits_becomes_one_batch_and_each_request_gets_its_own_records_in_order() -> None:
    gate = threading.Event()
    labeller = StubLabeller(work=lambda texts: None if "more" in texts[0] else cast(None, gate.wait(5)))
    batcher = batcher_of(labeller)

    async def ask() -> None:
        first = asyncio.create_task(batcher.label(examples("first"), 5))
        await until(lambda: labeller.batches)
        later = [asyncio.create_task(batcher.label(examples(f"more {n}", f"and {n}"), 5)) for n in range(20)]
        await asyncio.sleep(0.01)
        gate.set()
        assert texts_of(await first) == ["first"]
        for number, task in enumerate(later):
            assert texts_of(await task) == [f"more {number}", f"and {number}"]
        assert await batcher.label([], 5) == []

    asyncio.run(ask())
    assert list(map(len, labeller.batches)) == [1, 40]
    assert (batcher.open, batcher.waiting) == (0, 0)
    assert (batcher.counts.records, batcher.counts.batches) == (41, 2)


def test_each_stream_has_a_batch_and_a_request_is_answered_when_its_own_batches_are_done() -> None:
    together = threading.Barrier(2)
    gate = threading.Event()

    def work(texts: Sequence[str]) -> None:
        if texts[0] in ("slow", "fast"):
            together.wait(5)  # breaks unless both are in inference at once
        if texts[0] == "slow":
            gate.wait(5)

    labeller = StubLabeller(work=work, streams=2, choose=lambda lengths: [0])
    batcher = batcher_of(labeller)

    async def ask() -> None:
        slow = asyncio.create_task(batcher.label(examples("slow", "and more"), 5))
        await until(lambda: ["slow"] in labeller.batches)
        assert texts_of(await batcher.label(examples("fast"), 5)) == ["fast"]
        await until(lambda: ["and more"] in labeller.batches)
        assert not slow.done()
        gate.set()
        assert texts_of(await slow) == ["slow", "and more"]

    asyncio.run(ask())
    batcher.drain()
    batcher.drained.result(5)
    assert (batcher.counts.records, batcher.counts.batches, batcher.open) == (3, 3, 0)


def test_an_engine_that_lost_its_streams_computes_one_batch_at_a_time() -> None:
    busy, most = [0], [0]

    def work(texts: Sequence[str]) -> None:
        labeller.streams = 1  # as where ONNX failed, and torch took its place
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        threading.Event().wait(0.005)
        busy[0] -= 1

    labeller = StubLabeller(work=work, streams=3, choose=lambda lengths: [0])
    batcher = batcher_of(labeller)

    async def ask() -> None:
        await batcher.label(examples("first"), 5)
        await asyncio.gather(*(batcher.label(examples(f"text {n}", "more"), 5) for n in range(10)))

    asyncio.run(ask())
    batcher.drain()
    batcher.drained.result(5)
    assert most == [1]


def test_a_long_request_keeps_no_short_one_waiting_until_its_end() -> None:
    labeller = StubLabeller()
    batcher = batcher_of(labeller, queued=1 << 22)

    async def ask() -> None:
        long = asyncio.create_task(batcher.label(examples(*["x" * 5000] * 400), 5))
        await until(lambda: labeller.batches)
        await batcher.label(examples("short"), 5)
        assert not long.done()
        assert len(await long) == 400

    hold = threading.Lock()
    labeller.work = lambda texts: cast(None, hold.acquire(timeout=0.005))
    asyncio.run(ask())


def test_too_much_waiting_is_refused_with_the_time_to_come_back_and_one_request_always_may_wait() -> None:
    gate = threading.Event()
    batcher = batcher_of(StubLabeller(work=lambda texts: cast(None, gate.wait(5))), queued=100)

    async def ask() -> None:
        large = asyncio.create_task(batcher.label(examples("x" * 500), 5))
        await until(lambda: batcher.open)
        with pytest.raises(RequestError) as refused:
            await batcher.label(examples("y"), 5)
        assert refused.value.status == 429
        assert int(refused.value.headers["Retry-After"]) >= 1
        gate.set()
        assert len(await large) == 1
        assert len(await batcher.label(examples("y"), 5)) == 1

    asyncio.run(ask())


def test_time_limits_say_whether_labelling_had_begun_and_leave_nothing_behind() -> None:
    gate = threading.Event()
    labeller = StubLabeller(work=lambda texts: cast(None, gate.wait(5)))
    batcher = batcher_of(labeller)

    async def ask() -> None:
        begun = asyncio.create_task(batcher.label(examples("begun"), 0.1))
        await until(lambda: labeller.batches)
        with pytest.raises(RequestError) as waiting:
            await batcher.label(examples("waiting"), 0.02)
        assert (waiting.value.status, "Retry-After" in waiting.value.headers) == (503, True)
        with pytest.raises(RequestError) as slow:
            await begun
        assert slow.value.status == 504
        gate.set()
        assert len(await batcher.label(examples("next"), 5)) == 1

    asyncio.run(ask())
    assert labeller.batches == [["begun"], ["next"]]
    assert (batcher.open, batcher.waiting) == (0, 0)


def test_texts_that_nobody_waits_for_any_more_take_no_room() -> None:
    gate = threading.Event()
    labeller = StubLabeller(work=lambda texts: cast(None, gate.wait(5)), choose=lambda lengths: [0])
    batcher = batcher_of(labeller)

    async def ask() -> None:
        with pytest.raises(RequestError):  # its second text is ready, and larger than all that may be ready
            await batcher.label(examples("begun", "x" * READY_CHARACTERS), 0.1)
        later = asyncio.create_task(batcher.label(examples("later"), 5))
        await until(lambda: batcher.open == 1)
        gate.set()
        assert texts_of(await asyncio.wait_for(later, 2)) == ["later"]

    asyncio.run(ask())
    assert labeller.batches == [["begun"], ["later"]]


@pytest.mark.parametrize("where", ["work", "decode"])
def test_a_request_that_fails_takes_no_other_with_it(where: str) -> None:
    def fail(texts: Sequence[str]) -> None:
        if "bad" in texts:
            raise LabelkitError("the preprocessor failed")
        if "worse" in texts:
            raise ValueError("worse")

    labeller = StubLabeller(**{where: fail})  # type: ignore[arg-type]
    batcher = batcher_of(labeller)

    async def ask() -> None:
        tasks = [asyncio.create_task(batcher.label(examples(text), 5)) for text in ("good", "bad", "fine", "worse")]
        found: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
        assert texts_of(found[0] + found[2]) == ["good", "fine"]
        assert (found[1].status, found[1].message) == (500, "the preprocessor failed")
        assert found[3].status == 500
        assert "worse" not in found[3].message

    asyncio.run(ask())
    assert batcher.counts.failures == 2


def test_draining_answers_what_is_open_and_takes_no_more() -> None:
    gate = threading.Event()
    labeller = StubLabeller(work=lambda texts: cast(None, gate.wait(5)))
    batcher = batcher_of(labeller)

    async def ask() -> None:
        begun = asyncio.create_task(batcher.label(examples("one"), 5))
        await until(lambda: labeller.batches)
        waiting = asyncio.create_task(batcher.label(examples("two"), 5))
        await until(lambda: batcher.open == 2)
        batcher.drain()
        with pytest.raises(DrainingError):
            await batcher.label(examples("three"), 5)
        assert not batcher.drained.done()
        gate.set()
        assert texts_of(await begun + await waiting) == ["one", "two"]
        await asyncio.wrap_future(batcher.drained)

    asyncio.run(ask())
