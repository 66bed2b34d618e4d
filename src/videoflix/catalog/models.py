"""Tables of the catalogue."""

from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.db import Record


class VideoState(StrEnum):
    """Where a film stands on its way from upload to screen."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class Video(Record):
    """A title, with what its media told about it so that a list needs one query.

    `progress` runs from 0 to 1; `failure_code` is stable, `failure_reason` a sentence;
    `duration` counts seconds; `qualities` names the renditions, the highest first.
    """

    __tablename__ = "video"

    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(default="")
    uploaded_by: Mapped[int | None] = mapped_column(ForeignKey(User.id, ondelete="SET NULL"))
    state: Mapped[VideoState] = mapped_column(default=VideoState.PROCESSING)
    playable: Mapped[bool] = mapped_column(default=False)
    progress: Mapped[float] = mapped_column(default=0.0)
    failure_code: Mapped[str | None] = mapped_column(String(64), default=None)
    failure_reason: Mapped[str | None] = mapped_column(default=None)
    duration: Mapped[float | None] = mapped_column(default=None)
    poster: Mapped[str | None] = mapped_column(default=None)
    qualities: Mapped[list[str]] = mapped_column(ARRAY(String(16)), default=list)

    __table_args__ = (
        Index("ix_video_created_at_id", "created_at", "id"),
        Index("ix_video_uploaded_by", "uploaded_by"),
    )
