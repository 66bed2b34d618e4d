"""The table of security events."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class SecurityEvent(Record):
    """What happened to an account, when, by whom and from where.

    Rows are never changed, and deleted only by age; the database sees to it. They outlive the
    people they name, so their ids are no foreign keys. `kind` is an EventKind, as text: an older
    release reads what a newer one wrote.
    """

    __tablename__ = "security_event"

    kind: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    actor_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str] = mapped_column(String(200))

    __table_args__ = (Index("ix_security_event_user_id", "user_id", "id"),)
