"""A handler whose behaviour a test chooses, and the queue's connections."""

from collections.abc import AsyncIterator

import pytest

from queue_helpers import Behaviour, Count
from videoflix.platform.queue import handles, on_failure, queue
from videoflix.platform.queue.registry import failure_callbacks, registered_jobs


@pytest.fixture
async def behaviour(committed: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Behaviour]:
    """The one handler of `Count`."""
    behaviour = Behaviour()
    monkeypatch.setattr(queue, "tasks", dict(queue.tasks))
    before = dict(registered_jobs)

    @on_failure(Count)
    async def record_failure(job: Count, error: Exception) -> None:
        behaviour.calls.append(("failure callback", job.number, type(error).__name__))
        if behaviour.on_failure:
            await behaviour.on_failure(job)

    @handles(Count)
    async def work(job: Count) -> None:
        behaviour.calls.append(("work", job.number))
        if behaviour.work:
            await behaviour.work(job)

    async with queue.open_async():
        yield behaviour
    del failure_callbacks[Count.name]
    registered_jobs.clear()
    registered_jobs.update(before)
