"""How often a job is tried, how it ends, and who is told."""

import asyncio

import pytest

from queue_helpers import Behaviour, Count, execute, incidents, make_due, rows, run_jobs, states
from videoflix import worker
from videoflix.catalog.models import Video
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import Job, complete_job, enqueue, queue


async def add(number: int) -> None:
    async with transaction() as session:
        await enqueue(session, Count(number=number))


async def fail(job: Count) -> None:
    raise ValueError("no such number")


async def test_job_runs_with_its_payload(behaviour: Behaviour) -> None:
    await add(5)
    await run_jobs()
    assert behaviour.calls == [("work", 5)]
    assert await states() == [("succeeded", 1)]


async def test_failing_job_is_tried_again_later_and_then_a_dead_letter(
    behaviour: Behaviour,
) -> None:
    behaviour.work = fail
    await add(5)
    await run_jobs()
    assert (await states(), await incidents()) == ([("todo", 1)], [])
    [waiting] = await rows("select scheduled_at - now() as pause from procrastinate_jobs")
    assert 1.0 < waiting["pause"].total_seconds() < 3.0

    await make_due()
    await run_jobs()
    assert behaviour.calls == [("work", 5), ("work", 5), ("failure callback", 5, "ValueError")]
    assert await states() == [("failed", 2)]
    assert await incidents() == [("dead", "ValueError: no such number")]


async def test_failure_callback_that_failed_runs_again_later(behaviour: Behaviour) -> None:
    async def unsaid(job: Count) -> None:
        raise OSError("no connection")

    behaviour.work, behaviour.on_failure = fail, unsaid
    await add(5)
    await execute("update procrastinate_jobs set attempts = 1")
    await run_jobs()
    assert await states() == [("todo", 2)]

    behaviour.on_failure = None
    await make_due()
    await run_jobs()
    assert behaviour.calls[-1][0] == "failure callback"
    assert await states() == [("failed", 3)]


async def test_payload_that_does_not_fit_is_a_dead_letter_at_once(behaviour: Behaviour) -> None:
    await add(5)
    await execute("""update procrastinate_jobs set args = '{"number": "five"}'""")
    await run_jobs()
    assert behaviour.calls == []
    assert await states() == [("failed", 1)]
    assert await incidents() == [
        ("dead", "InvalidPayload: Expected `int`, got `str` - at `$.number`")
    ]


async def test_job_of_another_version_is_put_back(behaviour: Behaviour) -> None:
    await add(5)
    await execute("update procrastinate_jobs set task_name = 'test.from_the_future'")
    await run_jobs()
    assert await states() == [("todo", 0)]
    assert await incidents() == [("unknown", "no handler named test.from_the_future")]
    [waiting] = await rows("select scheduled_at > now() as later from procrastinate_jobs")
    assert waiting["later"], "workers that know it must get their turn"


async def test_job_that_takes_too_long_is_stopped(behaviour: Behaviour) -> None:
    async def dawdle(job: Count) -> None:
        await asyncio.sleep(30)

    behaviour.work = dawdle
    await add(5)
    await execute("update procrastinate_jobs set attempts = 1")
    await run_jobs()
    assert await incidents() == [("dead", "DeadlineExceeded: exceeded its deadline of 1 seconds")]


async def test_job_ends_with_its_effect_or_not_at_all(behaviour: Behaviour) -> None:
    async def show(job: Count) -> None:
        async with complete_job() as session:
            session.add(Video(title="shown"))
        if job.number < 0:
            raise ValueError("too late to matter")

    behaviour.work = show
    for number in (5, -5):
        await add(number)
    await run_jobs()
    assert await states() == [("succeeded", 1), ("succeeded", 1)]
    assert await incidents() == []
    assert len(await rows("select id from video")) == 2


async def test_effect_of_a_lost_attempt_is_undone(behaviour: Behaviour) -> None:
    async def lose(job: Count) -> None:
        async with complete_job() as session:
            session.add(Video(title="never"))
            await execute("update procrastinate_jobs set attempts = attempts + 1")

    behaviour.work = lose
    await add(5)
    await run_jobs()
    assert await rows("select id from video") == []
    assert await states() == [("doing", 1)], "the job belongs to somebody else"
    assert [kind for kind, _ in await incidents()] == ["fenced"]


@pytest.mark.parametrize("broken", [False, True])
async def test_result_of_a_lost_attempt_is_dropped(behaviour: Behaviour, broken: bool) -> None:
    async def lose(job: Count) -> None:
        await execute("update procrastinate_jobs set attempts = attempts + 1")
        if broken:
            raise ValueError

    behaviour.work = lose
    await add(5)
    await run_jobs()
    assert await states() == [("doing", 1)]
    [(kind, reason)] = await incidents()
    assert kind == "fenced"
    assert "after it had lost the job" in reason


async def test_job_that_may_not_go_back_is_superseded(behaviour: Behaviour) -> None:
    behaviour.work = fail
    await add(5)
    await execute("update procrastinate_jobs set queueing_lock = 'only one'")

    async def another_waits(job: Count) -> None:
        await add(6)
        await execute(
            "update procrastinate_jobs set queueing_lock = 'only one', scheduled_at = 'infinity'"
            " where status = 'todo'"
        )
        raise ValueError

    behaviour.work = another_waits
    await run_jobs()
    assert await states() == [("aborted", 1), ("todo", 0)]
    assert await incidents() == [("superseded", "a job with the same unique key is pending")]


async def test_stopping_worker_gives_its_jobs_back(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dawdle(job: Count) -> None:
        started.set()
        await asyncio.sleep(30)

    started = asyncio.Event()
    behaviour.work = dawdle
    monkeypatch.setattr(Count, "deadline", 60.0)
    await add(5)
    working = asyncio.create_task(
        queue.run_worker_async(
            queues=["counting"], install_signal_handlers=False, shutdown_graceful_timeout=0.1
        )
    )
    await started.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await states() == [("todo", 0)], "it was not the job's fault"
    assert await incidents() == []


def test_every_job_has_a_handler_and_a_name_of_its_own() -> None:
    payloads = {job for job in Job.__subclasses__() if job.__module__.startswith("videoflix.")}
    names = {job.name for job in payloads}
    assert len(names) == len(payloads) > 3
    assert names <= set(worker.queue.tasks), "a job nobody handles would never be done"


def test_every_queue_has_a_worker() -> None:
    payloads = {job for job in Job.__subclasses__() if job.__module__.startswith("videoflix.")}
    assert {job.queue for job in payloads} <= set(worker.ROLES["all"][0])
    for queues, concurrency in worker.ROLES.values():
        assert "transcode" not in queues or concurrency == 1, "a poison film would kill others"
