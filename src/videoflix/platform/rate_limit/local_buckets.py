"""Token buckets in memory, per process and bounded in number."""

import math
import time

import msgspec
from cachetools import LRUCache


class RateLimit(msgspec.Struct, frozen=True):
    """A bucket of `size` tokens, refilled by one every `step` seconds."""

    name: str
    size: int
    step: float


class LocalBuckets:
    """Buckets by key, with LRU eviction."""

    def __init__(self, most: int) -> None:
        self._full_at: LRUCache[str, float] = LRUCache(most)  # on the clock of time.monotonic()

    def acquire(self, key: str, quota: RateLimit, wanted: int = 1) -> int:
        """Take up to `wanted` tokens; return how many were taken."""
        now = time.monotonic()
        base = max(self._full_at.get(key, 0.0), now)
        held = math.floor(quota.size - (base - now) / quota.step)
        taken = max(0, min(wanted, held))
        self._full_at[key] = base + taken * quota.step
        return taken

    def give_back(self, key: str, quota: RateLimit) -> None:
        """Return one token."""
        if key in self._full_at:
            self._full_at[key] -= quota.step

    def wait(self, key: str, quota: RateLimit) -> float:
        """Return the seconds until a token is available, 0 if one is now."""
        full_in = self._full_at.get(key, 0.0) - time.monotonic()
        return max(0.0, full_in - quota.step * (quota.size - 1))

    def full_in(self, key: str) -> float:
        """Return the seconds until the bucket is full."""
        return max(0.0, self._full_at.get(key, 0.0) - time.monotonic())
