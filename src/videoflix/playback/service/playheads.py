"""Has chunks encoded first that a player is about to reach."""

import logging
import time

from sqlalchemy.exc import SQLAlchemyError

from videoflix.media.service import Media
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.postgres.session import transaction

logger = logging.getLogger(__name__)

# A film's playheads are looked at this often, and less while nothing near them waits.
WHILE_WAITING_SECONDS, WHILE_DONE_SECONDS = 4.0, 15.0
MAX_ENTRIES = 10_000


class Playheads:
    """When to look at each asset next, in this process."""

    def __init__(self) -> None:
        self._next: LruCache[int, float] = LruCache("playheads", MAX_ENTRIES)

    async def reached(self, asset_id: int, segment: int) -> None:
        """A player fetched this segment; best effort, as the chunk is encoded anyway."""
        now = time.monotonic()
        if now < self._next.get(asset_id, 0.0):
            return
        self._next[asset_id] = now + WHILE_WAITING_SECONDS
        try:
            async with transaction() as session:
                raised = await Media(session).prioritize(asset_id, segment)
        except (SQLAlchemyError, OSError) as error:
            logger.debug("chunks of asset %s keep their turn: %s", asset_id, error)
            return
        if not raised:
            self._next[asset_id] = now + WHILE_DONE_SECONDS


playheads = Playheads()
