"""Revocation of signed tokens, and invalidation of cached access decisions.

Ended sessions and streams are refused without a query: every process holds the IDs whose tokens
have not expired, receives new ones by NOTIFY, and reloads them when it (re)connects. The other
facts behind access decisions (users, profiles, memberships, plans, videos) are versioned: a
decision is stale once one of its facts has changed. Database triggers send the notifications, so
no writer can omit them.
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
# All tokens signed for a session have expired by then.
RETENTION = max(settings.access_token_lifetime, settings.play_token_lifetime)


class Revocations:
    """Revoked IDs, each kept until all tokens signed for it have expired."""

    def __init__(self, topic: str, kept: timedelta) -> None:
        self._topic = topic
        self._kept = kept.total_seconds()
        self._until: dict[int, float] = {}
        event_bus.subscribe_prefix(topic, self.on_notify)

    def add(self, numbers: Iterable[int]) -> None:
        now = time.monotonic()
        for number in numbers:
            self._until.pop(number, None)  # keeps the order by expiry
            self._until[number] = now + self._kept
        while self._until and next(iter(self._until.values())) <= now:
            del self._until[next(iter(self._until))]

    def __contains__(self, number: object) -> bool:
        return number in self._until

    def on_notify(self, topic: str) -> None:
        """Add the ID in a notification."""
        self.add([int(topic.removeprefix(self._topic))])

    async def publish(self, session: AsyncSession, number: int) -> None:
        """Revoke an ID in every process when the transaction commits."""
        await publish(session, f"{self._topic}{number}")


class FactVersions:
    """Versions of the facts behind access decisions, counted in notifications.

    Facts are named as by the triggers: `user:3`, `video:7`, and `all` for global changes. Beyond
    FACTS_MAX entries, everything counts as changed.
    """

    def __init__(self) -> None:
        self._now = 0
        self._all = 0
        self._changed: dict[str, int] = {}
        event_bus.subscribe_prefix(ACCESS_TOPIC, self.on_notify)
        event_bus.on_connect(self._catch_up)

    @property
    def now(self) -> int:
        """The current version, to be read before the facts of a decision."""
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
        """Return whether none of the facts changed after version `since`."""
        return self._all <= since and all(self._changed.get(fact, 0) <= since for fact in facts)

    async def _catch_up(self) -> None:
        """Treat everything as changed after a connection loss."""
        self.on_notify(f"{ACCESS_TOPIC}{EVERYTHING}")


revocations = Revocations("sign-in-ended:", RETENTION)
ended_streams = Revocations("stream-ended:", settings.play_token_lifetime)
facts = FactVersions()
