"""Tables of the sign-ins."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.auth.identity import Scope
from videoflix.platform.postgres.session import Record


class SignIn(Record):
    """A sign-in on one device, and the family of refresh tokens that keeps it alive.

    With the SHA-256 of a token it is kept alive by that alone. An API token is such a one, with a
    scope, and its name as the device.
    """

    __tablename__ = "sign_in"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    device: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True, default=None)
    scope: Mapped[Scope | None] = mapped_column(default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None, index=True)


class RefreshToken(Record):
    """A refresh token by its `jti`; once used it is kept, so that a replay is noticed.

    `successor_jti` names the one it was traded for: whoever trades it again within the grace
    period gets the same one.
    """

    __tablename__ = "refresh_token"

    sign_in_id: Mapped[int] = mapped_column(ForeignKey(SignIn.id, ondelete="CASCADE"), index=True)
    jti: Mapped[str] = mapped_column(String(32), unique=True)
    used_at: Mapped[datetime | None] = mapped_column(default=None)
    successor_jti: Mapped[str | None] = mapped_column(String(32), default=None)
