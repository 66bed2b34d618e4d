"""Prioritize queued chunks that a player is about to reach."""

import logging
import time

from sqlalchemy.exc import SQLAlchemyError

from videoflix.media.service import Media
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.postgres.session import transaction

logger = logging.getLogger(__name__)

# Interval of checks per asset, longer while no chunk near a playhead is queued.
WHILE_WAITING_SECONDS, WHILE_DONE_SECONDS = 4.0, 15.0
MAX_ENTRIES = 10_000


class Playheads:
    """Rate-limits prioritization per asset, in this process."""

    def __init__(self) -> None:
        self._next: LruCache[int, float] = LruCache("playheads", MAX_ENTRIES)

    async def reached(self, asset_id: int, segment: int) -> None:
        """Prioritize the chunks after this segment; best effort, they are encoded anyway."""
        now = time.monotonic()
        if now < self._next.get(asset_id, 0.0):
            return
        self._next[asset_id] = now + WHILE_WAITING_SECONDS
        try:
            async with transaction() as session:
                raised = await Media(session).prioritize(asset_id, segment)
        except (SQLAlchemyError, OSError) as error:
            logger.debug("could not prioritize chunks of asset %s: %s", asset_id, error)
            return
        if not raised:
            self._next[asset_id] = now + WHILE_DONE_SECONDS


playheads = Playheads()
