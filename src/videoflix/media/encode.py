"""Encode chunks with ffmpeg; the output is verified box by box (fmp4.py)."""

import asyncio
import logging
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.filters import ladder
from videoflix.media.fmp4 import Index, InvalidOutput, index_video
from videoflix.media.ladder import Rung
from videoflix.media.placement import place
from videoflix.media.plan import ChunkSpec, EncodePlan
from videoflix.platform.process.run import OnLine
from videoflix.platform.storage.media_storage import StorageFull
from videoflix.settings import settings

OnFrames = Callable[[int], Awaitable[None]]

# With less free space, broken output is attributed to a full disk.
SPACE_LOW_BYTES = 16 * 1024 * 1024
# CMAF: no samples in the moov, and offsets relative to each moof.
FRAGMENTED = "+empty_moov+default_base_moof"
# Copy nothing but the mapped tracks: metadata may be private, chapters and data need no player.
CLEAN = ["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]
# Written to the bitstream, or players would guess by the picture's size.
COLOURS = ["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"]

logger = logging.getLogger(__name__)


async def encode_chunk(
    source: Path, plan: EncodePlan, span: ChunkSpec, folder: Path, on_frames: OnFrames
) -> dict[str, Index]:
    """Encode a chunk into every rung, `folder/<rung>.mp4`, and verify the files.

    `on_frames` is called with the number of encoded frames. Raises InvalidOutput, ProcessFailed
    or StorageFull.
    """

    async def on_line(line: str) -> None:
        key, _, value = line.partition("=")
        if key == "frame" and value.strip().isdigit():
            await on_frames(min(int(value), span.frame_count))

    if span.entry is not None:
        try:
            return await _encoded(source, plan, span, folder, on_line, from_start=False)
        except InvalidOutput as broken:  # a damaged source, or an index with wrong times
            logger.warning("decoding chunk %s from the start of the source: %s", span.index, broken)
    return await _encoded(source, plan, span, folder, on_line, from_start=True)


async def _encoded(
    source: Path,
    plan: EncodePlan,
    span: ChunkSpec,
    folder: Path,
    on_line: OnLine,
    *,
    from_start: bool,
) -> dict[str, Index]:
    options = [
        "-filter_complex", ladder(plan, span, from_start=from_start),
        *(option for rung in plan.rungs for option in _output(plan, rung, folder)),
    ]  # fmt: skip
    begin = 0 if from_start else span.first_frame
    frames = span.first_frame + span.frame_count - begin
    # One filter graph from start to end: a new one, after a change of size, would count again.
    reading = ["-copyts", "-reinit_filter", "0", *(["-noautorotate"] if plan.turned else [])]
    opened = Input(source, [*reading, *([] if from_start else _seek(span))])
    await run_ffmpeg([opened], options, folder, float(frames / plan.frame_rate), on_line)
    async with attribute_to_full_disk(folder):
        return await asyncio.to_thread(_indexes, plan, span, folder)


def _seek(span: ChunkSpec) -> list[str]:
    """Seek to the chunk's key frame.

    -seek_timestamp: the time is in the source's clock, not relative to its start.
    -noaccurate_seek: decode from the key frame on; the filters drop what is too early.
    """
    return ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{span.entry:.6f}"]


def _output(plan: EncodePlan, rung: Rung, folder: Path) -> list[str]:
    return [
        "-map", f"[{rung.name}]", *CLEAN,
        "-c:v", "libx264", "-preset", settings.x264_preset, "-crf", str(settings.x264_crf),
        "-maxrate", str(rung.max_bitrate), "-bufsize", str(rung.max_bitrate),
        "-threads", "1",  # rungs and chunks run in parallel; more threads only add overhead
        "-force_key_frames", f"expr:eq(mod(n,{plan.segment_frames}),0)",  # one per segment
        # Closed GOPs: a segment must decode on its own. No other key frames by interval.
        "-g", str(2 * plan.segment_frames), "-flags", "+cgop",
        *COLOURS,
        "-avoid_negative_ts", "disabled",  # chunks are placed by placement.py, not by ffmpeg
        "-video_track_timescale", str(plan.timescale),  # a frame is a whole number of ticks
        "-f", "mp4", "-movflags", f"+frag_keyframe{FRAGMENTED}",
        f"file:{folder / rung.name}.mp4",
    ]  # fmt: skip


def _indexes(plan: EncodePlan, span: ChunkSpec, folder: Path) -> dict[str, Index]:
    found: dict[str, Index] = {}
    for rung in plan.rungs:
        file = folder / f"{rung.name}.mp4"
        place(file, span.first_frame, plan.frame_ticks)
        found[rung.name] = index_video(file, plan, span)
    return found


@asynccontextmanager
async def attribute_to_full_disk(folder: Path) -> AsyncGenerator[None]:
    """Raise StorageFull for invalid output on a full disk."""
    try:
        yield
    except (InvalidOutput, FileNotFoundError) as error:
        if shutil.disk_usage(folder).free < SPACE_LOW_BYTES:
            raise StorageFull from error
        raise
