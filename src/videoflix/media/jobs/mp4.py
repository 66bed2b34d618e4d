"""Jobs for complete videos: package MP4 files, make storyboards and animated previews.

Their input is final and the video plays by HLS meanwhile, so they may run late, fail or run twice.
"""

import asyncio
import logging
from pathlib import Path
from typing import BinaryIO

import msgspec

from videoflix.media.jobs.encode import EncodeTask, SupersededAttempt, attempt_files, workspace
from videoflix.media.jobs.faults import wait_bounded, with_classified_faults
from videoflix.media.models import AUDIO, TrackKind
from videoflix.media.mp4 import package
from videoflix.media.payloads import MakeStoryboard, PackageMissing, PackageRendition
from videoflix.media.plan import EncodePlan
from videoflix.media.preview import make_preview
from videoflix.media.schemas import FileIndex, Track
from videoflix.media.service import Media, Mp4Files
from videoflix.media.storyboard import TILE_HEIGHT, layout_of, make_sprite
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import complete_job, handles
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings

READ_BYTES = 8 * 1024 * 1024
PACKAGED_AT_ONCE = 50

logger = logging.getLogger(__name__)


class Tracks(msgspec.Struct, frozen=True):
    """The tracks of a complete asset."""

    work: EncodeTask
    plan: EncodePlan
    videos: dict[str, Track]
    audio: Track | None


async def load_tracks(asset_id: int) -> Tracks | None:
    """Load the tracks; None if the video was deleted or its file replaced."""
    async with transaction() as session:
        asset = await Mp4Files(session).asset(asset_id)
        if asset is None:
            return None
        timeline = await Media(session).timeline(asset.video_id)
        if timeline is None or timeline.asset_id != asset_id:
            return None
        plan = msgspec.convert(asset.plan, EncodePlan)
        work = EncodeTask.on(asset)
    videos = {track.name: track for track in timeline.tracks if track.kind is TrackKind.VIDEO}
    return Tracks(work, plan, videos, timeline.track(AUDIO))


@handles(PackageRendition, on_stall=wait_bounded)
@with_classified_faults
async def package_rendition(job: PackageRendition) -> None:
    async with transaction() as session:
        if not await Mp4Files(session).lacks_file(job.asset_id, job.rendition):
            return
    tracks = await load_tracks(job.asset_id)
    if tracks is None:
        return
    video = tracks.videos[job.rendition]
    await media_storage().refuse_if_full(2 * (size_of(video) + size_of(tracks.audio)))
    async with workspace() as folder, attempt_files(tracks.work):
        video_file = await concatenated(video, folder / "video.mp4")
        audio = await concatenated(tracks.audio, folder / "audio.mp4") if tracks.audio else None
        file = await package(video_file, audio, tracks.plan, folder)
        key = f"{tracks.work.attempt}/{job.rendition}.mp4"
        stored = await media_storage().put(key, file)
        async with complete_job() as session:
            if not await Mp4Files(session).set_mp4_file(job.asset_id, job.rendition, key, stored):
                raise SupersededAttempt


@handles(MakeStoryboard, on_stall=wait_bounded)
@with_classified_faults
async def make_storyboard(job: MakeStoryboard) -> None:
    tracks = await load_tracks(job.asset_id)
    if tracks is None:
        return
    video = storyboard_rendition(list(tracks.videos.values()))
    await media_storage().refuse_if_full(2 * size_of(video))
    async with workspace() as folder, attempt_files(tracks.work):
        layout = layout_of(tracks.plan)
        video_file = await concatenated(video, folder / "video.mp4")
        sprite = await make_sprite(video_file, layout, folder)
        key = f"{tracks.work.attempt}/{sprite.name}"
        stored = await media_storage().put(key, sprite)
        preview = await make_preview(video_file, layout.duration, folder)
        preview_key = f"{tracks.work.attempt}/{preview.name}" if preview else None
        if preview and preview_key:
            await media_storage().put(preview_key, preview)
        async with complete_job() as session:
            storyboard = key, layout, stored
            if not await Mp4Files(session).set_storyboard(job.asset_id, *storyboard, preview_key):
                raise SupersededAttempt


@handles(PackageMissing)
async def package_missing(job: PackageMissing) -> None:
    async with transaction() as session:
        posters = await Mp4Files(session).queue_missing_posters(PACKAGED_AT_ONCE)
    if posters:
        logger.info("queued the posters of %d videos", posters)
    if not settings.mp4_files:
        return
    async with complete_job() as session:
        count = await Mp4Files(session).queue_missing(PACKAGED_AT_ONCE)
    if count:
        logger.info("queued MP4 files or storyboards of %d videos", count)


def size_of(track: Track | None) -> int:
    return sum(end_offset(part) for part in track.pieces) if track else 0


def end_offset(part: FileIndex) -> int:
    """The end of a part's file, in bytes."""
    _, offset, length = part.segments[-1]
    return offset + length


def storyboard_rendition(videos: list[Track]) -> Track:
    """The smallest rendition at least as high as a thumbnail, or else the largest."""
    by_size = sorted(videos, key=lambda track: min(track.width, track.height))
    enough = [track for track in by_size if min(track.width, track.height) >= TILE_HEIGHT]
    return enough[0] if enough else by_size[-1]


async def concatenated(track: Track, file: Path) -> Path:
    """Concatenate a track's segments into one fragmented file, as a player would."""
    with await asyncio.to_thread(file.open, "wb") as out:
        for number, part in enumerate(track.pieces):
            await append(out, part, 0 if number == 0 else part.init_length)
    return file


async def append(out: BinaryIO, part: FileIndex, start: int) -> None:
    """Copy a part's file from an offset to its end."""
    end = end_offset(part)
    while start < end:
        data = await media_storage().read(part.key, start, min(READ_BYTES, end - start))
        await asyncio.to_thread(out.write, data)
        start += len(data)
