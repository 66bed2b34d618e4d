"""Choose the grid of constant frame rate on which a film is encoded."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")
)
FASTEST = Fraction(60)
SLOWEST = Fraction(5)
# Shifts of the grid that are tried, in shares of a frame.
FEW = 0.02  # as a share of all frames; more is a higher frame rate than that of the grid
SHIFTS = tuple(Fraction(tenth, 10) for tenth in (0, 1, -1, 2, -2, 3, -3, 4, -4))


def choose_rate(ticks: Sequence[int], base: Fraction, declared: Fraction) -> Fraction:
    """Choose frames per second: the source's own, or a standard rate that drops no frame.

    `ticks` are the sorted times of all pictures in units of `base` seconds, `declared` is the rate
    that the container names, or 0.
    """
    rate, busy = declared, _p90_rate(ticks, float(base))
    length = (ticks[-1] - ticks[0]) * base
    average = float((len(ticks) - 1) / length) if length > 0 else float(rate)
    if not rate or not (_is_close(average, rate) or _is_close(busy, rate)):
        # The declared rate is meaningless. A variable one is at its busiest most of the time.
        is_steady = _is_close(average, Fraction(busy))
        usual = next((r for r in STANDARD_RATES if r >= busy - 0.5), FASTEST)
        rate = Fraction(average).limit_denominator(1001) if is_steady else usual
    rate = rate or STANDARD_RATES[0]  # of a single picture
    while rate < SLOWEST:  # so that segments can begin every few seconds
        rate *= 2
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    exact = abs(nearest - rate) <= rate / 2000
    return nearest if exact else min(rate.limit_denominator(1001), FASTEST)


def choose_shift(ticks: Sequence[int], base: Fraction, rate: Fraction) -> Fraction:
    """Choose how far the grid begins before the first picture, in shares of a frame.

    Where recordings were joined, a few frames may be less than a frame apart; a shifted grid has a
    place for each. Otherwise, the grid begins with the first picture.
    """
    scale = base * rate
    first, numerator, denominator = ticks[0], scale.numerator, scale.denominator
    places = [(tick - first) * numerator / denominator for tick in ticks]

    def collisions(shift: Fraction) -> int:
        return len(places) - len({round(place + float(shift)) for place in places})

    few = len(places) * FEW
    return min(SHIFTS, key=collisions) if 0 < collisions(SHIFTS[0]) <= few else SHIFTS[0]


def _is_close(measured: float, rate: Fraction) -> bool:
    return abs(measured - rate) <= rate / 33


def _p90_rate(ticks: Sequence[int], base: float) -> float:
    """The 90th percentile of frames per second, counted over whole seconds."""
    seconds = (ticks[-1] - ticks[0]) * base
    if seconds < 2:
        return (len(ticks) - 1) / seconds if seconds else 0.0
    counts = sorted(Counter(int((tick - ticks[0]) * base) for tick in ticks).values())
    return float(counts[ceil(len(counts) * 0.9) - 1])
