"""Leases for players that know nothing of them: fetching is all they do."""

import time
from collections.abc import Hashable

from videoflix.platform.auth.revocations import ended_streams
from videoflix.platform.postgres.session import transaction
from videoflix.platform.ttl import LruCache
from videoflix.playback.service.streams import BEAT_SECONDS, StreamEnded, Streams, watching
from videoflix.profiles.schemas import Viewing

KEPT = 20_000


class Leases:
    """Which lease a player holds, by what tells players apart.

    The first fetch begins it, the others keep it alive. When it fell silent the next fetch begins
    another one, if the membership lets it; when somebody stopped it, it stays stopped.
    """

    def __init__(self) -> None:
        # A lease (0: nothing is limited), and until when it is taken for granted.
        self._kept: LruCache[Hashable, tuple[int, float]] = LruCache("implicit leases", KEPT)

    async def begin(
        self, player: Hashable, viewing: Viewing, sign_in_id: int, video_id: int, device: str
    ) -> None:
        """Raises what `Streams.begin_once` raises."""
        async with transaction() as session:
            lease_id = await Streams(session).begin_once(viewing, sign_in_id, video_id, device)
        self._kept[player] = lease_id, time.monotonic() + BEAT_SECONDS

    async def go_on(
        self, player: Hashable, viewing: Viewing, sign_in_id: int, video_id: int, device: str
    ) -> None:
        """A part of the film is fetched. Raises StreamEnded, or what `begin` raises."""
        lease_id, until = self._kept.get(player, (0, 0.0))
        if lease_id in ended_streams:
            raise StreamEnded
        if lease_id:
            try:
                await watching.go_on(lease_id)
            except StreamEnded:
                until = 0.0
            else:
                return
        if until < time.monotonic():
            await self.begin(player, viewing, sign_in_id, video_id, device)

    def forget(self) -> None:
        """Every lease of this process."""
        self._kept.clear()
