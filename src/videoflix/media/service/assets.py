"""Assets: from the uploaded file to published renditions."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Video
from videoflix.catalog.schemas import VideoCreate
from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.media.models import Asset, AssetState, Chunk, Rendition, RenditionFile, TrackKind
from videoflix.media.payloads import (
    WATCHED,
    DeleteFolder,
    EncodeAudio,
    EncodeChunk,
    Inspect,
    MakePoster,
    MakeStoryboard,
    PackageRendition,
    SweepAttempts,
)
from videoflix.media.plan import EncodePlan
from videoflix.media.repository.assets import AssetRepository
from videoflix.media.repository.chunks import ChunkRepository
from videoflix.media.repository.renditions import RenditionRepository
from videoflix.media.schemas import AssetRead, FileIndex, KeysInUse, StoredFile, Timeline, Track
from videoflix.platform.queue import Job, enqueue, enqueue_many, prioritize
from videoflix.settings import settings

AUDIO = "audio"
AUDIO_BITRATE = 128_000
PREFETCH_CHUNKS = 4
SWEEP_AFTER = timedelta(hours=2)
# How long the segments of a replaced asset can still be fetched.
RETIRED_RETENTION = timedelta(hours=2)
# Not played any more, unless a failed one is retried.
GONE = frozenset({AssetState.RETIRED, AssetState.FAILED})
# Accept no more results.
FINAL = frozenset({AssetState.READY, AssetState.RETIRED})


class Media:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.assets = AssetRepository(session=session)
        self.chunks = ChunkRepository(session=session)
        self.renditions = RenditionRepository(session=session)

    async def accept(self, draft: VideoCreate, file: StoredFile, uploaded_by: int | None) -> Video:
        """Create a video for a stored file, and enqueue its inspection."""
        video = await self.catalog.add(draft, uploaded_by)
        await self._add_asset(video.id, file)
        return video

    async def list_page(
        self, page: LimitOffset, *, video_id: int | None, state: AssetState | None
    ) -> tuple[list[AssetRead], int]:
        """List assets, newest first, with the total."""
        return await self.assets.list_page(page, video_id=video_id, state=state)

    async def replace(self, video_id: int, file: StoredFile) -> None:
        """Replace a video's file; the current one stays playable until the new one is complete.

        Raises VideoNotFound.
        """
        video = await self.catalog.locked(video_id)
        if video.deleted_at is not None:
            raise VideoNotFound
        if await self.assets.ready_of(video_id):
            await self.catalog.clear_failure(video_id)
        else:
            await self.catalog.restart(video_id)
        await self._add_asset(video_id, file)

    async def _add_asset(self, video_id: int, file: StoredFile) -> None:
        asset = await self.assets.add(
            Asset(
                video_id=video_id,
                folder=file.folder,
                source_key=file.key,
                source_name=file.name,
                source_bytes=file.size,
                source_sha256=file.sha256,
            )
        )
        await enqueue(self.session, Inspect(asset_id=asset.id))

    async def remove(self, video_id: int) -> None:
        """Delete a video; a job deletes its files. Raises VideoNotFound."""
        await self.catalog.locked(video_id)
        folders = await self.assets.folders_of(video_id)
        await self.catalog.remove(video_id)
        await enqueue_many(self.session, [DeleteFolder(folder=folder) for folder in folders])

    async def asset(self, asset_id: int) -> Asset | None:
        """Get an asset if it is unfinished."""
        asset = await self.assets.get_one_or_none(id=asset_id)
        return asset if asset is not None and asset.is_unfinished else None

    async def locked(self, asset_id: int) -> Asset | None:
        """Lock a video and then its asset: the lock order that prevents deadlocks."""
        video_id = await self.assets.video_of(asset_id)
        if video_id is None or await self.catalog.videos.locked(video_id) is None:
            return None
        return await self.assets.locked(asset_id)

    async def adopt_plan(self, asset_id: int, plan: EncodePlan) -> None:
        """Store the plan and enqueue its jobs; idempotent."""
        asset = await self.locked(asset_id)
        if asset is None or not asset.is_unfinished or asset.plan is not None:
            return
        asset.plan = msgspec.to_builtins(plan)
        await self._clear_stall(asset)
        await self.chunks.add_many(
            [
                Chunk(asset_id=asset_id, index=span.index, frame_count=span.frame_count)
                for span in plan.spans
            ]
        )
        await self.renditions.add_many(_renditions(asset_id, plan))
        if not await self.assets.ready_of(asset.video_id):
            await self._describe(asset.video_id, plan)
        await enqueue_many(
            self.session,
            [
                *([EncodeAudio(asset_id=asset_id)] if plan.has_audio else []),
                MakePoster(asset_id=asset_id),
                *(EncodeChunk(asset_id=asset_id, index=span.index) for span in plan.spans),
            ],
        )

    async def work_left(self, asset: Asset) -> list[Job]:
        """List the jobs an unfinished asset still needs; finished chunks are skipped."""
        if asset.plan is None:
            return [Inspect(asset_id=asset.id)]
        waiting = await self.chunks.get_many(Chunk.asset_id == asset.id, Chunk.done.is_(False))
        left: list[Job] = [EncodeChunk(asset_id=asset.id, index=chunk.index) for chunk in waiting]
        if msgspec.convert(asset.plan, EncodePlan).has_audio and not (
            await self.renditions.has_all_audio(asset.id)
        ):
            left.append(EncodeAudio(asset_id=asset.id))
        if await self.catalog.poster(asset.video_id) is None:
            left.append(MakePoster(asset_id=asset.id))
        return left

    async def prioritize(self, asset_id: int, segment: int) -> int:
        """Raise the priority of queued chunks that a player at this segment will reach soon.

        Returns how many were raised. All chunks but the first have at least two segments, so the
        next half minute is covered.
        """
        near = {"index": segment // 2 + PREFETCH_CHUNKS}
        return await prioritize(
            self.session, EncodeChunk, WATCHED, PREFETCH_CHUNKS, near, asset_id=asset_id
        )

    async def report(self, asset_id: int, index: int, frames: int) -> None:
        """Store how many frames of a chunk the running attempt has encoded."""
        asset = await self.asset(asset_id)
        if asset is None:
            return
        replaces = await self.assets.ready_of(asset.video_id)
        # Lock order: the video before its chunks.
        if not replaces and await self.catalog.videos.locked(asset.video_id) is None:
            return
        await self.chunks.report(asset_id, index, frames)
        if replaces:
            return  # the earlier asset is still played
        share = await self.chunks.share_encoded(asset_id)
        await self.catalog.update_progress(asset.video_id, share, playable=False)

    async def set_poster(self, asset_id: int, key: str) -> bool:
        """Set the poster; False if the video was deleted, or while an earlier asset is played."""
        asset = await self.locked(asset_id)
        if asset is None or asset.state in GONE:
            return False
        if asset.state is not AssetState.READY and await self.assets.ready_of(asset.video_id):
            return False
        await self.catalog.set_poster(asset.video_id, key)
        return True

    async def asset_to_illustrate(self, asset_id: int) -> Asset | None:
        asset = await self.assets.get_one_or_none(id=asset_id)
        return None if asset is None or asset.state in GONE else asset

    async def publish_files(
        self, asset_id: int, index: int, pieces: Mapping[str, FileIndex]
    ) -> bool:
        """Publish an attempt's verified files of a chunk.

        Returns False if another attempt published first or the video was deleted; the files are
        not needed then. An asset that failed meanwhile keeps the result for a retry.
        """
        asset = await self.locked(asset_id)
        if asset is None or asset.plan is None or asset.state in FINAL:
            return False
        if not await self.chunks.complete(asset_id, index):
            return False
        renditions = await self.renditions.of_asset(asset_id)
        parts = [_part(renditions[name].id, piece) for name, piece in pieces.items()]
        if not await self.renditions.add_files(parts):
            return False
        await self._progressed(asset)
        return True

    async def audio_parts(self, asset_id: int) -> frozenset[int]:
        """The numbers of the parts of the audio that are published."""
        return await self.renditions.audio_parts(asset_id)

    async def adopt_whole_audio(self, asset_id: int, first_segments: int) -> bool:
        """Complete audio that a worker of an earlier version published in one file.

        Returns False if there is none; `first_segments` is the length of a first part.
        """
        asset = await self.locked(asset_id)
        rendition = await self.renditions.audio_in_one_file(asset_id, first_segments)
        if asset is None or rendition is None:
            return False
        rendition.is_complete = True
        await self._progressed(asset)
        return True

    async def publish_audio(self, asset_id: int, piece: FileIndex, *, is_last: bool) -> bool:
        """Publish a part of the audio; see publish_files."""
        asset = await self.locked(asset_id)
        if asset is None or asset.plan is None or asset.state in FINAL:
            return False
        rendition = (await self.renditions.of_asset(asset_id))[AUDIO]
        is_new = await self.renditions.add_files([_part(rendition.id, piece)])
        rendition.is_complete = rendition.is_complete or is_last
        await self._progressed(asset)
        return is_new

    async def _progressed(self, asset: Asset) -> None:
        if asset.is_unfinished:
            await self._clear_stall(asset)
            await self.update_progress(asset)

    async def _clear_stall(self, asset: Asset) -> None:
        """Clear the stall: processing has resumed."""
        was_stalled, asset.state = asset.state is AssetState.STALLED, AssetState.ENCODING
        asset.stalled_code = asset.stalled_reason = asset.stalled_at = None
        if was_stalled:
            await self.catalog.clear_failure(asset.video_id)

    async def keys_in_use(self, asset_id: int) -> KeysInUse | None:
        """List the referenced objects of an asset's folder; None if the asset was deleted."""
        asset = await self.assets.get_one_or_none(id=asset_id)
        if asset is None:
            return None
        parts = await self.renditions.with_files(asset_id)
        poster = await self.catalog.poster(asset.video_id)
        files = [found.file_key for found in (await self.renditions.of_asset(asset_id)).values()]
        used = {asset.source_key, *(part.key for _, part in parts)}
        used |= {*filter(None, [poster, asset.sprite_key, *files])}
        return KeysInUse(asset.folder, used)

    async def timeline(self, video_id: int) -> Timeline | None:
        """What can currently be played of a video; None if it has no usable asset."""
        asset = await self.assets.newest_of(video_id)
        if asset is None or asset.plan is None or asset.state is AssetState.FAILED:
            return None
        return await self._timeline(asset, msgspec.convert(asset.plan, EncodePlan))

    async def delete_retired(self, folder: str) -> None:
        """Delete the row of a retired asset before its folder is deleted."""
        await self.assets.delete_retired(folder)

    async def delete_long_retired(self) -> None:
        """Delete retired assets whose folder should be gone by now (after an import)."""
        await self.assets.delete_retired_before(2 * RETIRED_RETENTION)

    async def update_progress(self, asset: Asset) -> None:
        """Update the video's progress; when all chunks are done, complete the asset."""
        share = await self.chunks.share_encoded(asset.id)
        playable = await self.renditions.all_begun(asset.id)
        has_all = playable and await self.renditions.has_all_audio(asset.id)
        if has_all and not await self.chunks.waiting(asset.id):
            await self._retire_others(asset)
            asset.state = AssetState.READY
            plan = msgspec.convert(asset.plan, EncodePlan)
            await self._describe(asset.video_id, plan)
            await self.catalog.complete(asset.video_id)
            poster = await self.catalog.poster(asset.video_id)
            if poster is None or not poster.startswith(f"{asset.folder}/"):
                await enqueue(self.session, MakePoster(asset_id=asset.id))
            for job in _packaging(asset.id, plan):
                await enqueue(self.session, job)
            later = datetime.now(UTC) + SWEEP_AFTER
            await enqueue(self.session, SweepAttempts(asset_id=asset.id), at=later)
        elif not await self.assets.ready_of(asset.video_id):
            await self.catalog.update_progress(asset.video_id, share, playable=playable)

    async def _describe(self, video_id: int, plan: EncodePlan) -> None:
        qualities = [rung.name for rung in plan.rungs]
        await self.catalog.set_media_info(video_id, duration=plan.duration, qualities=qualities)

    async def _retire_others(self, asset: Asset) -> None:
        """Retire earlier assets; their files stay for RETIRED_RETENTION for running streams."""
        later = datetime.now(UTC) + RETIRED_RETENTION
        for folder in await self.assets.retire_others(asset):
            await enqueue(self.session, DeleteFolder(folder=folder), at=later)

    async def _timeline(self, asset: Asset, plan: EncodePlan) -> Timeline:
        parts: dict[int, list[RenditionFile]] = {}
        for rendition, part in await self.renditions.with_files(asset.id):
            parts.setdefault(rendition.id, []).append(part)
        renditions = await self.renditions.of_asset(asset.id)
        frame_rate = plan.frame_rate_num / plan.frame_rate_den
        return Timeline(
            asset_id=asset.id,
            video_id=asset.video_id,
            complete=asset.state is AssetState.READY,
            frame_rate=frame_rate,
            segment_seconds=plan.segment_frames / frame_rate,
            tracks=tuple(
                _track(rendition, parts.get(rendition.id, []))
                for rendition in sorted(renditions.values(), key=lambda found: found.id)
            ),
        )


