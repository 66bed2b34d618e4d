"""Write-behind buffer for views, flushed in batches.

Unflushed views of a killed process are lost, which is acceptable for statistics.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

from videoflix.platform.postgres.session import crash_info, one_line

WRITE_SECONDS = 5.0
WAITING_MAX = 10_000
# Timeout of a flush, so that a frozen database cannot prevent shutdown.
DEADLINE_SECONDS = 10.0

Seen = tuple[int, int, date]

logger = logging.getLogger(__name__)


class ViewCounter:
    """Buffers views, and remembers today's flushed ones to skip duplicates."""

    def __init__(self, write: Callable[[Sequence[Seen]], Awaitable[object]]) -> None:
        self._write = write
        self._waiting: set[Seen] = set()
        self._written: set[Seen] = set()

    def count(self, video_id: int, profile_id: int) -> None:
        """Buffer a view; discarded if the buffer is full or the view was flushed today."""
        seen = (video_id, profile_id, datetime.now(UTC).date())
        if seen not in self._written and len(self._waiting) < WAITING_MAX:
            self._waiting.add(seen)

    async def flush(self) -> None:
        """Write the buffered views; they stay buffered on failure. Raises TimeoutError."""
        seen = list(self._waiting)
        if not seen:
            return
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._write(seen)
        self._waiting.difference_update(seen)
        today = datetime.now(UTC).date()
        self._written = {known for known in self._written if known[2] == today}
        if len(self._written) < WAITING_MAX * 10:
            self._written.update(seen)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Flush every WRITE_SECONDS, and once at the end."""
        task = asyncio.create_task(self._flush_for_ever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._try_flush()

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self._try_flush()

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except Exception as error:  # an unavailable database must not stop the loop
            message = "could not write views; retrying later (%s)"
            logger.warning(message, one_line(error), exc_info=crash_info(error))
