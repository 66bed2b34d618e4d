"""MP4 files for players without HLS, and storyboards."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.service import Catalog
from videoflix.media.models import Asset, AssetState, Rendition, TrackKind
from videoflix.media.payloads import (
    MakePoster,
    MakeStoryboard,
    PackageRendition,
    ScalePoster,
    SweepAttempts,
)
from videoflix.media.repository.assets import AssetRepository
from videoflix.media.repository.renditions import RenditionRepository
from videoflix.media.schemas import DownloadFiles, Mp4File
from videoflix.media.service.publication import SWEEP_AFTER, Publication
from videoflix.media.storyboard import Layout
from videoflix.media.unqueued import UnqueuedWork
from videoflix.platform.queue import Job, enqueue
from videoflix.platform.storage.media_storage import StoredObject


class Mp4Files:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.assets = AssetRepository(session=session)
        self.renditions = RenditionRepository(session=session)
        self.work = UnqueuedWork(session)

    async def asset(self, asset_id: int) -> Asset | None:
        """Get an asset if it is complete."""
        return await self.assets.get_one_or_none(id=asset_id, state=AssetState.READY)

    async def lacks_file(self, asset_id: int, rendition: str) -> bool:
        """Whether a rendition has no MP4 file."""
        found = (await self.renditions.of_asset(asset_id)).get(rendition)
        return found is not None and found.file_key is None

    async def set_mp4_file(
        self, asset_id: int, rendition: str, key: str, stored: StoredObject
    ) -> bool:
        """Set a rendition's MP4 file; False if it has one or the video was deleted."""
        asset = await self.assets.locked(asset_id)
        found = (await self.renditions.of_asset(asset_id)).get(rendition)
        if asset is None or found is None or found.file_key is not None:
            return False
        found.file_key, found.file_bytes, found.file_sha256 = key, stored.size, stored.sha256
        return True

    async def set_storyboard(
        self, asset_id: int, key: str, layout: Layout, stored: StoredObject, preview: str | None
    ) -> bool:
        """Set storyboard and animated preview; False if there is one or the video was deleted."""
        asset = await Publication(self.session).locked(asset_id)
        if asset is None or asset.sprite_key is not None:
            return False
        asset.sprite_key, asset.storyboard = key, msgspec.to_builtins(layout)
        asset.sprite_sha256 = stored.sha256
        await Catalog(self.session).set_preview(asset.video_id, preview)
        return True

    async def queue_missing(self, count: int) -> int:
        """Enqueue the missing jobs of up to `count` complete assets; return how many.

        Dead letters are left to operators as long as they are kept.
        """
        found = await self.work.unpackaged(count)
        for asset_id in found:
            asset = await self.assets.get_one(id=asset_id)
            left = await self.work.without_dead_letter(asset_id, await self._lacking(asset))
            for job in left:
                await enqueue(self.session, job)
            later = datetime.now(UTC) + SWEEP_AFTER
            await enqueue(self.session, SweepAttempts(asset_id=asset_id), at=later)
        return len(found)

    async def _lacking(self, asset: Asset) -> list[Job]:
        renditions = await self.renditions.of_asset(asset.id)
        lacking: list[Job] = [
            PackageRendition(asset_id=asset.id, rendition=name)
            for name, found in renditions.items()
            if found.kind is TrackKind.VIDEO and found.file_key is None
        ]
        if asset.sprite_key is None:
            lacking.append(MakeStoryboard(asset_id=asset.id))
        return lacking

    async def queue_missing_posters(self, count: int) -> int:
        """Enqueue up to `count` missing posters, and sizes of posters; return how many."""
        assets = await self.work.without_poster(count)
        videos = await self.work.without_sizes(count)
        jobs: list[Job] = [MakePoster(asset_id=asset_id) for asset_id in assets]
        for job in [*jobs, *(ScalePoster(video_id=video_id) for video_id in videos)]:
            await enqueue(self.session, job)
        return len(assets) + len(videos)

    async def for_videos(self, video_ids: Sequence[int]) -> dict[int, DownloadFiles]:
        """The downloadable files by video id; videos without a complete asset are omitted."""
        renditions: dict[int, tuple[Asset, list[Rendition]]] = {}
        for asset, rendition in await self.renditions.of_videos(video_ids):
            renditions.setdefault(asset.video_id, (asset, []))[1].append(rendition)
        return {video_id: _files(asset, found) for video_id, (asset, found) in renditions.items()}


def _files(asset: Asset, renditions: list[Rendition]) -> DownloadFiles:
    videos = [found for found in renditions if found.kind is TrackKind.VIDEO]
    movies = [
        Mp4File(
            found.name, found.width or 0, found.height or 0, found.file_key, found.file_bytes or 0
        )
        for found in videos
        if found.file_key
    ]
    if len(movies) < len(videos):
        movies = []  # which files a membership includes depends on all of them
    layout = msgspec.convert(asset.storyboard, Layout) if asset.storyboard else None
    largest_first = sorted(movies, key=lambda movie: -movie.lines)
    return DownloadFiles(asset.id, tuple(largest_first), asset.sprite_key, layout)
