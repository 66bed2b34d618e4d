"""News between processes, by Postgres LISTEN/NOTIFY: told on commit, never before.

A notification carries a topic (`video:12`) and nothing else; whoever hears it reads the row.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.settings import settings

CHANNEL = "videoflix_events"
RECONNECT_SECONDS = 1.0
KEEPALIVE_SECONDS = 15.0

FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError)

logger = logging.getLogger(__name__)


async def announce(session: AsyncSession, topic: str) -> None:
    """Tell every process about `topic` when the session's transaction commits."""
    await session.execute(
        text("select pg_notify(:channel, :topic)"), {"channel": CHANNEL, "topic": topic}
    )
    # This process need not wait for the echo.
    event.listen(session.sync_session, "after_commit", lambda _: newsroom.ring(topic), once=True)


class Newsroom:
    """One listening connection of this process, handed on to any number of subscribers."""

    def __init__(self) -> None:
        self._subscribers: dict[str, set[asyncio.Event]] = {}
        self._ears: dict[str, Callable[[str], None]] = {}
        self._catch_up: list[Callable[[], Awaitable[None]]] = []
        self.hears = False  # whether news of other processes arrives

    def pass_on(self, prefix: str, ear: Callable[[str], None]) -> None:
        """Have a function called with every topic that begins so."""
        self._ears[prefix] = ear

    def on_connect(self, catch_up: Callable[[], Awaitable[None]]) -> None:
        """Have a function called whenever listening begins: it reads what was missed."""
        self._catch_up.append(catch_up)

    def ring(self, topic: str) -> None:
        """Pass on that there is news about a topic."""
        for bell in self._subscribers.get(topic, ()):
            bell.set()
        for prefix, ear in self._ears.items():
            if topic.startswith(prefix):
                ear(topic)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be news about the topic."""
        bell = asyncio.Event()
        self._subscribers.setdefault(topic, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._subscribers[topic]
            bells.discard(bell)
            if not bells:
                del self._subscribers[topic]

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Listen in the background for as long as the block lasts."""
        task = asyncio.create_task(self._listen_for_ever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen_once()
            except FAILURES as error:
                logger.warning("event connection lost (%s), reconnecting", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(settings.database_dsn, timeout=5)
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _: closed.set())
            await connection.add_listener(CHANNEL, self._hear)
            self._ring_all()  # what was said while nobody listened
            for catch_up in self._catch_up:
                await catch_up()
            self.hears = True
            while not await _set_within(closed, KEEPALIVE_SECONDS):
                await connection.execute("select 1", timeout=5)
        finally:
            self.hears = False
            await connection.close(timeout=2)

    def _hear(self, connection: object, pid: int, channel: str, topic: object) -> None:
        self.ring(str(topic))

    def _ring_all(self) -> None:
        for bells in self._subscribers.values():
            for bell in bells:
                bell.set()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


newsroom = Newsroom()
