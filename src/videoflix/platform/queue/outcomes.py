"""Writes how attempts ended: the only place where a job that ran changes its state."""

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

import msgspec
from procrastinate.exceptions import UniqueViolation

from videoflix.platform.queue.attempts import FencingToken, fence_condition
from videoflix.platform.queue.incidents import IncidentKind
from videoflix.platform.queue.manager import DatabaseUnavailable, ResilientJobManager
from videoflix.settings import settings

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
# The backoff while the machine is at fault: doubled up to FAULT_BACKOFF_SECONDS, with jitter.
FIRST_BACKOFF = 2.0
DOUBLINGS = 20

END = f"""
with backoff as (
    select least(%(longest)s, %(first)s * power(2, least(coalesce(max(attempt), 0), %(doublings)s)))
           * (0.75 + random() / 2) as seconds
    from job_incident where job_id = %(job_id)s and kind = 'transient'
), ended as (
    update procrastinate_jobs
    set status = (case when abort_requested and %(status)s = 'todo' then 'aborted'
                       else %(status)s end)::procrastinate_job_status,
        attempts = attempts + %(cost)s,
        scheduled_at = case when %(status)s = 'todo'
                            then now() + make_interval(secs =>
                                case when %(kind)s::varchar = 'transient'
                                then (select seconds from backoff) else %(pause)s end)
                            else scheduled_at end,
        abort_requested = false,
        worker_id = null
    where {fence_condition("%(job_id)s", "%(attempt)s", "%(worker_id)s")}
    returning queue_name, task_name, status
), noted as (
    insert into job_incident
        (kind, job_id, queue_name, task_name, attempt, reason, created_at, updated_at)
    select %(kind)s::varchar, %(job_id)s, queue_name, task_name,
           case when %(kind)s::varchar = 'transient' then 1 else %(attempt)s end, %(reason)s,
           now(), now()
    from ended where %(kind)s::varchar is not null
    on conflict (job_id) where kind = 'transient' do update
    set attempt = job_incident.attempt + 1, reason = excluded.reason, updated_at = now()
)
select status::text as status from ended
"""  # noqa: S608 - constants
NOTE = """
insert into job_incident
    (kind, job_id, queue_name, task_name, attempt, reason, created_at, updated_at)
select %(kind)s::varchar, id, queue_name, task_name, %(attempt)s, %(reason)s, now(), now()
from procrastinate_jobs where id = %(job_id)s
returning id
"""


class Outcome(msgspec.Struct, frozen=True):
    """What becomes of a job; `todo` goes back to the queue after `pause` seconds.

    With an incident `transient` the pause is a backoff that grows with every one of the job.

    `cost` is how many attempts this one counts for: none, when it was not the job's fault.
    """

    status: Literal["todo", "succeeded", "failed", "aborted"]
    pause: float = 0.0
    cost: int = 1
    incident: IncidentKind | None = None
    reason: str = ""


SUCCEEDED = Outcome("succeeded")


async def write_outcome(
    manager: ResilientJobManager, claim: FencingToken, ending: Outcome
) -> str | None:
    """Write an ending; the state the job is in now, or None when the claim was lost.

    A job that may not go back, because an equal one waits already, is `superseded` by that:
    nobody is told, as the other one does the work. Raises DatabaseUnavailable.
    """
    try:
        rows = await manager.fetch_rows(END, **_values(claim, ending))
    except UniqueViolation:
        instead = Outcome(
            "aborted",
            incident=IncidentKind.SUPERSEDED,
            reason="an equal job waits already",
        )
        rows = await manager.fetch_rows(END, **_values(claim, instead))
        return "superseded" if rows else None
    return str(rows[0]["status"]) if rows else None


async def write_outcome_with_retry(
    manager: ResilientJobManager, claim: FencingToken, ending: Outcome, enough: Callable[[], bool]
) -> str | None:
    """Write an ending however long the database is away, unless it is `enough`.

    A result that lost its job is noted as fenced, and None is returned.
    """
    pause, uncertain = FIRST_PAUSE, False
    while True:
        try:
            status = await write_outcome(manager, claim, ending)
            if status is None and not uncertain:
                await _fence(manager, claim, ending)
        except DatabaseUnavailable:
            # The statement may have been carried out without our hearing of it: then the next
            # try finds a job that is not ours any more.
            uncertain = True
            if enough():
                logger.exception("the end of job %s (%s) is lost", claim.job_id, ending.status)
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            return status


async def _fence(manager: ResilientJobManager, claim: FencingToken, ending: Outcome) -> None:
    logger.warning(
        "job %s attempt %s was fenced: somebody else has the job, its end (%s) does not count",
        claim.job_id,
        claim.attempt,
        ending.status,
    )
    await manager.fetch_rows(
        NOTE,
        kind=IncidentKind.FENCED,
        job_id=claim.job_id,
        attempt=claim.attempt,
        reason=f"it ended as {ending.status} after it had lost the job",
    )


def _values(claim: FencingToken, ending: Outcome) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(claim),
        "status": ending.status,
        "cost": ending.cost,
        "pause": ending.pause,
        "kind": ending.incident,
        "reason": ending.reason,
        "first": min(FIRST_BACKOFF, settings.fault_backoff_seconds),
        "longest": settings.fault_backoff_seconds,
        "doublings": DOUBLINGS,
    }
