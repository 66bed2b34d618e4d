"""Renditions and their files."""

from collections.abc import Sequence

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import LargeBinary, delete, exists, func, or_, select, type_coerce, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media.models import Asset, AssetState, Chunk, Rendition, RenditionFile, TrackKind
from videoflix.media.segment_index import RECORD


class RenditionRepository(SQLAlchemyAsyncRepository[Rendition]):
    """Renditions and their files."""

    model_type = Rendition

    def __init__(self, *, session: AsyncSession) -> None:
        super().__init__(session=session)

    async def of_asset(self, asset_id: int) -> dict[str, Rendition]:
        found = await self.get_many(Rendition.asset_id == asset_id)
        return {rendition.name: rendition for rendition in found}

    async def add_files(self, parts: list[RenditionFile]) -> bool:
        """Insert finished files; False if another attempt already did."""
        rows = [
            {
                "rendition_id": part.rendition_id,
                "chunk_index": part.chunk_index,
                "key": part.key,
                "codec": part.codec,
                "timescale": part.timescale,
                "init_length": part.init_length,
                "init_sha256": part.init_sha256,
                "segments": part.segments,
                "sha256": part.sha256,
                "start_ticks": part.start_ticks,
                "file_bytes": part.file_bytes,
                "key_frames": part.key_frames,
            }
            for part in parts
        ]
        inserted = await self.session.scalars(
            insert(RenditionFile).values(rows).on_conflict_do_nothing().returning(RenditionFile.id)
        )
        return len(list(inserted)) == len(parts)

    async def with_files(self, asset_id: int) -> list[tuple[Rendition, RenditionFile]]:
        """Renditions with their files, ordered by chunk."""
        rows = await self.session.execute(
            select(Rendition, RenditionFile)
            .join(RenditionFile, RenditionFile.rendition_id == Rendition.id)
            .where(Rendition.asset_id == asset_id)
            .order_by(Rendition.id, RenditionFile.chunk_index)
        )
        return [(rendition, part) for rendition, part in rows]

    async def of_videos(self, video_ids: Sequence[int]) -> list[tuple[Asset, Rendition]]:
        """The renditions of the videos' complete assets."""
        rows = await self.session.execute(
            select(Asset, Rendition)
            .join(Rendition, Rendition.asset_id == Asset.id)
            .where(Asset.video_id.in_(video_ids), Asset.state == AssetState.READY)
        )
        return [(asset, rendition) for asset, rendition in rows]

    async def reset_chunk(self, asset_id: int, index: int) -> None:
        """Delete a chunk's files of every rendition, so that it is encoded again."""
        video_ids = select(Rendition.id).where(
            Rendition.asset_id == asset_id, Rendition.kind == TrackKind.VIDEO
        )
        await self.session.execute(
            delete(RenditionFile).where(
                RenditionFile.rendition_id.in_(video_ids), RenditionFile.chunk_index == index
            )
        )
        await self.session.execute(
            update(Chunk)
            .where(Chunk.asset_id == asset_id, Chunk.index == index)
            .values(done=False, encoded_frames=0)
        )

    async def reset_audio(self, rendition_id: int) -> None:
        """Delete the audio's files, so that it is encoded again."""
        await self.session.execute(
            delete(RenditionFile).where(RenditionFile.rendition_id == rendition_id)
        )
        await self.session.execute(
            update(Rendition).where(Rendition.id == rendition_id).values(is_complete=False)
        )

    async def forget_file(self, rendition_id: int) -> None:
        """Clear a rendition's MP4 file, so that it is packaged again."""
        await self.session.execute(
            update(Rendition)
            .where(Rendition.id == rendition_id)
            .values(file_key=None, file_bytes=None, file_sha256=None)
        )

    async def all_begun(self, asset_id: int) -> bool:
        """Whether every rendition but additional audio tracks has its first chunk."""
        begun = exists().where(
            RenditionFile.rendition_id == Rendition.id, RenditionFile.chunk_index == 0
        )
        is_needed = or_(Rendition.kind == TrackKind.VIDEO, Rendition.track == 0)
        found: bool | None = await self.session.scalar(
            select(func.bool_and(begun)).where(Rendition.asset_id == asset_id, is_needed)
        )
        return bool(found)

    async def audio_parts(self, asset_id: int, track: int) -> frozenset[int]:
        """The numbers of the parts of an audio track that are published."""
        found = await self.session.scalars(
            select(RenditionFile.chunk_index)
            .join(Rendition, RenditionFile.rendition_id == Rendition.id)
            .where(
                Rendition.asset_id == asset_id,
                Rendition.kind == TrackKind.AUDIO,
                Rendition.track == track,
            )
        )
        return frozenset(found)

    async def audio_in_one_file(self, asset_id: int, segments: int) -> Rendition | None:
        """The audio, if its first file has more segments than a first part."""
        return await self.session.scalar(
            select(Rendition)
            .join(RenditionFile, RenditionFile.rendition_id == Rendition.id)
            .where(
                Rendition.asset_id == asset_id,
                Rendition.kind == TrackKind.AUDIO,
                Rendition.track == 0,
                Rendition.is_complete.is_(False),
                RenditionFile.chunk_index == 0,
                func.length(type_coerce(RenditionFile.segments, LargeBinary))
                > segments * RECORD.size,
            )
        )

    async def incomplete_audio(self, asset_id: int) -> list[int]:
        """The audio tracks that lack a part."""
        found = await self.session.scalars(
            select(Rendition.track)
            .where(
                Rendition.asset_id == asset_id,
                Rendition.kind == TrackKind.AUDIO,
                Rendition.is_complete.is_(False),
            )
            .order_by(Rendition.track)
        )
        return list(found)
