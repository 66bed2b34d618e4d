"""The job monitor: what it shows, what it does, and who may."""

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import app_with, sign_in
from queue_helpers import execute, rows, run_jobs
from videoflix.media.payloads import DeleteFolder
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import alchemy, transaction
from videoflix.platform.queue import enqueue, queue
from videoflix.platform.queue.manager import ResilientJobManager
from videoflix.platform.queue.prune import PruneJobs
from videoflix.platform.queue.reaper import Reaper

JOBS = "/api/v1/operations/jobs"
FETCHED = """
with worker as (
    insert into procrastinate_workers (last_heartbeat)
    values (now() - make_interval(secs => :silent)) returning id
)
update procrastinate_jobs set status = 'doing', worker_id = worker.id from worker
"""
DEAD_LETTER = """
insert into job_incident
    (kind, job_id, queue_name, task_name, attempt, reason, created_at, updated_at)
values ('dead', :job_id, 'default', 'media.delete_folder', 9, 'OSError: no space', now(), now())
"""


async def add(session: AsyncSession, folder: str = "assets/x") -> int:
    job_id = await enqueue(session, DeleteFolder(folder=folder))
    await session.commit()
    assert job_id is not None
    return job_id


async def set_status(session: AsyncSession, status: str) -> None:
    await session.execute(text(f"update procrastinate_jobs set status = '{status}'"))
    await session.commit()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/overview"),
        ("GET", "/events"),
        ("GET", "/1"),
        ("POST", "/1/retry"),
        ("POST", "/1/run"),
        ("POST", "/1/cancel"),
        ("POST", "/schedules/queue.prune/run"),
    ],
)
async def test_only_administrators_may(
    client: httpx.AsyncClient, editor: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await client.request(method, f"{JOBS}{path}")).status_code == 401
    assert (await editor.request(method, f"{JOBS}{path}")).status_code == 403


