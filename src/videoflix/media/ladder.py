"""The bitrate ladder: sizes and maximum bit rates of the renditions."""

from fractions import Fraction

import msgspec

# Length of the shorter side in pixels, so that portrait videos get the same rungs.
SHORT_SIDES = (1080, 720, 480, 360, 120)
FULL_HD_PIXELS = 1920 * 1080
FULL_HD_BITRATE = 5_000_000
HIGH_FRAME_RATE = 40  # frames per second; above, a rung gets more bits


class Rung(msgspec.Struct, frozen=True):
    """One step of the ladder; `max_bitrate` is in bits per second."""

    name: str
    width: int
    height: int
    max_bitrate: int


def make_ladder(width: int, height: int, frame_rate: Fraction) -> tuple[Rung, ...]:
    """Choose the rungs for a frame size in square pixels, the highest first.

    No rung is larger than the source, and all keep its aspect ratio. A source clearly between two
    rungs, or below all of them, gets a rung of its own size.
    """
    short = min(width, height)
    sides = [side for side in SHORT_SIDES if side <= short]
    own = max(2, short - short % 2)
    if not sides or (short < SHORT_SIDES[0] and short > sides[0] * 1.15):
        sides.insert(0, own)
    return tuple(_rung(side, width, height, frame_rate) for side in sides)


def even(length: float) -> int:
    """Round to an even number: 4:2:0 chroma subsampling needs even sides."""
    return max(2, round(length / 2) * 2)


def _rung(side: int, width: int, height: int, frame_rate: Fraction) -> Rung:
    if width >= height:
        size = even(width * side / height), even(side)
    else:
        size = even(side), even(height * side / width)
    return Rung(f"{side}p", *size, max_bitrate=_max_bitrate(size, frame_rate))


def _max_bitrate(size: tuple[int, int], frame_rate: Fraction) -> int:
    """Scale the bit rate with the 0.75th power of the pixel count, a common rule of thumb."""
    share = (size[0] * size[1] / FULL_HD_PIXELS) ** 0.75
    faster = 1.4 if frame_rate > HIGH_FRAME_RATE else 1.0
    return max(100_000, int(round(FULL_HD_BITRATE * share * faster, -4)))
