"""Pub/sub between processes over Postgres LISTEN/NOTIFY, delivered on commit.

A notification carries only a topic (`video:12`); subscribers read the row. Behind a transaction
pooler LISTEN succeeds but receives nothing, so each listener tests itself with a notification sent
on another connection. While the test fails or the connection is down, subscribers are
signalled every second and poll.
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
# Together they bound how long a silently broken connection goes undetected, and thereby how long
# a revocation may take to reach this process.
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
    """Publish `topic` to all processes when the session's transaction commits."""
    await notify(session, topic)
    # Dispatch locally without waiting for the notification's round trip.
    event.listen(
        session.sync_session, "after_commit", lambda _: event_bus.dispatch(topic), once=True
    )


async def notify(session: AsyncSession, topic: str) -> None:
    """Send a notification when the session's transaction commits."""
    await session.execute(
        text("select pg_notify(:channel, :topic)"), {"channel": CHANNEL, "topic": topic}
    )


async def receives_notifications() -> bool:
    """Return whether a notification sent on one connection reaches another one."""
    topic, echo = SELF_TEST + secrets.token_hex(8), asyncio.Event()

    def on_notification(_: object, __: int, ___: str, payload: object) -> None:
        if payload == topic:
            echo.set()

    connection: Connection = await connect("videoflix-doctor", direct=True, command_timeout=5)
    try:
        await connection.add_listener(CHANNEL, on_notification)
        async with transaction() as session:
            await notify(session, topic)
        return await _set_within(echo, ECHO_SECONDS)
    finally:
        connection.terminate()


class EventBus:
    """Multiplexes one LISTEN connection of this process to any number of subscribers."""

    def __init__(self) -> None:
        self._subscribers: dict[str, set[asyncio.Event]] = {}
        self._callbacks: dict[str, Callable[[str], None]] = {}
        self._catch_up: list[Callable[[], Awaitable[None]]] = []
        self.hears = False  # whether notifications of other processes arrive
        self.deaf = False  # whether LISTEN succeeded but nothing arrives

    def subscribe_prefix(self, prefix: str, callback: Callable[[str], None]) -> None:
        """Call a function with every topic that starts with `prefix`."""
        self._callbacks[prefix] = callback

    def on_connect(self, catch_up: Callable[[], Awaitable[None]]) -> None:
        """Call a function after every (re)connect, to catch up on missed notifications."""
        self._catch_up.append(catch_up)

    def dispatch(self, topic: str) -> None:
        """Signal the subscribers of a topic."""
        for signal in self._subscribers.get(topic, ()):
            signal.set()
        for prefix, callback in self._callbacks.items():
            if topic.startswith(prefix):
                callback(topic)

    @contextmanager
    def subscribe(self, *topics: str) -> Iterator[asyncio.Event]:
        """Return an event that is set whenever one of the topics may have changed."""
        signal = asyncio.Event()
        for topic in topics:
            self._subscribers.setdefault(topic, set()).add(signal)
        try:
            yield signal
        finally:
            for topic in topics:
                events = self._subscribers[topic]
                events.discard(signal)
                if not events:
                    del self._subscribers[topic]

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Listen in the background while the block runs."""
        tasks = {
            asyncio.create_task(self._listen_forever()),
            asyncio.create_task(self._poll_while_disconnected()),
        }
        try:
            yield
        finally:
            while tasks:  # an error while closing the connection swallows the cancellation
                for task in tasks:
                    task.cancel()
                _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_SECONDS)

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen_once()
            except FAILURES as error:
                reason = str(error).partition("\n")[0] or type(error).__name__
                logger.warning("event connection lost (%s), reconnecting", reason)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await connect("videoflix-events", direct=True, command_timeout=5)
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _: closed.set())
            await connection.add_listener(CHANNEL, self._on_notification)
            await self._catch_up_all()  # notifications missed while disconnected
            while True:
                await self._self_test()
                if await _set_within(closed, SELF_TEST_SECONDS):
                    return
        finally:
            self.hears = False
            connection.terminate()  # a graceful close would wait for a frozen database

    async def _self_test(self) -> None:
        """Send a notification on another connection and check whether it arrives."""
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

    async def _poll_while_disconnected(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self.hears:
                try:
                    await self._catch_up_all()
                except FAILURES as error:
                    logger.debug("polling failed (%s)", error)

    async def _catch_up_all(self) -> None:
        self._dispatch_all()
        for catch_up in self._catch_up:
            await catch_up()

    def _on_notification(self, connection: object, pid: int, channel: str, topic: object) -> None:
        self.dispatch(str(topic))

    def _dispatch_all(self) -> None:
        for events in self._subscribers.values():
            for signal in events:
                signal.set()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


event_bus = EventBus()
