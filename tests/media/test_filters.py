"""FFmpeg filter graphs for a plan, compared as text; tests/media/test_encode.py runs them."""

from fractions import Fraction

import msgspec
import pytest

from videoflix.media.filters import audio, decoded_audio, frame_grid, ladder, video
from videoflix.media.ladder import make_ladder
from videoflix.media.plan import ChunkSpec, EncodePlan

CHUNK = ChunkSpec(index=2, first_frame=200, frame_count=50, entry=7.5)
PLAN = EncodePlan(
    frame_rate_num=25,
    frame_rate_den=1,
    frame_count=250,
    segment_frames=100,
    rungs=make_ladder(640, 360, Fraction(25)),
    spans=(CHUNK,),
    has_audio=True,
    origin="1/2",
    interlaced=False,
    hdr="",
    matrix="bt601",
)


def changed(**fields: object) -> EncodePlan:
    return msgspec.structs.replace(PLAN, **fields)


def test_frame_grid() -> None:
    assert frame_grid(PLAN, CHUNK, from_start=False).split(",") == [
        "setpts=round(PTS-(1/2)/TB)",
        "settb=1/10000",
        "fps=25",
        "tpad=stop_mode=clone:stop=100",
        "trim=start_pts=200:end_pts=250",
        "setpts=PTS-200",
    ]


def test_last_picture_stands_as_long_as_planned() -> None:
    plan = changed(picture_frames=210)
    assert "tpad=stop_mode=clone:stop=140" in frame_grid(plan, CHUNK, from_start=False)
    earlier = ChunkSpec(index=1, first_frame=100, frame_count=100, entry=None)
    assert "tpad=stop_mode=clone:stop=100" in frame_grid(plan, earlier, from_start=False)


def test_frames_are_upright_and_of_one_size_before_they_are_deinterlaced() -> None:
    plan = changed(turned="transpose=clock", shown_width=360, shown_height=640, interlaced=True)
    steps = frame_grid(plan, CHUNK, from_start=False).split(",")
    assert steps[:2] == ["transpose=clock", "scale=360:640:interl=-1"]
    assert steps[2].startswith("bwdif")


def test_missing_first_frame_is_filled_only_at_the_start_of_the_file() -> None:
    assert ",fps=25:start_time=0," in frame_grid(PLAN, CHUNK, from_start=True)
    assert "start_time" not in frame_grid(PLAN, CHUNK, from_start=False)


def test_fractional_frame_rate_stays_a_fraction() -> None:
    plan = changed(frame_rate_num=30000, frame_rate_den=1001)
    assert "fps=30000/1001," in frame_grid(plan, CHUNK, from_start=False)


@pytest.mark.parametrize("interlaced", [True, False])
def test_only_interlaced_sources_are_deinterlaced(interlaced: bool) -> None:
    steps = frame_grid(changed(interlaced=interlaced), CHUNK, from_start=False).split(",")
    assert steps[0].startswith("bwdif") is interlaced
    assert sum(step.startswith("bwdif") for step in steps) == interlaced


def test_standard_dynamic_range_is_converted_from_the_matrix_of_the_source() -> None:
    scale, *form = video(PLAN, PLAN.rungs[0]).split(",")
    assert scale == (
        "scale=640:360:flags=lanczos:in_color_matrix=bt601:out_color_matrix=bt709:out_range=tv"
    )
    assert form[:2] == ["format=yuv420p", "setsar=1"]


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_high_dynamic_range_is_tone_mapped(transfer: str) -> None:
    graph = video(changed(hdr=transfer), PLAN.rungs[0])
    assert graph.startswith(f"setparams=color_primaries=bt2020:color_trc={transfer}:")
    assert graph.index("zscale=640:360") < graph.index("tonemap=hable") < graph.index("yuv420p")
    assert "in_color_matrix" not in graph


@pytest.mark.parametrize("hdr", ["", "smpte2084"])
def test_output_is_always_tagged_as_bt709(hdr: str) -> None:
    assert video(changed(hdr=hdr), PLAN.rungs[0]).endswith(
        "setparams=field_mode=prog:range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    )


def test_each_rung_is_scaled_from_the_one_above() -> None:
    chains = ladder(PLAN, CHUNK, from_start=False).split(";")
    assert [rung.name for rung in PLAN.rungs] == ["360p", "120p"]
    assert chains[0].startswith("[0:V:0]setpts=")
    assert chains[0].endswith(",split=2[360p][above_120p]")
    assert chains[1] == "[above_120p]zscale=w=214:h=120:filter=lanczos:threads=1[120p]"
    assert len(chains) == 2


def test_single_rung_needs_no_split() -> None:
    graph = ladder(changed(rungs=PLAN.rungs[-1:]), CHUNK, from_start=False)
    assert "split" not in graph
    assert graph.endswith("[120p]")


def test_audio_is_put_on_the_clock_before_anything_is_counted() -> None:
    assert decoded_audio(PLAN) == "asetpts=round(PTS-(1/2)/TB),aresample=48000,atrim=start=0"


def test_audio_is_as_long_as_the_video() -> None:
    assert audio(PLAN).split(",") == [
        "aresample=48000:async=1:min_hard_comp=0.03:first_pts=0",
        "apad=whole_len=480000",  # 250 frames are 10 seconds
        "atrim=start_sample=1024:end_sample=480000",
        "asetpts=PTS-1024",
    ]
