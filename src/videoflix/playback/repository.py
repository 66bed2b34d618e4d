"""All SQL of the streams that are watched."""

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
    """A live lease, with the film's title and whose it is."""

    lease: StreamLease
    title: str
    email: str


class StreamLeaseRepository(SQLAlchemyAsyncRepository[StreamLease]):
    """Leases of streams; live ones were heard of lately."""

    model_type = StreamLease

    async def live(self, user_id: int | None) -> list[RunningStream]:
        """A person's running streams or everybody's, the oldest first."""
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
        """A person's oldest live lease without a film."""
        found: StreamLease | None = await self.session.scalar(
            select(StreamLease)
            .where(StreamLease.user_id == user_id, StreamLease.video_id.is_(None), is_live())
            .order_by(StreamLease.id)
            .limit(1)
        )
        return found

    async def live_count(self) -> int:
        """How many streams are watched now."""
        return await self.count(is_live())

    async def heartbeat(self, lease_ids: Sequence[int], user_id: int | None = None) -> list[int]:
        """Note that these are watched; the ids of those that were still live."""
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
        """None when the person has no such lease that has not ended."""
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
        """Whose leases fell silent without having ended, and which, in the order of their locks."""
        rows = await self.session.execute(
            select(StreamLease.user_id, StreamLease.id)
            .where(StreamLease.ended_at.is_(None), ~is_live())
            .order_by(StreamLease.user_id, StreamLease.id)
        )
        return [(row[0], row[1]) for row in rows]

    async def unended(self, user_id: int) -> list[int]:
        """A person's leases that have not ended, silent ones too."""
        found = await self.session.scalars(
            select(StreamLease.id).where(
                StreamLease.user_id == user_id, StreamLease.ended_at.is_(None)
            )
        )
        return list(found)

    async def ended_since(self, span: timedelta) -> list[int]:
        """Streams that ended lately: their links may not have expired yet."""
        found = await self.session.scalars(
            select(StreamLease.id).where(StreamLease.ended_at > func.now() - span)
        )
        return list(found)


def _end() -> ColumnElement[datetime]:
    """Now, or when the lease ran out if that was before: silence is not charged."""
    lifetime = literal(settings.stream_lease_lifetime, Interval)
    return func.least(func.now(), StreamLease.seen_at + lifetime)


def _usage() -> list[Any]:
    """What is charged of a lease that is over."""
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
    """Not ended, and heard of within the lifetime of a lease."""
    heard = StreamLease.seen_at > func.now() - settings.stream_lease_lifetime
    return StreamLease.ended_at.is_(None) & heard


class SignInRepository:
    """Sign-ins as playing needs them."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def open_until(self, sign_in_id: int) -> datetime | None:
        """When a sign-in expires; None when it is over."""
        found: datetime | None = await self.session.scalar(
            select(SignIn.expires_at).where(
                SignIn.id == sign_in_id, SignIn.ended_at.is_(None), SignIn.expires_at > func.now()
            )
        )
        return found
