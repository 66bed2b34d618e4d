"""The ladder: which sizes and bit rates a film is offered in."""

from fractions import Fraction

import msgspec

# Length of a picture's shorter side; a phone held upright gets the same rungs.
SHORT_SIDES = (1080, 720, 480, 360, 120)
FULL_HD_PIXELS = 1920 * 1080
FULL_HD_BITRATE = 5_000_000
FAST_PICTURES = 40  # a second; above, a rung gets more bits


class Rung(msgspec.Struct, frozen=True):
    """One step of the ladder; `max_bitrate` counts bits a second."""

    name: str
    width: int
    height: int
    max_bitrate: int


def make_ladder(width: int, height: int, frame_rate: Fraction) -> tuple[Rung, ...]:
    """The rungs for a picture of this size in square pixels, the highest first.

    None is larger than the source, all keep its aspect. A source clearly between two rungs, or
    below all of them, gets one of its own size.
    """
    short = min(width, height)
    sides = [side for side in SHORT_SIDES if side <= short]
    own = max(2, short - short % 2)
    if not sides or (short < SHORT_SIDES[0] and short > sides[0] * 1.15):
        sides.insert(0, own)
    return tuple(_rung(side, width, height, frame_rate) for side in sides)


def even(length: float) -> int:
    """The nearest even number: 4:2:0 video has no odd sides."""
    return max(2, round(length / 2) * 2)


def _rung(side: int, width: int, height: int, frame_rate: Fraction) -> Rung:
    if width >= height:
        size = even(width * side / height), even(side)
    else:
        size = even(side), even(height * side / width)
    return Rung(f"{side}p", *size, max_bitrate=_max_bitrate(size, frame_rate))


def _max_bitrate(size: tuple[int, int], frame_rate: Fraction) -> int:
    """Bits grow slower than pixels: with their 0.75th power, the usual rule of thumb."""
    share = (size[0] * size[1] / FULL_HD_PIXELS) ** 0.75
    faster = 1.4 if frame_rate > FAST_PICTURES else 1.0
    return max(100_000, int(round(FULL_HD_BITRATE * share * faster, -4)))
