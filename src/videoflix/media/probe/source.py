"""Probe an upload in a child process with limits, and normalise the result.

Raises SourceRejected for everything that cannot be played, before anything is encoded.
"""

import sys
from fractions import Fraction
from math import ceil
from pathlib import Path

import msgspec

from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.result import (
    AudioTrack,
    ChapterMark,
    ProbeRejection,
    ProbeResult,
    SubtitleTrack,
    decode_result,
)
from videoflix.media.probe.shown import ShownPicture, shown_picture
from videoflix.platform.process.run import LimitExceeded, Limits, run
from videoflix.settings import settings

# The largest upload is read completely, from a disk that may be slow.
LIMITS = Limits(wall_seconds=1800, cpu_seconds=600, memory_bytes=2 << 30, file_bytes=1 << 20)

HDR_TRANSFERS = {16: "smpte2084", 18: "arib-std-b67"}
UNNAMED_MATRIX = {0, 2, 3}
HD_HEIGHT = 600  # smaller videos are assumed to use BT.601
# Tolerated difference between declared and measured duration: seconds, and share.
MISSING_SECONDS, MISSING_SHARE = 0.5, 0.01
# Sound before or after the picture, in seconds, that makes the film longer. Less is the encoder's
# delay, or the rest of its last frame.
SOUND_ALONE = Fraction(1, 10)
# A more extreme aspect ratio is taken for a wrong pixel aspect.
ASPECT_MAX = 10


class ProbedSource(msgspec.Struct, frozen=True):
    """A source that can be encoded.

    `width` and `height` are those of the displayed frame: rotated, in square pixels; `shown` is
    the same frame before its pixels are made square. `origin` is the timestamp of the first frame
    to encode in seconds as "num/den": of the first picture, or of sound before it. `frame_count`
    counts frames of constant rate from there to the end of picture or sound, `picture_frames` to
    the end of the picture. `interlaced`: frames may be. `hdr` is FFmpeg's name of an HDR transfer
    function, or empty; `matrix` is the colour matrix to assume, or "auto" if the file specifies
    it. `seek_points` are pairs of the time from which all frames can be shown and the seek target,
    in seconds.
    """

    container: str
    video_index: int
    video_codec: str
    width: int
    height: int
    shown: ShownPicture
    frame_rate_num: int
    frame_rate_den: int
    frame_count: int
    picture_frames: int
    origin: str
    audio: tuple[AudioTrack, ...]
    subtitles: tuple[SubtitleTrack, ...]
    interlaced: bool
    hdr: str
    matrix: str
    seek_points: tuple[tuple[float, float], ...]
    chapters: tuple[ChapterMark, ...] = ()


class ClockBroken(Exception):
    """Several recordings were joined: their times do not form one clock (remux.py)."""

    def __init__(self, result: ProbeResult) -> None:
        super().__init__()
        self.container = result.container
        self.seconds = result.seconds_of_all
        self.streams = (result.video_index, *(track.index for track in result.audio))


async def probe(path: Path) -> ProbedSource:
    """Probe a file on the local disk.

    Raises SourceRejected if the file is at fault, ClockBroken, and ProcessFailed if the child
    crashed or was killed, which proves nothing about the file.
    """
    arguments = ["-m", "videoflix.media.probe.child", str(path), str(settings.film_max_pixels)]
    try:
        answer = decode_result(await run([sys.executable, "-I", *arguments], LIMITS, reads=[path]))
    except LimitExceeded as error:
        if error.limit == "memory_bytes":
            raise  # the machine may be out of memory
        raise SourceRejected("not-a-video", "We can't read this video file.") from error
    if isinstance(answer, ProbeRejection):
        raise SourceRejected(answer.code, answer.reason)
    _ensure_complete(answer)
    if answer.clock_restarts or answer.clock_jumps:
        raise ClockBroken(answer)
    return _source(answer, await shown_picture(path, answer))


def _source(result: ProbeResult, shown: ShownPicture) -> ProbedSource:
    width, height = _square(shown)
    rate = result.frame_rate
    # Some containers have no packet durations; the last frame is then shown for 1 / frame rate.
    picture_end = max(result.end, result.last + 1 / rate)
    begin, end = _with_sound(result, rate, picture_end)
    if end - begin > settings.film_max_seconds:
        hours = settings.film_max_seconds / 3600
        raise SourceRejected("film-too-long", f"Films of at most {hours:g} hours are accepted.")
    return ProbedSource(
        container=result.container,
        video_index=result.video_index,
        video_codec=result.video_codec,
        width=width,
        height=height,
        shown=shown,
        frame_rate_num=rate.numerator,
        frame_rate_den=rate.denominator,
        frame_count=max(1, round((end - begin) * rate)),
        picture_frames=max(1, round((picture_end - begin) * rate)),
        origin=str(begin),
        audio=result.audio,
        subtitles=result.subtitles,
        chapters=result.chapters,
        interlaced=result.interlaced or not result.is_rgb,
        hdr="" if result.is_rgb else HDR_TRANSFERS.get(result.transfer, ""),
        matrix=_matrix(result),
        seek_points=result.seek_points,
    )


def _with_sound(
    result: ProbeResult, rate: Fraction, picture_end: Fraction
) -> tuple[Fraction, Fraction]:
    """Extend the time of the picture to that of the sound, on the picture's grid of frames."""
    begin, end = result.origin - result.grid_shift / rate, picture_end
    for sound in result.audio[:1]:
        if begin - sound.begin > SOUND_ALONE:
            begin -= ceil((begin - sound.begin) * rate) / rate
        if sound.end - end > SOUND_ALONE:
            end = sound.end
    return begin, end


def _square(shown: ShownPicture) -> tuple[int, int]:
    """The size of the displayed frame in square pixels."""
    width, height = round(shown.width * shown.sample_aspect), shown.height
    if not height <= width * ASPECT_MAX <= height * ASPECT_MAX**2:
        width = shown.width
    return max(2, width), max(2, height)


def _matrix(result: ProbeResult) -> str:
    if result.is_rgb or result.matrix not in UNNAMED_MATRIX:
        return "auto"
    return "bt709" if min(result.width, result.height) > HD_HEIGHT else "smpte170m"


def _ensure_complete(result: ProbeResult) -> None:
    """Refuse a file that was cut off. Raises SourceRejected."""
    # The longest track: a still picture may be declared as long as its sound.
    ends = [result.end, *(track.end for track in result.audio)]
    seconds = float(max(ends) - result.begin)
    for held, declared in (
        (seconds, result.declared),
        (result.seconds_of_all, result.declared_of_all),
    ):
        if declared - held > max(MISSING_SECONDS, declared * MISSING_SHARE):
            raise SourceRejected(
                "truncated",
                f"The file ends after {held:.0f} of {declared:.0f} seconds; upload it again.",
            )
    if result.missing_bytes:
        raise SourceRejected(
            "truncated",
            f"The last {result.missing_bytes:,} bytes of the file are missing; upload it again.",
        )
