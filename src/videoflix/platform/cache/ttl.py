"""Caches of this process: bounded in entries or bytes, some with a time to live.

Each registers under a name, so that all can be cleared; docs/caches.md says what invalidates each.
"""

import time
from collections.abc import Callable, Hashable, Iterator
from itertools import count
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import cachetools

from videoflix.platform.postgres.notify import event_bus

# Announced when rows changed behind the triggers' back: every process clears its caches.
CLEAR_TOPIC = "caches:clear"

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(cachetools.LRUCache[Key, Value]):
    """Evicts the least recently used entries; `getsizeof` makes `maxsize` a number of bytes."""

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
    """All caches of this process by name; several may have the same one."""
    yield from ((name, cache) for (name, _), cache in _caches.items())


def clear_all(_: str = "") -> None:
    """Clear every cache of this process."""
    for _name, cache in registered():
        cache.clear()


event_bus.subscribe_prefix(CLEAR_TOPIC, clear_all)
