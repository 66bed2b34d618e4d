"""procrastinate's job manager, with a database that may go away for minutes.

Where procrastinate lets a lost connection end the worker, this one waits: a worker without its
database keeps its running jobs, asks again every second, and goes on when it is answered.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as StoredJob
from procrastinate.manager import JobManager, NotificationCallback
from psycopg import OperationalError
from psycopg.errors import ForeignKeyViolation
from psycopg_pool import AsyncConnectionPool

logger = logging.getLogger(__name__)

ASK_AGAIN_SECONDS = 1.0

# A worker that was frozen for long finds itself forgotten: it takes its number back.
HEARTBEAT = """
insert into procrastinate_workers (id, last_heartbeat) overriding system value
values (%(worker_id)s, now())
on conflict (id) do update set last_heartbeat = now()
"""


class DatabaseAway(Exception):
    """The database did not answer: whether the statement was carried out is unknown."""


class Outage:
    """Whether the database answers, as far as this process has seen."""

    def __init__(self) -> None:
        self._last_failure = time.monotonic()  # who has just started has seen nothing yet
        self._away = False

    def saw_failure(self, error: Exception) -> None:
        """A statement failed because of the connection; the first one is logged."""
        if not self._away:
            logger.warning("the database does not answer (%s); waiting for it", error)
        self._away, self._last_failure = True, time.monotonic()

    def saw_answer(self) -> None:
        if self._away:
            logger.warning("the database answers again")
        self._away = False

    def steady_for(self, seconds: float) -> bool:
        """Whether nothing failed in the last so many seconds."""
        return time.monotonic() - self._last_failure > seconds


class PatientJobManager(JobManager):
    """What workers ask of the database, again and again if need be."""

    connector: PsycopgConnector

    def __init__(self, connector: PsycopgConnector) -> None:
        super().__init__(connector)
        self.outage = Outage()

    async def ask(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of one statement, which commits. Raises DatabaseAway, or ConnectorException."""
        try:
            rows: list[dict[str, Any]] = await self.connector.execute_query_all_async(
                query, **values
            )
        except ConnectorException as error:
            self._failed(error)
            raise DatabaseAway from error
        self.outage.saw_answer()
        return rows

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> StoredJob | None:
        try:
            job = await super().fetch_job(queues, worker_id)
        except ConnectorException as error:
            if isinstance(error.__cause__, ForeignKeyViolation):
                await self.update_heartbeat(worker_id)
            else:
                self._failed(error)
            return None  # the worker asks again in a second
        self.outage.saw_answer()
        return job

    async def register_worker(self) -> int:
        while True:
            try:
                return await super().register_worker()
            except ConnectorException as error:
                self._failed(error)
                await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def update_heartbeat(self, worker_id: int) -> None:
        try:
            await self.connector.execute_query_async(HEARTBEAT, worker_id=worker_id)
        except ConnectorException as error:
            self._failed(error)
        else:
            self.outage.saw_answer()

    async def unregister_worker(self, worker_id: int) -> None:
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
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    def _failed(self, error: ConnectorException) -> None:
        """Note an outage. Raises any other error again."""
        if not isinstance(error.__cause__, OperationalError):
            raise error
        self.outage.saw_failure(error.__cause__)


def connection_pool(**options: Any) -> AsyncConnectionPool:
    """procrastinate's pool without the query before every query that checks the connection.

    A statement that meets a dead connection is repeated anyway.
    """
    return AsyncConnectionPool(**{**options, "check": None})
