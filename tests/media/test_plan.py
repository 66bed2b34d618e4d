"""The grid of frames, segments and chunks."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoflix.media.plan import EncodePlan, make_plan
from videoflix.media.probe.result import AudioTrack
from videoflix.media.probe.shown import ShownPicture
from videoflix.media.probe.source import ProbedSource

FILM = ProbedSource(
    container="mov",
    video_index=0,
    video_codec="h264",
    width=640,
    height=360,
    shown=ShownPicture(640, 360, Fraction(1)),
    frame_rate_num=25,
    frame_rate_den=1,
    frame_count=25 * 60,
    picture_frames=25 * 60,
    origin="0/1",
    audio=(AudioTrack(index=1, begin=Fraction(0), end=Fraction(60)),),
    subtitles=(),
    interlaced=False,
    hdr="",
    matrix="auto",
    seek_points=tuple((float(second), second + 0.14) for second in range(0, 60, 2)),
)


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


FRAME_RATES = st.sampled_from([(1, 1), (24000, 1001), (25, 1), (30000, 1001), (60, 1), (120, 1)])


@st.composite
def plans(draw: st.DrawFn) -> EncodePlan:
    """Plans for up to two minutes, with key frames anywhere."""
    num, den = draw(FRAME_RATES)
    times = sorted(draw(st.sets(st.integers(0, 119), max_size=40)))
    return make_plan(
        msgspec.structs.replace(
            FILM,
            frame_rate_num=num,
            frame_rate_den=den,
            frame_count=draw(st.integers(1, 120 * num // den)),
            seek_points=tuple((float(time), float(time)) for time in times),
        )
    )


@given(plan=plans())
def test_chunks_cover_every_frame_once(plan: EncodePlan) -> None:
    position = 0
    for index, chunk in enumerate(plan.spans):
        assert (chunk.index, chunk.first_frame) == (index, position)
        assert chunk.frame_count > 0
        position += chunk.frame_count
    assert position == plan.frame_count


@given(plan=plans())
def test_chunks_begin_on_the_segment_grid(plan: EncodePlan) -> None:
    assert [chunk.first_frame % plan.segment_frames for chunk in plan.spans] == [0] * len(
        plan.spans
    )


@given(plan=plans())
def test_decoding_begins_before_the_first_frame(plan: EncodePlan) -> None:
    for chunk in plan.spans:
        if chunk.entry is not None:
            assert chunk.entry <= chunk.first_frame / plan.frame_rate


@given(plan=plans())
def test_a_frame_is_a_whole_number_of_ticks(plan: EncodePlan) -> None:
    assert Fraction(plan.timescale, plan.frame_ticks) == plan.frame_rate
    assert plan.timescale >= 10_000
