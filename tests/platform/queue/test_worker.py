"""What we rely on in procrastinate: an upgrade that breaks us shall break these first."""

import inspect
from datetime import timedelta
from typing import Any

import procrastinate.sql
from procrastinate import App, PsycopgConnector
from procrastinate import worker as upstream
from procrastinate.manager import JobManager

from queue_helpers import Behaviour, Count, rows
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import enqueue, queue
from videoflix.platform.queue.app import JobQueue
from videoflix.platform.queue.manager import ResilientJobManager
from videoflix.platform.queue.worker import Worker


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_we_call_the_function_this_procrastinate_calls() -> None:
    assert "procrastinate_defer_jobs_v1(" in procrastinate.sql.queries["defer_jobs"]
    assert "procrastinate_job_to_defer_v1[]" in procrastinate.sql.queries["defer_jobs"]


def test_private_names_we_override_or_read() -> None:
    for ours, theirs, names in (
        (
            Worker,
            upstream.Worker,
            ["_start_side_tasks", "_handle_notification", "_fetch_and_process_jobs"],
        ),
        (Worker, upstream.Worker, ["_persist_job_status", "_process_job"]),
        (JobQueue, App, ["_worker"]),
        (
            ResilientJobManager,
            JobManager,
            ["fetch_job", "register_worker", "unregister_worker", "update_heartbeat"],
        ),
        (
            ResilientJobManager,
            JobManager,
            ["prune_stalled_workers", "listen_for_jobs", "list_jobs_to_abort_async"],
        ),
    ):
        for name in names:
            assert name in vars(ours), f"{name} is not overridden any more"
            expected = [p for p in parameters(getattr(theirs, name)) if p not in {"kwargs"}]
            found = [p for p in parameters(getattr(ours, name)) if p not in {"options"}]
            assert found == expected, name
    source = inspect.getsource(upstream.Worker)
    for name in ("_stop_event", "_running_jobs", "_job_ids_to_abort"):
        assert f"self.{name}" in source
    connector = inspect.getsource(PsycopgConnector)
    for name in ("_async_pool", "_pool_factory", "_pool_args"):
        assert f"self.{name}" in connector


def test_workers_of_the_command_line_are_ours() -> None:
    assert isinstance(queue._worker(), Worker)


async def test_who_waits_for_a_lock_is_woken_when_it_is_free(behaviour: Behaviour) -> None:
    """Not at the next poll: that would be ten seconds here for ten jobs."""

    async def stop_at_last(job: Count) -> None:
        if len(behaviour.calls) == 10:
            worker.stop()

    behaviour.work = stop_at_last
    async with transaction() as session:
        for number in range(10):
            job = await enqueue(session, Count(number=number))
            assert job
    async with transaction() as session:
        await rows("update procrastinate_jobs set lock = 'one at a time' returning id")
    worker: Any = queue._worker(queues=["counting"], concurrency=4, install_signal_handlers=False)
    await worker.run()
    [took] = await rows("select max(at) - min(at) as time from procrastinate_events")
    assert took["time"] < timedelta(seconds=3)
    assert len(behaviour.calls) == 10
