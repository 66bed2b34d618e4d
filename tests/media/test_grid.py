"""The grid of constant frame rate."""

from fractions import Fraction

import pytest

from videoflix.media.probe.grid import choose_rate, choose_shift

BASE = Fraction(1, 90_000)
FRAME = 3600  # at 25 frames per second
STEADY = [number * FRAME for number in range(250)]


@pytest.mark.parametrize(
    ("ticks", "declared", "rate"),
    [
        (STEADY, Fraction(25), Fraction(25)),
        (STEADY, Fraction(0), Fraction(25)),
        (STEADY, Fraction(1000), Fraction(25)),
        ([number * 3003 for number in range(250)], Fraction(0), Fraction(30000, 1001)),
        (
            [*STEADY[:200], *(900_000 + number * 36_000 for number in range(9))],
            Fraction(90),
            Fraction(25),
        ),
        ([number * 90_000 for number in range(20)], Fraction(1), Fraction(8)),
        ([number * 375 for number in range(480)], Fraction(240), Fraction(60)),
        ([0], Fraction(0), Fraction(24000, 1001)),
    ],
)
def test_rate(ticks: list[int], declared: Fraction, rate: Fraction) -> None:
    assert choose_rate(ticks, BASE, declared) == rate


def test_grid_of_a_steady_film_is_not_shifted() -> None:
    assert choose_shift(STEADY, BASE, Fraction(25)) == 0
    jittery = [tick + (number * 7919) % 90 for number, tick in enumerate(STEADY)]
    assert choose_shift(jittery, BASE, Fraction(25)) == 0


def test_shifted_grid_has_a_place_for_each_frame_of_a_joined_film() -> None:
    joined = STEADY[:100] + [tick - FRAME * 54 // 100 for tick in STEADY[100:]]
    shift = choose_shift(joined, BASE, Fraction(25))
    places = {round(float(tick * BASE * 25 + shift)) for tick in joined}
    assert len(places) == len(joined)
    assert abs(shift) < Fraction(1, 2)


def test_frames_beyond_the_rate_of_the_grid_shift_nothing() -> None:
    fast = [number * 375 for number in range(480)]
    assert choose_shift(fast, BASE, Fraction(60)) == 0
