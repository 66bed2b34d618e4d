"""procrastinate's job manager, made resilient to database outages of any length.

procrastinate stops a worker whose connection is lost. This manager keeps the running jobs,
retries every second and resumes when the database is back.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as StoredJob
from procrastinate.manager import JobManager, NotificationCallback
from psycopg import OperationalError
from psycopg.errors import ForeignKeyViolation, UndefinedFunction, UndefinedTable, UniqueViolation

from videoflix.platform.queue.fairness import FairScheduler
from videoflix.platform.queue.outage import Outage, connection_error
from videoflix.platform.queue.registry import registered_jobs

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
MAX_POLL_SECONDS = 5.0

# Upsert: a worker that was frozen for long may have been deleted; it registers its ID again.
HEARTBEAT = """
insert into procrastinate_workers (id, last_heartbeat) overriding system value
values (%(worker_id)s, now())
on conflict (id) do update set last_heartbeat = now()
"""
FETCH = """
select id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name,
       attempts, worker_id
from videoflix_fetch_job(%(queue)s::text, %(worker_id)s::bigint, %(recent_kinds)s::text[],
                         %(full_kinds)s::text[], %(aged_seconds)s::float8)
"""


class DatabaseUnavailable(Exception):
    """The connection failed; whether the statement was executed is unknown."""


class FetchContext(NamedTuple):
    """Callbacks into the worker around each fetch.

    `turns` schedules fairly, `running` returns the kinds of running jobs, `open_queues`
    filters out queues with an open circuit breaker, `fetched` receives the fetched job.
    """

    turns: FairScheduler
    running: Callable[[], list[str]]
    open_queues: Callable[[list[str]], list[str]]
    fetched: Callable[[StoredJob], None]


class ResilientJobManager(JobManager):
    """The workers' database access, with retries."""

    connector: PsycopgConnector

    def __init__(self, connector: PsycopgConnector) -> None:
        super().__init__(connector)
        self.outage = Outage()
        self.fetching: dict[int, FetchContext] = {}  # by worker ID

    async def fetch_rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Execute and commit one statement and return its rows.

        Raises DatabaseUnavailable, or ConnectorException for any other failure.
        """
        try:
            rows: list[dict[str, Any]] = await self.connector.execute_query_all_async(
                query, **values
            )
        except ConnectorException as error:
            self._failed(error)
            raise DatabaseUnavailable from error
        self.outage.record_success()
        return rows

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> StoredJob | None:
        """Fetch the next job of these queues, or of all queues that have handlers here."""
        names = list(queues or sorted({kind.payload.queue for kind in registered_jobs.values()}))
        fetching = self.fetching.get(worker_id) or FetchContext(
            FairScheduler(1), list, list, _ignore
        )
        try:
            for queue in fetching.turns.queues(fetching.open_queues(names)):
                if job := await self._fetch_from(queue, worker_id, fetching):
                    return job
        except ConnectorException as error:
            if isinstance(error.__cause__, ForeignKeyViolation):
                await self.update_heartbeat(worker_id)
            elif not isinstance(error.__cause__, UniqueViolation):  # of the job's lock
                self._failed(error)
            return None  # the worker polls again in a second
        self.outage.record_success()
        return None

    async def _fetch_from(
        self, queue: str, worker_id: int, fetching: FetchContext
    ) -> StoredJob | None:
        rows = await self.connector.execute_query_all_async(
            FETCH,
            queue=queue,
            worker_id=worker_id,
            recent_kinds=fetching.turns.recent_kinds,
            full_kinds=fetching.turns.full_kinds(fetching.running()),
            aged_seconds=fetching.turns.aged_seconds,
        )
        if not rows:
            return None
        self.outage.record_success()
        job = StoredJob.from_row(rows[0])
        fetching.turns.record_fetch(queue, job.task_name)
        fetching.fetched(job)
        return job

    async def register_worker(self) -> int:
        """Register the worker, waiting for the database without a limit."""
        pause = POLL_SECONDS
        while True:
            try:
                if error := await connection_error(self.connector):
                    self.outage.record_failure(error)
                else:
                    worker_id = await super().register_worker()
                    self.outage.record_success()
                    return worker_id
            except ConnectorException as error:
                self._failed(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_POLL_SECONDS)

    async def update_heartbeat(self, worker_id: int) -> None:
        try:
            await self.connector.execute_query_async(HEARTBEAT, worker_id=worker_id)
        except ConnectorException as error:
            self._failed(error)
        else:
            self.outage.record_success()

    async def unregister_worker(self, worker_id: int) -> None:
        self.fetching.pop(worker_id, None)
        try:
            await super().unregister_worker(worker_id)
        except ConnectorException as error:
            self._failed(error)  # the reaper deletes it later

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """Do nothing: after an outage all workers would look stalled (see reaper.py)."""
        return []

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        try:
            return await super().list_jobs_to_abort_async(queue)
        except ConnectorException as error:
            self._failed(error)
            return []

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        while True:
            try:
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            except ConnectorException as error:
                self._failed(error)
            await asyncio.sleep(POLL_SECONDS)

    def _failed(self, error: ConnectorException) -> None:
        """Record an outage, including a database that is not migrated; raise any other error."""
        if not isinstance(error.__cause__, OperationalError | UndefinedFunction | UndefinedTable):
            raise error
        self.outage.record_failure(error.__cause__)


def _ignore(job: StoredJob) -> None:
    """Default callback for a worker that has not started."""
