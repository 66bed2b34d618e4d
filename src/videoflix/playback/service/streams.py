"""Concurrent streams, limited by leases instead of counters.

A counter leaks with every player that crashes; a lease expires without heartbeats, and needs no
process to notice. The number of streams in use is the number of live leases.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.service import on_account_deletion
from videoflix.billing.schemas import StreamUsage
from videoflix.billing.service import Invoices
from videoflix.catalog.service import Catalog
from videoflix.memberships.service import (
    MembershipCancelled,
    MembershipExpired,
    MembershipNotStarted,
    MembershipRequired,
    Memberships,
)
from videoflix.platform.auth.revocations import ended_streams
from videoflix.platform.auth.tokens import InvalidToken, Purpose, sign, verify
from videoflix.platform.cache.ttl import TtlCache
from videoflix.platform.events import emit
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.problems import Conflict, NotFound, Problem
from videoflix.playback import events
from videoflix.playback.models import StreamLease
from videoflix.playback.repository import RunningStream, StreamLeaseRepository
from videoflix.playback.schemas import Heartbeat, OwnMembership, StreamAdminRead, StreamRead
from videoflix.profiles.schemas import Viewer
from videoflix.settings import settings

# Fetches of segments are written as a heartbeat at most this often, per process.
HEARTBEAT_SECONDS = 10.0
LEASES_MAX = 50_000


class StreamLimitReached(Conflict):
    """You have reached your plan's limit of streams. Stop another one to watch here."""


# Why a stream cannot start.
STREAM_PROBLEMS = (
    MembershipRequired,
    MembershipNotStarted,
    MembershipExpired,
    MembershipCancelled,
    StreamLimitReached,
)


class StreamEnded(Problem):
    """This stream has ended. Start it again."""

    status: ClassVar = HTTPStatus.GONE


class StreamNotFound(NotFound):
    """The stream doesn't exist, or is not yours."""

    slug: ClassVar[str] = "stream-unknown"


class Streams:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.memberships = Memberships(session)
        self.invoices = Invoices(session)
        self.leases = StreamLeaseRepository(session=session)

    async def allowed(self, viewer: Viewer) -> tuple[int, int] | None:
        """The limit of concurrent streams, and the plan's id; None without a limit.

        Raises MembershipRequired or a subclass.
        """
        return None if viewer.is_editor else await self.memberships.streams_allowed(viewer.user_id)

    async def begin(
        self, viewer: Viewer, sign_in_id: int, video_id: int, device: str
    ) -> StreamLease:
        """Open a lease for another stream.

        Raises VideoNotFound, MembershipRequired or StreamLimitReached.
        """
        await self.catalog.video(viewer, video_id)
        allowed = await self.allowed(viewer)
        if allowed is None:
            return await self._open(viewer, sign_in_id, video_id, device, None)
        limit, plan_id = allowed
        await self.ensure_below_limit(limit, viewer.user_id)
        return await self._open(viewer, sign_in_id, video_id, device, plan_id)

    async def get_or_begin(
        self, viewer: Viewer, sign_in_id: int, video_id: int, device: str
    ) -> int:
        """Get the live lease of this sign-in and video, or open one; 0 without a limit.

        For players without heartbeats: reloading a page must not use another stream.
        Raises what `begin` raises.
        """
        await self.catalog.video(viewer, video_id)
        allowed = await self.allowed(viewer)
        if allowed is None:
            return 0
        limit, plan_id = allowed
        for running in await self.leases.live(viewer.user_id):
            if (running.lease.sign_in_id, running.lease.video_id) == (sign_in_id, video_id):
                await self.leases.heartbeat([running.lease.id])
                return running.lease.id
        await self.ensure_below_limit(limit, viewer.user_id)
        return (await self._open(viewer, sign_in_id, video_id, device, plan_id)).id

    async def heartbeat(self, user_id: int, lease_id: int) -> Heartbeat:
        """Extend a lease. Raises StreamNotFound or StreamEnded."""
        if not await self.leases.heartbeat([lease_id], user_id):
            if await self.leases.exists(id=lease_id, user_id=user_id):
                raise StreamEnded
            raise StreamNotFound
        return Heartbeat(lease_id, await self._expiry())

    async def stop(self, user_id: int, lease_id: int) -> None:
        """End and charge a stream, and revoke its play tokens. Raises StreamNotFound."""
        await self.memberships.accounts.users.lock(user_id)
        watched = await self.leases.end(lease_id, user_id)
        if watched is None:
            if await self.leases.exists(id=lease_id, user_id=user_id):
                return  # already ended
            raise StreamNotFound
        await self._settle(watched)
        await ended_streams.publish(self.session, lease_id)

    async def live_count(self) -> int:
        """Count the running streams."""
        return await self.leases.live_count()

    async def close_expired(self, user_id: int, lease_id: int) -> bool:
        """Close and charge an expired lease; False if it is live or closed."""
        await self.memberships.accounts.users.lock(user_id)
        watched = await self.leases.end(lease_id, user_id, only_expired=True)
        if watched is None:
            return False
        await self._settle(watched)
        return True

    async def _settle(self, watched: StreamUsage) -> None:
        """Charge and report a stream that has ended."""
        await self.invoices.charge_stream(watched)
        await emit(self.session, events.StreamEnded.of(watched))

    async def close_together(self, expired: Sequence[tuple[int, int]]) -> int:
        """Close and charge (user id, lease id) that are still expired; return how many."""
        closed = [await self.close_expired(*one) for one in expired]
        return sum(closed)

    async def stop_all(self, user_id: int) -> None:
        """End and charge all streams of a user."""
        for running in await self.leases.unended(user_id):
            await self.stop(user_id, running)

    async def for_user(self, user_id: int) -> list[StreamRead]:
        """List a user's running streams."""
        return [_to_read(running) for running in await self.leases.live(user_id)]

    async def all(self) -> list[StreamAdminRead]:
        """List the running streams of all users."""
        return [
            StreamAdminRead(
                id=lease.id,
                video_id=lease.video_id,
                title=title,
                device=lease.device,
                since=lease.created_at,
                seen_at=lease.seen_at,
                user_id=lease.user_id,
                email=email,
            )
            for lease, title, email in await self.leases.live(None)
        ]

    async def own_membership(self, viewer: Viewer) -> OwnMembership:
        """A user's membership, and the number of streams in use."""
        try:
            allowed = await self.allowed(viewer)
            limit = allowed[0] if allowed else None
        except MembershipRequired:
            limit = 0
        membership = await self.memberships.for_user(viewer.user_id)
        return OwnMembership(membership, limit, len(await self.leases.live(viewer.user_id)))

    async def ensure_below_limit(self, limit: int, user_id: int) -> None:
        """Raises StreamLimitReached with the running streams and their stop tokens."""
        running = await self.leases.live(user_id)
        if len(running) >= limit:
            raise StreamLimitReached(
                limit=limit,
                streams=[
                    {
                        "id": one.lease.id,
                        "device": one.lease.device,
                        "title": one.title,
                        "since": one.lease.created_at,
                        "stop_token": stop_token(one.lease),
                    }
                    for one in running
                ],
            )

    async def _open(
        self, viewer: Viewer, sign_in_id: int, video_id: int, device: str, plan_id: int | None
    ) -> StreamLease:
        now = await transaction_time(self.session)
        lease = await self.leases.add(
            StreamLease(
                user_id=viewer.user_id,
                video_id=video_id,
                sign_in_id=sign_in_id,
                plan_id=plan_id,
                device=device[:100],
                created_at=now,  # the database's clock, as for the end
                seen_at=now,
            )
        )
        await emit(self.session, events.StreamStarted.of(lease))
        return lease

    async def _expiry(self) -> datetime:
        now = await transaction_time(self.session)
        return now + settings.stream_lease_lifetime


