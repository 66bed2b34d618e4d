"""Distributed rate limits: token buckets in Postgres, spent from local batches of tokens.

A process acquires several tokens of a bucket (bucket.py) at once, about as many as the client used
recently, spends them locally, and returns unspent tokens after HELD_SECONDS. Therefore

- an active client costs one statement per second, and all clients of a process share statements;
- all replicas together admit exactly what the bucket holds, as tokens are acquired before they
  are spent, at most HELD_SECONDS earlier;
- while the connection pool is exhausted, each process limits on its own.
"""

import asyncio
import logging
import math
import time

import msgspec
from cachetools import LRUCache
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit.bucket import bucket_key
from videoflix.platform.rate_limit.local_buckets import LocalBuckets, RateLimit

# Seconds after which acquired tokens expire locally and are returned.
HELD_SECONDS = 1.0
# A batch takes at most 1/LARGEST_PART of a bucket, except for waiting requests.
LARGEST_PART = 10
LOCAL_BUCKETS_MAX = 50_000
REQUESTS_PER_STATEMENT = 200

# A missing bucket is full. Otherwise unspent tokens are returned first, then up to `wanted` tokens
# are taken. Rows are locked in key order to prevent deadlocks between processes.
ACQUIRE_TOKENS = text("""
with request as (
    select * from unnest(
        cast(:keys as text[]), cast(:steps as float8[]), cast(:sizes as int[]),
        cast(:wanted as int[]), cast(:unspent as int[])
    ) as request (key, step, size, wanted, unspent)
)
insert into throttle as bucket (key, full_at, granted, created_at, updated_at)
select key, clock_timestamp() + make_interval(secs => step * wanted), wanted, now(), now()
from request order by key
on conflict (key) do update set (full_at, granted, updated_at) = (
    select base.at + make_interval(secs => request.step * taken.count), taken.count, now()
    from request,
    lateral (
        select greatest(bucket.full_at - make_interval(secs => request.step * request.unspent),
                        clock_timestamp()) as at
    ) as base,
    lateral (
        select greatest(0, least(request.wanted, floor(
            request.size - extract(epoch from base.at - clock_timestamp())::float8 / request.step
        )))::int as count
    ) as taken
    where request.key = bucket.key
)
returning key, granted, extract(epoch from full_at - clock_timestamp())::float8
""")

logger = logging.getLogger(__name__)

_local_buckets = LocalBuckets(LOCAL_BUCKETS_MAX)


class RateLimitStatus(msgspec.Struct, frozen=True):
    """State of a limit: remaining requests, and seconds until the bucket is full again."""

    limit: int
    remaining: int
    reset: int


class RateLimited(Exception):
    """The bucket is empty for another `wait` seconds."""

    def __init__(self, status: RateLimitStatus, wait: float) -> None:
        super().__init__(f"empty for {wait:.1f} seconds")
        self.status = status
        self.wait = wait


class TokenRequest(msgspec.Struct, frozen=True):
    """Tokens that a process requests from a bucket, and unspent ones that it returns."""

    key: str
    quota: RateLimit
    wanted: int
    unspent: int


