"""Limits hold for all replicas and under any race."""

import asyncio

import pytest

from queue_helpers import execute, rows
from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit.bucket import AttemptLimit, SweepBuckets, TooManyAttempts, sweep

FIVE = AttemptLimit("test", burst=5, seconds=60)


async def tries(count: int, *who: str) -> int:
    """How many of so many simultaneous tries are let through."""
    outcomes = await asyncio.gather(
        *[FIVE.acquire(*who) for _ in range(count)], return_exceptions=True
    )
    assert all(outcome is None or isinstance(outcome, TooManyAttempts) for outcome in outcomes)
    return outcomes.count(None)


async def test_twenty_racing_tries_admit_the_burst(committed: None) -> None:
    assert await tries(20, "a") == 5
    assert await tries(3, "b") == 3, "somebody else's bucket"


async def test_tries_come_back_one_by_one(committed: None) -> None:
    assert await tries(5, "a") == 5
    with pytest.raises(TooManyAttempts) as refused:
        await FIVE.acquire("a")
    assert 58 <= int(refused.value.response_headers()["Retry-After"]) <= 60
    await execute("update throttle set full_at = full_at - interval '61 seconds'")
    assert await tries(3, "a") == 1
    await execute("update throttle set full_at = full_at - interval '1 day'")
    assert await tries(20, "a") == 5, "never more than the burst"


async def test_forgiven_bucket_is_full(committed: None) -> None:
    assert await tries(5, "a") == 5
    async with transaction() as session:
        await FIVE.reset(session, "a")
    assert await tries(20, "a") == 5


async def test_who_tried_is_not_readable_and_soon_forgotten(committed: None) -> None:
    await FIVE.acquire("ada@example.org")
    [row] = await rows("select key from throttle")
    assert "ada" not in row["key"]
    await sweep(SweepBuckets())
    assert len(await rows("select key from throttle")) == 1
    await execute("update throttle set full_at = now() - interval '1 second'")
    await sweep(SweepBuckets())
    assert await rows("select key from throttle") == []
