"""Write the outcomes of attempts: the only place where a job that ran changes its state."""

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
MAX_PAUSE = 2.0
# Exponential backoff after transient errors, up to FAULT_BACKOFF_SECONDS, with 25 % jitter.
FIRST_BACKOFF = 2.0
DOUBLINGS = 20

WRITE_OUTCOME = f"""
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
INSERT_INCIDENT = """
insert into job_incident
    (kind, job_id, queue_name, task_name, attempt, reason, created_at, updated_at)
select %(kind)s::varchar, id, queue_name, task_name, %(attempt)s, %(reason)s, now(), now()
from procrastinate_jobs where id = %(job_id)s
returning id
"""


class Outcome(msgspec.Struct, frozen=True):
    """The new state of a job; `todo` requeues it after `pause` seconds.

    With an incident `transient` the pause is an exponential backoff over the job's transient
    errors. `cost` is the number of attempts to count: 0 if the job was not at fault.
    """

    status: Literal["todo", "succeeded", "failed", "aborted"]
    pause: float = 0.0
    cost: int = 1
    incident: IncidentKind | None = None
    reason: str = ""


SUCCEEDED = Outcome("succeeded")


async def write_outcome(
    manager: ResilientJobManager, claim: FencingToken, outcome: Outcome
) -> str | None:
    """Write an outcome; return the job's new state, or None if the attempt was fenced off.

    A job that cannot be requeued because one with the same unique key is pending becomes
    `superseded`; its failure callback does not run, as the other job does the work.
    Raises DatabaseUnavailable.
    """
    try:
        rows = await manager.fetch_rows(WRITE_OUTCOME, **_values(claim, outcome))
    except UniqueViolation:
        instead = Outcome(
            "aborted",
            incident=IncidentKind.SUPERSEDED,
            reason="a job with the same unique key is pending",
        )
        rows = await manager.fetch_rows(WRITE_OUTCOME, **_values(claim, instead))
        return "superseded" if rows else None
    return str(rows[0]["status"]) if rows else None


async def write_outcome_with_retry(
    manager: ResilientJobManager,
    claim: FencingToken,
    outcome: Outcome,
    should_stop: Callable[[], bool],
) -> str | None:
    """Write an outcome, retrying until the database is back or `should_stop` returns True.

    For a fenced-off attempt an incident is recorded and None returned.
    """
    pause, uncertain = FIRST_PAUSE, False
    while True:
        try:
            status = await write_outcome(manager, claim, outcome)
            if status is None and not uncertain:
                await _fence(manager, claim, outcome)
        except DatabaseUnavailable:
            # The statement may have been committed although its reply was lost; the retry then
            # finds a job that no longer belongs to this attempt.
            uncertain = True
            if should_stop():
                logger.exception("the outcome of job %s (%s) is lost", claim.job_id, outcome.status)
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE)
        else:
            return status


async def _fence(manager: ResilientJobManager, claim: FencingToken, outcome: Outcome) -> None:
    logger.warning(
        "job %s attempt %s was fenced: another attempt owns the job, outcome %s discarded",
        claim.job_id,
        claim.attempt,
        outcome.status,
    )
    await manager.fetch_rows(
        INSERT_INCIDENT,
        kind=IncidentKind.FENCED,
        job_id=claim.job_id,
        attempt=claim.attempt,
        reason=f"ended as {outcome.status} after it had lost the job",
    )


def _values(claim: FencingToken, outcome: Outcome) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(claim),
        "status": outcome.status,
        "cost": outcome.cost,
        "pause": outcome.pause,
        "kind": outcome.incident,
        "reason": outcome.reason,
        "first": min(FIRST_BACKOFF, settings.fault_backoff_seconds),
        "longest": settings.fault_backoff_seconds,
        "doublings": DOUBLINGS,
    }
