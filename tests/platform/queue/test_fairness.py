"""Films and kinds of jobs share workers, and a fetch costs the same however many jobs wait."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from queue_helpers import Behaviour, Count, execute, rows, run_jobs
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import (
    Job,
    cancel_pending,
    enqueue,
    enqueue_many,
    handles,
    prioritize,
    queue,
)
from videoflix.platform.queue.fairness import AGED_SECONDS
from videoflix.platform.queue.manager import FETCH

MANY = 100_000
FETCHES = 25


class Step(Job):
    """One step of something that takes many."""

    name: ClassVar = "test.step_in_turn"
    queue: ClassVar = "counting"
    asset_id: int
    index: int

    @property
    def effective_priority(self) -> int:
        return 20 if self.index == 0 else 10

    @property
    def takes_turns(self) -> bool:
        return self.index > 0


class Urgent(Job):
    name: ClassVar = "test.urgent"
    queue: ClassVar = "counting"
    priority: ClassVar = 50


class Slow(Job):
    name: ClassVar = "test.slow"
    queue: ClassVar = "counting"
    deadline: ClassVar = 20.0


@pytest.fixture
async def done(behaviour: Behaviour) -> list[object]:
    """What ran, in order: (asset, index) of steps, else the kind."""
    ran: list[object] = []

    @handles(Step)
    async def step(job: Step) -> None:
        ran.append((job.asset_id, job.index))

    @handles(Urgent)
    async def urgent(job: Urgent) -> None:
        ran.append("urgent")
        await add([Urgent()])  # there is always another one

    @handles(Slow)
    async def slow(job: Slow) -> None:
        ran.append("slow")
        await asyncio.sleep(10)

    return ran


async def add(jobs: Sequence[Job]) -> None:
    async with transaction() as session:
        await enqueue_many(session, jobs)


def steps(asset_id: int, count: int, first: int = 0) -> list[Step]:
    return [Step(asset_id=asset_id, index=index) for index in range(first, first + count)]


async def fetch() -> tuple[str, tuple[int, int]] | None:
    """What a worker would do next, which goes out of the queue: its kind, and a step's number."""
    found = await rows(
        "select task_name, args from videoflix_fetch_job('counting', null, '{}', '{}', null)"
    )
    if not found:
        return None
    args = found[0]["args"]
    return found[0]["task_name"], (args.get("asset_id", 0), args.get("index", 0))


async def fetched(count: int) -> list[tuple[int, int]]:
    """The steps that come next: asset and index."""
    found = [await fetch() for _ in range(count)]
    return [one[1] for one in found if one]


async def test_a_short_film_beside_a_long_one_is_done_soon(done: list[object]) -> None:
    await add(steps(1, 300))
    assert await fetched(40) == [(1, index) for index in range(40)]
    await add(steps(2, 5))
    after = await fetched(12)
    assert after[0] == (2, 0), "its first seconds come before everything else"
    assert (2, 4) in after[:9], "then the two films take turns"
    assert [one for one in after if one[0] == 1] == [(1, index) for index in range(40, 47)]


async def test_a_late_film_does_not_push_the_others_back(done: list[object]) -> None:
    """It begins where the others are now, and is not let catch up on what they had before."""
    await add(steps(1, 100))
    await fetched(60)
    await add(steps(2, 100))
    found = await fetched(41)
    assert [asset for asset, _ in found].count(1) == 20


async def test_work_that_is_resumed_takes_its_turn(done: list[object]) -> None:
    """The last chunks of one film wait no longer than the first ones of another."""
    await add(steps(1, 50, first=400))
    await add(steps(2, 50, first=1))
    assert {asset for asset, _ in await fetched(10)} == {1, 2}
    assert (await fetched(2))[0] in {(1, 405), (2, 6)}


async def test_what_a_player_reaches_next_comes_first(done: list[object]) -> None:
    await add(steps(1, 50))
    await add(steps(2, 50))
    await fetched(20)
    async with transaction() as session:
        assert await prioritize(session, Step, 14, 3, asset_id=2) == 3
        assert await prioritize(session, Step, 14, 3, asset_id=2) == 0
    first_waiting = 10
    assert await fetched(3) == [(2, first_waiting + n) for n in range(3)]


async def test_a_job_that_waited_long_is_not_starved(done: list[object]) -> None:
    await add([Step(asset_id=1, index=1), Step(asset_id=1, index=2), Urgent()])
    working = asyncio.create_task(_work_for(1.0))
    await working
    assert set(done) == {"urgent"}, "nothing has waited long yet"
    await execute(
        "update procrastinate_events set at = at - make_interval(secs => :aged)",
        aged=AGED_SECONDS + 1,
    )
    await _work_for(1.5)
    assert {(1, 1), (1, 2)} <= set(done)


async def _work_for(seconds: float) -> None:
    worker: Any = queue._worker(
        queues=["counting"], install_signal_handlers=False, listen_notify=False
    )
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(seconds)
    worker.stop()
    await working


async def test_kinds_take_turns(behaviour: Behaviour, done: list[object]) -> None:
    await add([Count(number=number) for number in range(20)])
    await add([Step(asset_id=1, index=index) for index in range(3)])
    await execute("update procrastinate_jobs set priority = 0")
    await run_jobs()
    numbers = [number for _, number in behaviour.calls]
    assert numbers == list(range(20))
    started = await rows(
        "select job.task_name as kind from procrastinate_events as event"
        " join procrastinate_jobs as job on job.id = event.job_id"
        " where type = 'started' order by event.id"
    )
    kinds = [row["kind"] for row in started]
    assert kinds[:6].count(Step.name) == 3, "one flood does not hold up the other kinds"


