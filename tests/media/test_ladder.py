"""The renditions that are planned for a source of a given size and frame rate."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoflix.media.ladder import SHORT_SIDES, even, make_ladder

LENGTHS = st.integers(2, 8192)
FRAME_RATES = st.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(60)])


@pytest.mark.parametrize(
    ("width", "height", "names"),
    [
        (1920, 1080, ["1080p", "720p", "480p", "360p", "120p"]),
        (3840, 2160, ["1080p", "720p", "480p", "360p", "120p"]),
        (1080, 1920, ["1080p", "720p", "480p", "360p", "120p"]),
        (640, 360, ["360p", "120p"]),
        (640, 400, ["360p", "120p"]),
        (768, 413, ["360p", "120p"]),
        (768, 432, ["432p", "360p", "120p"]),
        (1600, 901, ["900p", "720p", "480p", "360p", "120p"]),
        (160, 100, ["100p"]),
        (1241, 1242, ["1080p", "720p", "480p", "360p", "120p"]),
        (2, 1, ["2p"]),
    ],
)
def test_rungs(width: int, height: int, names: list[str]) -> None:
    assert [rung.name for rung in make_ladder(width, height, Fraction(25))] == names


def test_sizes_keep_the_aspect_and_are_even() -> None:
    found = [(rung.width, rung.height) for rung in make_ladder(1920, 800, Fraction(25))]
    assert found == [(1728, 720), (1152, 480), (864, 360), (288, 120)]
    upright = [(rung.width, rung.height) for rung in make_ladder(720, 1280, Fraction(25))]
    assert upright == [(720, 1280), (480, 854), (360, 640), (120, 214)]


@pytest.mark.parametrize(
    ("rate", "bits"),
    [
        (25, [5_000_000, 2_720_000, 1_480_000, 960_000, 190_000]),
        (40, [5_000_000, 2_720_000, 1_480_000, 960_000, 190_000]),
        (41, [7_000_000, 3_810_000, 2_080_000, 1_350_000, 260_000]),
    ],
)
def test_bit_rates(rate: int, bits: list[int]) -> None:
    assert [rung.max_bitrate for rung in make_ladder(1920, 1080, Fraction(rate))] == bits


def test_no_rung_has_less_than_100_kbit() -> None:
    assert [rung.max_bitrate for rung in make_ladder(64, 48, Fraction(25))] == [100_000]


@pytest.mark.parametrize(
    ("length", "expected"), [(0, 2), (1, 2), (2, 2), (2.9, 2), (3.1, 4), (853.3, 854), (854, 854)]
)
def test_lengths_are_rounded_to_even_numbers(length: float, expected: int) -> None:
    assert even(length) == expected


@given(width=LENGTHS, height=LENGTHS, rate=FRAME_RATES)
def test_every_ladder_is_playable(width: int, height: int, rate: Fraction) -> None:
    """Even sizes for 4:2:0, no upscaling, the largest first, and at least one rung."""
    rungs = make_ladder(width, height, rate)
    short_sides = [min(rung.width, rung.height) for rung in rungs]
    assert rungs
    assert short_sides == sorted(set(short_sides), reverse=True)
    assert short_sides[0] <= max(2, min(width, height))
    for rung in rungs:
        assert (rung.width % 2, rung.height % 2) == (0, 0)
        assert rung.name == f"{min(rung.width, rung.height)}p"
        assert rung.max_bitrate >= 100_000


@given(width=LENGTHS, height=LENGTHS, rate=FRAME_RATES)
def test_larger_rungs_never_have_fewer_bits(width: int, height: int, rate: Fraction) -> None:
    bitrates = [rung.max_bitrate for rung in make_ladder(width, height, rate)]
    assert bitrates == sorted(bitrates, reverse=True)


@given(width=LENGTHS, height=LENGTHS)
def test_upright_sources_get_the_same_rungs_turned(width: int, height: int) -> None:
    landscape = make_ladder(max(width, height), min(width, height), Fraction(25))
    portrait = make_ladder(min(width, height), max(width, height), Fraction(25))
    assert [(rung.height, rung.width) for rung in landscape] == [
        (rung.width, rung.height) for rung in portrait
    ]


@given(short=st.integers(min(SHORT_SIDES), max(SHORT_SIDES)))
def test_the_top_rung_is_close_to_the_source(short: int) -> None:
    """At most 15 percent of the source's height are lost, so a sharp source stays sharp."""
    top = make_ladder(short * 16 // 9, short, Fraction(25))[0]
    assert short <= top.height * 1.15 + 1
