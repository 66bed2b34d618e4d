"""Incidents: attempts of jobs that did not end normally, recorded for operators."""

from enum import StrEnum

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class IncidentKind(StrEnum):
    """What happened.

    - rescued: the worker died or the deadline passed, and the job was requeued.
    - fenced: the result came from a superseded attempt and was discarded.
    - dead: the job failed for good (dead letter).
    - unknown: no handler is registered under this name; requeued for another version.
    - superseded: it was not requeued, because a job with the same unique key is pending.
    - transient: a TransientError, which does not count as an attempt. One incident per job:
      `attempt` is the number of occurrences, `updated_at` the time of the last one.
    - requeued: the reconciler enqueued it to replace a lost job.
    """

    RESCUED = "rescued"
    FENCED = "fenced"
    DEAD = "dead"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"
    TRANSIENT = "transient"
    REQUEUED = "requeued"


class JobIncident(Record):
    """One incident; it may outlive its job."""

    __tablename__ = "job_incident"

    kind: Mapped[IncidentKind]
    job_id: Mapped[int] = mapped_column(BigInteger, index=True)
    queue_name: Mapped[str] = mapped_column(String(128))
    task_name: Mapped[str] = mapped_column(String(128))
    attempt: Mapped[int]
    reason: Mapped[str]

    __table_args__ = (
        Index(
            "uq_job_incident_transient",
            "job_id",
            unique=True,
            postgresql_where=text("kind = 'transient'"),
        ),
    )
