"""Concurrent callers who need the same value share one call."""

import asyncio
import gc

import pytest

from videoflix.platform.cache.single_flight import SingleFlight


class Source:
    """Counts calls, and answers them when it is opened."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.opened = asyncio.Event()

    async def load(self, key: str) -> str:
        self.calls.append(key)
        await self.opened.wait()
        if key == "broken":
            raise ConnectionError(key)
        return f"{key} {len(self.calls)}"


async def begin(flight: SingleFlight[str, str], *keys: str) -> list[asyncio.Task[str]]:
    """Callers who all wait by now."""
    tasks = [asyncio.create_task(flight.get(key)) for key in keys]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_concurrent_callers_share_one_call() -> None:
    source = Source()
    tasks = await begin(SingleFlight(source.load), "a", "a", "b", "a")
    source.opened.set()
    assert await asyncio.gather(*tasks) == ["a 2", "a 2", "b 2", "a 2"]
    assert source.calls == ["a", "b"]


async def test_later_callers_call_again() -> None:
    source = Source()
    source.opened.set()
    flight = SingleFlight(source.load)
    assert [await flight.get("a"), await flight.get("a")] == ["a 1", "a 2"]


async def test_everyone_gets_the_error_and_the_next_caller_tries_again() -> None:
    source = Source()
    flight = SingleFlight(source.load)
    tasks = await begin(flight, "broken", "broken")
    source.opened.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError, ConnectionError]
    with pytest.raises(ConnectionError):
        await flight.get("broken")
    assert source.calls == ["broken", "broken"]


async def test_cancelled_caller_does_not_cancel_the_others() -> None:
    source = Source()
    first, second = await begin(SingleFlight(source.load), "a", "a")
    first.cancel()
    await asyncio.sleep(0)
    source.opened.set()
    assert await second == "a 1"
    assert first.cancelled()


async def test_error_after_every_caller_left_is_not_reported() -> None:
    """asyncio reports errors that nobody retrieved when the task is collected."""
    reported: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    source = Source()
    flight = SingleFlight(source.load)
    [task] = await begin(flight, "broken")
    task.cancel()
    source.opened.set()
    for _ in range(3):
        await asyncio.sleep(0)
    del task
    gc.collect()
    loop.set_exception_handler(None)
    assert source.calls == ["broken"]
    assert not reported
