"""Database model of security events."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class SecurityEvent(Record):
    """An event of an account: what happened, when, by whom and from where.

    Rows are immutable and deleted only by age, enforced by a trigger. They outlive the accounts
    they refer to, so the IDs are no foreign keys. `kind` is an EventKind stored as text, so that
    an older release can read events of a newer one.
    """

    __tablename__ = "security_event"

    kind: Mapped[str] = mapped_column(String(32))
    user_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    actor_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str] = mapped_column(String(200))

    __table_args__ = (Index("ix_security_event_user_id", "user_id", "id"),)
