"""Schemas of the job monitor."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class JobStatus(StrEnum):
    """Status of a job.

    - todo: pending, or delayed until `scheduled_at`.
    - doing: running on a worker with a recent heartbeat.
    - stalled: its worker stopped sending heartbeats; another one will requeue it.
    - failed: out of attempts (dead letter).
    - cancelled, aborted: stopped by an operator before or while it ran.
    """

    WAITING = "todo"
    DOING = "doing"
    STALLED = "stalled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


class QueueCount(msgspec.Struct):
    """Job counts of a queue; `oldest_seconds` is the waiting time of its oldest due job.

    `scheduled` jobs are delayed, `stalled` ones belong to a worker without a recent heartbeat,
    `failed` ones are dead letters; each count is at most 100,000. `done_last_hour` and
    `failed_last_hour` are the throughput. Incidents of the last 24 hours: `rescued` jobs were
    requeued from dead workers, `fenced` counts discarded results of superseded attempts, and
    `unknown` jobs were requeued because their worker had no handler for them.
    """

    queue: str
    todo: int
    scheduled: int
    doing: int
    stalled: int
    failed: int
    oldest_seconds: float
    done_last_hour: int
    failed_last_hour: int
    rescued: int
    fenced: int
    unknown: int


class WorkerRead(msgspec.Struct):
    """A worker process, its last heartbeat, and the jobs it is at.

    `stopped` maps each queue whose circuit breaker is open to the reason.
    """

    id: int
    last_heartbeat: datetime
    silent_seconds: float
    alive: bool
    jobs: list[int]
    stopped: dict[str, str]


class ScheduleRead(msgspec.Struct):
    """A scheduled job; `expression` is a cron expression in TIME_ZONE."""

    kind: str
    purpose: str
    queue: str
    expression: str
    next_run: datetime
    last_run: datetime | None
    last_job_id: int | None


class JobRead(msgspec.Struct):
    """A job; `reason` is that of its last incident, `cancelling` whether an abort was requested."""

    id: int
    queue: str
    kind: str
    status: JobStatus
    payload: dict[str, Any]
    attempts: int
    priority: int
    worker_id: int | None
    cancelling: bool
    scheduled_at: datetime | None
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    reason: str


class Incident(msgspec.Struct):
    """An incident of a job; the kinds are described in the overview."""

    kind: str
    attempt: int
    reason: str
    at: datetime


class JobWithIncidents(msgspec.Struct):
    """A job and its incidents, latest first."""

    job: JobRead
    incidents: list[Incident]


class QueueSnapshot(msgspec.Struct):
    """A snapshot; `throughput` is the number of jobs done in each of the last 60 minutes."""

    at: datetime
    queues: list[QueueCount]
    workers: list[WorkerRead]
    schedules: list[ScheduleRead]
    throughput: list[int]


class CancelledJob(msgspec.Struct, frozen=True):
    """A pending job that was cancelled."""

    task: str
    payload: dict[str, Any]


class JobFilters(msgspec.Struct, frozen=True):
    """Filters on jobs; None matches all."""

    queue: str | None = None
    status: JobStatus | None = None
    kind: str | None = None
