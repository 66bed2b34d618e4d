"""Database models of sessions and refresh tokens."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.auth.identity import Scope
from videoflix.platform.postgres.session import Record


class SignIn(Record):
    """A session on one device, extended by a family of refresh tokens.

    With `token_hash` (SHA-256) it has a single opaque token instead. An API token is such a
    session with a scope, and with its name as the device. `keeps_refresh_token`: its refresh token
    is not rotated, for older clients that use one until it expires.
    """

    __tablename__ = "sign_in"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    device: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True, default=None)
    scope: Mapped[Scope | None] = mapped_column(default=None)
    keeps_refresh_token: Mapped[bool] = mapped_column(server_default=sql("false"), default=False)
    ended_at: Mapped[datetime | None] = mapped_column(default=None, index=True)


class RefreshToken(Record):
    """A refresh token by its `jti`; used ones are kept to detect replays.

    `successor_jti` is the token it was exchanged for: repeating the exchange within the grace
    period returns the same one.
    """

    __tablename__ = "refresh_token"

    sign_in_id: Mapped[int] = mapped_column(ForeignKey(SignIn.id, ondelete="CASCADE"), index=True)
    jti: Mapped[str] = mapped_column(String(32), unique=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)
    successor_jti: Mapped[str | None] = mapped_column(String(32), default=None)
