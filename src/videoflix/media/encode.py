"""Encodes chunks and sound with ffmpeg, and believes only what the files prove (fmp4.py)."""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.filters import SAMPLE_RATE, audio, ladder
from videoflix.media.fmp4 import Index, InvalidOutput, index_audio, index_video, shift
from videoflix.media.ladder import Rung
from videoflix.media.plan import ChunkSpec, EncodePlan
from videoflix.platform.process.run import OnLine
from videoflix.platform.storage.media_storage import StorageFull
from videoflix.settings import settings

OnFrames = Callable[[int], Awaitable[None]]
Proof = TypeVar("Proof")

SPACE_LOW_BYTES = 16 * 1024 * 1024
FRAGMENTED = "+empty_moov+default_base_moof+negative_cts_offsets"
CLEAN = ["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]
COLOURS = ["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"]

logger = logging.getLogger(__name__)


async def encode_chunk(
    source: Path, plan: EncodePlan, span: ChunkSpec, folder: Path, on_frames: OnFrames
) -> dict[str, Index]:
    """Encode a span into every rung, `folder/<rung>.mp4`, and prove the files.

    `on_frames` hears how many of the span's frames are encoded. Raises InvalidOutput,
    ProcessFailed, or StorageFull.
    """

    async def on_line(line: str) -> None:
        key, _, value = line.partition("=")
        if key == "frame" and value.strip().isdigit():
            await on_frames(min(int(value), span.frame_count))

    if span.entry is not None:
        try:
            return await _encoded(source, plan, span, folder, on_line, from_start=False)
        except InvalidOutput as broken:  # damage, or an index that lies
            logger.warning("chunk %s is decoded from the film's start: %s", span.index, broken)
    return await _encoded(source, plan, span, folder, on_line, from_start=True)


async def encode_audio(source: Path, plan: EncodePlan, folder: Path) -> Index:
    """Encode the film's sound, `folder/audio.mp4`, as long as its picture, and prove the file.

    Raises InvalidOutput, ProcessFailed, or StorageFull.
    """
    file = folder / "audio.mp4"
    segment = round(plan.segment_frames / plan.frame_rate * 1_000_000)
    options = [
        "-map", "0:a:0", "-vn", *CLEAN,
        "-af", audio(plan),
        "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", str(SAMPLE_RATE),
        "-avoid_negative_ts", "disabled",
        "-f", "mp4", "-frag_duration", str(segment), "-movflags", FRAGMENTED,
        f"file:{file}",
    ]  # fmt: skip
    await run_ffmpeg([Input(source, ["-copyts"])], options, folder, plan.duration)
    return await _verified(lambda: index_audio(file, plan), folder)


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
    opened = Input(source, ["-copyts", *([] if from_start else _seek(span))])
    await run_ffmpeg([opened], options, folder, float(frames / plan.frame_rate), on_line)
    return await _verified(lambda: _indexes(plan, span, folder), folder)


def _seek(span: ChunkSpec) -> list[str]:
    """Begin at the span's key frame, exactly; what comes too early is left to the filters."""
    return ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{span.entry:.6f}"]


def _output(plan: EncodePlan, rung: Rung, folder: Path) -> list[str]:
    return [
        "-map", f"[{rung.name}]", *CLEAN,
        "-c:v", "libx264", "-preset", settings.x264_preset, "-crf", str(settings.x264_crf),
        "-maxrate", str(rung.max_bitrate), "-bufsize", str(rung.max_bitrate),
        "-threads", "1",  # rungs and chunks run side by side; more threads only cost more
        "-force_key_frames", f"expr:eq(mod(n,{plan.segment_frames}),0)",
        "-g", str(2 * plan.segment_frames), "-flags", "+cgop",
        *COLOURS,
        "-avoid_negative_ts", "disabled",
        "-video_track_timescale", str(plan.timescale),
        "-f", "mp4", "-movflags", f"+frag_keyframe{FRAGMENTED}",
        f"file:{folder / rung.name}.mp4",
    ]  # fmt: skip


def _indexes(plan: EncodePlan, span: ChunkSpec, folder: Path) -> dict[str, Index]:
    found: dict[str, Index] = {}
    for rung in plan.rungs:
        file = folder / f"{rung.name}.mp4"
        shift(file, span.first_frame * plan.frame_ticks)
        found[rung.name] = index_video(file, plan, span)
    return found


async def _verified(prove: Callable[[], Proof], folder: Path) -> Proof:
    """The result of a proof; StorageFull where files are broken because the disk is full."""
    try:
        return await asyncio.to_thread(prove)
    except (InvalidOutput, FileNotFoundError) as error:
        if shutil.disk_usage(folder).free < SPACE_LOW_BYTES:
            raise StorageFull from error
        raise
