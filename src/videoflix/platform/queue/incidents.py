"""What went wrong with jobs: the queue's memory of attempts that did not end as they should."""

from enum import StrEnum

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class IncidentKind(StrEnum):
    """What happened.

    - rescued: the worker died or the deadline passed, and the job went back.
    - fenced: the result came from an attempt that had lost the job, and was dropped.
    - dead: the job failed for good (a dead letter).
    - unknown: no handler has this name here, so the job was put back for another version.
    - superseded: it could not go back, because an equal job waits already.
    - transient: the machine or a service was at fault, and no attempt was spent. One incident a
      job: `attempt` counts how often, `updated_at` says when last.
    - requeued: the reconciler queued it, because the job that did this work was gone.
    """

    RESCUED = "rescued"
    FENCED = "fenced"
    DEAD = "dead"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"
    TRANSIENT = "transient"
    REQUEUED = "requeued"


class JobIncident(Record):
    """One incident; the job itself may be deleted before it."""

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
