"""What went wrong with jobs: the queue's memory of attempts that did not end as they should."""

from enum import StrEnum

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.db import Record


class IncidentKind(StrEnum):
    """What happened.

    - rescued: the worker died or the deadline passed, and the job went back.
    - fenced: the result came from an attempt that had lost the job, and was dropped.
    - dead: the job failed for good (a dead letter).
    - unknown: no handler has this name here, so the job was put back for another version.
    - superseded: it could not go back, because an equal job waits already.
    """

    RESCUED = "rescued"
    FENCED = "fenced"
    DEAD = "dead"
    UNKNOWN = "unknown"
    SUPERSEDED = "superseded"


class JobIncident(Record):
    """One incident; the job itself may be deleted before it."""

    __tablename__ = "job_incident"

    kind: Mapped[IncidentKind]
    job_id: Mapped[int] = mapped_column(BigInteger, index=True)
    queue_name: Mapped[str] = mapped_column(String(128))
    task_name: Mapped[str] = mapped_column(String(128))
    attempt: Mapped[int]
    reason: Mapped[str]
