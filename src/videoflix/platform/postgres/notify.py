"""News between processes, by Postgres LISTEN/NOTIFY: told on commit, never before.

A notification carries a topic (`video:12`) and nothing else; whoever hears it reads the row.

Behind a transaction pooler LISTEN succeeds and hears nothing. So each listener tests itself: a
notification sent on another connection must arrive. While it does not, or while the connection is
down, subscribers poll: they read again every second what they would have been told.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.connect import Connection, connect
from videoflix.platform.postgres.session import transaction

CHANNEL = "videoflix_events"
RECONNECT_SECONDS = 1.0
# Together they bound how long a connection that hears nothing any more goes unnoticed, and with it
# how long a revocation may take to reach this process.
SELF_TEST_SECONDS = 3.0
ECHO_SECONDS = 2.0
POLL_SECONDS = 1.0
CANCEL_AGAIN_SECONDS = 1.0
SELF_TEST = "self-test:"
NO_NOTIFICATIONS = (
    "Notifications do not arrive: DATABASE_URL leads to a connection pooler."
    " Set DATABASE_LISTEN_URL to an address without it, or in session mode."
)

FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError)

logger = logging.getLogger(__name__)


async def publish(session: AsyncSession, topic: str) -> None:
    """Tell every process about `topic` when the session's transaction commits."""
    await notify(session, topic)
    # This process need not wait for the echo.
    event.listen(
        session.sync_session, "after_commit", lambda _: event_bus.dispatch(topic), once=True
    )


async def notify(session: AsyncSession, topic: str) -> None:
    """Send a notification when the session's transaction commits."""
    await session.execute(
        text("select pg_notify(:channel, :topic)"), {"channel": CHANNEL, "topic": topic}
    )


async def receives_notifications() -> bool:
    """Whether what one connection announces reaches another one that listens."""
    topic, echo = SELF_TEST + secrets.token_hex(8), asyncio.Event()

    def hear(_: object, __: int, ___: str, said: object) -> None:
        if said == topic:
            echo.set()

    connection: Connection = await connect("videoflix-doctor", direct=True, command_timeout=5)
    try:
        await connection.add_listener(CHANNEL, hear)
        async with transaction() as session:
            await notify(session, topic)
        return await _set_within(echo, ECHO_SECONDS)
    finally:
        connection.terminate()


class EventBus:
    """One listening connection of this process, handed on to any number of subscribers."""

    def __init__(self) -> None:
        self._subscribers: dict[str, set[asyncio.Event]] = {}
        self._ears: dict[str, Callable[[str], None]] = {}
        self._catch_up: list[Callable[[], Awaitable[None]]] = []
        self.hears = False  # whether news of other processes arrives
        self.deaf = False  # whether we listen and nothing arrives

    def subscribe_prefix(self, prefix: str, ear: Callable[[str], None]) -> None:
        """Have a function called with every topic that begins so."""
        self._ears[prefix] = ear

    def on_connect(self, catch_up: Callable[[], Awaitable[None]]) -> None:
        """Have a function called whenever listening begins: it reads what was missed."""
        self._catch_up.append(catch_up)

    def dispatch(self, topic: str) -> None:
        """Pass on that there is news about a topic."""
        for bell in self._subscribers.get(topic, ()):
            bell.set()
        for prefix, ear in self._ears.items():
            if topic.startswith(prefix):
                ear(topic)

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be news about one of the topics."""
        bell = asyncio.Event()
        for topic in topics:
            self._subscribers.setdefault(topic, set()).add(bell)
        try:
            yield bell
        finally:
            for topic in topics:
                bells = self._subscribers[topic]
                bells.discard(bell)
                if not bells:
                    del self._subscribers[topic]

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Listen in the background for as long as the block lasts."""
        tasks = {
            asyncio.create_task(self._listen_for_ever()),
            asyncio.create_task(self._poll_while_deaf_to_notifications()),
        }
        try:
            yield
        finally:
            while tasks:  # a connection that breaks while it is closed hides the cancellation
                for task in tasks:
                    task.cancel()
                _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen_once()
            except FAILURES as error:
                said = str(error).partition("\n")[0] or type(error).__name__
                logger.warning("event connection lost (%s), reconnecting", said)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await connect("videoflix-events", direct=True, command_timeout=5)
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _: closed.set())
            await connection.add_listener(CHANNEL, self._on_notification)
            await self._catch_up_all()  # what was said while nobody listened
            while True:
                await self._self_test()
                if await _set_within(closed, SELF_TEST_SECONDS):
                    return
        finally:
            self.hears = False
            connection.terminate()  # a goodbye would wait for a database that may be frozen

    async def _self_test(self) -> None:
        """Send a notification on another connection and see whether it arrives."""
        topic = SELF_TEST + secrets.token_hex(8)
        with self.subscribe(topic) as echo:
            async with transaction() as session:
                await notify(session, topic)
            hears = await _set_within(echo, ECHO_SECONDS)
        if not hears and not self.deaf:
            logger.warning(NO_NOTIFICATIONS)
        if hears and self.deaf:
            logger.warning("notifications arrive again")
            await self._catch_up_all()
        self.hears, self.deaf = hears, not hears

    async def _poll_while_deaf_to_notifications(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self.hears:
                try:
                    await self._catch_up_all()
                except FAILURES as error:
                    logger.debug("nothing to read yet (%s)", error)

    async def _catch_up_all(self) -> None:
        self._dispatch_all()
        for catch_up in self._catch_up:
            await catch_up()

    def _on_notification(self, connection: object, pid: int, channel: str, topic: object) -> None:
        self.dispatch(str(topic))

    def _dispatch_all(self) -> None:
        for bells in self._subscribers.values():
            for bell in bells:
                bell.set()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


event_bus = EventBus()
