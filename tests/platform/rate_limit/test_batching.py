"""What several processes spend together stays within the bucket, however they ask."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from queue_helpers import execute, rows
from videoflix.platform.postgres.session import alchemy
from videoflix.platform.rate_limit import batching as module
from videoflix.platform.rate_limit.batching import (
    HELD_SECONDS,
    BatchedLimiter,
    RateLimited,
    RateLimitStatus,
)
from videoflix.platform.rate_limit.local_buckets import RateLimit
from videoflix.settings import settings

TWENTY = RateLimit("test", size=20, step=60.0)
pytestmark = pytest.mark.usefixtures("committed")


async def admitted(replicas: list[BatchedLimiter], each: int, who: str = "ada") -> int:
    """How many of so many requests at every replica, all at once, are let through."""
    outcomes = await asyncio.gather(
        *[replica.acquire(TWENTY, who) for _ in range(each) for replica in replicas],
        return_exceptions=True,
    )
    assert all(isinstance(outcome, RateLimitStatus | RateLimited) for outcome in outcomes), outcomes
    return sum(isinstance(outcome, RateLimitStatus) for outcome in outcomes)


async def test_replicas_share_a_bucket() -> None:
    replicas = [BatchedLimiter() for _ in range(4)]
    assert await admitted(replicas, 15) == 20
    assert await admitted(replicas, 5) == 0
    assert await admitted(replicas, 2, "bob") == 8, "somebody else's bucket"


async def test_one_after_the_other_counts_alike() -> None:
    replicas = [BatchedLimiter(), BatchedLimiter()]
    standings = []
    for number in range(20):
        standings.append(await replicas[number % 2].acquire(TWENTY, "ada"))
    assert standings[0] == RateLimitStatus(limit=20, remaining=19, reset=60)
    assert standings[-1].remaining == 0
    for replica in replicas:
        with pytest.raises(RateLimited) as refused:
            await replica.acquire(TWENTY, "ada")
        assert 50 < refused.value.wait <= 60


async def test_busy_people_cost_few_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = module._granted

    async def counting(asks: list[module.TokenRequest]) -> dict[str, tuple[int, float]]:
        asked.append(asks)
        return await real(asks)

    monkeypatch.setattr(module, "_granted", counting)
    replica, many = BatchedLimiter(), RateLimit("many", size=1_000, step=1.0)
    for _ in range(500):
        await replica.acquire(many, "ada")
    assert len(asked) < 15
    asked.clear()
    await asyncio.gather(*[replica.acquire(many, f"person {n}") for n in range(100)])
    assert len(asked) <= 2, "they ask together"


async def test_what_is_not_spent_goes_back() -> None:
    replica, other = BatchedLimiter(), BatchedLimiter()
    hundred = RateLimit("hundred", size=100, step=60.0)
    for _ in range(8):  # takes 1, 2, 4, 8: seven of the last are left
        await replica.acquire(hundred, "ada")
    assert (await rows("select granted from throttle"))[0]["granted"] == 8
    await asyncio.sleep(HELD_SECONDS + 0.3)
    assert (await other.acquire(hundred, "ada")).remaining == 91


async def test_bucket_fills_again_and_is_never_fuller_than_full() -> None:
    replica = BatchedLimiter()
    assert await admitted([replica], 30) == 20
    await execute("update throttle set full_at = full_at - interval '61 seconds'")
    assert await admitted([BatchedLimiter()], 3) == 1
    await execute("update throttle set full_at = full_at - interval '1 day'")
    assert await admitted([BatchedLimiter()], 30) == 20


async def test_nobody_is_refused_while_the_database_is_away() -> None:
    nowhere = create_async_engine(settings.sqlalchemy_url + "&port=1")
    alchemy.session_maker = async_sessionmaker(nowhere)
    try:
        assert await admitted([BatchedLimiter()], 30) == 30
    finally:
        alchemy.session_maker = None
        await nowhere.dispose()


async def test_an_empty_pool_lets_no_more_through_than_the_bucket_holds() -> None:
    engine = create_async_engine(
        settings.sqlalchemy_url, pool_size=1, max_overflow=0, pool_timeout=0.2
    )
    async with engine.connect():
        alchemy.session_maker = async_sessionmaker(engine)
        try:
            assert await admitted([BatchedLimiter()], 30) == 20
        finally:
            alchemy.session_maker = None
    await engine.dispose()


async def test_who_leaves_does_not_take_others_along() -> None:
    replica = BatchedLimiter()
    leaving = asyncio.create_task(replica.acquire(TWENTY, "ada"))
    staying = asyncio.create_task(replica.acquire(TWENTY, "ada"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).limit == 20
