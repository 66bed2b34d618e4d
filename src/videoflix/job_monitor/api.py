"""HTTP API of the job monitor."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, PathParameter, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.status_codes import HTTP_200_OK
from sqlalchemy.exc import SQLAlchemyError

from videoflix.job_monitor.schemas import (
    JobFilters,
    JobRead,
    JobStatus,
    JobWithIncidents,
    QueueSnapshot,
)
from videoflix.job_monitor.service import (
    JobAlreadyQueued,
    JobMonitor,
    JobNotFound,
    ScheduleNotFound,
    cancel,
)
from videoflix.platform.auth.identity import CurrentUser, Identity, admins_only
from videoflix.platform.auth.revocations import revocations
from videoflix.platform.cache.ttl import TtlCache
from videoflix.platform.http.params import Id, Limit, Offset, Page, names_of, one_of, service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.platform.server.shutdown import RECONNECT_MS, shutdown

SNAPSHOT_SECONDS = 2.0
STAFF_PROBLEMS = (Unauthorized, Forbidden)

Named = QueryParameter(max_length=128, pattern=r"^[A-Za-z0-9_.-]+(?!\n)$")
OfQueue = Annotated[str | None, Named]
OfKind = Annotated[str | None, Named]
OfStatus = Annotated[str | None, QueryParameter(schema_extra=names_of(JobStatus))]
Kind = Annotated[str, PathParameter(max_length=128, pattern=r"^[A-Za-z0-9_.-]+(?!\n)$")]


def provide_filters(
    queue: OfQueue = None, status: OfStatus = None, kind: OfKind = None
) -> JobFilters:
    """Parse the filters in the query string."""
    return JobFilters(queue, one_of(JobStatus, "status", status), kind)


class JobController(Controller):
    path = "/operations/jobs"
    tags = ("Jobs",)
    guards = (admins_only,)
    dependencies = {
        "job_monitor": service(JobMonitor),
        "filters": Provide(provide_filters, sync_to_thread=False),
    }

    @get(summary="List jobs", responses=problems(*STAFF_PROBLEMS))
    async def list_jobs(
        self,
        job_monitor: NamedDependency[JobMonitor],
        filters: NamedDependency[JobFilters],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[JobRead]:
        """List jobs, newest first. Finished jobs are deleted after JOBS_DONE_DAYS."""
        found, total = await job_monitor.jobs(filters, LimitOffset(limit, offset))
        return Page(found, total, limit, offset)

    @get("/overview", summary="Get the queue overview", responses=problems(*STAFF_PROBLEMS))
    async def show_queue(self, job_monitor: NamedDependency[JobMonitor]) -> QueueSnapshot:
        """Get current queues, workers, schedules and throughput."""
        return await job_monitor.snapshot()

    @get("/events", summary="Follow the queue live", responses=problems(*STAFF_PROBLEMS))
    async def follow_queue(self, user: CurrentUser) -> ServerSentEvent:
        """Stream the overview as server-sent events `queue`, at once and every two seconds."""
        return ServerSentEvent(_snapshots(user))

    @get(
        "/{job_id:int}",
        summary="Get a job",
        responses=problems(*STAFF_PROBLEMS, JobNotFound),
    )
    async def show_job(
        self, job_monitor: NamedDependency[JobMonitor], job_id: FromPath[Id]
    ) -> JobWithIncidents:
        """Get a job with its incidents."""
        return await job_monitor.job(job_id)

    @post(
        "/{job_id:int}/retry",
        summary="Retry a job",
        status_code=HTTP_200_OK,
        responses=problems(*STAFF_PROBLEMS, JobNotFound, JobAlreadyQueued),
    )
    async def retry_job(
        self,
        user: CurrentUser,
        job_monitor: NamedDependency[JobMonitor],
        job_id: FromPath[Id],
    ) -> JobWithIncidents:
        """Requeue a failed or cancelled job with all its attempts."""
        await job_monitor.retry_job(job_id, by=user.user_id)
        return await job_monitor.job(job_id)

    @post(
        "/{job_id:int}/run",
        summary="Run a job now",
        status_code=HTTP_200_OK,
        responses=problems(*STAFF_PROBLEMS, JobNotFound),
    )
    async def run_job(
        self,
        user: CurrentUser,
        job_monitor: NamedDependency[JobMonitor],
        job_id: FromPath[Id],
    ) -> JobWithIncidents:
        """Make a delayed job due now."""
        await job_monitor.run_job(job_id, by=user.user_id)
        return await job_monitor.job(job_id)

    @post(
        "/{job_id:int}/cancel",
        summary="Cancel a job",
        status_code=HTTP_200_OK,
        responses=problems(*STAFF_PROBLEMS, JobNotFound),
    )
    async def cancel_job(self, user: CurrentUser, job_id: FromPath[Id]) -> JobWithIncidents:
        """Cancel a pending job at once, or a running one as soon as its worker is notified."""
        await cancel(job_id, by=user.user_id)
        async with transaction() as session:
            return await JobMonitor(session).job(job_id)

    @post(
        "/schedules/{kind:str}/run",
        summary="Run a scheduled job now",
        responses=problems(*STAFF_PROBLEMS, ScheduleNotFound, JobAlreadyQueued),
    )
    async def run_schedule(
        self, user: CurrentUser, job_monitor: NamedDependency[JobMonitor], kind: Kind
    ) -> JobWithIncidents:
        """Enqueue a scheduled job now; its schedule is unchanged."""
        return await job_monitor.run_schedule(kind, by=user.user_id)


class QueueSnapshots:
    """Shared snapshots of the queue, queried at most once a second per process."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._latest: TtlCache[str, str] = TtlCache("job monitor", 1, SNAPSHOT_SECONDS / 2)

    async def latest(self) -> str:
        """Return a snapshot as JSON. Raises SQLAlchemyError or OSError."""
        async with self._lock:
            latest = self._latest.get("snapshot")
            if latest is None:
                async with transaction() as session:
                    snapshot = await JobMonitor(session).snapshot()
                latest = self._latest["snapshot"] = msgspec.json.encode(snapshot).decode()
        return latest


snapshots = QueueSnapshots()


async def _snapshots(viewer: Identity) -> AsyncGenerator[ServerSentEventMessage]:
    """Yield snapshots until the user is signed out; comments while the database is unavailable."""
    while viewer.sign_in_id not in revocations and not shutdown.has_begun:
        try:
            snapshot = await snapshots.latest()
        except (SQLAlchemyError, OSError):
            yield ServerSentEventMessage(data=None, comment="database unavailable")
        else:
            yield ServerSentEventMessage(event="queue", data=snapshot, retry=RECONNECT_MS)
        await shutdown.wait_for(None, SNAPSHOT_SECONDS)
