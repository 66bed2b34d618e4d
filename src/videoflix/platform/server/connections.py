"""Connection limits per process and per client, eviction of idle connections, and timeouts.

Without limits a single client can exhaust the server by opening idle connections. At the limit of
the process or a client address, a new connection evicts the one that has been idle longest; if
none is idle, the new one is refused.
"""

import asyncio
import resource
from collections.abc import Callable
from typing import Protocol

from videoflix.platform.server.client_address import is_trusted_proxy, rate_limited_network

SWEEP_SECONDS = 0.5
# File descriptors reserved for the database, storage, logs, child processes and listening sockets.
RESERVED_DESCRIPTORS = 128


class Connection(Protocol):
    """Interface of a connection towards the registry."""

    address: str

    def evict(self) -> None:
        """Close an idle connection."""

    def sweep(self, now: float) -> None:
        """Close if a timeout expired; `now` is the event loop's time in seconds."""


class Connections:
    """All connections of this process by client address; idle ones in LRU order."""

    def __init__(self, most: Callable[[], int], most_per_client: Callable[[], int]) -> None:
        self._most = most
        self._most_per_client = most_per_client
        self._by_address: dict[str, dict[Connection, None]] = {}
        self._all: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> bool:
        """Register a new, idle connection; return False if no idle one can be evicted for it."""
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
        """Protect a connection from eviction while it handles a request."""
        self._idle.pop(connection, None)

    def mark_idle(self, connection: Connection) -> None:
        """Make a connection evictable after its response is complete."""
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
    """Return the key of the per-client limit: an IPv4 address or IPv6 /64 network."""
    return rate_limited_network(peer[0]) if peer else "unknown"


def raise_descriptor_limit() -> int:
    """Raise RLIMIT_NOFILE to its hard limit; return the number available to connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return max(16, soft - RESERVED_DESCRIPTORS)
