"""Package video and audio into one MP4 file, for players without HLS."""

import asyncio
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from videoflix.media.encode import CLEAN
from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.fmp4 import boxes, check
from videoflix.media.plan import EncodePlan

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


async def package(video: Path, audio: Path | None, plan: EncodePlan, folder: Path) -> Path:
    """Remux fragmented files into `folder/video.mp4` without re-encoding, and verify it.

    The moov box comes first (faststart), so that players can start before the download ends.
    Raises InvalidOutput, ProcessFailed or StorageFull.
    """
    file = folder / "film.mp4"
    inputs = [Input(video), *([Input(audio)] if audio else [])]
    options = [
        "-map", "0:v:0", *(["-map", "1:a:0"] if audio else []), *CLEAN,
        "-c", "copy",
        "-avoid_negative_ts", "disabled",  # keep video and audio aligned as they are
        "-video_track_timescale", str(plan.timescale),
        "-f", "mp4", "-movflags", "+faststart",
        f"file:{file}",
    ]  # fmt: skip
    await run_ffmpeg(inputs, options, folder, plan.duration)
    await asyncio.to_thread(_verify, file, plan, 2 if audio else 1)
    return file


def _verify(path: Path, plan: EncodePlan, tracks: int) -> None:
    """Raises InvalidOutput unless moov comes before mdat and all frames are present."""
    size = path.stat().st_size
    with path.open("rb") as file:
        order = [name for name, _, _ in boxes(file, 0, size) if name in {b"moov", b"mdat"}]
        check(order == [b"moov", b"mdat"], f"boxes in the order {order}")
        counts = list(_sample_counts(file, 0, size))
    check(len(counts) == tracks, f"{len(counts)} tracks instead of {tracks}")
    check(counts[0] == plan.frame_count, f"{counts[0]} of {plan.frame_count} frames")


def _sample_counts(file: BinaryIO, start: int, end: int) -> Iterator[int]:
    """Iterate over the sample counts of the tracks (stsz)."""
    for name, begin, stop in boxes(file, start, end):
        if name in CONTAINERS:
            yield from _sample_counts(file, begin, stop)
        elif name == b"stsz":
            file.seek(begin + 8)
            yield struct.unpack(">I", file.read(4))[0]
