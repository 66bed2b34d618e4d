"""Views wait in memory for a moment and are written together.

What a killed process had not written is lost; a view is a statistic.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

from videoflix.platform.postgres.session import crash_info, one_line

WRITE_SECONDS = 5.0
WAITING_MAX = 10_000
# For one writing, so that a database that is frozen cannot keep a process from stopping.
DEADLINE_SECONDS = 10.0

Seen = tuple[int, int, date]

logger = logging.getLogger(__name__)


class ViewCounter:
    """Collects views, and remembers those of today so that each is written once."""

    def __init__(self, write: Callable[[Sequence[Seen]], Awaitable[object]]) -> None:
        self._write = write
        self._waiting: set[Seen] = set()
        self._written: set[Seen] = set()

    def count(self, video_id: int, profile_id: int) -> None:
        """A profile watches a film for long enough."""
        seen = (video_id, profile_id, datetime.now(UTC).date())
        if seen not in self._written and len(self._waiting) < WAITING_MAX:
            self._waiting.add(seen)

    async def flush(self) -> None:
        """Write what waits; it goes on waiting if that fails. Raises TimeoutError."""
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
        """Write every few seconds, and once more at the end."""
        task = asyncio.create_task(self._flush_for_ever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._flush_anyway()

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self._flush_anyway()

    async def _flush_anyway(self) -> None:
        try:
            await self.flush()
        except Exception as error:  # a database that is away must not end the counting
            message = "views could not be written; they wait (%s)"
            logger.warning(message, one_line(error), exc_info=crash_info(error))
