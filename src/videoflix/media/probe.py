"""Finds out what was uploaded, without trusting it: a child with limits reads the file.

Raises Rejected for everything that cannot become a film, before anything is encoded.
"""

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from videoflix.media.rejection import Rejected
from videoflix.platform.processes import Limits, ProcessFailed, run
from videoflix.settings import settings

INSPECTOR = Path(__file__).with_name("inspector.py")
LIMITS = Limits(wall_seconds=300, cpu_seconds=120, memory_bytes=2 << 30, file_bytes=1 << 20)

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")
)
FASTEST = Fraction(60)
SLOWEST = Fraction(1)
HDR_TRANSFERS = {16, 18}  # PQ and HLG, ITU-T H.273
MISSING_SECONDS, MISSING_SHARE = 0.5, 0.01


class Source(msgspec.Struct, frozen=True):
    """What a file holds.

    `width` and `height` are those of the picture as it is shown: rotated, in square pixels.
    `origin` is the first picture's time stamp in seconds as "num/den"; `frame_count` counts
    pictures on a grid of constant rate from there. `entries` are the key frames decoding can
    begin at: (presentation time, decode time) in seconds.
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
    hdr: bool
    entries: tuple[tuple[float, float], ...]


async def probe(path: Path) -> Source:
    """Inspect a file on the local disk.

    Raises Rejected, also for a file that crashes the inspector or exceeds its limits.
    """
    try:
        answer = json.loads(await run([sys.executable, "-I", str(INSPECTOR), str(path)], LIMITS))
    except ProcessFailed as error:
        if error.returncode > 0:  # a fault of ours, not the file's: tried again, and logged
            raise
        raise Rejected("not-a-video", "This file cannot be read as a video.") from error
    if "rejected" in answer:
        raise Rejected(*answer["rejected"])
    return _source(answer["facts"])


def _source(facts: dict[str, Any]) -> Source:
    width, height = _shown_size(facts)
    origin, end = Fraction(facts["origin"]), Fraction(facts["end"])
    _refuse_extremes(facts, float(end - origin))
    frame_rate = _frame_rate(facts)
    # Some containers give packets no duration; the last picture is then shown for one frame.
    end = max(end, Fraction(facts["last"]) + 1 / frame_rate)
    return Source(
        container=facts["container"],
        video_codec=facts["video_codec"],
        width=width,
        height=height,
        frame_rate_num=frame_rate.numerator,
        frame_rate_den=frame_rate.denominator,
        frame_count=max(1, round((end - origin) * frame_rate)),
        origin=facts["origin"],
        has_audio=facts["has_audio"],
        interlaced=facts["interlaced"],
        hdr=facts["transfer"] in HDR_TRANSFERS,
        entries=tuple((pts, dts) for pts, dts in facts["entries"]),
    )


def _shown_size(facts: dict[str, Any]) -> tuple[int, int]:
    width, height = round(facts["width"] * Fraction(facts["aspect"])), facts["height"]
    if facts["rotation"] % 180:
        width, height = height, width
    return max(2, width), max(2, height)


def _refuse_extremes(facts: dict[str, Any], seconds: float) -> None:
    pixels = facts["width"] * facts["height"]
    if pixels > settings.film_max_pixels:
        raise Rejected(
            "picture-too-large",
            f"The picture has {facts['width']} x {facts['height']} pixels; "
            f"at most {settings.film_max_pixels:,} pixels are accepted.",
        )
    declared = facts["declared_seconds"]
    if max(seconds, declared, facts["declared_of_all"]) > settings.film_max_seconds:
        hours = settings.film_max_seconds / 3600
        raise Rejected("film-too-long", f"Films of at most {hours:g} hours are accepted.")
    _refuse_truncated(seconds, declared)
    _refuse_truncated(facts["end_of_all"] - facts["begin_of_all"], facts["declared_of_all"])


def _refuse_truncated(seconds: float, declared: float) -> None:
    """Compare what was read with what the container's header promised (0: nothing)."""
    if declared - seconds > max(MISSING_SECONDS, declared * MISSING_SHARE):
        raise Rejected(
            "truncated",
            f"The file ends after {seconds:.0f} of {declared:.0f} seconds; upload it again.",
        )


def _frame_rate(facts: dict[str, Any]) -> Fraction:
    """The constant rate the film is shown at: its own, or the nearest usual one above.

    The measured rate decides; a declared one within 2 % of it is taken as exact.
    """
    declared = Fraction(facts["frame_rate"])
    length = Fraction(facts["last"]) - Fraction(facts["origin"])
    if facts["packets"] < 2 or length <= 0:
        return min(declared, FASTEST) if declared >= SLOWEST else Fraction(25)
    measured = (facts["packets"] - 1) / length
    if measured < SLOWEST and length > 60:
        raise Rejected("no-picture", "The film shows less than one picture a second.")
    if abs(measured - declared) <= declared / 50:
        rate = min(STANDARD_RATES, key=lambda standard: abs(standard - declared))
        rate = rate if abs(rate - declared) <= declared / 2000 else declared.limit_denominator(1001)
    else:  # variable: a grid that drops nothing visible
        rate = next((r for r in STANDARD_RATES if r >= measured * Fraction(49, 50)), FASTEST)
    return rate if rate <= FASTEST else FASTEST
