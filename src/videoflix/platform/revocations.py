"""Sign-ins that ended while what was signed for them has not expired: refused without a query.

Every process keeps the few that matter in memory, hears of new ones by NOTIFY, and reads them
again from the database when it starts to listen.
"""

import time
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.events import announce, newsroom
from videoflix.settings import settings

# Whatever was signed for a sign-in has expired by then.
KEPT = max(settings.access_token_lifetime, settings.play_token_lifetime)
TOPIC = "sign-in-ended:"


class Revocations:
    """Ids of ended sign-ins, each kept for as long as its tokens could live."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}

    def add(self, sign_in_ids: Iterable[int]) -> None:
        now = time.monotonic()
        self._until = {known: until for known, until in self._until.items() if until > now}
        self._until |= dict.fromkeys(sign_in_ids, now + KEPT.total_seconds())

    def __contains__(self, sign_in_id: object) -> bool:
        return sign_in_id in self._until

    def hear(self, topic: str) -> None:
        """Listen to the news about ended sign-ins."""
        self.add([int(topic.removeprefix(TOPIC))])


revocations = Revocations()
newsroom.pass_on(TOPIC, revocations.hear)


async def announce_revocation(session: AsyncSession, sign_in_id: int) -> None:
    """Have every process refuse a sign-in's tokens once the transaction commits."""
    await announce(session, f"{TOPIC}{sign_in_id}")
