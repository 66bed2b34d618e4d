"""Publish encoded files, and complete the asset with the last of them."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.service import Catalog
from videoflix.catalog.service.chapters import Chapters
from videoflix.media.conformance.findings import Finding
from videoflix.media.events import TrackReady
from videoflix.media.inventory import poster_keys
from videoflix.media.models import Asset, AssetState, Rendition, RenditionFile, audio_name
from videoflix.media.payloads import (
    DeleteFolder,
    ExtractSubtitles,
    MakePoster,
    MakeStoryboard,
    PackageRendition,
    SweepAttempts,
)
from videoflix.media.plan import EncodePlan
from videoflix.media.repository.assets import AssetRepository
from videoflix.media.repository.chunks import ChunkRepository
from videoflix.media.repository.renditions import RenditionRepository
from videoflix.media.schemas import FileIndex
from videoflix.media.service.conformance import BROKEN_OUTPUT, PublishGate, reason_for
from videoflix.platform.events import emit
from videoflix.platform.queue import Job, enqueue
from videoflix.settings import settings

SWEEP_AFTER = timedelta(hours=2)
# How long the segments of a replaced asset can still be fetched.
RETIRED_RETENTION = timedelta(hours=2)
# Accept no more results.
FINAL = frozenset({AssetState.READY, AssetState.RETIRED})

logger = logging.getLogger(__name__)


class Publication:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.assets = AssetRepository(session=session)
        self.chunks = ChunkRepository(session=session)
        self.renditions = RenditionRepository(session=session)
        self.gate = PublishGate(session)

    async def locked(self, asset_id: int) -> Asset | None:
        """Lock a video and then its asset: the lock order that prevents deadlocks."""
        video_id = await self.assets.video_of(asset_id)
        if video_id is None or await self.catalog.videos.locked(video_id) is None:
            return None
        return await self.assets.locked(asset_id)

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

    async def audio_parts(self, asset_id: int, track: int) -> frozenset[int]:
        """The numbers of the parts of an audio track that are published."""
        return await self.renditions.audio_parts(asset_id, track)

    async def adopt_whole_audio(self, asset_id: int, first_segments: int) -> bool:
        """Complete audio that a worker of an earlier version published in one file.

        Returns False if there is none; `first_segments` is the length of a first part.
        """
        asset = await self.locked(asset_id)
        rendition = await self.renditions.audio_in_one_file(asset_id, first_segments)
        if asset is None or rendition is None:
            return False
        rendition.is_complete = True
        await emit(self.session, _track(asset.video_id, rendition))
        await self._progressed(asset)
        return True

    async def publish_audio(
        self, asset_id: int, track: int, piece: FileIndex, *, is_last: bool
    ) -> bool:
        """Publish a part of an audio track; see publish_files."""
        asset = await self.locked(asset_id)
        if asset is None or asset.plan is None or asset.state in FINAL:
            return False
        rendition = (await self.renditions.of_asset(asset_id))[audio_name(track)]
        is_new = await self.renditions.add_files([_part(rendition.id, piece)])
        if is_last and not rendition.is_complete:
            rendition.is_complete = True
            await emit(self.session, _track(asset.video_id, rendition))
        await self._progressed(asset)
        return is_new

    async def _progressed(self, asset: Asset) -> None:
        if asset.is_unfinished:
            await self.clear_stall(asset)
            await self.update_progress(asset)

    async def clear_stall(self, asset: Asset) -> None:
        """Clear the stall: processing has resumed."""
        was_stalled, asset.state = asset.state is AssetState.STALLED, AssetState.ENCODING
        asset.stalled_code = asset.stalled_reason = asset.stalled_at = None
        if was_stalled:
            await self.catalog.clear_failure(asset.video_id)

    async def update_progress(self, asset: Asset) -> None:
        """Update the video's progress; when all chunks are done, complete the asset."""
        share = await self.chunks.share_encoded(asset.id)
        playable = await self.renditions.all_begun(asset.id)
        has_all = playable and not await self.renditions.incomplete_audio(asset.id)
        if has_all and not await self.chunks.waiting(asset.id):
            plan = msgspec.convert(asset.plan, EncodePlan)
            if faults := await self.gate.faults(asset.id, plan):
                await self._refuse(asset, faults)
            else:
                await self._complete(asset, plan)
        elif not await self.assets.ready_of(asset.video_id):
            await self.catalog.update_progress(asset.video_id, share, playable=playable)

    async def _complete(self, asset: Asset, plan: EncodePlan) -> None:
        if await self._retire_others(asset):
            await enqueue(self.session, ExtractSubtitles(asset_id=asset.id))
            await self.catalog.set_preview(asset.video_id, None)  # of the former file
        asset.state = AssetState.READY
        await self.describe(asset.video_id, plan)
        await self.catalog.complete(asset.video_id)
        if await self.lacks_stills(asset):
            await enqueue(self.session, MakePoster(asset_id=asset.id))
        for job in _packaging(asset.id, plan):
            await enqueue(self.session, job)
        later = datetime.now(UTC) + SWEEP_AFTER
        await enqueue(self.session, SweepAttempts(asset_id=asset.id), at=later)

    async def _refuse(self, asset: Asset, faults: Sequence[Finding]) -> None:
        """Fail an asset that would not play; a retry encodes what is at fault again."""
        logger.error("asset %s was not published: %s", asset.id, faults)
        await self.gate.discard(asset.id, faults)
        await self.fail(asset, BROKEN_OUTPUT, reason_for(faults))

    async def fail(self, asset: Asset, code: str, reason: str) -> None:
        """Set a locked asset to failed, and report the reason at its video."""
        asset.state = AssetState.FAILED
        asset.failure_code, asset.failure_reason = code, reason
        asset.stalled_code = asset.stalled_reason = asset.stalled_at = None
        if await self.assets.ready_of(asset.video_id):
            await self.catalog.fail_replacement(asset.video_id, code, reason)
        else:
            await self.catalog.fail(asset.video_id, code, reason)

    async def lacks_stills(self, asset: Asset) -> bool:
        """Whether an asset has no poster of its own; locks the video.

        Assets of earlier releases have one without candidates.
        """
        video = await self.catalog.locked(asset.video_id)
        return not poster_keys(video, asset)

    async def describe(self, video_id: int, plan: EncodePlan) -> None:
        qualities = [rung.name for rung in plan.rungs]
        await self.catalog.set_media_info(video_id, duration=plan.duration, qualities=qualities)
        chapters = [(found.title, found.start, found.end) for found in plan.chapters]
        await Chapters(self.session).replace_extracted(video_id, chapters, plan.duration)

    async def _retire_others(self, asset: Asset) -> bool:
        """Retire earlier assets; their files stay for RETIRED_RETENTION for running streams.

        Returns whether there were any.
        """
        later = datetime.now(UTC) + RETIRED_RETENTION
        folders = await self.assets.retire_others(asset)
        for folder in folders:
            await enqueue(self.session, DeleteFolder(folder=folder), at=later)
        return bool(folders)


def _packaging(asset_id: int, plan: EncodePlan) -> list[Job]:
    """Jobs for players without HLS."""
    if not settings.mp4_files:
        return []
    packages = [PackageRendition(asset_id=asset_id, rendition=rung.name) for rung in plan.rungs]
    return [*packages, MakeStoryboard(asset_id=asset_id)]


def _track(video_id: int, audio: Rendition) -> TrackReady:
    return TrackReady(video_id=video_id, kind="audio", language=audio.language, label=audio.label)


def _part(rendition_id: int, piece: FileIndex) -> RenditionFile:
    return RenditionFile(
        rendition_id=rendition_id,
        **{name: getattr(piece, name) for name in piece.__struct_fields__ if name != "segments"},
        segments=piece.segments,
    )
