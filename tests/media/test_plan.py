"""The ladder and the grid of chunks, as numbers."""

from fractions import Fraction

import msgspec
import pytest

from videoflix.media.ladder import make_ladder
from videoflix.media.plan import make_plan
from videoflix.media.probe.source import ProbedSource

FILM = ProbedSource(
    container="mov",
    video_codec="h264",
    width=640,
    height=360,
    frame_rate_num=25,
    frame_rate_den=1,
    frame_count=25 * 60,
    origin="0/1",
    has_audio=True,
    interlaced=False,
    hdr="",
    matrix="auto",
    seek_points=tuple((float(second), second + 0.14) for second in range(0, 60, 2)),
)


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


def test_clock() -> None:
    plan = make_plan(FILM)
    assert (plan.frame_rate, plan.duration) == (Fraction(25), 60.0)
    assert (plan.timescale, plan.frame_ticks) == (10_000, 400)
    film = make_plan(msgspec.structs.replace(FILM, frame_rate_num=24000, frame_rate_den=1001))
    assert (film.timescale, film.frame_ticks) == (24_000, 1001)
    assert (plan.segment_frames, film.segment_frames) == (100, 96)


def grid(frame_count: int, entries: tuple[tuple[float, float], ...]) -> list[tuple[int, int]]:
    spans = make_plan(
        msgspec.structs.replace(FILM, frame_count=frame_count, seek_points=entries)
    ).spans
    assert [span.index for span in spans] == list(range(len(spans)))
    return [(span.first_frame, span.frame_count) for span in spans]


def test_chunks_follow_the_segments_and_the_first_is_short() -> None:
    assert grid(1500, FILM.seek_points) == [(0, 100), (100, 300), (400, 300), (700, 300),
                                        (1000, 300), (1300, 200)]  # fmt: skip


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (1, [(0, 1)]),
        (100, [(0, 100)]),
        (149, [(0, 149)]),
        (150, [(0, 100), (100, 50)]),
        (449, [(0, 100), (100, 349)]),
        (450, [(0, 100), (100, 300), (400, 50)]),
    ],
)
def test_a_short_rest_joins_the_chunk_before_it(
    frames: int, expected: list[tuple[int, int]]
) -> None:
    assert grid(frames, FILM.seek_points) == expected


def test_chunks_grow_where_key_frames_are_rare() -> None:
    """Without any each begins at the film's start, and is as long as what is decoded for it."""
    assert grid(3000, ()) == [(0, 100), (100, 400), (500, 500), (1000, 1000), (2000, 1000)]


def test_decoding_begins_at_the_last_key_frame() -> None:
    spans = make_plan(FILM).spans
    assert [span.entry for span in spans] == [None, 4.14, 16.14, 28.14, 40.14, 52.14]
    late = msgspec.structs.replace(FILM, origin="1/1")
    assert make_plan(late).spans[1].entry == 4.14
