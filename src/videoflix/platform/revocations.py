"""What ended while that which was signed for it has not expired: refused without a query.

Every process keeps the few that matter in memory, hears of new ones by NOTIFY, and reads them
again from the database when it starts to listen.
"""

import time
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.events import announce, newsroom
from videoflix.settings import settings

# Whatever was signed for a sign-in has expired by then.
KEPT = max(settings.access_token_lifetime, settings.play_token_lifetime)


class Revocations:
    """Ids of what ended, each kept for as long as anything signed for it could live."""

    def __init__(self, topic: str, kept: timedelta) -> None:
        self._topic = topic
        self._kept = kept.total_seconds()
        self._until: dict[int, float] = {}
        newsroom.pass_on(topic, self.hear)

    def add(self, numbers: Iterable[int]) -> None:
        now = time.monotonic()
        self._until = {known: until for known, until in self._until.items() if until > now}
        self._until |= dict.fromkeys(numbers, now + self._kept)

    def __contains__(self, number: object) -> bool:
        return number in self._until

    def hear(self, topic: str) -> None:
        """Listen to the news."""
        self.add([int(topic.removeprefix(self._topic))])

    async def announce(self, session: AsyncSession, number: int) -> None:
        """Have every process refuse what was signed for it once the transaction commits."""
        await announce(session, f"{self._topic}{number}")


revocations = Revocations("sign-in-ended:", KEPT)
ended_streams = Revocations("stream-ended:", settings.play_token_lifetime)
