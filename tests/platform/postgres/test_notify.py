"""News between processes: told on commit, and only then."""

import asyncio

import pytest

from videoflix.platform.postgres.notify import EventBus, publish
from videoflix.platform.postgres.session import transaction


async def heard(bell: asyncio.Event, seconds: float = 3.0) -> bool:
    try:
        await asyncio.wait_for(bell.wait(), seconds)
    except TimeoutError:
        return False
    bell.clear()
    return True


async def test_news_arrive_after_the_commit(committed: None) -> None:
    room = EventBus()
    with room.subscribe("video:1") as one, room.subscribe("video:2") as two:
        async with room.listening():
            assert await heard(one), "whoever subscribed before the connection reads once"
            assert await heard(two)
            async with transaction() as session:
                await publish(session, "video:1")
                assert not await heard(one, 0.2)
            assert await heard(one)
            assert not await heard(two, 0.1)


async def test_nothing_is_told_when_the_transaction_fails(committed: None) -> None:
    async def announce_and_fail() -> None:
        async with transaction() as session:
            await publish(session, "video:1")
            raise ZeroDivisionError

    room = EventBus()
    with room.subscribe("video:1") as bell:
        async with room.listening():
            assert await heard(bell)
            with pytest.raises(ZeroDivisionError):
                await announce_and_fail()
            assert not await heard(bell, 0.3)
