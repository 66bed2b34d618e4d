"""Database model of exports."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class ExportState(StrEnum):
    """State of an export."""

    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


class Export(Record):
    """An export of the installation, with its state and file.

    `folder` in the storage contains only the file. `requested_by` is no foreign key, as exports
    are kept when an import replaces the accounts.
    """

    __tablename__ = "export"

    state: Mapped[ExportState] = mapped_column(default=ExportState.WAITING)
    with_media: Mapped[bool]
    requested_by: Mapped[int | None] = mapped_column(BigInteger, default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    failure: Mapped[str | None] = mapped_column(default=None)
    folder: Mapped[str | None] = mapped_column(String(100), unique=True, default=None)
    size: Mapped[int | None] = mapped_column(BigInteger, default=None)
    rows: Mapped[int | None] = mapped_column(BigInteger, default=None)

    __table_args__ = (Index("ix_export_state", "state", "id"),)
