"""Chunks and their progress."""

from datetime import datetime
from typing import NamedTuple

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import func, select, update

from videoflix.media.models import Chunk


class Work(NamedTuple):
    """Frames: all of them, those that are encoded, and those of chunks that progressed recently."""

    total: int
    encoded: int
    recent: int
    begun_at: datetime


class ChunkRepository(SQLAlchemyAsyncRepository[Chunk]):
    """Chunks and their progress."""

    model_type = Chunk

    async def is_done(self, asset_id: int, index: int) -> bool:
        found = await self.get_one_or_none(asset_id=asset_id, index=index)
        return found is None or found.done

    async def report(self, asset_id: int, index: int, frames: int) -> None:
        """Store how many frames the running attempt has encoded."""
        await self.session.execute(
            update(Chunk)
            .where(Chunk.asset_id == asset_id, Chunk.index == index, Chunk.done.is_(False))
            .values(encoded_frames=frames)
        )

    async def complete(self, asset_id: int, index: int) -> bool:
        """Mark a chunk as done; False if another attempt already did."""
        marked = await self.session.scalar(
            update(Chunk)
            .where(Chunk.asset_id == asset_id, Chunk.index == index, Chunk.done.is_(False))
            .values(done=True, encoded_frames=Chunk.frame_count)
            .returning(Chunk.id)
        )
        return marked is not None

    async def share_encoded(self, asset_id: int) -> float:
        """Share of the asset's frames that are encoded, 0 to 1."""
        share = await self.session.scalar(
            select(
                func.sum(Chunk.encoded_frames) * 1.0 / func.nullif(func.sum(Chunk.frame_count), 0)
            ).where(Chunk.asset_id == asset_id)
        )
        return float(share or 0)

    async def progress_since(self, asset_id: int, since: datetime) -> Work | None:
        """How far the chunks are, and what of them progressed since then; None without chunks."""
        recent = func.sum(Chunk.encoded_frames).filter(Chunk.updated_at > since)
        row = (
            await self.session.execute(
                select(
                    func.sum(Chunk.frame_count),
                    func.sum(Chunk.encoded_frames),
                    func.coalesce(recent, 0),
                    func.min(Chunk.created_at),
                ).where(Chunk.asset_id == asset_id)
            )
        ).one()
        return Work(*row) if row[0] else None

    async def indexes(self, asset_id: int) -> list[int]:
        """The numbers of all chunks."""
        return list(
            await self.session.scalars(select(Chunk.index).where(Chunk.asset_id == asset_id))
        )

    async def waiting(self, asset_id: int) -> int:
        """Count the chunks that are not done."""
        return await self.count(Chunk.asset_id == asset_id, Chunk.done.is_(False))
