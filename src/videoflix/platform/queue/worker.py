"""procrastinate's worker, extended with fenced outcomes, a reaper and a cron scheduler."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import nullcontext
from typing import Any

from procrastinate import worker as upstream
from procrastinate.exceptions import TaskNotFound
from procrastinate.job_context import AbortReason, JobContext, JobResult
from procrastinate.jobs import Job as StoredJob
from procrastinate.jobs import Notification, Status
from procrastinate.retry import RetryDecision
from procrastinate.utils import utcnow

from videoflix.platform.postgres.session import close_idle_connections
from videoflix.platform.process.sandbox import protect_memory, report_sandbox
from videoflix.platform.queue.attempts import ATTEMPT, Attempt, fencing_token
from videoflix.platform.queue.cron import tick_forever
from videoflix.platform.queue.fairness import FairScheduler
from videoflix.platform.queue.incidents import IncidentKind
from videoflix.platform.queue.manager import FetchContext, ResilientJobManager
from videoflix.platform.queue.outcomes import SUCCEEDED, Outcome, write_outcome_with_retry
from videoflix.platform.queue.reaper import Reaper
from videoflix.platform.queue.registry import JobCancelled, registered_jobs, run_failure_callback
from videoflix.platform.queue.startup_signals import startup_signals
from videoflix.platform.queue.worker_breakers import WorkerBreakers

logger = logging.getLogger(__name__)

UNKNOWN_JOB_PAUSE = 30.0
STOP_TIMEOUT_SECONDS = 10.0


def check_process(queues: Iterable[str]) -> None:
    """Protect this process's memory and check the sandbox for these queues.

    Every worker does this when it starts, also under `procrastinate worker`. Raises
    SystemExit if SANDBOX requires a sandbox that is unavailable.
    """
    protect_memory()
    if "transcode" in queues:
        report_sandbox()


class Worker(upstream.Worker):
    """A worker that survives database outages and loses no job.

    It overrides private methods of procrastinate; a contract test pins them.
    """

    notifications = 0
    stopping_since = 0.0
    breakers: WorkerBreakers | None = None
    is_checked = False

    @property
    def manager(self) -> ResilientJobManager:
        manager = self.app.job_manager
        assert isinstance(manager, ResilientJobManager)  # noqa: S101 - JobQueue made both
        return manager

    async def run(self) -> None:
        """Work until stopped, waiting for the database if necessary."""
        check_process(self._queue_names())
        work: Callable[[], Awaitable[None]] = super().run
        with startup_signals.cancel_on_signal() if self.install_signal_handlers else nullcontext():
            await work()

    def _start_side_tasks(self) -> list[asyncio.Task[Any]]:
        assert self.worker_id is not None  # noqa: S101 - registered before
        reaper = Reaper(self.manager, self.worker_id, self._running_ids)
        breakers = self.breakers = WorkerBreakers(
            self.manager, self.worker_id, self._queue_names(), self._wake
        )
        self.manager.fetching[self.worker_id] = FetchContext(
            FairScheduler(self.concurrency),
            self._running_kinds,
            breakers.open_queues if self.wait else list,  # a one-off run cannot wait for a breaker
            breakers.record_fetch,
        )
        return [
            *super()._start_side_tasks(),
            asyncio.create_task(breakers.probe_forever(), name="breakers"),
            asyncio.create_task(reaper.reap_forever(), name="reaper"),
            asyncio.create_task(tick_forever(), name="cron"),
            asyncio.create_task(close_idle_connections(), name="idle connections"),
        ]

    async def _process_job(self, context: JobContext) -> None:
        await super()._process_job(context)
        if self.concurrency > 1:  # a kind at its slot limit may be fetched again
            self._wake()

    def _wake(self) -> None:
        """Trigger another fetch, even if the last one found nothing."""
        self.notifications += 1
        asyncio.get_running_loop().call_soon(self._new_job_event.set)

    def _queue_names(self) -> list[str]:
        return list(
            self.queues or sorted({kind.payload.queue for kind in registered_jobs.values()})
        )

    async def _handle_notification(self, *, channel: str, notification: Notification) -> None:
        self.notifications += 1
        await super()._handle_notification(channel=channel, notification=notification)

    async def _fetch_and_process_jobs(self) -> None:
        """Fetch until no job is left and no notification arrived during the last fetch.

        procrastinate loses such notifications, and the job would wait for the next poll.
        """
        startup_signals.hand_over()
        if self.breakers is not None and self.wait and not self.is_checked:
            await self.breakers.check_at_start()
            self.is_checked = True
        fetch: Callable[[], Awaitable[None]] = super()._fetch_and_process_jobs
        notifications = -1
        while notifications != self.notifications and not self._stop_event.is_set():
            notifications = self.notifications
            await fetch()

    async def _persist_job_status(
        self,
        job: StoredJob,
        status: Status,
        retry_decision: RetryDecision | None,
        context: JobContext,
        job_result: JobResult | None,
    ) -> None:
        attempt: Attempt | None = context.additional_context.get(ATTEMPT)
        if attempt is None or not attempt.completed:
            reason = attempt.reason if attempt else TaskNotFound.__name__
            await self._end(job, self._outcome_of(job, status, retry_decision, context, reason))
        self._update_breaker(job, status, context, attempt)
        self._job_ids_to_abort.pop(job.id or 0, None)

    def _update_breaker(
        self, job: StoredJob, status: Status, context: JobContext, attempt: Attempt | None
    ) -> None:
        """Record the attempt with the circuit breaker of the job's queue."""
        if self.breakers is None:
            return
        if status is Status.SUCCEEDED or (attempt is not None and attempt.completed):
            self.breakers.record_success(job)
        elif status is Status.FAILED and attempt is not None and attempt.reason:
            self.breakers.record_failure(job, attempt.reason, attempt.fault)
        else:  # cancelled, lost to another worker, or an unknown job
            self.breakers.record_inconclusive(job)

    async def _end(self, job: StoredJob, outcome: Outcome) -> None:
        if outcome.status == "aborted":
            await self._run_cancel_callback(job)
        new_status = await write_outcome_with_retry(
            self.manager, fencing_token(job), outcome, should_stop=self._is_out_of_time
        )
        if new_status == "aborted" and outcome.status == "todo":  # cancelled while it failed
            await self._run_cancel_callback(job)

    def _outcome_of(
        self,
        job: StoredJob,
        status: Status,
        retry: RetryDecision | None,
        context: JobContext,
        reason: str,
    ) -> Outcome:
        if status is Status.SUCCEEDED:
            return SUCCEEDED
        if context.abort_reason() is AbortReason.SHUTDOWN:
            return Outcome("todo", cost=0)
        if status is Status.ABORTED:
            return Outcome("aborted")
        if job.task_name not in self.app.tasks:
            logger.error("no handler for %s here: requeued for another version", job.task_name)
            return Outcome(
                "todo",
                pause=UNKNOWN_JOB_PAUSE,
                cost=0,
                incident=IncidentKind.UNKNOWN,
                reason=f"no handler named {job.task_name}",
            )
        attempt: Attempt | None = context.additional_context.get(ATTEMPT)
        if attempt is not None and attempt.fault is not None:
            return Outcome("todo", cost=0, incident=IncidentKind.TRANSIENT, reason=reason)
        if retry is not None:
            pause = (retry.retry_at - utcnow()).total_seconds() if retry.retry_at else 0.0
            return Outcome("todo", pause=max(pause, 0.0))
        return Outcome("failed", incident=IncidentKind.DEAD, reason=reason)

    async def _run_cancel_callback(self, job: StoredJob) -> None:
        try:
            await run_failure_callback(job.task_name, job.task_kwargs, JobCancelled())
        except Exception:
            logger.exception("failure callback of the cancelled job %s failed", job.call_string)

    def _is_out_of_time(self) -> bool:
        """Whether a stopping worker has waited STOP_TIMEOUT_SECONDS for its database."""
        if not self._stop_event.is_set():
            return False
        self.stopping_since = self.stopping_since or time.monotonic()
        return time.monotonic() - self.stopping_since > STOP_TIMEOUT_SECONDS

    def _running_kinds(self) -> list[str]:
        return [
            context.job.task_name for task, context in self._running_jobs.items() if not task.done()
        ]

    def _running_ids(self) -> set[int]:
        return {context.job.id for context in self._running_jobs.values() if context.job.id}
