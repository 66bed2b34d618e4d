"""Leases for players without heartbeats: each fetch of a segment or file counts as one."""

import time
from collections.abc import Hashable

from videoflix.platform.auth.revocations import ended_streams
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.postgres.session import transaction
from videoflix.playback.service.streams import HEARTBEAT_SECONDS, StreamEnded, Streams, heartbeats
from videoflix.profiles.schemas import Viewer

MAX_ENTRIES = 20_000


class ImplicitLeases:
    """The leases of players, by a key that identifies the player.

    The first fetch starts a lease, later ones extend it. After it expired, the next fetch starts
    another one if the plan's limit allows; a lease that was stopped stays stopped.
    """

    def __init__(self) -> None:
        # Lease id (0: unlimited), and until when (monotonic) it is not checked again.
        self._kept: LruCache[Hashable, tuple[int, float]] = LruCache("implicit leases", MAX_ENTRIES)

    async def begin(
        self, player: Hashable, viewer: Viewer, sign_in_id: int, video_id: int, device: str
    ) -> None:
        """Start or join a lease. Raises what `Streams.get_or_begin` raises."""
        async with transaction() as session:
            lease_id = await Streams(session).get_or_begin(viewer, sign_in_id, video_id, device)
        self._kept[player] = lease_id, time.monotonic() + HEARTBEAT_SECONDS

    async def touch(
        self, player: Hashable, viewer: Viewer, sign_in_id: int, video_id: int, device: str
    ) -> None:
        """Extend the lease, or start one. Raises StreamEnded, or what `begin` raises."""
        lease_id, until = self._kept.get(player, (0, 0.0))
        if lease_id in ended_streams:
            raise StreamEnded
        if lease_id:
            try:
                await heartbeats.heartbeat(lease_id)
            except StreamEnded:
                until = 0.0
            else:
                return
        if until < time.monotonic():
            await self.begin(player, viewer, sign_in_id, video_id, device)

    def clear(self) -> None:
        """Drop all entries of this process."""
        self._kept.clear()