async def test_jobs_are_listed_by_queue_kind_and_status(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    folder = await add(session)
    prune = await enqueue(session, PruneJobs())
    await session.commit()

    async def listed(**query: str) -> list[int]:
        page = (await admin.get(JOBS, params=query)).json()
        assert page["total"] == len(page["items"])
        return [item["id"] for item in page["items"]]

    assert await listed() == [prune, folder]
    assert await listed(queue="default") == [folder]
    assert await listed(kind="queue.prune") == [prune]
    assert await listed(status="todo") == [prune, folder]
    assert await listed(status="doing") == []
    refused = await admin.get(JOBS, params={"status": "sleeping"})
    assert refused.status_code == 400
    page = (await admin.get(JOBS, params={"limit": "1", "offset": "1"})).json()
    assert (page["total"], [item["id"] for item in page["items"]]) == (2, [folder])


async def test_failed_job_tells_why_and_is_tried_again(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    job_id = await add(session)
    await session.execute(text(DEAD_LETTER), {"job_id": job_id})
    await set_status(session, "doing")
    await set_status(session, "failed")
    shown = (await admin.get(f"{JOBS}/{job_id}")).json()
    assert shown["job"]["status"] == "failed"
    assert shown["job"]["payload"] == {"folder": "assets/x"}
    assert shown["job"]["reason"] == "OSError: no space"
    assert shown["job"]["created_at"] <= shown["job"]["started_at"] <= shown["job"]["ended_at"]
    assert [incident["kind"] for incident in shown["incidents"]] == ["dead"]
    seen = (await admin.get(f"{JOBS}/overview")).json()
    (counted,) = seen["queues"]
    assert (counted["failed"], counted["failed_last_hour"]) == (1, 1)

    again = await admin.post(f"{JOBS}/{job_id}/retry")
    assert (again.status_code, again.json()["job"]["status"]) == (200, "todo")
    refused = await admin.post(f"{JOBS}/{job_id}/retry")
    assert refused.json()["type"] == "/problems/job-not-found"


async def test_job_that_waits_for_its_time_runs_now(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    job_id = await add(session)
    later = "update procrastinate_jobs set scheduled_at = now() + interval '1 day'"
    await session.execute(text(later))
    await session.commit()
    (counted,) = (await admin.get(f"{JOBS}/overview")).json()["queues"]
    assert (counted["todo"], counted["scheduled"], counted["oldest_seconds"]) == (0, 1, 0)
    assert (await admin.post(f"{JOBS}/{job_id}/run")).json()["job"]["scheduled_at"] is None
    (counted,) = (await admin.get(f"{JOBS}/overview")).json()["queues"]
    assert (counted["todo"], counted["scheduled"]) == (1, 0)
    assert (await admin.post(f"{JOBS}/{job_id}/run")).status_code == 404


async def test_schedules_are_shown_and_run_now_once(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    schedules = {
        one["kind"]: one for one in (await admin.get(f"{JOBS}/overview")).json()["schedules"]
    }
    prune = schedules["queue.prune"]
    assert (prune["expression"], prune["last_run"]) == ("17 * * * *", None)
    assert "Delete jobs JOBS_DONE_DAYS after" in prune["purpose"]
    assert {"billing.close_month", "library.count_views", "retention.delete_expired"} & set(
        schedules
    )

    path = f"{JOBS}/schedules/queue.prune/run"
    made = await admin.post(path)
    assert (made.status_code, made.json()["job"]["kind"]) == (201, "queue.prune")
    assert (await admin.post(path)).json()["type"] == "/problems/job-waits-already"
    unknown = await admin.post(f"{JOBS}/schedules/rm.everything/run")
    assert unknown.json()["type"] == "/problems/schedule-not-found"


async def test_everything_done_with_jobs_is_audited(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    job_id = await add(session)
    await admin.post(f"{JOBS}/{job_id}/cancel")
    await admin.post(f"{JOBS}/{job_id}/retry")
    await admin.post(f"{JOBS}/schedules/queue.prune/run")
    await admin.post(f"{JOBS}/{job_id}/retry")  # refused: it waits
    events = (await admin.get("/api/v1/audit")).json()["items"][:3]
    me = (await admin.get("/api/v1/me")).json()["id"]
    assert [event["kind"] for event in events] == ["job-run-now", "job-retried", "job-cancelled"]
    assert {event["actor_id"] for event in events} == {me}
    assert events[2]["detail"] == f"{job_id} media.delete_folder"


async def test_who_waits_for_a_cancelled_job_is_told(
    admin: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    film = await editor.post("/api/v1/videos", data={"title": "T"}, files={"file": ("a", b"abc")})
    (job,) = (await admin.get(JOBS, params={"kind": "media.inspect"})).json()["items"]
    cancelled = await admin.post(f"{JOBS}/{job['id']}/cancel")
    assert cancelled.json()["job"]["status"] == "cancelled"
    shown = (await editor.get(f"/api/v1/videos/{film.json()['id']}")).json()
    assert shown["failure"]["code"] == "encoding-cancelled"


async def test_nothing_is_shown_as_running_without_a_living_worker(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    """Even when no worker lives that could take the job back."""
    job_id = await add(session)
    for silent, status in ((5, "doing"), (61, "stalled")):
        await session.execute(text(FETCHED), {"silent": silent})
        await session.commit()
        assert (await admin.get(f"{JOBS}/{job_id}")).json()["job"]["status"] == status
        seen = (await admin.get(f"{JOBS}/overview")).json()
        assert seen["queues"][0][status] == 1
        assert [worker["alive"] for worker in seen["workers"]][-1] is (status == "doing")
    assert seen["queues"][0]["doing"] == 0
    await session.execute(text("delete from procrastinate_workers"))
    await session.commit()
    assert (await admin.get(JOBS, params={"status": "stalled"})).json()["total"] == 1


async def test_stalled_job_is_taken_back_and_done(committed: None) -> None:
    """By the first living worker's reaper, within a third of WORKER_STALL_SECONDS."""
    async with transaction() as session:
        await enqueue(session, PruneJobs())
    await execute(FETCHED, silent=61)
    async with alchemy.get_session() as session:
        client = await sign_in(app_with(), session, Role.ADMIN)
    async with client, queue.open_async():
        (stalled,) = (await client.get(JOBS, params={"status": "stalled"})).json()["items"]
        manager = queue.job_manager
        assert isinstance(manager, ResilientJobManager)
        await Reaper(manager, 1_000_000, set).reap()
        shown = (await client.get(f"{JOBS}/{stalled['id']}")).json()
        assert shown["job"]["status"] == "todo"
        assert [incident["reason"] for incident in shown["incidents"]] == [
            "its worker stopped sending heartbeats"
        ]
        await run_jobs(queue_name="maintenance")
        done = (await client.get(f"{JOBS}/{stalled['id']}")).json()["job"]
        assert (done["status"], done["attempts"]) == ("succeeded", 2)
        seen = (await client.get(f"{JOBS}/overview")).json()
        assert sum(seen["throughput"]) == 1
        assert (seen["queues"][0]["done_last_hour"], seen["queues"][0]["rescued"]) == (1, 1)
    assert await rows("select 1 from procrastinate_jobs where status = 'doing'") == []
