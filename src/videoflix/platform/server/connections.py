"""Open connections of this process: limits on their number, eviction of idle ones, deadlines.

A server that keeps every socket can be filled by one machine that opens some hundreds and says
nothing. When the process, or one client address, holds as many connections as it may, a new one
evicts the one that has been idle longest. Only when none is idle the new one is turned away.
"""

import asyncio
import resource
from collections.abc import Callable
from typing import Protocol

from videoflix.platform.server.client_address import is_trusted_proxy, rate_limited_network

SWEEP_SECONDS = 0.5
# File descriptors that are no connections: database, storage, logs, child processes, the listener.
RESERVED_DESCRIPTORS = 128


class Connection(Protocol):
    """What the registry needs to know of a connection."""

    address: str

    def evict(self) -> None:
        """Close; nobody waits for an answer."""

    def sweep(self, now: float) -> None:
        """Close if a deadline has passed; `now` is the event loop's clock."""


class Connections:
    """All connections of this process, by client address; the idle ones in order of idling."""

    def __init__(self, most: Callable[[], int], most_per_client: Callable[[], int]) -> None:
        self._most = most
        self._most_per_client = most_per_client
        self._by_address: dict[str, dict[Connection, None]] = {}
        self._all: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> bool:
        """Take a new, idle connection in; False when there is no room, not even by eviction."""
        address = connection.address
        own = self._by_address.get(address, {})
        if not is_trusted_proxy(address) and len(own) >= self._most_per_client():
            idle = next((one for one in own if one in self._idle), None)
            if idle is None:
                return False
            self._evict(idle)
        if len(self._all) >= self._most():
            if not self._idle:
                return False
            self._evict(next(iter(self._idle)))
        self._all.add(connection)
        self._by_address.setdefault(address, {})[connection] = None
        self._idle[connection] = None
        self._schedule()
        return True

    def discard(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._idle.pop(connection, None)
        own = self._by_address.get(connection.address)
        if own is not None:
            own.pop(connection, None)
            if not own:
                del self._by_address[connection.address]

    def mark_busy(self, connection: Connection) -> None:
        """A request arrived: the connection may not be evicted."""
        self._idle.pop(connection, None)

    def mark_idle(self, connection: Connection) -> None:
        """The response is complete: first in, first out among the idle ones."""
        if connection in self._all:
            self._idle[connection] = None

    def _evict(self, connection: Connection) -> None:
        self.discard(connection)
        connection.evict()

    def _schedule(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        self._sweeper = None
        for connection in list(self._all):
            connection.sweep(now)
        if self._all:
            self._schedule()


def client_key(peer: tuple[str, int] | None) -> str:
    """Whom a connection counts for: an IPv4 address, or an IPv6 /64 network."""
    return rate_limited_network(peer[0]) if peer else "unknown"


def raise_descriptor_limit() -> int:
    """Raise RLIMIT_NOFILE to what is allowed; how many of it connections may use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return max(16, soft - RESERVED_DESCRIPTORS)
