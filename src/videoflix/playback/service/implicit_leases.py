"""Leases for players that know nothing of them: fetching is all they do."""

import time
from collections.abc import Hashable

from videoflix.platform.auth.revocations import ended_streams
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.postgres.session import transaction
from videoflix.playback.service.streams import HEARTBEAT_SECONDS, StreamEnded, Streams, heartbeats
from videoflix.profiles.schemas import Viewer

MAX_ENTRIES = 20_000


class ImplicitLeases:
    """Which lease a player holds, by what tells players apart.

    The first fetch begins it, the others keep it alive. When it fell silent the next fetch begins
    another one, if the membership lets it; when somebody stopped it, it stays stopped.
    """

    def __init__(self) -> None:
        # A lease (0: nothing is limited), and until when it is taken for granted.
        self._kept: LruCache[Hashable, tuple[int, float]] = LruCache("implicit leases", MAX_ENTRIES)

    async def begin(
        self, player: Hashable, viewer: Viewer, sign_in_id: int, video_id: int, device: str
    ) -> None:
        """Raises what `Streams.get_or_begin` raises."""
        async with transaction() as session:
            lease_id = await Streams(session).get_or_begin(viewer, sign_in_id, video_id, device)
        self._kept[player] = lease_id, time.monotonic() + HEARTBEAT_SECONDS

    async def touch(
        self, player: Hashable, viewer: Viewer, sign_in_id: int, video_id: int, device: str
    ) -> None:
        """A part of the film is fetched. Raises StreamEnded, or what `begin` raises."""
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
        """Every lease of this process."""
        self._kept.clear()
