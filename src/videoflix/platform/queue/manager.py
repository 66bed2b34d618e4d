"""procrastinate's job manager, with a database that may go away for minutes.

Where procrastinate lets a lost connection end the worker, this one waits: a worker without its
database keeps its running jobs, asks again every second, and goes on when it is answered.
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

# A worker that was frozen for long finds itself forgotten: it takes its number back.
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
    """The database did not answer: whether the statement was carried out is unknown."""


class FetchContext(NamedTuple):
    """What a worker is asked around each fetch: its turns, the kinds it runs, from which of its
    queues it may fetch; and it hears what was fetched.
    """

    turns: FairScheduler
    running: Callable[[], list[str]]
    open_queues: Callable[[list[str]], list[str]]
    fetched: Callable[[StoredJob], None]


class ResilientJobManager(JobManager):
    """What workers ask of the database, again and again if need be."""

    connector: PsycopgConnector

    def __init__(self, connector: PsycopgConnector) -> None:
        super().__init__(connector)
        self.outage = Outage()
        self.fetching: dict[int, FetchContext] = {}  # by worker

    async def fetch_rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of one statement, which commits. Raises DatabaseUnavailable, or
        ConnectorException.
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
        """The next job of these queues, or of all that have handlers here."""
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
            elif not isinstance(error.__cause__, UniqueViolation):  # of a lock: it is taken now
                self._failed(error)
            return None  # the worker asks again in a second
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
        """Register once the database answers, however long that takes."""
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
            self._failed(error)  # the reaper forgets it later

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """Nothing: after an outage all would seem stalled to whoever starts first (reaper.py)."""
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
        """Note an outage; a database that is not migrated yet is one. Raises any other error."""
        if not isinstance(error.__cause__, OperationalError | UndefinedFunction | UndefinedTable):
            raise error
        self.outage.record_failure(error.__cause__)


def _ignore(job: StoredJob) -> None:
    """Fetched for a worker that has not started."""
