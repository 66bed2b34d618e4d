"""Single-flight: concurrent calls for the same key share one execution."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """Run `make(key)` once for all concurrent callers; an error is raised to each of them."""

    def __init__(self, make: Callable[[Key], Awaitable[Value]]) -> None:
        self._make = make
        self._in_flight: dict[Key, asyncio.Task[Value]] = {}

    async def get(self, key: Key) -> Value:
        """Return the shared result; cancelling one caller does not cancel the others."""
        task = self._in_flight.get(key)
        if task is None:
            task = asyncio.ensure_future(self._run(key))
            self._in_flight[key] = task
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    async def _run(self, key: Key) -> Value:
        try:
            return await self._make(key)
        finally:
            del self._in_flight[key]


def _retrieve(task: "asyncio.Task[Value]") -> None:
    """Mark the exception as retrieved, as all callers may have been cancelled."""
    if not task.cancelled():
        task.exception()
