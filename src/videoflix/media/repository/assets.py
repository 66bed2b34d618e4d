"""Assets: uploaded files and their playable renditions."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from videoflix.catalog.models import Video
from videoflix.catalog.schemas import Failure
from videoflix.media.models import UNFINISHED, Asset, AssetState, Chunk, Rendition
from videoflix.media.schemas import AssetRead

PLAYING_STATES = (AssetState.READY, AssetState.ENCODING, AssetState.STALLED)
# An asset whose segments may be fetched; a replacement only once it is complete.
PLAYABLE = text("""
select asset.id, asset.video_id, asset.state,
       (plan->>'frame_rate_num')::float8 / (plan->>'frame_rate_den')::float8 as frame_rate,
       (plan->>'segment_frames')::float8 as segment_frames,
       (plan->>'frame_count')::float8 as frame_count
from media_asset as asset
where asset.id = :asset and asset.video_id = :video and plan is not null
  and (state in ('ready', 'retired') or state in ('encoding', 'stalled') and not exists (
        select from media_asset as other
        where other.video_id = asset.video_id and other.state = 'ready'))
""")
# One row per rendition, with its chunks as arrays: faster than thousands of small rows.
TRACKS = text("""
select r.name, r.kind, r.language, r.label, r.is_described, r.channels, r.source_index,
       coalesce(r.width, 0) as width, coalesce(r.height, 0) as height, r.max_bitrate,
       array_agg(p.chunk_index order by p.chunk_index) filter (where p.id is not null) as chunks,
       array_agg(p.key order by p.chunk_index) as keys,
       array_agg(p.codec order by p.chunk_index) as codecs,
       array_agg(p.timescale order by p.chunk_index) as timescales,
       array_agg(p.init_length order by p.chunk_index) as init_lengths,
       array_agg(p.init_sha256 order by p.chunk_index) as init_sha256s,
       array_agg(p.segments order by p.chunk_index) as segments,
       array_agg(p.key_frames order by p.chunk_index) as key_frames,
       array_agg(p.start_ticks order by p.chunk_index) as start_ticks,
       array_agg(p.file_bytes order by p.chunk_index) as file_bytes