class LocalTokens:
    """Tokens of one bucket held by this process; times are on the clock of time.monotonic()."""

    def __init__(self, key: str, quota: RateLimit) -> None:
        self.key = key
        self.quota = quota
        self.future: asyncio.Future[None] | None = None
        self.waiting = 0
        self._left = 0
        self._spent = 0
        self._held_until = 0.0
        self._empty_until = 0.0
        self._full_at = 0.0

    def acquire(self, now: float) -> bool:
        """Spend a held token, if any. Raises RateLimited while the bucket is known to be empty."""
        if self._left and now < self._held_until:
            self._left -= 1
            self._spent += 1
            return True
        if now < self._empty_until:
            raise RateLimited(self.status(now), self._empty_until - now)
        return False

    def next_request(self) -> TokenRequest:
        """Build the next request for tokens, adapting the batch size.

        Twice the last batch if it was used up, otherwise as much as was spent; at least one token
        per waiting request, and only a part of a bucket that is nearly empty.
        """
        wanted = self._spent if self._left else self._spent * 2
        wanted = min(wanted, self._in_bucket(time.monotonic()) // LARGEST_PART)
        wanted = min(max(wanted, self.waiting), self.quota.size) if self.waiting else 0
        unspent, self._left, self._spent = self._left, 0, 0
        return TokenRequest(self.key, self.quota, wanted, unspent)

    def grant(self, count: int, full_in: float, *, is_enough: bool) -> None:
        """Store granted tokens; the bucket is empty unless `is_enough`."""
        now = time.monotonic()
        self._left, self._held_until = count, now + HELD_SECONDS
        self._full_at = now + full_in
        if not is_enough:
            self._empty_until = self._full_at - self.quota.step * (self.quota.size - 1)

    def is_expired(self) -> bool:
        """Whether held tokens have expired."""
        return self._left > 0 and time.monotonic() >= self._held_until

    def status(self, now: float) -> RateLimitStatus:
        remaining = min(self.quota.size, self._in_bucket(now) + self._left)
        return RateLimitStatus(self.quota.size, remaining, math.ceil(max(0.0, self._full_at - now)))

    def _in_bucket(self, now: float) -> int:
        full_in = max(0.0, self._full_at - now)
        return max(0, math.floor(self.quota.size - full_in / self.quota.step))


class BatchedLimiter:
    """The token batches of this process, by limit and client."""

    def __init__(self) -> None:
        self._known: LRUCache[tuple[str, str], LocalTokens] = LRUCache(LOCAL_BUCKETS_MAX)
        self._pending: dict[str, LocalTokens] = {}
        self._refill_task: asyncio.Task[None] | None = None

    async def acquire(self, quota: RateLimit, who: str) -> RateLimitStatus:
        """Acquire a token for a request of client `who`. Raises RateLimited.

        Fails open while the database is unavailable.
        """
        tokens = self._known.get((quota.name, who)) or self._tokens_for(quota, who)
        while not tokens.acquire(time.monotonic()):
            await self._request(tokens)
        return tokens.status(time.monotonic())

    def _tokens_for(self, quota: RateLimit, who: str) -> LocalTokens:
        tokens = LocalTokens(bucket_key("quota", quota.name, who), quota)
        self._known[quota.name, who] = tokens
        return tokens

    async def _request(self, tokens: LocalTokens) -> None:
        """Wait for the next refill; concurrent requests share it."""
        tokens.waiting += 1
        try:
            await asyncio.shield(self._refill_of(tokens))
        finally:
            tokens.waiting -= 1

    def _refill_of(self, tokens: LocalTokens) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        if tokens.future is None:
            tokens.future = loop.create_future()
            self._pending[tokens.key] = tokens
            if self._refill_task is None or self._refill_task.done():
                self._refill_task = loop.create_task(self._refill())
        return tokens.future

    async def _refill(self) -> None:
        """Send pending requests in batches of one statement each until none is left."""
        while self._pending:
            await asyncio.sleep(0)  # collect requests of the same event-loop iteration
            buckets = [
                self._pending.pop(key) for key in list(self._pending)[:REQUESTS_PER_STATEMENT]
            ]
            requests = [tokens.next_request() for tokens in buckets]
            granted = await _granted(requests)
            for tokens, request in zip(buckets, requests, strict=True):
                count, full_in = granted[request.key]
                tokens.grant(count, full_in, is_enough=count > 0 or request.wanted == 0)
                if count > 1:
                    asyncio.get_running_loop().call_later(
                        HELD_SECONDS, self._return_unspent, tokens
                    )
                future, tokens.future = tokens.future, None
                if future is not None:
                    future.set_result(None)

    def _return_unspent(self, tokens: LocalTokens) -> None:
        """Return expired tokens to the bucket."""
        if tokens.is_expired():
            self._refill_of(tokens)


async def _granted(requests: list[TokenRequest]) -> dict[str, tuple[int, float]]:
    """Return the granted tokens, and the seconds until the bucket is full, by key."""
    values = {
        "keys": [request.key for request in requests],
        "steps": [request.quota.step for request in requests],
        "sizes": [request.quota.size for request in requests],
        "wanted": [request.wanted for request in requests],
        "unspent": [request.unspent for request in requests],
    }
    try:
        async with transaction() as session:
            rows = (await session.execute(ACQUIRE_TOKENS, values)).all()
    except PoolTimeoutError:  # overloaded: do not fail open
        logger.warning("connection pool exhausted: rate limits apply per process")
        return {
            request.key: (
                _local_buckets.acquire(request.key, request.quota, request.wanted),
                _local_buckets.full_in(request.key),
            )
            for request in requests
        }
    except Exception as error:  # fail open
        logger.warning("rate limits are not enforced: %s", error)
        return {request.key: (max(request.wanted, 1), 0.0) for request in requests}
    return {row[0]: (row[1], row[2]) for row in rows}
