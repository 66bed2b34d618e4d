"""A film that is uploaded later does not wait for all chunks of those before it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media.payloads import EncodeChunk
from videoflix.platform.queue import enqueue_many


async def test_chunks_of_films_take_turns(session: AsyncSession) -> None:
    for asset_id, chunks in ((1, 6), (2, 3)):
        jobs = [EncodeChunk(asset_id=asset_id, index=index) for index in range(chunks)]
        await enqueue_many(session, jobs)
    order = await session.scalars(
        text("select args ->> 'asset_id' from procrastinate_jobs order by priority desc, id")
    )
    assert "".join(order) == "121212111", "first chunks, then one of each film"