from media_rendition as r left join media_part as p on p.rendition_id = r.id
where r.asset_id = :asset group by r.id order by r.id
""")


class AssetRepository(SQLAlchemyAsyncRepository[Asset]):
    """Uploaded files."""

    model_type = Asset

    async def locked(self, asset_id: int) -> Asset | None:
        """Lock the row (FOR UPDATE) until the transaction ends."""
        found: Asset | None = await self.session.scalar(
            select(Asset)
            .where(Asset.id == asset_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def video_of(self, asset_id: int) -> int | None:
        """The video of an asset, which never changes."""
        found: int | None = await self.session.scalar(
            select(Asset.video_id).where(Asset.id == asset_id)
        )
        return found

    async def last_of(self, video_id: int) -> Asset | None:
        """Lock the newest asset of a video."""
        found: Asset | None = await self.session.scalar(
            select(Asset)
            .where(Asset.video_id == video_id)
            .order_by(Asset.id.desc())
            .limit(1)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def unfinished_before(self, asset_id: int) -> int:
        """Count the assets of other videos that were uploaded earlier and are not complete."""
        return await self.count(Asset.id < asset_id, Asset.state.in_(UNFINISHED))

    async def latest_of(self, video_id: int) -> Asset | None:
        """The asset of a video's last upload."""
        found: Asset | None = await self.session.scalar(
            select(Asset).where(Asset.video_id == video_id).order_by(Asset.id.desc()).limit(1)
        )
        return found

    async def newest_of(self, video_id: int) -> Asset | None:
        """The current asset of a video: the complete one, else the newest."""
        is_ready = Asset.state == AssetState.READY
        found: Asset | None = await self.session.scalar(
            select(Asset)
            .where(Asset.video_id == video_id, Asset.state != AssetState.RETIRED)
            .order_by(is_ready.desc(), Asset.id.desc())
            .limit(1)
        )
        return found

    async def list_page(
        self, page: LimitOffset, *, video_id: int | None, state: AssetState | None
    ) -> tuple[list[AssetRead], int]:
        """List assets, newest first, with the total."""
        wanted: list[ColumnElement[bool]] = []
        if video_id is not None:
            wanted.append(Asset.video_id == video_id)
        if state is not None:
            wanted.append(Asset.state == state)
        names = aggregate_order_by(Rendition.name, Rendition.id)
        renditions = select(func.array_agg(names)).where(Rendition.asset_id == Asset.id)
        share = func.sum(Chunk.encoded_frames) * 1.0 / func.nullif(func.sum(Chunk.frame_count), 0)
        encoded = select(share).where(Chunk.asset_id == Asset.id)
        rows = await self.session.execute(
            select(Asset, Video.title, renditions.scalar_subquery(), encoded.scalar_subquery())
            .join(Video, Video.id == Asset.video_id)
            .where(*wanted)
            .order_by(Asset.id.desc())
            .limit(page.limit)
            .offset(page.offset)
        )
        return [_to_read(*row) for row in rows], await self.count(*wanted)

    async def ready_of(self, video_id: int) -> bool:
        """Whether a video has a complete asset."""
        return await self.exists(Asset.video_id == video_id, Asset.state == AssetState.READY)

    async def retire_others(self, asset: Asset) -> list[str]:
        """Retire a video's earlier assets; return the folders of those newly retired."""
        retired = await self.session.scalars(
            update(Asset)
            .where(
                Asset.video_id == asset.video_id,
                Asset.id < asset.id,
                Asset.state != AssetState.RETIRED,
            )
            .values(state=AssetState.RETIRED)
            .returning(Asset.folder)
        )
        return list(retired)

    async def delete_retired(self, folder: str) -> None:
        """Delete the row of a retired asset; its folder is unreferenced then."""
        await self._delete_retired(Asset.folder == folder)

    async def delete_retired_before(self, age: timedelta) -> None:
        """Delete assets that were retired longer ago than `age`, by the database's clock."""
        await self._delete_retired(Asset.updated_at < func.now() - age)

    async def _delete_retired(self, which: ColumnElement[bool]) -> None:
        await self.session.execute(delete(Asset).where(Asset.state == AssetState.RETIRED, which))

    async def ids_of(self, video_id: int) -> frozenset[int]:
        """Ids of all assets of a video, in any state."""
        found = await self.session.scalars(select(Asset.id).where(Asset.video_id == video_id))
        return frozenset(found)

    async def current_of(self, video_id: int) -> int | None:
        """The asset to play: the complete one, else the newest that is being encoded."""
        is_ready = Asset.state == AssetState.READY
        found: int | None = await self.session.scalar(
            select(Asset.id)
            .where(
                Asset.video_id == video_id,
                Asset.plan.is_not(None),
                Asset.state.in_(PLAYING_STATES),
            )
            .order_by(is_ready.desc(), Asset.id.desc())
            .limit(1)
        )
        return found

    async def playable(self, video_id: int, asset_id: int) -> Any:
        """Columns of PLAYABLE; None if the asset's segments cannot be fetched."""
        found = await self.session.execute(PLAYABLE, {"video": video_id, "asset": asset_id})
        return found.one_or_none()

    async def tracks(self, asset_id: int) -> Sequence[Any]:
        """Columns of TRACKS, one row per rendition."""
        return (await self.session.execute(TRACKS, {"asset": asset_id})).all()

    async def known_folders(self, folders: Sequence[str]) -> set[str]:
        """Filter the folders that belong to an asset, in any state."""
        found = await self.session.scalars(select(Asset.folder).where(Asset.folder.in_(folders)))
        return set(found)

    async def recently_changed(self, after_id: int, span: timedelta, limit: int) -> list[int]:
        """The next assets, by id, that are unfinished or changed within the span."""
        found = await self.session.scalars(
            select(Asset.id)
            .where(
                Asset.id > after_id,
                Asset.state != AssetState.RETIRED,
                (Asset.state != AssetState.READY) | (Asset.updated_at > func.now() - span),
            )
            .order_by(Asset.id)
            .limit(limit)
        )
        return list(found)

    async def folders_of(self, video_id: int) -> list[str]:
        return list(
            await self.session.scalars(select(Asset.folder).where(Asset.video_id == video_id))
        )


def _failure(code: str | None, reason: str | None) -> Failure | None:
    return Failure(code, reason or "") if code else None


def _to_read(
    asset: Asset, title: str, renditions: list[str] | None, encoded: Decimal | None
) -> AssetRead:
    return AssetRead(
        id=asset.id,
        video_id=asset.video_id,
        title=title,
        state=asset.state,
        source_name=asset.source_name,
        source_bytes=asset.source_bytes,
        source_sha256=asset.source_sha256,
        renditions=renditions or [],
        encoded=float(encoded or 0),
        failure=_failure(asset.failure_code, asset.failure_reason),
        stalled=_failure(asset.stalled_code, asset.stalled_reason),
        stalled_at=asset.stalled_at,
        source_expires_at=asset.source_expires_at,
        source_removed_at=asset.source_removed_at,
        created_at=asset.created_at,
    )
