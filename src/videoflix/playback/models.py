"""Tables of playback."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.catalog.models import Video
from videoflix.memberships.models import Plan
from videoflix.platform.postgres.session import Record


class StreamLease(Record):
    """The lease of a concurrent stream on a device.

    `seen_at` is the last heartbeat, `plan_id` the plan it is charged by. A lease without heartbeats
    expires whether or not `ended_at` is set. `video_id` is null for check-ins.
    """

    __tablename__ = "stream_lease"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    video_id: Mapped[int | None] = mapped_column(
        ForeignKey(Video.id, ondelete="CASCADE"), index=True
    )
    sign_in_id: Mapped[int] = mapped_column(BigInteger)
    plan_id: Mapped[int | None] = mapped_column(ForeignKey(Plan.id), default=None)
    device: Mapped[str] = mapped_column(String(100))
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None, index=True)

    __table_args__ = (
        Index("ix_stream_lease_user_id", "user_id", postgresql_where=text("ended_at is null")),
    )
