"""The reaper, a background task of every worker, requeues orphaned jobs.

A killed worker cannot say that its job ended; its missing heartbeat does. A job also comes back
when it runs long past its deadline, or when its worker lives but does not know of it (the answer
to its fetch was lost). A job that used up its attempts becomes a dead letter at its next fetch
(handlers.py), so that its failure callback always runs.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from videoflix.platform.queue.attempts import FencingToken
from videoflix.platform.queue.incidents import IncidentKind
from videoflix.platform.queue.job import Job
from videoflix.platform.queue.manager import DatabaseUnavailable, ResilientJobManager
from videoflix.platform.queue.outcomes import Outcome, write_outcome
from videoflix.platform.queue.registry import registered_jobs
from videoflix.settings import settings

logger = logging.getLogger(__name__)

# Seconds that a job's own worker has to cancel it after its deadline.
DEADLINE_MARGIN = 60.0
MAX_PAUSE = 60.0

ORPHANS = """
select job.id, job.attempts, job.worker_id,
       case when job.worker_id is null then 'its worker is gone'
            when worker.last_heartbeat < now() - make_interval(secs => %(stall)s)
            then 'its worker stopped sending heartbeats'
            else 'it ran past its deadline' end as reason
from procrastinate_jobs as job
left join procrastinate_workers as worker on worker.id = job.worker_id
left join lateral (
    select max(at) as at from procrastinate_events
    where job_id = job.id and type = 'started'
) as started on true
left join jsonb_to_recordset(%(deadlines)s::jsonb) as known (name text, seconds float)
    on known.name = job.task_name
where job.status = 'doing'
  and (job.worker_id is null
       or (worker.last_heartbeat < now() - make_interval(secs => %(stall)s)
           and job.worker_id <> %(worker_id)s)
       or started.at < now() - make_interval(secs => coalesce(known.seconds, %(deadline)s)))
order by job.id
"""
OWN_JOBS = """
select id, attempts from procrastinate_jobs where status = 'doing' and worker_id = %(worker_id)s
"""
DELETE_STALLED_WORKERS = """
delete from procrastinate_workers as worker
where last_heartbeat < now() - make_interval(secs => %(stall)s)
  and not exists (select from procrastinate_jobs
                  where worker_id = worker.id and status = 'doing')
returning id
"""


class Reaper:
    """The reaper of one worker; `running` returns the IDs of the jobs it runs."""

    def __init__(
        self, manager: ResilientJobManager, worker_id: int, running: Callable[[], set[int]]
    ) -> None:
        self._manager = manager
        self._worker_id = worker_id
        self._running = running
        self._suspects: set[int] = set()

    async def reap_forever(self) -> None:
        """Reap until cancelled, in rounds that found the database available for long enough.

        After an outage every worker looks stalled until it has sent a heartbeat, and each needs
        its own time to reconnect.
        """
        while True:
            await asyncio.sleep(settings.worker_reap_seconds)
            if self._manager.outage.stable_for(settings.worker_stall_seconds):
                try:
                    await self.reap()
                except DatabaseUnavailable:
                    logger.debug("cannot search for orphaned jobs: the database is unavailable")
                except Exception:  # one malformed row must not stop the worker
                    logger.exception("searching for orphaned jobs failed")

    async def reap(self) -> int:
        """Requeue every orphaned job; return how many there were."""
        orphans = await self._manager.fetch_rows(
            ORPHANS,
            stall=settings.worker_stall_seconds,
            worker_id=self._worker_id,
            deadline=Job.deadline + DEADLINE_MARGIN,
            deadlines=_deadlines(),
        )
        for orphan in orphans:
            claim = FencingToken(orphan["id"], orphan["attempts"], orphan["worker_id"])
            await self._requeue(claim, orphan["reason"], cost=1)
        unknown = await self._orphaned_here()
        for claim in unknown:
            await self._requeue(claim, "its worker does not run it", cost=0)
        await self._manager.fetch_rows(DELETE_STALLED_WORKERS, stall=settings.worker_stall_seconds)
        return len(orphans) + len(unknown)

    async def _orphaned_here(self) -> list[FencingToken]:
        """Return jobs assigned to this worker in two consecutive rounds that it does not run."""
        running = self._running()
        rows = await self._manager.fetch_rows(OWN_JOBS, worker_id=self._worker_id)
        running |= self._running()
        claims = {
            row["id"]: FencingToken(row["id"], row["attempts"], self._worker_id)
            for row in rows
            if row["id"] not in running
        }
        unknown = [claim for number, claim in claims.items() if number in self._suspects]
        self._suspects = set(claims)
        return unknown

    async def _requeue(self, claim: FencingToken, reason: str, cost: int) -> None:
        pause = min(2.0**claim.attempt, MAX_PAUSE) if claim.attempt else 0.0
        outcome = Outcome(
            "todo", pause=pause, cost=cost, incident=IncidentKind.RESCUED, reason=reason
        )
        status = await write_outcome(self._manager, claim, outcome)
        if status:
            logger.warning("requeued job %s, because %s: now %s", claim.job_id, reason, status)


def _deadlines() -> str:
    known = [
        {"name": name, "seconds": kind.payload.deadline + DEADLINE_MARGIN}
        for name, kind in registered_jobs.items()
    ]
    return msgspec.json.encode(known).decode()
