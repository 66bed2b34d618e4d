"""A worker on a broken machine stops fetching, says why, and begins again by itself."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

from factories import WorkerBreakerFactory, create
from queue_helpers import Behaviour, Count, rows
from videoflix.job_monitor.service import JobMonitor
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import Job, TransientError, enqueue, handles, queue, self_test
from videoflix.platform.queue import circuit_breaker as breakers
from videoflix.platform.queue.self_tests import self_tests

PATIENCE = 20.0


class Machine:
    """What the self-test of the queue says."""

    fault = ""
    tests = 0


class Thing(Job):
    """A job about one of many things."""

    name: ClassVar = "test.thing"
    queue: ClassVar = "counting"
    subject: ClassVar = "asset_id"
    attempts: ClassVar = 100
    asset_id: int


@pytest.fixture
def machine(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(breakers, "FIRST_PROBE_SECONDS", 0.3)
    monkeypatch.setitem(self_tests, "counting", {})

    @self_test("counting", "Machine")
    async def check() -> None:
        machine.tests += 1
        if machine.fault:
            raise OSError(machine.fault)

    @handles(Thing)
    async def work(job: Thing) -> None:
        behaviour.calls.append(("thing", job.asset_id))
        if machine.fault:
            raise TransientError("machine-fault", machine.fault)
        if behaviour.work:
            await behaviour.work(Count(number=job.asset_id))

    return machine


@asynccontextmanager
async def working() -> AsyncGenerator[Any]:
    worker: Any = queue._worker(
        queues=["counting"],
        install_signal_handlers=False,
        fetch_job_polling_interval=0.1,
        shutdown_graceful_timeout=0.0,
    )
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if true():
                return
            await asyncio.sleep(0.05)


async def stopped() -> list[dict[str, str]]:
    async with transaction() as session:
        return [worker.stopped for worker in await JobMonitor(session).workers()]


async def until_stopped(expected: list[dict[str, str]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if await stopped() == expected:
                return
            await asyncio.sleep(0.1)


async def add(*jobs: Job) -> None:
    async with transaction() as session:
        for job in jobs:
            await enqueue(session, job)


async def test_nothing_is_fetched_before_the_self_tests_pass(
    behaviour: Behaviour, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.fault = "no encoder"
    await add(Count(number=1))
    async with working():
        await until_stopped([{"counting": "Machine: no encoder"}])
        await until(lambda: machine.tests >= 3)
        assert behaviour.calls == []
        machine.fault = ""
        await until(lambda: behaviour.calls == [("work", 1)])
        await until_stopped([{}])
    said = [record.message for record in caplog.records if "circuit breaker of" in record.message]
    assert said == [
        "circuit breaker of counting opened: Machine: no encoder",
        "circuit breaker of counting closed: a job succeeded",
    ]


async def test_a_fault_of_the_machine_is_looked_into_at_once(
    behaviour: Behaviour, machine: Machine
) -> None:
    """The broken machine must not be the one that fetches most: it takes one job, not all."""
    async with working():
        await until(lambda: machine.tests == 1)
        machine.fault = "the disk is gone"
        await add(*[Thing(asset_id=number) for number in range(20)])
        await until_stopped([{"counting": "Machine: the disk is gone"}])
        taken = len(behaviour.calls)
        assert taken <= 3
        await asyncio.sleep(1)
        assert len(behaviour.calls) == taken
        machine.fault = ""
        await until(lambda: len({number for _, number in behaviour.calls[taken:]}) >= 17)
        await until_stopped([{}])
    spent = await rows("select sum(attempts) as sum from procrastinate_jobs where status = 'todo'")
    assert not spent[0]["sum"]


async def test_different_jobs_that_fail_in_a_row_open_the_breaker(
    behaviour: Behaviour, machine: Machine
) -> None:
    """Also when the self-tests find nothing: then one job at a time is tried."""
    broken = True

    async def fail(job: Count) -> None:
        if broken:
            raise ValueError("nobody knows why")

    behaviour.work = fail
    async with working():
        await until(lambda: machine.tests == 1)
        await add(*[Thing(asset_id=number) for number in range(40)])
        await until_stopped(
            [
                {
                    "counting": "3 different jobs failed in a row, the last with:"
                    " ValueError: nobody knows why"
                }
            ]
        )
        assert len(behaviour.calls) <= 5
        broken = False
        await until(lambda: len(behaviour.calls) >= 40)
        await until_stopped([{}])


async def test_a_film_that_always_fails_stops_no_worker(
    behaviour: Behaviour, machine: Machine
) -> None:
    async def fail(job: Count) -> None:
        if job.number == 1:
            raise ValueError("a strange film")

    behaviour.work = fail
    async with working():
        await add(*[Thing(asset_id=1) for _ in range(8)], Thing(asset_id=2))
        await until(lambda: ("thing", 2) in behaviour.calls)
        assert await stopped() == [{}]
    assert behaviour.calls.count(("thing", 1)) >= 8


async def test_breakers_of_workers_that_are_gone_are_forgotten(
    behaviour: Behaviour, machine: Machine
) -> None:
    async with transaction() as session:
        await create(session, WorkerBreakerFactory, worker_id=99, queue_name="counting")
    async with working():
        await until(lambda: machine.tests == 1)
        await asyncio.sleep(0.1)
    assert await rows("select 1 from worker_breaker where worker_id = 99") == []


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "videoflix.platform.queue")