async def test_a_flood_of_slow_jobs_leaves_slots_for_others(
    behaviour: Behaviour, done: list[object]
) -> None:
    await add([Slow() for _ in range(30)])
    worker: Any = queue._worker(
        queues=["counting"],
        concurrency=10,
        install_signal_handlers=False,
        shutdown_graceful_timeout=0.0,
    )
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(1.5)
    await add([Count(number=5)])
    await asyncio.sleep(1.5)
    worker.stop()
    await working
    assert done.count("slow") == 8
    assert behaviour.calls == [("work", 5)]


async def test_queues_take_turns(done: list[object]) -> None:
    """In a worker for all queues, a long queue does not starve a short one."""
    await add([Count(number=1), Count(number=2), Count(number=3), Count(number=4)])
    await execute("update procrastinate_jobs set queue_name = 'other' where id % 2 = 0")
    await execute("update procrastinate_jobs set priority = 9 where queue_name = 'other'")
    await queue.run_worker_async(
        queues=["counting", "other"],
        wait=False,
        listen_notify=False,
        install_signal_handlers=False,
    )
    started = await rows(
        "select job.queue_name as queue from procrastinate_events as event"
        " join procrastinate_jobs as job on job.id = event.job_id"
        " where type = 'started' order by event.id"
    )
    assert [row["queue"] for row in started] == ["counting", "other", "counting", "other"]


async def test_a_job_in_backoff_does_not_hold_its_lock(done: list[object]) -> None:
    await add([Count(number=1), Count(number=2), Count(number=3)])
    await execute("update procrastinate_jobs set lock = 'one at a time'")
    await execute("update procrastinate_jobs set scheduled_at = 'infinity' where id = 1")
    assert await fetch() == (Count.name, (0, 0))
    assert await fetch() is None, "the lock is taken"
    await execute("update procrastinate_jobs set status = 'succeeded' where status = 'doing'")
    assert await fetch() == (Count.name, (0, 0))


async def test_a_job_whose_time_has_come_is_fetched_by_its_priority(done: list[object]) -> None:
    await add([Urgent(), *steps(1, 2)])
    await execute("update procrastinate_jobs set scheduled_at = now() + interval '1 hour'")
    assert await fetch() is None
    await execute("update procrastinate_jobs set scheduled_at = now() - interval '1 second'")
    assert await fetch() == (Urgent.name, (0, 0))
    assert await fetch() == (Step.name, (1, 0))


async def test_withdrawing_and_hastening_find_jobs_by_index(done: list[object]) -> None:
    await seed(MANY, "asset_id", priority=10)
    async with transaction() as session:
        await enqueue_many(session, steps(-1, 10, first=1))
    began = time.perf_counter()
    async with transaction() as session:
        assert await prioritize(session, Step, 14, 3, asset_id=-1) == 3
        await cancel_pending(session, [Step], asset_id=-1)
    assert time.perf_counter() - began < 0.1
    left = await rows("select 1 from procrastinate_jobs where args ->> 'asset_id' = '-1'")
    assert left == []


WAITING = {
    "of another queue": {"queue": "elsewhere"},
    "of the same kind": {"queue": "counting"},
    "of the same queue and in backoff": {"queue": "counting", "later": True},
}


@pytest.mark.parametrize("has_statistics", [True, False])
@pytest.mark.parametrize("waiting", WAITING.values(), ids=list(WAITING))
async def test_a_fetch_costs_the_same_with_many_jobs(
    behaviour: Behaviour, waiting: dict[str, object], has_statistics: bool
) -> None:
    await seed(100, **waiting)  # type: ignore[arg-type] # keyword arguments from a table
    few = await _blocks_per_fetch()
    await seed(MANY, **waiting)  # type: ignore[arg-type] # keyword arguments from a table
    if has_statistics:
        await execute("analyze procrastinate_jobs")
    many = await _blocks_per_fetch()
    assert many < 2 * few, f"{few} blocks, then {many}"


async def _blocks_per_fetch() -> float:
    """Median of blocks of the database that a fetch reads: unlike time, the same on any machine."""
    await queue.job_manager.update_heartbeat(1)
    async with transaction() as session:
        for number in range(FETCHES):
            await enqueue(session, Count(number=number))
    await execute("update procrastinate_jobs set priority = 5 where queue_name = 'counting'"
                  " and args ? 'number'")  # fmt: skip
    blocks: list[int] = []
    for _ in range(FETCHES):
        [row] = await queue.connector.execute_query_all_async(
            "explain (analyze, buffers, format json) " + FETCH,
            queue="counting",
            worker_id=1,
            recent_kinds=[],
            full_kinds=[],
            aged_seconds=AGED_SECONDS,
        )
        [explained] = row["QUERY PLAN"]
        assert explained["Plan"]["Actual Rows"] == 1
        blocks.append(
            explained["Plan"]["Shared Hit Blocks"] + explained["Plan"]["Shared Read Blocks"]
        )
    return statistics.median(blocks)


async def seed(
    count: int,
    field: str = "seed",
    *,
    queue: str = "counting",
    later: bool = False,
    priority: int = 0,
) -> None:
    """Waiting jobs, without their events and notifications; in backoff if `later`."""
    async with transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("alter table procrastinate_jobs disable trigger user")
        await connection.exec_driver_sql(
            "insert into procrastinate_jobs (queue_name, task_name, args, priority, scheduled_at)"
            f" select '{queue}', 'test.count', jsonb_build_object('{field}', n), {priority},"
            f" case when {later} then now() + interval '1 hour' end"
            f" from generate_series(1, {count}) as n"
        )
        await connection.exec_driver_sql("alter table procrastinate_jobs enable trigger user")
