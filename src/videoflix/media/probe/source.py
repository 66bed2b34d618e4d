"""Probe an upload in a child process with limits, and normalise the result.

Raises SourceRejected for everything that cannot be played, before anything is encoded.
"""

import sys
from fractions import Fraction
from pathlib import Path

import msgspec

from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.result import ProbeRejection, ProbeResult, decode_result
from videoflix.platform.process.run import LimitExceeded, Limits, run
from videoflix.settings import settings

# The largest upload is read completely, from a disk that may be slow.
LIMITS = Limits(wall_seconds=1800, cpu_seconds=600, memory_bytes=2 << 30, file_bytes=1 << 20)

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")
)
FASTEST = Fraction(60)
SLOWEST = Fraction(5)
HDR_TRANSFERS = {16: "smpte2084", 18: "arib-std-b67"}
UNNAMED_MATRIX = {0, 2, 3}
HD_HEIGHT = 600  # smaller videos are assumed to use BT.601
# Tolerated difference between declared and measured duration: seconds, and share.
MISSING_SECONDS, MISSING_SHARE = 0.5, 0.01
# A more extreme aspect ratio is taken for a wrong pixel aspect.
ASPECT_MAX = 10


class ProbedSource(msgspec.Struct, frozen=True):
    """A source that can be encoded.

    `width` and `height` are those of the displayed frame: rotated, in square pixels. `origin` is
    the first frame's timestamp in seconds as "num/den"; `frame_count` counts frames of constant
    rate from there. `hdr` is FFmpeg's name of an HDR transfer function, or empty; `matrix` is the
    colour matrix to assume, or "auto" if the file specifies it. `seek_points` are pairs of the
    time from which all frames can be shown and the seek target, in seconds.
    """

    container: str
    video_codec: str
    width: int
    height: int
    frame_rate_num: int
    frame_rate_den: int
    frame_count: int
    origin: str
    has_audio: bool
    interlaced: bool
    hdr: str
    matrix: str
    seek_points: tuple[tuple[float, float], ...]


async def probe(path: Path) -> ProbedSource:
    """Probe a file on the local disk.

    Raises SourceRejected if the file is at fault, and ProcessFailed if the child crashed or was
    killed, which proves nothing about the file.
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
    return _source(answer)


def _source(result: ProbeResult) -> ProbedSource:
    _ensure_length(result)
    width, height = _shown_size(result)
    frame_rate = _frame_rate(result)
    # Some containers have no packet durations; the last frame is then shown for 1 / frame rate.
    end = max(result.end, result.last + 1 / frame_rate)
    return ProbedSource(
        container=result.container,
        video_codec=result.video_codec,
        width=width,
        height=height,
        frame_rate_num=frame_rate.numerator,
        frame_rate_den=frame_rate.denominator,
        frame_count=max(1, round((end - result.origin) * frame_rate)),
        origin=str(result.origin),
        has_audio=result.has_audio,
        interlaced=result.interlaced,
        hdr="" if result.is_rgb else HDR_TRANSFERS.get(result.transfer, ""),
        matrix=_matrix(result),
        seek_points=result.seek_points,
    )


def _shown_size(result: ProbeResult) -> tuple[int, int]:
    width, height = round(result.width * result.sample_aspect), result.height
    if not height <= width * ASPECT_MAX <= height * ASPECT_MAX**2:
        width = result.width
    if result.rotation % 180:
        width, height = height, width
    return max(2, width), max(2, height)


def _matrix(result: ProbeResult) -> str:
    if result.is_rgb or result.matrix not in UNNAMED_MATRIX:
        return "auto"
    return "bt709" if min(result.width, result.height) > HD_HEIGHT else "smpte170m"


def _ensure_length(result: ProbeResult) -> None:
    seconds = float(result.end - result.begin)
    if max(seconds, result.declared, result.declared_of_all) > settings.film_max_seconds:
        hours = settings.film_max_seconds / 3600
        raise SourceRejected("film-too-long", f"Films of at most {hours:g} hours are accepted.")
    for held, declared in (
        (seconds, result.declared),
        (result.seconds_of_all, result.declared_of_all),
    ):
        if declared - held > max(MISSING_SECONDS, declared * MISSING_SHARE):
            raise SourceRejected(
                "truncated",
                f"The file ends after {held:.0f} of {declared:.0f} seconds; upload it again.",
            )


def _frame_rate(result: ProbeResult) -> Fraction:
    """Choose the constant frame rate: the source's own, or a standard one that drops no frame."""
    rate = result.declared_rate
    length = result.last - result.begin
    average = float((result.frame_count - 1) / length) if length > 0 else float(rate)
    if not rate or not (_is_close(average, rate) or _is_close(result.p90_frame_rate, rate)):
        # Variable frame rate: the declared one is meaningless.
        rate = next((r for r in STANDARD_RATES if r >= result.p90_frame_rate * 0.95), FASTEST)
    while rate < SLOWEST:  # so that segments can begin every few seconds
        rate *= 2
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    exact = abs(nearest - rate) <= rate / 2000
    return nearest if exact else min(rate.limit_denominator(1001), FASTEST)


def _is_close(measured: float, rate: Fraction) -> bool:
    return abs(measured - rate) <= rate / 33
