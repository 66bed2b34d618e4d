"""Queries on sessions and refresh tokens."""

from datetime import datetime, timedelta

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, or_, select, update

from videoflix.accounts.models import User
from videoflix.sessions.models import RefreshToken, SignIn

RETENTION = timedelta(days=30)


class SignInRepository(SQLAlchemyAsyncRepository[SignIn]):
    """Sessions, open and ended."""

    model_type = SignIn

    async def open_of(self, user_id: int, *, api_tokens: bool) -> list[SignIn]:
        """Return a user's open sessions or API tokens, most recently used first."""
        kind = SignIn.scope.is_not(None) if api_tokens else SignIn.scope.is_(None)
        return list(
            await self.session.scalars(
                select(SignIn)
                .where(
                    SignIn.user_id == user_id,
                    SignIn.ended_at.is_(None),
                    SignIn.expires_at > func.now(),
                    kind,
                )
                .order_by(SignIn.last_seen_at.desc(), SignIn.id.desc())
            )
        )

    async def is_open(self, user_id: int, sign_in_id: int) -> bool:
        """Return whether a user's session is open; stable while the account is locked."""
        return await self.exists(
            SignIn.id == sign_in_id,
            SignIn.user_id == user_id,
            SignIn.ended_at.is_(None),
            SignIn.expires_at > func.now(),
        )

    async def locked(self, sign_in_id: int) -> SignIn | None:
        """Lock and reload a session; lock its account first."""
        found: SignIn | None = await self.session.scalar(
            select(SignIn)
            .where(SignIn.id == sign_in_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def end(
        self,
        user_id: int,
        *,
        only: int | None = None,
        by_token: bool = False,
        but: int | None = None,
    ) -> list[int]:
        """End a user's open sessions, or one of them, those with an opaque token, all but one.

        Return the IDs of the ended sessions.
        """
        statement = update(SignIn).where(SignIn.user_id == user_id, SignIn.ended_at.is_(None))
        if only is not None:
            statement = statement.where(SignIn.id == only)
        if but is not None:
            statement = statement.where(SignIn.id != but)
        if by_token:
            statement = statement.where(SignIn.token_hash.is_not(None), SignIn.scope.is_(None))
        ended = await self.session.scalars(
            statement.values(ended_at=func.now()).returning(SignIn.id)
        )
        return list(ended)

    async def end_seen_within(self, span: timedelta) -> list[int]:
        """End all open sessions used within `span`; return their IDs."""
        ended = await self.session.scalars(
            update(SignIn)
            .where(SignIn.ended_at.is_(None), SignIn.last_seen_at > func.now() - span)
            .values(ended_at=func.now())
            .returning(SignIn.id)
        )
        return list(ended)

    async def holder_of(self, token_hash: str) -> tuple[SignIn, User] | None:
        """Return the open session with this token hash and its active user, and mark it as used."""
        row = (
            await self.session.execute(
                update(SignIn)
                .where(
                    SignIn.token_hash == token_hash,
                    SignIn.ended_at.is_(None),
                    SignIn.expires_at > func.now(),
                    SignIn.user_id == User.id,
                    User.is_active.is_(True),
                )
                .values(last_seen_at=func.clock_timestamp())
                .returning(SignIn, User)
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    async def delete_expired(self) -> int:
        """Delete sessions that ended more than RETENTION ago; return their number."""
        over = func.now() - RETENTION
        found = await self.session.scalars(
            delete(SignIn)
            .where(or_(SignIn.expires_at < over, SignIn.ended_at < over))
            .returning(SignIn.id)
        )
        return len(found.all())

    async def ended_since(self, span: timedelta) -> list[int]:
        """Return the IDs of sessions that ended within `span`."""
        return list(
            await self.session.scalars(select(SignIn.id).where(SignIn.ended_at > func.now() - span))
        )


class RefreshTokenRepository(SQLAlchemyAsyncRepository[RefreshToken]):
    """Refresh tokens, unused and used."""

    model_type = RefreshToken

    async def by_jti(self, jti: str) -> RefreshToken | None:
        """Reload a token."""
        found: RefreshToken | None = await self.session.scalar(
            select(RefreshToken)
            .where(RefreshToken.jti == jti)
            .execution_options(populate_existing=True)
        )
        return found

    async def rotate(self, token: RefreshToken, successor: RefreshToken) -> RefreshToken:
        """Mark a token as used and add its successor."""
        token.used_at = await self.clock()
        token.successor_jti = successor.jti
        return await self.add(successor)

    async def was_used_within(self, token: RefreshToken, span: timedelta) -> bool:
        """Return whether the token was first used within `span`."""
        return token.used_at is not None and token.used_at > await self.clock() - span

    async def newest_after(self, token: RefreshToken) -> RefreshToken:
        """Follow the successors of a token to the newest one."""
        while token.successor_jti and (successor := await self.by_jti(token.successor_jti)):
            token = successor
        return token

    async def family_of(self, jti: str) -> tuple[int, int] | None:
        """Return the user ID and session ID of a token."""
        row = (
            await self.session.execute(
                select(SignIn.user_id, SignIn.id)
                .join(RefreshToken, RefreshToken.sign_in_id == SignIn.id)
                .where(RefreshToken.jti == jti)
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    async def clock(self) -> datetime:
        """Return the database's current time, also after waiting for a lock."""
        now: datetime = (await self.session.scalars(select(func.clock_timestamp()))).one()
        return now
