"""How many films a person watches at once: leases instead of counters.

A counter leaks with every player that crashes. A lease is over when it was not heard of for a
while, with nothing running that would have to notice; what is left is the limit minus the live
ones.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.service import on_account_deletion
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
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.problems import Conflict, NotFound, Problem
from videoflix.playback.models import StreamLease
from videoflix.playback.repository import RunningStream, StreamLeaseRepository
from videoflix.playback.schemas import Heartbeat, OwnMembership, StreamAdminRead, StreamRead
from videoflix.profiles.schemas import Viewer
from videoflix.settings import settings

# Fetching segments is written down as a heartbeat this often, per process.
HEARTBEAT_SECONDS = 10.0
LEASES_MAX = 50_000


class StreamLimitReached(Conflict):
    """You have reached your plan's limit of streams. Stop another one to watch here."""


# What may stand in the way of a stream.
STREAM_PROBLEMS = (
    MembershipRequired,
    MembershipNotStarted,
    MembershipExpired,
    MembershipCancelled,
    StreamLimitReached,
)


class StreamEnded(Problem):
    """This stream is over: start it again."""

    status: ClassVar = HTTPStatus.GONE


class StreamNotFound(NotFound):
    """You have no such stream."""

    slug: ClassVar[str] = "stream-unknown"


class Streams:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.memberships = Memberships(session)
        self.invoices = Invoices(session)
        self.leases = StreamLeaseRepository(session=session)

    async def allowed(self, viewer: Viewer) -> tuple[int, int] | None:
        """How many streams this person may have at once, by which plan; None without a limit.

        Raises MembershipRequired, or a more telling kind of it.
        """
        return None if viewer.is_editor else await self.memberships.streams_allowed(viewer.user_id)

    async def begin(
        self, viewer: Viewer, sign_in_id: int, video_id: int, device: str
    ) -> StreamLease:
        """A lease for one more stream.

        Raises VideoNotFound, MembershipRequired or StreamLimitReached, which lists what runs.
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
        """The lease of a device that plays a film, new or still live; 0 where nothing is limited.

        For players that know nothing of leases: loading a page again must not take another one.
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
        """The stream is being watched. Raises StreamNotFound or StreamEnded."""
        if not await self.leases.heartbeat([lease_id], user_id):
            if await self.leases.exists(id=lease_id, user_id=user_id):
                raise StreamEnded
            raise StreamNotFound
        return Heartbeat(lease_id, await self._expiry())

    async def stop(self, user_id: int, lease_id: int) -> None:
        """End a stream; its links stop working everywhere. Raises StreamNotFound."""
        await self.memberships.accounts.users.lock(user_id)
        watched = await self.leases.end(lease_id, user_id)
        if watched is None:
            if await self.leases.exists(id=lease_id, user_id=user_id):
                return  # it has ended before
            raise StreamNotFound
        await self.invoices.charge_stream(watched)
        await ended_streams.publish(self.session, lease_id)

    async def live_count(self) -> int:
        """How many streams are watched now."""
        return await self.leases.live_count()

    async def close_expired(self, user_id: int, lease_id: int) -> bool:
        """Write down and charge a stream that fell silent; False when it is not silent."""
        await self.memberships.accounts.users.lock(user_id)
        watched = await self.leases.end(lease_id, user_id, only_expired=True)
        if watched is None:
            return False
        await self.invoices.charge_stream(watched)
        return True

    async def close_together(self, silent: Sequence[tuple[int, int]]) -> int:
        """Close those of these people's streams that are silent; how many."""
        closed = [await self.close_expired(*one) for one in silent]
        return sum(closed)

    async def stop_all(self, user_id: int) -> None:
        """End and charge everything a person watches."""
        for running in await self.leases.unended(user_id):
            await self.stop(user_id, running)

    async def for_user(self, user_id: int) -> list[StreamRead]:
        """A person's running streams."""
        return [_to_read(running) for running in await self.leases.live(user_id)]

    async def all(self) -> list[StreamAdminRead]:
        """All running streams."""
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
        """A person's membership, and how many streams run."""
        try:
            allowed = await self.allowed(viewer)
            limit = allowed[0] if allowed else None
        except MembershipRequired:
            limit = 0
        membership = await self.memberships.for_user(viewer.user_id)
        return OwnMembership(membership, limit, len(await self.leases.live(viewer.user_id)))

    async def ensure_below_limit(self, limit: int, user_id: int) -> None:
        """Raises StreamLimitReached, which lists what runs, when that is so many already."""
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
        return await self.leases.add(
            StreamLease(
                user_id=viewer.user_id,
                video_id=video_id,
                sign_in_id=sign_in_id,
                plan_id=plan_id,
                device=device[:100],
                created_at=now,  # by the clock that also says when it ends
                seen_at=now,
            )
        )

    async def _expiry(self) -> datetime:
        now = await transaction_time(self.session)
        return now + settings.stream_lease_lifetime


class HeartbeatLimiter:
    """Leases that segments were fetched for lately, so that most fetches cost no query."""

    def __init__(self, beat: Callable[[int], Awaitable[bool]]) -> None:
        self._beat = beat
        self._seen: TtlCache[int, None] = TtlCache("heartbeats", LEASES_MAX, HEARTBEAT_SECONDS)

    async def heartbeat(self, lease_id: int) -> None:
        """A segment is fetched for this lease. Raises StreamEnded."""
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
    """Streams whose links may not have expired yet."""
    async with transaction() as session:
        leases = StreamLeaseRepository(session=session)
        return await leases.ended_since(settings.play_token_lifetime)


@on_account_deletion
async def stop_everything(session: AsyncSession, user_id: int) -> None:
    """Who closes their account still pays for what they watched."""
    await Streams(session).stop_all(user_id)


def expiry_of(lease: StreamLease) -> datetime:
    """When a lease is over unless it is heard of."""
    return lease.seen_at + settings.stream_lease_lifetime


def stop_token(lease: StreamLease) -> str:
    """What stops this one stream, wherever one is signed in, or not at all."""
    return sign(Purpose.STOP, lease.user_id, settings.play_token_lifetime, lease=lease.id)


def owner_by(token: str, lease_id: int) -> int:
    """Whose stream a stop token stops. Raises StreamNotFound."""
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
