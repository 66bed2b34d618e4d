"""The table of exports."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class ExportState(StrEnum):
    """Where an export stands."""

    WAITING = "waiting"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


class Export(Record):
    """An archive of the installation: asked for, being made, there, or why it is not.

    `folder` in the storage holds the file and nothing else. `requested_by` is no foreign key:
    exports stay when the people they hold are replaced by an import.
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