def _renditions(asset_id: int, plan: EncodePlan) -> list[Rendition]:
    found = [
        Rendition(
            asset_id=asset_id,
            name=rung.name,
            kind=TrackKind.VIDEO,
            width=rung.width,
            height=rung.height,
            max_bitrate=rung.max_bitrate,
        )
        for rung in plan.rungs
    ]
    if plan.has_audio:
        found.append(
            Rendition(
                asset_id=asset_id, name=AUDIO, kind=TrackKind.AUDIO, max_bitrate=AUDIO_BITRATE
            )
        )
    return found


def _packaging(asset_id: int, plan: EncodePlan) -> list[Job]:
    """Jobs for players without HLS."""
    if not settings.mp4_files:
        return []
    packages = [PackageRendition(asset_id=asset_id, rendition=rung.name) for rung in plan.rungs]
    return [*packages, MakeStoryboard(asset_id=asset_id)]


def _part(rendition_id: int, piece: FileIndex) -> RenditionFile:
    return RenditionFile(
        rendition_id=rendition_id,
        **{name: getattr(piece, name) for name in piece.__struct_fields__ if name != "segments"},
        segments=piece.segments,
    )


def _track(rendition: Rendition, parts: list[RenditionFile]) -> Track:
    """A track up to its first missing chunk: players need contiguous segments."""
    contiguous = takewhile(lambda found: found[0] == found[1].chunk_index, enumerate(parts))
    return Track(
        name=rendition.name,
        kind=rendition.kind,
        width=rendition.width or 0,
        height=rendition.height or 0,
        max_bitrate=rendition.max_bitrate,
        pieces=tuple(
            msgspec.convert(part, FileIndex, from_attributes=True) for _, part in contiguous
        ),
    )
