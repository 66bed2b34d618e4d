"""SQL of stream leases."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, Interval, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.billing.schemas import StreamUsage
from videoflix.catalog.models import Video
from videoflix.playback.models import StreamLease
from videoflix.sessions.models import SignIn
from videoflix.settings import settings


class RunningStream(NamedTuple):
    """A live lease, with the video's title and the owner's e-mail address."""

    lease: StreamLease
    title: str
    email: str


class StreamLeaseRepository(SQLAlchemyAsyncRepository[StreamLease]):
    """Stream leases; a lease is live while its heartbeats arrive."""

    model_type = StreamLease

    async def live(self, user_id: int | None) -> list[RunningStream]:
        """List the live leases of a user or of all, oldest first."""
        statement = (
            select(StreamLease, func.coalesce(Video.title, StreamLease.device), User.email)
            .outerjoin(Video, Video.id == StreamLease.video_id)
            .join(User, User.id == StreamLease.user_id)
            .where(is_live())
            .order_by(StreamLease.id)
        )
        if user_id is not None:
            statement = statement.where(StreamLease.user_id == user_id)
        return [RunningStream(*row) for row in await self.session.execute(statement)]

    async def checked_in(self, user_id: int) -> StreamLease | None:
        """A user's oldest live check-in."""
        found: StreamLease | None = await self.session.scalar(
            select(StreamLease)
            .where(StreamLease.user_id == user_id, StreamLease.video_id.is_(None), is_live())
            .order_by(StreamLease.id)
            .limit(1)
        )
        return found

    async def live_count(self) -> int:
        """Count the live leases."""
        return await self.count(is_live())

    async def heartbeat(self, lease_ids: Sequence[int], user_id: int | None = None) -> list[int]:
        """Extend leases; return the ids of those that were still live."""
        statement = update(StreamLease).where(StreamLease.id.in_(lease_ids), is_live())
        if user_id is not None:
            statement = statement.where(StreamLease.user_id == user_id)
        found = await self.session.scalars(
            statement.values(seen_at=func.now()).returning(StreamLease.id)
        )
        return list(found)

    async def end(
        self, lease_id: int, user_id: int, *, only_expired: bool = False
    ) -> StreamUsage | None:
        """End a lease and return what to charge; None if the user has no such open lease."""
        ended = update(StreamLease).where(
            StreamLease.id == lease_id,
            StreamLease.user_id == user_id,
            StreamLease.ended_at.is_(None),
        )
        if only_expired:
            ended = ended.where(~is_live())
        row = (
            await self.session.execute(ended.values(ended_at=_end()).returning(*_usage()))
        ).one_or_none()
        return None if row is None else StreamUsage(*row)

    async def expired(self) -> list[tuple[int, int]]:
        """(user id, lease id) of expired leases that are not closed, in lock order."""
        rows = await self.session.execute(
            select(StreamLease.user_id, StreamLease.id)
            .where(StreamLease.ended_at.is_(None), ~is_live())
            .order_by(StreamLease.user_id, StreamLease.id)
        )
        return [(row[0], row[1]) for row in rows]

    async def unended(self, user_id: int) -> list[int]:
        """A user's leases that are not closed, including expired ones."""
        found = await self.session.scalars(
            select(StreamLease.id).where(
                StreamLease.user_id == user_id, StreamLease.ended_at.is_(None)
            )
        )
        return list(found)

    async def ended_since(self, span: timedelta) -> list[int]:
        """Streams ended within the span, whose play tokens may still be valid."""
        found = await self.session.scalars(
            select(StreamLease.id).where(StreamLease.ended_at > func.now() - span)
        )
        return list(found)


def _end() -> ColumnElement[datetime]:
    """Now, or the expiry if that was earlier: time after it is not charged."""
    lifetime = literal(settings.stream_lease_lifetime, Interval)
    return func.least(func.now(), StreamLease.seen_at + lifetime)


def _usage() -> list[Any]:
    """The columns of StreamUsage."""
    title = select(Video.title).where(Video.id == StreamLease.video_id).scalar_subquery()
    return [
        StreamLease.id,
        StreamLease.user_id,
        StreamLease.plan_id,
        func.coalesce(title, StreamLease.device),
        StreamLease.created_at,
        StreamLease.ended_at,
    ]


def is_live() -> ColumnElement[bool]:
    """Condition: not closed, and the last heartbeat is within the lifetime of a lease."""
    has_heartbeat = StreamLease.seen_at > func.now() - settings.stream_lease_lifetime
    return StreamLease.ended_at.is_(None) & has_heartbeat


class SignInRepository:
    """Sign-ins, for authorizing playback."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def open_until(self, sign_in_id: int) -> datetime | None:
        """When an active sign-in expires; None if it has ended."""
        found: datetime | None = await self.session.scalar(
            select(SignIn.expires_at).where(
                SignIn.id == sign_in_id, SignIn.ended_at.is_(None), SignIn.expires_at > func.now()
            )
        )
        return found
