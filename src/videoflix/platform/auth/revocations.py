"""What ended or changed while that which was signed for it has not expired.

Sign-ins and streams that ended are refused without a query: every process keeps the few that
matter in memory, hears of new ones by NOTIFY, and reads them again when it starts to listen.
What else decides about access (people, profiles, memberships, plans, films) is versioned: a
decision made before the last change of one of its facts does not hold any more. Database triggers
send the notifications, so no writer can forget them.
"""

import time
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.notify import event_bus, publish
from videoflix.settings import settings

ACCESS_TOPIC = "access:"
EVERYTHING = "all"
FACTS_MAX = 50_000
# Whatever was signed for a sign-in has expired by then.
RETENTION = max(settings.access_token_lifetime, settings.play_token_lifetime)


class Revocations:
    """Ids of what ended, each kept for as long as anything signed for it could live."""

    def __init__(self, topic: str, kept: timedelta) -> None:
        self._topic = topic
        self._kept = kept.total_seconds()
        self._until: dict[int, float] = {}
        event_bus.subscribe_prefix(topic, self.on_notify)

    def add(self, numbers: Iterable[int]) -> None:
        now = time.monotonic()
        for number in numbers:
            self._until.pop(number, None)  # so that the oldest stays first
            self._until[number] = now + self._kept
        while self._until and next(iter(self._until.values())) <= now:
            del self._until[next(iter(self._until))]

    def __contains__(self, number: object) -> bool:
        return number in self._until

    def on_notify(self, topic: str) -> None:
        """Listen to the news."""
        self.add([int(topic.removeprefix(self._topic))])

    async def publish(self, session: AsyncSession, number: int) -> None:
        """Have every process refuse what was signed for it once the transaction commits."""
        await publish(session, f"{self._topic}{number}")


class FactVersions:
    """When each fact that decides about access last changed, counted in notifications.

    Facts are named as the triggers do: `user:3`, `video:7`, and `all` for what concerns everybody.
    Bounded: beyond FACTS_MAX everything counts as changed.
    """

    def __init__(self) -> None:
        self._now = 0
        self._all = 0
        self._changed: dict[str, int] = {}
        event_bus.subscribe_prefix(ACCESS_TOPIC, self.on_notify)
        event_bus.on_connect(self._catch_up)

    @property
    def now(self) -> int:
        """What to remember with a decision before its facts are read."""
        return self._now

    def on_notify(self, topic: str) -> None:
        self._now += 1
        fact = topic.removeprefix(ACCESS_TOPIC)
        if fact == EVERYTHING or len(self._changed) >= FACTS_MAX:
            self._all = self._now
            self._changed.clear()
        else:
            self._changed[fact] = self._now

    def unchanged(self, since: int, *facts: str) -> bool:
        """Whether none of the facts changed after `since`."""
        return self._all <= since and all(self._changed.get(fact, 0) <= since for fact in facts)

    async def _catch_up(self) -> None:
        """Whatever changed while nobody listened."""
        self.on_notify(f"{ACCESS_TOPIC}{EVERYTHING}")


revocations = Revocations("sign-in-ended:", RETENTION)
ended_streams = Revocations("stream-ended:", settings.play_token_lifetime)
facts = FactVersions()
