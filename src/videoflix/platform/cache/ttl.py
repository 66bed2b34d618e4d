"""In-process caches, bounded in entries or bytes, optionally with a TTL.

Each is registered by name, so that all can be cleared; docs/caches.md lists what invalidates each.
"""

import time
from collections.abc import Callable, Hashable, Iterator
from itertools import count
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import cachetools

from videoflix.platform.postgres.notify import event_bus

# Published when rows changed without triggers (restore): every process clears its caches.
CLEAR_TOPIC = "caches:clear"

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(cachetools.LRUCache[Key, Value]):
    """An LRU cache; with `getsizeof`, `maxsize` is in bytes."""

    def __init__(
        self, name: str, maxsize: int, getsizeof: Callable[[Value], float] | None = None
    ) -> None:
        super().__init__(maxsize, getsizeof)
        _caches[name, next(_numbers)] = self


class TtlCache(cachetools.TTLCache[Key, Value, float]):
    """An LRU cache whose entries expire `ttl` seconds after they were set."""

    def __init__(self, name: str, maxsize: int, ttl: float) -> None:
        super().__init__(maxsize, ttl, timer=time.monotonic)
        _caches[name, next(_numbers)] = self


_caches: WeakValueDictionary[tuple[str, int], LruCache[Any, Any] | TtlCache[Any, Any]]
_caches = WeakValueDictionary()
_numbers = count()


def registered() -> Iterator[tuple[str, LruCache[Any, Any] | TtlCache[Any, Any]]]:
    """Yield all caches of this process with their names, which need not be unique."""
    yield from ((name, cache) for (name, _), cache in _caches.items())


def clear_all(_: str = "") -> None:
    """Clear every cache of this process."""
    for _name, cache in registered():
        cache.clear()


event_bus.subscribe_prefix(CLEAR_TOPIC, clear_all)
