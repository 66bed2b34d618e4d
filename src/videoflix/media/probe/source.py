"""Finds out what was uploaded, without trusting it: a child with limits reads the file.

Raises Rejected for everything that cannot become a film, before anything is encoded.
"""

import sys
from fractions import Fraction
from pathlib import Path

import msgspec

from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.result import ProbeRejection, ProbeResult, decode_result
from videoflix.platform.process.run import LimitExceeded, Limits, run
from videoflix.settings import settings

# Every byte of the largest upload is read once, from a disk that may be slow.
LIMITS = Limits(wall_seconds=1800, cpu_seconds=600, memory_bytes=2 << 30, file_bytes=1 << 20)

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")
)
FASTEST = Fraction(60)
SLOWEST = Fraction(5)
HDR_TRANSFERS = {16: "smpte2084", 18: "arib-std-b67"}
UNNAMED_MATRIX = {0, 2, 3}
HD_HEIGHT = 600  # smaller pictures come from the days of BT.601
MISSING_SECONDS, MISSING_SHARE = 0.5, 0.01
# No screen is longer; a false pixel aspect easily is.
LONGEST_SHAPE = 10


class ProbedSource(msgspec.Struct, frozen=True):
    """What a file holds.

    `width` and `height` are those of the picture as it is shown: rotated, in square pixels.
    `origin` is the first picture's time stamp in seconds as "num/den"; `frame_count` counts
    pictures on a grid of constant rate from there. `hdr` names the transfer curve of a picture
    with high dynamic range, `matrix` the colour matrix a file leaves unsaid ("auto": it says).
    `entries` are the places decoding can begin at, in seconds: from when on all pictures are
    there, and the time to seek to for it.
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
    """Inspect a file on the local disk.

    Raises Rejected for what a file is at fault for, and ProcessFailed for a reader that crashed,
    was killed or took too long: that proves nothing.
    """
    arguments = ["-m", "videoflix.media.probe.child", str(path), str(settings.film_max_pixels)]
    try:
        answer = decode_result(await run([sys.executable, "-I", *arguments], LIMITS, reads=[path]))
    except LimitExceeded as error:
        if error.limit == "memory_bytes":
            raise  # the machine may have run out of it
        raise SourceRejected("not-a-video", "This file cannot be read as a video.") from error
    if isinstance(answer, ProbeRejection):
        raise SourceRejected(answer.code, answer.reason)
    return _source(answer)


def _source(facts: ProbeResult) -> ProbedSource:
    _ensure_length(facts)
    width, height = _shown_size(facts)
    frame_rate = _frame_rate(facts)
    # Some containers give packets no duration; the last picture is then shown for one frame.
    end = max(facts.end, facts.last + 1 / frame_rate)
    return ProbedSource(
        container=facts.container,
        video_codec=facts.video_codec,
        width=width,
        height=height,
        frame_rate_num=frame_rate.numerator,
        frame_rate_den=frame_rate.denominator,
        frame_count=max(1, round((end - facts.origin) * frame_rate)),
        origin=str(facts.origin),
        has_audio=facts.has_audio,
        interlaced=facts.interlaced,
        hdr="" if facts.is_rgb else HDR_TRANSFERS.get(facts.transfer, ""),
        matrix=_matrix(facts),
        seek_points=facts.seek_points,
    )


def _shown_size(facts: ProbeResult) -> tuple[int, int]:
    width, height = round(facts.width * facts.sample_aspect), facts.height
    if not height <= width * LONGEST_SHAPE <= height * LONGEST_SHAPE**2:
        width = facts.width
    if facts.rotation % 180:
        width, height = height, width
    return max(2, width), max(2, height)


def _matrix(facts: ProbeResult) -> str:
    if facts.is_rgb or facts.matrix not in UNNAMED_MATRIX:
        return "auto"
    return "bt709" if min(facts.width, facts.height) > HD_HEIGHT else "smpte170m"


def _ensure_length(facts: ProbeResult) -> None:
    seconds = float(facts.end - facts.begin)
    if max(seconds, facts.declared, facts.declared_of_all) > settings.film_max_seconds:
        hours = settings.film_max_seconds / 3600
        raise SourceRejected("film-too-long", f"Films of at most {hours:g} hours are accepted.")
    for held, declared in (
        (seconds, facts.declared),
        (facts.seconds_of_all, facts.declared_of_all),
    ):
        if declared - held > max(MISSING_SECONDS, declared * MISSING_SHARE):
            raise SourceRejected(
                "truncated",
                f"The file ends after {held:.0f} of {declared:.0f} seconds; upload it again.",
            )


def _frame_rate(facts: ProbeResult) -> Fraction:
    """The constant rate the film is shown at: its own, or a usual one that drops no picture."""
    rate = facts.declared_rate
    length = facts.last - facts.begin
    average = float((facts.frame_count - 1) / length) if length > 0 else float(rate)
    if not rate or not (_is_close(average, rate) or _is_close(facts.p90_frame_rate, rate)):
        # It varies, and the header's word means nothing.
        rate = next((r for r in STANDARD_RATES if r >= facts.p90_frame_rate * 0.95), FASTEST)
    while rate < SLOWEST:  # so that segments can begin every few seconds
        rate *= 2
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    exact = abs(nearest - rate) <= rate / 2000
    return nearest if exact else min(rate.limit_denominator(1001), FASTEST)


def _is_close(measured: float, rate: Fraction) -> bool:
    return abs(measured - rate) <= rate / 33