class HeartbeatLimiter:
    """Writes heartbeats at most every HEARTBEAT_SECONDS, so that most fetches need no query."""

    def __init__(self, beat: Callable[[int], Awaitable[bool]]) -> None:
        self._beat = beat
        self._seen: TtlCache[int, None] = TtlCache("heartbeats", LEASES_MAX, HEARTBEAT_SECONDS)

    async def heartbeat(self, lease_id: int) -> None:
        """Extend a lease because a segment is fetched. Raises StreamEnded."""
        if lease_id in ended_streams:
            self._seen.pop(lease_id, None)
            raise StreamEnded
        if lease_id in self._seen:
            return
        if not await self._beat(lease_id):
            ended_streams.add([lease_id])
            raise StreamEnded
        self._seen[lease_id] = None


async def _heartbeat(lease_id: int) -> bool:
    async with transaction() as session:
        return bool(await StreamLeaseRepository(session=session).heartbeat([lease_id]))


heartbeats = HeartbeatLimiter(_heartbeat)


async def recently_ended_streams() -> list[int]:
    """Ended streams whose play tokens may still be valid."""
    async with transaction() as session:
        leases = StreamLeaseRepository(session=session)
        return await leases.ended_since(settings.play_token_lifetime)


@on_account_deletion
async def stop_everything(session: AsyncSession, user_id: int) -> None:
    """End and charge all streams before an account is deleted."""
    await Streams(session).stop_all(user_id)


def expiry_of(lease: StreamLease) -> datetime:
    """When a lease expires without another heartbeat."""
    return lease.seen_at + settings.stream_lease_lifetime


def stop_token(lease: StreamLease) -> str:
    """Sign a token that stops this stream without signing in."""
    return sign(Purpose.STOP, lease.user_id, settings.play_token_lifetime, lease=lease.id)


def owner_by(token: str, lease_id: int) -> int:
    """Verify a stop token; return the user id of the stream. Raises StreamNotFound."""
    try:
        claims = verify(Purpose.STOP, token)
        if claims["lease"] != lease_id:
            raise StreamNotFound
        return int(claims["sub"])
    except (InvalidToken, KeyError, ValueError) as error:
        raise StreamNotFound from error


def _to_read(running: RunningStream) -> StreamRead:
    lease = running.lease
    return StreamRead(
        lease.id, lease.video_id, running.title, lease.device, lease.created_at, lease.seen_at
    )
