"""Queries on videos for the title list of older backends."""

from collections.abc import AsyncGenerator
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

ROWS_AT_ONCE = 200

TITLES = text("""
select video.id, title, author, description, uploaded_by, genre, video.created_at,
       video.updated_at, featured, language, poster, duration, asset.source_key
from video left join lateral (
    select source_key from media_asset where video_id = video.id
    order by (state = 'ready') desc, id desc limit 1
) as asset on true
where deleted_at is null order by video.id
""")
IS_KNOWN = text("""
select exists (select from video where title = :title and author = :author and deleted_at is null)
""")


class TitleRepository:
    """Videos, with the columns of the title list."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def all(self) -> AsyncGenerator[list[dict[str, Any]]]:
        """Stream all videos that are not deleted, in batches."""
        found = await self.session.stream(TITLES, execution_options={"yield_per": ROWS_AT_ONCE})
        async for part in found.mappings().partitions(ROWS_AT_ONCE):
            yield [dict(row) for row in part]

    async def is_known(self, title: str, author: str) -> bool:
        known: bool = (
            await self.session.scalars(IS_KNOWN, {"title": title, "author": author})
        ).one()
        return known
