"""Jobs come back from workers that are gone."""

import asyncio

import msgspec
import pytest

from queue_helpers import Behaviour, Count, execute, incidents, make_due, run_jobs, states
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import enqueue, queue
from videoflix.platform.queue import reaper as reaping
from videoflix.platform.queue.manager import ResilientJobManager
from videoflix.platform.queue.reaper import Reaper
from videoflix.settings import settings

FETCHED = """
with worker as (
    insert into procrastinate_workers (last_heartbeat)
    values (now() - make_interval(secs => :silent)) returning id
)
update procrastinate_jobs set status = 'doing', attempts = :attempts, worker_id = worker.id
from worker
"""
MYSELF = 1_000_000


@pytest.fixture
def running() -> set[int]:
    """What the worker beside the reaper works on."""
    return set()


@pytest.fixture
def manager() -> ResilientJobManager:
    manager = queue.job_manager
    assert isinstance(manager, ResilientJobManager)
    return manager


@pytest.fixture
async def reaper(behaviour: Behaviour, running: set[int], manager: ResilientJobManager) -> Reaper:
    await manager.update_heartbeat(MYSELF)
    return Reaper(manager, MYSELF, lambda: set(running))


async def add(number: int = 5, *, silent: float = 0, attempts: int = 0) -> None:
    """A job that a worker fetched which has been silent for so many seconds."""
    async with transaction() as session:
        await enqueue(session, Count(number=number))
    await execute(FETCHED, silent=silent, attempts=attempts)


async def test_job_of_a_dead_worker_runs_again(behaviour: Behaviour, reaper: Reaper) -> None:
    await add(silent=120)
    await run_jobs()
    assert behaviour.calls == []
    assert await reaper.reap() == 1
    await run_jobs()
    assert behaviour.calls == [("work", 5)]
    assert await incidents() == [("rescued", "its worker stopped sending heartbeats")]
    assert await reaper.reap() == 0


async def test_outage_gives_every_worker_time_to_reconnect(
    reaper: Reaper, manager: ResilientJobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = msgspec.structs.replace(settings, worker_stall_seconds=1.5)
    monkeypatch.setattr(reaping, "settings", soon)
    await add(silent=120)
    task = asyncio.create_task(reaper.reap_forever())
    try:
        for _ in range(4):  # the last failure is never long ago
            manager.outage.record_failure(ConnectionError())
            await asyncio.sleep(1)
            assert await states() == [("doing", 0)]
        await asyncio.sleep(2)
        assert await states() == [("todo", 1)]
    finally:
        task.cancel()


async def test_living_workers_keep_their_jobs(reaper: Reaper) -> None:
    await add(silent=10)
    assert await reaper.reap() == 0
    assert await states() == [("doing", 0)]


async def test_job_without_a_worker_runs_again(behaviour: Behaviour, reaper: Reaper) -> None:
    await add()
    await execute("delete from procrastinate_workers where id <> :me", me=MYSELF)
    assert await reaper.reap() == 1
    await run_jobs()
    assert behaviour.calls == [("work", 5)]


async def test_job_that_kills_its_workers_becomes_a_dead_letter(
    behaviour: Behaviour, reaper: Reaper
) -> None:
    await add(silent=120, attempts=Count.attempts - 1)
    assert await reaper.reap() == 1
    await make_due()
    await run_jobs()
    assert behaviour.calls == [("failure callback", 5, "AttemptsExhausted")]
    assert (await states())[0][0] == "failed"
    kinds = [kind for kind, _ in await incidents()]
    assert kinds == ["rescued", "dead"]


async def test_job_past_its_deadline_is_taken_from_a_living_worker(reaper: Reaper) -> None:
    await add()
    await execute("update procrastinate_events set at = now() - interval '62 seconds'")
    assert await reaper.reap() == 1
    assert await incidents() == [("rescued", "it ran past its deadline")]


async def test_job_that_its_own_worker_does_not_know_comes_back(
    reaper: Reaper, running: set[int]
) -> None:
    """The answer to the fetch was lost; but the job may also just have been fetched."""
    await add()
    await execute("update procrastinate_jobs set worker_id = :me", me=MYSELF)
    assert await reaper.reap() == 0, "once may be a coincidence"
    assert await reaper.reap() == 1
    assert await states() == [("todo", 0)], "it was not the job's fault"

    await execute("update procrastinate_jobs set worker_id = :me, status = 'doing'", me=MYSELF)
    running.add(1)
    assert [await reaper.reap() for _ in range(3)] == [0, 0, 0]


async def test_two_equal_orphans_do_not_block_the_reaper(reaper: Reaper) -> None:
    for number in (1, 2):
        await add(number)
    await execute("update procrastinate_jobs set status = 'doing', worker_id = null")
    await execute("update procrastinate_jobs set queueing_lock = 'only one'")
    assert await reaper.reap() == 2
    assert await states() == [("todo", 1), ("aborted", 1)]


async def test_forgotten_worker_that_comes_back_keeps_its_number(
    reaper: Reaper, manager: ResilientJobManager
) -> None:
    await execute("delete from procrastinate_workers")
    await add()
    await execute("update procrastinate_jobs set status = 'todo', worker_id = null")
    assert await manager.fetch_job(["counting"], MYSELF) is None
    job = await manager.fetch_job(["counting"], MYSELF)
    assert job is not None
    assert job.worker_id == MYSELF
