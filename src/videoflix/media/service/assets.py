"""Assets: from the uploaded file to published renditions."""

from collections.abc import Mapping, Sequence
from itertools import takewhile

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Video
from videoflix.catalog.schemas import VideoCreate
from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.catalog.service.subtitles import Subtitles
from videoflix.media.events import TrackReady
from videoflix.media.inventory import own_poster_folder, poster_keys
from videoflix.media.models import (
    Asset,
    AssetState,
    Chunk,
    Rendition,
    RenditionFile,
    TrackKind,
    audio_name,
)
from videoflix.media.payloads import (
    WATCHED,
    DeleteFolder,
    EncodeAudio,
    EncodeChunk,
    ExtractSubtitles,
    Inspect,
    MakePoster,
)
from videoflix.media.plan import AudioSpec, EncodePlan
from videoflix.media.poster import Stills
from videoflix.media.repository.assets import AssetRepository
from videoflix.media.repository.chunks import ChunkRepository
from videoflix.media.repository.renditions import RenditionRepository
from videoflix.media.schemas import AssetRead, FileIndex, KeysInUse, StoredFile, Timeline, Track
from videoflix.media.service.publication import RETIRED_RETENTION, Publication
from videoflix.platform.events import emit
from videoflix.platform.queue import Job, enqueue, enqueue_many, prioritize
from videoflix.platform.webvtt import Cue

PREFETCH_CHUNKS = 4
# Not played any more, unless a failed one is retried.
GONE = frozenset({AssetState.RETIRED, AssetState.FAILED})


class Media:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.assets = AssetRepository(session=session)
        self.chunks = ChunkRepository(session=session)
        self.renditions = RenditionRepository(session=session)
        self.publication = Publication(session)

    async def accept(
        self,
        draft: VideoCreate,
        file: StoredFile,
        uploaded_by: int | None,
        video_id: int | None = None,
    ) -> Video:
        """Create a video for a stored file, and enqueue its inspection."""
        video = await self.catalog.add(draft, uploaded_by, video_id)
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
        video = await self.catalog.locked(video_id)
        folders = await self.assets.folders_of(video_id)
        if own := own_poster_folder(video):
            folders.append(own)
        await self.catalog.remove(video_id)
        await enqueue_many(self.session, [DeleteFolder(folder=folder) for folder in folders])

    async def asset(self, asset_id: int) -> Asset | None:
        """Get an asset if it is unfinished."""
        asset = await self.assets.get_one_or_none(id=asset_id)
        return asset if asset is not None and asset.is_unfinished else None

    async def adopt_plan(self, asset_id: int, plan: EncodePlan) -> None:
        """Store the plan and enqueue its jobs; idempotent."""
        asset = await self.publication.locked(asset_id)
        if asset is None or not asset.is_unfinished or asset.plan is not None:
            return
        asset.plan = msgspec.to_builtins(plan)
        await self.publication.clear_stall(asset)
        await self.chunks.add_many(
            [
                Chunk(asset_id=asset_id, index=span.index, frame_count=span.frame_count)
                for span in plan.spans
            ]
        )
        await self.renditions.add_many(_renditions(asset_id, plan))
        if not await self.assets.ready_of(asset.video_id):
            await self.publication.describe(asset.video_id, plan)
        await enqueue_many(
            self.session,
            [
                *(
                    EncodeAudio(asset_id=asset_id, track=track)
                    for track in range(len(plan.audio_renditions))
                ),
                MakePoster(asset_id=asset_id),
                *([ExtractSubtitles(asset_id=asset_id)] if plan.subtitles else []),
                *(EncodeChunk(asset_id=asset_id, index=span.index) for span in plan.spans),
            ],
        )

    async def work_left(self, asset: Asset) -> list[Job]:
        """List the jobs an unfinished asset still needs; finished chunks are skipped."""
        if asset.plan is None:
            return [Inspect(asset_id=asset.id)]
        waiting = await self.chunks.get_many(Chunk.asset_id == asset.id, Chunk.done.is_(False))
        left: list[Job] = [EncodeChunk(asset_id=asset.id, index=chunk.index) for chunk in waiting]
        left += [
            EncodeAudio(asset_id=asset.id, track=track)
            for track in await self.renditions.incomplete_audio(asset.id)
        ]
        if await self.publication.lacks_stills(asset):
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

    async def set_stills(self, asset_id: int, stills: Stills) -> bool:
        """Set the automatic poster and its candidates; an editor's own poster stays.

        False if the video was deleted, or while an earlier asset is played.
        """
        asset = await self._shown(asset_id)
        if asset is None:
            return False
        asset.stills = msgspec.to_builtins(stills)
        if not (await self.catalog.locked(asset.video_id)).has_own_poster:
            await self.catalog.set_poster(asset.video_id, stills.poster, stills.widths)
        return True

    async def set_subtitles(
        self, asset_id: int, tracks: Mapping[str, tuple[str, Sequence[Cue]]]
    ) -> None:
        """Publish the subtitles of the file: label and cues by language.

        While an earlier asset is played, those of that asset stay.
        """
        asset = await self._shown(asset_id)
        if asset is not None:
            await Subtitles(self.session).replace_extracted(asset.video_id, tracks)
            made = [
                TrackReady(video_id=asset.video_id, kind="subtitles", language=tag, label=label)
                for tag, (label, _) in tracks.items()
            ]
            await emit(self.session, *made)

    async def _shown(self, asset_id: int) -> Asset | None:
        """Lock an asset that is played, or will be as no earlier one is."""
        asset = await self.publication.locked(asset_id)
        if asset is None or asset.state in GONE:
            return None
        if asset.state is not AssetState.READY and await self.assets.ready_of(asset.video_id):
            return None
        return asset

    async def asset_to_illustrate(self, asset_id: int) -> Asset | None:
        asset = await self.assets.get_one_or_none(id=asset_id)
        return None if asset is None or asset.state in GONE else asset

    async def keys_in_use(self, asset_id: int) -> KeysInUse | None:
        """List the referenced objects of an asset's folder; None if the asset was deleted."""
        asset = await self.assets.get_one_or_none(id=asset_id)
        if asset is None:
            return None
        parts = await self.renditions.with_files(asset_id)
        video = await self.catalog.locked(asset.video_id)
        files = [found.file_key for found in (await self.renditions.of_asset(asset_id)).values()]
        used = {asset.source_key, *(part.key for _, part in parts)}
        used |= {
            *filter(None, [asset.sprite_key, video.preview, *files]),
            *poster_keys(video, asset),
        }
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

    async def needs_folder(self, folder: str) -> bool:
        """Whether an asset or the own poster of a video is in a folder."""
        own = await self.catalog.videos.has_poster_in(folder)
        return own or bool(await self.assets.known_folders([folder]))

    async def delete_long_retired(self) -> None:
        """Delete retired assets whose folder should be gone by now (after an import)."""
        await self.assets.delete_retired_before(2 * RETIRED_RETENTION)

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
    audio = enumerate(plan.audio_renditions)
    return [*found, *(_audio_rendition(asset_id, track, spec) for track, spec in audio)]


def _audio_rendition(asset_id: int, track: int, spec: AudioSpec) -> Rendition:
    return Rendition(
        asset_id=asset_id,
        name=audio_name(track),
        kind=TrackKind.AUDIO,
        max_bitrate=spec.bitrate,
        track=track,
        channels=spec.channels,
        source_index=spec.index,
        language=spec.language,
        label=spec.label,
        is_described=spec.is_described,
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
