"""The circuit breakers of a worker, one per queue, reported to operators."""

import asyncio
import logging
import platform
from collections.abc import Callable

from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as StoredJob
from sqlalchemy import BigInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record
from videoflix.platform.queue.circuit_breaker import BreakerState, CircuitBreaker
from videoflix.platform.queue.manager import DatabaseUnavailable, ResilientJobManager
from videoflix.platform.queue.registry import registered_jobs
from videoflix.platform.queue.retry import TransientError
from videoflix.platform.queue.self_tests import failing
from videoflix.settings import settings

logger = logging.getLogger(__name__)

PROBE_SECONDS = 0.5
# Faults of shared services, which say nothing about this machine.
SHARED_FAULTS = {"database-unavailable"}

UPSERT_BREAKER = """
insert into worker_breaker
    (worker_id, queue_name, host, reason, created_at, updated_at)
values (%(worker_id)s, %(queue)s, %(host)s, %(reason)s, now(), now())
on conflict (worker_id, queue_name) do update set reason = excluded.reason, updated_at = now()
"""
DELETE_STALE_BREAKERS = """
delete from worker_breaker as breaker
where not exists (select from procrastinate_workers where id = breaker.worker_id)
"""


class WorkerBreaker(Record):
    """The circuit breaker of a queue on a worker; `reason` is empty while it is closed."""

    __tablename__ = "worker_breaker"

    worker_id: Mapped[int] = mapped_column(BigInteger)
    queue_name: Mapped[str] = mapped_column(String(128))
    host: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str]

    __table_args__ = (UniqueConstraint("worker_id", "queue_name"),)


class WorkerBreakers:
    """The circuit breakers of one worker, one per queue; `wake` triggers a fetch."""

    def __init__(
        self,
        manager: ResilientJobManager,
        worker_id: int,
        queues: list[str],
        wake: Callable[[], None],
    ) -> None:
        self._manager, self._worker_id, self._wake = manager, worker_id, wake
        self._breakers = {
            queue: CircuitBreaker(settings.worker_breaker_failures, settings.fault_backoff_seconds)
            for queue in queues
        }
        self._suspect: set[str] = set()
        self._reported: dict[str, str] = {}

    def open_queues(self, queues: list[str]) -> list[str]:
        """Return the queues whose breaker allows a fetch."""
        return [name for name in queues if self._breaker_of(name).allows_fetch]

    def record_fetch(self, job: StoredJob) -> None:
        self._breaker_of(job.queue).record_fetch()

    def record_success(self, job: StoredJob) -> None:
        if self._breaker_of(job.queue).record_success():
            logger.warning("circuit breaker of %s closed: a job succeeded", job.queue)

    def record_failure(self, job: StoredJob, reason: str, fault: TransientError | None) -> None:
        """Count a failure; after a transient error the queue's self-tests run at once."""
        if fault is not None and fault.code in SHARED_FAULTS:
            self.record_inconclusive(job)
            return
        if self._breaker_of(job.queue).record_failure(subject_of(job), reason):
            self._log_open(job.queue)
        elif fault is not None:
            self._suspect.add(job.queue)

    def record_inconclusive(self, job: StoredJob) -> None:
        self._breaker_of(job.queue).record_inconclusive()
        self._wake()

    async def check_at_start(self) -> None:
        """Run the self-tests of all queues; a failure opens the queue's breaker."""
        await self._write(DELETE_STALE_BREAKERS)
        for queue in self._breakers:
            await self._test(queue)

    async def probe_forever(self) -> None:
        """Probe open and suspect queues and report changes, until cancelled."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            for queue, breaker in list(self._breakers.items()):
                if queue in self._suspect or breaker.probe_is_due:
                    self._suspect.discard(queue)
                    await self._test(queue)
                await self._report(queue, breaker)

    async def _test(self, queue: str) -> None:
        breaker = self._breakers[queue]
        if reason := await failing(queue):
            if breaker.state is BreakerState.CLOSED or reason != breaker.reason:
                breaker.open(reason)
                self._log_open(queue)
            else:
                breaker.open(reason)
        elif breaker.state is BreakerState.OPEN:
            logger.warning("self-tests of %s pass: trying one job", queue)
            breaker.half_open()
            self._wake()

    def _breaker_of(self, queue: str) -> CircuitBreaker:
        return self._breakers.get(queue) or self._breakers.setdefault(
            queue, CircuitBreaker(settings.worker_breaker_failures, settings.fault_backoff_seconds)
        )

    def _log_open(self, queue: str) -> None:
        logger.error("circuit breaker of %s opened: %s", queue, self._breakers[queue].reason)

    async def _report(self, queue: str, breaker: CircuitBreaker) -> None:
        """Store why a breaker is open for the job monitor, best effort.

        A half-open one keeps its reason until a job succeeds.
        """
        if breaker.reason == self._reported.get(queue):
            return
        values = {"worker_id": self._worker_id, "queue": queue, "host": platform.node()}
        if await self._write(UPSERT_BREAKER, **values, reason=breaker.reason):
            self._reported[queue] = breaker.reason

    async def _write(self, statement: str, **values: object) -> bool:
        try:
            await self._manager.connector.execute_query_async(statement, **values)
        except (DatabaseUnavailable, ConnectorException) as error:
            logger.debug("cannot store the state of the circuit breakers: %s", error)
            return False
        return True


def subject_of(job: StoredJob) -> str:
    """Return the subject of a job; failures of one subject may be the subject's fault."""
    known = registered_jobs.get(job.task_name)
    subject = known.payload.subject if known else None
    return f"{subject} {job.task_kwargs.get(subject)}" if subject else job.task_name
