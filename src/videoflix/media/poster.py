"""Choose the poster among frames of the video, and scale posters to their sizes."""

import asyncio
import hashlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import msgspec

from videoflix.media.ffmpeg import Input
from videoflix.media.ffmpeg_process import run_ffmpeg
from videoflix.media.filters import still
from videoflix.media.ladder import even
from videoflix.media.plan import EncodePlan
from videoflix.media.problems import InvalidPoster
from videoflix.platform.pictures.reencode import Picture, PictureRejected, reencode
from videoflix.platform.pictures.sizes import TALLEST, sized_keys, targets
from videoflix.platform.process.run import LaunchFailed, ProcessFailed, ProcessKilled

CANDIDATES = 8
FIRST, LAST = 0.05, 0.95  # share of the duration; the rest is often black or credits
WIDEST = 1280
BYTES_MAX = 10 * 1024 * 1024


class PosterFailed(Exception):
    """No frame could be decoded, or the poster's file is lost."""


class Candidate(msgspec.Struct, frozen=True):
    """A frame that can be the poster: its storage key, and its time in seconds of the film."""

    key: str
    seconds: float


class Stills(msgspec.Struct, frozen=True):
    """The automatic poster of a file with the widths of its sizes, and all candidates."""

    poster: str
    widths: tuple[int, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    @property
    def keys(self) -> set[str]:
        """Storage keys of all pictures."""
        sizes = sized_keys(self.poster, self.widths)
        return {self.poster, *sizes, *(found.key for found in self.candidates)}


class Frame(msgspec.Struct, frozen=True):
    """A decoded frame: a JPEG file, at most 1280 pixels wide, and its time in seconds."""

    file: Path
    seconds: float


async def decode_frames(source: Path, plan: EncodePlan, folder: Path) -> list[Frame]:
    """Decode CANDIDATES different frames spread over the video, fewer of a short one.

    Raises PosterFailed, LaunchFailed or ProcessKilled.
    """
    found: dict[bytes, Frame] = {}
    for number in range(CANDIDATES):
        share = FIRST + (LAST - FIRST) * number / (CANDIDATES - 1)
        seconds = round(plan.duration * share, 3)
        file = folder / f"candidate-{number}.jpg"
        await _decode(source, plan, seconds, file)
        if digest := await asyncio.to_thread(_digest, file):
            found.setdefault(digest, Frame(file, seconds))
    if not found:
        raise PosterFailed
    return list(found.values())


def _digest(file: Path) -> bytes:
    """Empty if the file is missing or empty."""
    data = file.read_bytes() if file.exists() else b""
    return hashlib.sha256(data).digest() if data else b""


def most_detailed(frames: Sequence[Frame]) -> Frame:
    """At a fixed quality, the largest JPEG: black, blurred and faded frames are small."""
    return max(frames, key=lambda frame: frame.file.stat().st_size)


async def _decode(source: Path, plan: EncodePlan, seconds: float, file: Path) -> None:
    """Decode the frame at a time of the film; no file is written if it is damaged."""
    time = Fraction(plan.origin) + Fraction(round(seconds * 1000), 1000)
    top = plan.rungs[0]
    width = min(WIDEST, top.width)
    height = even(width * top.height / top.width)
    # At a time in the source's own timestamps.
    turning = ["-noautorotate"] if plan.turned else []
    seek = [*turning, "-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{float(time):.6f}"]
    options = [
        "-map", plan.video_stream, "-frames:v", "1",
        "-vf", still(plan, width, height),
        "-q:v", "4", "-f", "image2", "-update", "1",
        f"file:{file}",
    ]  # fmt: skip
    try:
        await run_ffmpeg([Input(source, seek)], options, file.parent, 10)
    except (LaunchFailed, ProcessKilled):
        raise  # says nothing about the file
    except ProcessFailed:
        return  # damaged here; other candidates may work


async def sizes_of(picture: bytes) -> list[Picture]:
    """Scale a poster down to its sizes. Raises PosterFailed."""
    try:
        return distinct(await reencode(picture, targets()))
    except PictureRejected as error:
        raise PosterFailed from error


async def reencode_upload(data: bytes) -> tuple[bytes, list[Picture]]:
    """Re-encode an uploaded poster as JPEG, and its sizes. Raises InvalidPoster."""
    if len(data) > BYTES_MAX:
        raise InvalidPoster
    try:
        whole, *sizes = await reencode(
            data, [f"jpeg:{WIDEST}x{round(WIDEST * TALLEST)}", *targets()]
        )
    except PictureRejected as error:
        raise InvalidPoster from error
    return whole.data, distinct(sizes)


def distinct(sizes: Sequence[Picture]) -> list[Picture]:
    """One picture of each width: a small poster is not enlarged."""
    return list({picture.width: picture for picture in sizes}.values())
