"""Token buckets in memory: for this process alone, without a query, and bounded in number."""

import math
import time

import msgspec
from cachetools import LRUCache


class RateLimit(msgspec.Struct, frozen=True):
    """A bucket that holds `size` requests and gets one back every `step` seconds."""

    name: str
    size: int
    step: float


class LocalBuckets:
    """Buckets by key; the one that was used least recently is forgotten (LRU)."""

    def __init__(self, most: int) -> None:
        self._full_at: LRUCache[str, float] = LRUCache(most)  # of time.monotonic()

    def acquire(self, key: str, quota: RateLimit, wanted: int = 1) -> int:
        """Take as much as there is of what is wanted; how much that was."""
        now = time.monotonic()
        base = max(self._full_at.get(key, 0.0), now)
        held = math.floor(quota.size - (base - now) / quota.step)
        taken = max(0, min(wanted, held))
        self._full_at[key] = base + taken * quota.step
        return taken

    def give_back(self, key: str, quota: RateLimit) -> None:
        """Undo one `take`."""
        if key in self._full_at:
            self._full_at[key] -= quota.step

    def wait(self, key: str, quota: RateLimit) -> float:
        """In how many seconds the next request may be taken; 0 when one may be now."""
        full_in = self._full_at.get(key, 0.0) - time.monotonic()
        return max(0.0, full_in - quota.step * (quota.size - 1))

    def full_in(self, key: str) -> float:
        """In how many seconds the bucket is full."""
        return max(0.0, self._full_at.get(key, 0.0) - time.monotonic())
