"""Shapes of the job queue as operators see it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class JobStatus(StrEnum):
    """Where a job stands.

    - todo: it waits, for a worker or for its time (`scheduled_at`).
    - doing: a worker that lives is at it.
    - stalled: its worker fell silent; the next living worker takes it back.
    - failed: for good, a dead letter.
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
    """Jobs of a queue; `oldest_seconds` is how long its first due job has waited.

    `scheduled` ones wait for their time, `stalled` ones for another worker; `failed` are dead
    letters; of each at most 100,000 are counted. `done_last_hour` and `failed_last_hour` are its
    throughput. In the last 24 hours, `rescued` were taken back from workers that were gone,
    `fenced` are results that came after that and were dropped, and `unknown` were put back because
    the worker that fetched them has no handler of that name.
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

    `stopped` names the queues it does not fetch from now, and why: its circuit breaker is open.
    """

    id: int
    last_heartbeat: datetime
    silent_seconds: float
    alive: bool
    jobs: list[int]
    stopped: dict[str, str]


class ScheduleRead(msgspec.Struct):
    """A job that a schedule enqueues; `expression` is cron, in the installation's time zone."""

    kind: str
    purpose: str
    queue: str
    expression: str
    next_run: datetime
    last_run: datetime | None
    last_job_id: int | None


class JobRead(msgspec.Struct):
    """A job; `reason` says what went wrong last, `cancelling` that its worker was told to stop."""

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
    """What went wrong with a job: see the overview for what the kinds mean."""

    kind: str
    attempt: int
    reason: str
    at: datetime


class JobWithIncidents(msgspec.Struct):
    """A job and everything that went wrong with it, the latest first."""

    job: JobRead
    incidents: list[Incident]


class QueueSnapshot(msgspec.Struct):
    """The queue at a moment; `throughput` counts the jobs done in each of the last 60 minutes."""

    at: datetime
    queues: list[QueueCount]
    workers: list[WorkerRead]
    schedules: list[ScheduleRead]
    throughput: list[int]


class CancelledJob(msgspec.Struct, frozen=True):
    """A job that will not run."""

    task: str
    payload: dict[str, Any]


class JobFilters(msgspec.Struct, frozen=True):
    """Which jobs are asked for; what is left out is not asked."""

    queue: str | None = None
    status: JobStatus | None = None
    kind: str | None = None
