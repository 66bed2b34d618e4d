"""How often somebody may ask: counted in Postgres for all replicas, spent in each process.

A quota's bucket (bucket.py) holds as many requests as its rate names, and gets them back evenly.
A process takes several at once, about as many as it answered for the same person lately, spends
them without asking again, and gives back what it has not spent within a second. So

- a busy person costs a statement a second, and all people of a process share one statement;
- all replicas together let through what the bucket holds, and no request more than one process
  would: what is spent was taken before, at most HELD_SECONDS ago;
- while no connection is free each process counts by itself.
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

# How long a request that was taken may wait to be spent.
HELD_SECONDS = 1.0
# A process takes at most this part of what is in a bucket, except for requests that wait.
LARGEST_PART = 10
LOCAL_BUCKETS_MAX = 50_000
REQUESTS_PER_STATEMENT = 200

# A bucket that was never used is full. Else what came back unspent is put in first, then as much
# as there is of what is wanted is taken out. In the order of the keys, or two processes that ask
# for the same two people could wait for each other.
TAKE = text("""
with ask as (
    select * from unnest(
        cast(:keys as text[]), cast(:steps as float8[]), cast(:sizes as int[]),
        cast(:wanted as int[]), cast(:unspent as int[])
    ) as ask (key, step, size, wanted, unspent)
)
insert into throttle as bucket (key, full_at, granted, created_at, updated_at)
select key, clock_timestamp() + make_interval(secs => step * wanted), wanted, now(), now()
from ask order by key
on conflict (key) do update set (full_at, granted, updated_at) = (
    select base.at + make_interval(secs => ask.step * taken.number), taken.number, now()
    from ask,
    lateral (
        select greatest(bucket.full_at - make_interval(secs => ask.step * ask.unspent),
                        clock_timestamp()) as at
    ) as base,
    lateral (
        select greatest(0, least(ask.wanted, floor(
            ask.size - extract(epoch from base.at - clock_timestamp())::float8 / ask.step
        )))::int as number
    ) as taken
    where ask.key = bucket.key
)
returning key, granted, extract(epoch from full_at - clock_timestamp())::float8
""")

logger = logging.getLogger(__name__)

_alone = LocalBuckets(LOCAL_BUCKETS_MAX)


class RateLimitStatus(msgspec.Struct, frozen=True):
    """How somebody stands: requests left now, and seconds until the bucket is full again."""

    limit: int
    remaining: int
    reset: int


class RateLimited(Exception):
    """The bucket is empty for another `wait` seconds."""

    def __init__(self, standing: RateLimitStatus, wait: float) -> None:
        super().__init__(f"empty for {wait:.1f} seconds")
        self.status = standing
        self.wait = wait


class TokenRequest(msgspec.Struct, frozen=True):
    """What a process wants of a bucket, and what it gives back."""

    key: str
    quota: RateLimit
    wanted: int
    unspent: int


class LocalTokens:
    """What this process holds of one bucket; times are time.monotonic()."""

    def __init__(self, key: str, quota: RateLimit) -> None:
        self.key = key
        self.quota = quota
        self.answer: asyncio.Future[None] | None = None
        self.waiting = 0
        self._left = 0
        self._spent = 0
        self._held_until = 0.0
        self._empty_until = 0.0
        self._full_at = 0.0

    def acquire(self, now: float) -> bool:
        """Spend one request, if one is held. Raises Exhausted when the bucket is known as empty."""
        if self._left and now < self._held_until:
            self._left -= 1
            self._spent += 1
            return True
        if now < self._empty_until:
            raise RateLimited(self.status(now), self._empty_until - now)
        return False

    def next_request(self) -> TokenRequest:
        """Double what was spent to the last, else as much as was spent; enough for all who wait.

        Little of a bucket that is nearly empty: others may need the rest.
        """
        wanted = self._spent if self._left else self._spent * 2
        wanted = min(wanted, self._in_bucket(time.monotonic()) // LARGEST_PART)
        wanted = min(max(wanted, self.waiting), self.quota.size) if self.waiting else 0
        unspent, self._left, self._spent = self._left, 0, 0
        return TokenRequest(self.key, self.quota, wanted, unspent)

    def grant(self, number: int, full_in: float, *, is_enough: bool) -> None:
        """Hold so many; the bucket is empty unless that `is_enough`."""
        now = time.monotonic()
        self._left, self._held_until = number, now + HELD_SECONDS
        self._full_at = now + full_in
        if not is_enough:
            self._empty_until = self._full_at - self.quota.step * (self.quota.size - 1)

    def is_expired(self) -> bool:
        """Whether something is held that may not be spent any more."""
        return self._left > 0 and time.monotonic() >= self._held_until

    def status(self, now: float) -> RateLimitStatus:
        remaining = min(self.quota.size, self._in_bucket(now) + self._left)
        return RateLimitStatus(self.quota.size, remaining, math.ceil(max(0.0, self._full_at - now)))

    def _in_bucket(self, now: float) -> int:
        full_in = max(0.0, self._full_at - now)
        return max(0, math.floor(self.quota.size - full_in / self.quota.step))


class BatchedLimiter:
    """What this process holds of everybody's buckets."""

    def __init__(self) -> None:
        self._known: LRUCache[tuple[str, str], LocalTokens] = LRUCache(LOCAL_BUCKETS_MAX)
        self._asking: dict[str, LocalTokens] = {}
        self._teller: asyncio.Task[None] | None = None

    async def acquire(self, quota: RateLimit, who: str) -> RateLimitStatus:
        """Let somebody ask once. Raises Exhausted.

        While the database is away everybody may: there is little to get.
        """
        allowance = self._known.get((quota.name, who)) or self._tokens_for(quota, who)
        while not allowance.acquire(time.monotonic()):
            await self._request(allowance)
        return allowance.status(time.monotonic())

    def _tokens_for(self, quota: RateLimit, who: str) -> LocalTokens:
        allowance = LocalTokens(bucket_key("quota", quota.name, who), quota)
        self._known[quota.name, who] = allowance
        return allowance

    async def _request(self, allowance: LocalTokens) -> None:
        """Wait until the bucket has answered; whoever comes meanwhile waits for the same answer."""
        allowance.waiting += 1
        try:
            await asyncio.shield(self._answer_for(allowance))
        finally:
            allowance.waiting -= 1

    def _answer_for(self, allowance: LocalTokens) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        if allowance.answer is None:
            allowance.answer = loop.create_future()
            self._asking[allowance.key] = allowance
            if self._teller is None or self._teller.done():
                self._teller = loop.create_task(self._refill())
        return allowance.answer

    async def _refill(self) -> None:
        """Put all questions that came up in one statement, until there are none."""
        while self._asking:
            await asyncio.sleep(0)  # let those who came with the same read ask along
            asked = [self._asking.pop(key) for key in list(self._asking)[:REQUESTS_PER_STATEMENT]]
            asks = [allowance.next_request() for allowance in asked]
            granted = await _granted(asks)
            for allowance, ask in zip(asked, asks, strict=True):
                number, full_in = granted[ask.key]
                allowance.grant(number, full_in, is_enough=number > 0 or ask.wanted == 0)
                if number > 1:
                    asyncio.get_running_loop().call_later(HELD_SECONDS, self._give_back, allowance)
                answer, allowance.answer = allowance.answer, None
                if answer is not None:
                    answer.set_result(None)

    def _give_back(self, allowance: LocalTokens) -> None:
        """Give back what nobody came for."""
        if allowance.is_expired():
            self._answer_for(allowance)


async def _granted(asks: list[TokenRequest]) -> dict[str, tuple[int, float]]:
    """By key: how many were taken out, and in how many seconds the bucket will be full."""
    values = {
        "keys": [ask.key for ask in asks],
        "steps": [ask.quota.step for ask in asks],
        "sizes": [ask.quota.size for ask in asks],
        "wanted": [ask.wanted for ask in asks],
        "unspent": [ask.unspent for ask in asks],
    }
    try:
        async with transaction() as session:
            rows = (await session.execute(TAKE, values)).all()
    except PoolTimeoutError:  # overload is no reason to let more through
        logger.warning("no connection is free: requests are counted by this process alone")
        return {
            ask.key: (_alone.acquire(ask.key, ask.quota, ask.wanted), _alone.full_in(ask.key))
            for ask in asks
        }
    except Exception as error:  # people wait for the answer, whatever went wrong
        logger.warning("requests are not counted: %s", error)
        return {ask.key: (max(ask.wanted, 1), 0.0) for ask in asks}
    return {row[0]: (row[1], row[2]) for row in rows}
