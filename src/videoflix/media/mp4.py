"""Puts a picture and its sound into one MP4 file, for players that know no HLS."""

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


async def package(picture: Path, sound: Path | None, plan: EncodePlan, folder: Path) -> Path:
    """Write `folder/film.mp4` from fragmented files without encoding anything, and prove it.

    It begins with its index, so that it plays while it is fetched. Raises InvalidOutput,
    ProcessFailed, or StorageFull.
    """
    file = folder / "film.mp4"
    inputs = [Input(picture), *([Input(sound)] if sound else [])]
    options = [
        "-map", "0:v:0", *(["-map", "1:a:0"] if sound else []), *CLEAN,
        "-c", "copy",
        "-avoid_negative_ts", "disabled",
        "-video_track_timescale", str(plan.timescale),
        "-f", "mp4", "-movflags", "+faststart",
        f"file:{file}",
    ]  # fmt: skip
    await run_ffmpeg(inputs, options, folder, plan.duration)
    await asyncio.to_thread(_verify, file, plan, 2 if sound else 1)
    return file


def _verify(path: Path, plan: EncodePlan, tracks: int) -> None:
    """Raises InvalidOutput unless the file begins with its index and holds every picture."""
    size = path.stat().st_size
    with path.open("rb") as file:
        order = [name for name, _, _ in boxes(file, 0, size) if name in {b"moov", b"mdat"}]
        check(order == [b"moov", b"mdat"], f"boxes in the order {order}")
        counts = list(_sample_counts(file, 0, size))
    check(len(counts) == tracks, f"{len(counts)} tracks, {tracks} were ordered")
    check(counts[0] == plan.frame_count, f"{counts[0]} of {plan.frame_count} frames")


def _sample_counts(file: BinaryIO, start: int, end: int) -> Iterator[int]:
    """How many samples each track has."""
    for name, begin, stop in boxes(file, start, end):
        if name in CONTAINERS:
            yield from _sample_counts(file, begin, stop)
        elif name == b"stsz":
            file.seek(begin + 8)
            yield struct.unpack(">I", file.read(4))[0]
