"""Chunks that a player is about to reach are encoded before other films."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from queue_helpers import execute, rows
from videoflix.media.payloads import REST, WATCHED, EncodeChunk
from videoflix.platform.queue import enqueue_many
from videoflix.playback.service.playheads import Playheads

PRIORITIES = """
select (args ->> 'index')::int as index from procrastinate_jobs
where priority = :priority and args ->> 'asset_id' = '7' order by 1
"""


@pytest.fixture
async def growing(session: AsyncSession) -> None:
    """Two films of which the first chunks are done; everything else waits."""
    for asset_id in (6, 7):
        chunks = [EncodeChunk(asset_id=asset_id, index=index) for index in range(10, 60)]
        await enqueue_many(session, chunks)
    await session.commit()


async def raised() -> list[int]:
    return [row["index"] for row in await rows(PRIORITIES, priority=WATCHED)]


async def test_a_player_near_the_end_of_what_is_encoded_comes_first(growing: None) -> None:
    playheads = Playheads()
    await playheads.reached(7, 20)
    assert await raised() == [10, 11, 12, 13]
    await playheads.reached(7, 21)
    assert len(await raised()) == 4, "at most one statement in some seconds"
    await execute("delete from procrastinate_jobs where priority = :watched", watched=WATCHED)
    await Playheads().reached(7, 24)
    assert await raised() == [14, 15, 16]


async def test_a_player_far_from_it_changes_nothing(growing: None) -> None:
    await Playheads().reached(7, 3)
    assert await raised() == []
    found = await rows("select max(priority) as highest from procrastinate_jobs")
    assert found == [{"highest": REST}]
