"""Chunks that fit together to the frame, and sound that is on time."""

import re
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from media.clips import ffmpeg, make_clip
from videoflix.media.encode import encode_chunk
from videoflix.media.ffmpeg import find_ffmpeg
from videoflix.media.fmp4 import Index, InvalidOutput, index_video
from videoflix.media.plan import EncodePlan, make_plan
from videoflix.media.poster import decode_frames, most_detailed
from videoflix.media.probe.source import probe
from videoflix.platform.storage.media_storage import StorageFull

# What the source is made with: arguments, expected rate, expected frames for 10 seconds.
SOURCES = {
    "film": ("24000/1001", [], "mp4", 240),
    "cinema": ("24", ["-bf", "3"], "mkv", 240),
    "europe": ("25", ["-x264-params", "open-gop=1"], "mov", 250),
    "america": ("30000/1001", [], "mp4", 300),
    "sixty": ("60", [], "mp4", 600),
    "broadcast": ("25", [], "ts", 250),
    "slow": ("12", [], "mp4", 120),
}


async def no_report(frames: int) -> None:
    """Nobody watches."""


async def encoded(source: Path, folder: Path) -> tuple[EncodePlan, list[dict[str, Index]]]:
    """All chunks of a source; their files lie in a folder each."""
    plan = make_plan(await probe(source))
    found = []
    for span in plan.spans:
        chunk = folder / str(span.index)
        chunk.mkdir()
        found.append(await encode_chunk(source, plan, span, chunk, no_report))
    return plan, found


def joined(folder: Path, plan: EncodePlan, rung: str) -> Path:
    """What a player makes of a rendition: one init section, then everybody's fragments."""
    file = folder / f"{rung}.mp4"
    chunks = [folder / str(span.index) / f"{rung}.mp4" for span in plan.spans]
    with file.open("wb") as out:
        for number, chunk in enumerate(chunks):
            data = chunk.read_bytes()
            out.write(data if number == 0 else data[data.index(b"moof") - 4 :])
    return file


def picture_times(file: Path) -> list[int]:
    """Time stamps of the decoded pictures, in ticks of the file."""
    done = subprocess.run(
        [find_ffmpeg(), "-v", "error", "-i", file, "-map", "0:v", "-fps_mode", "passthrough",
         "-enc_time_base", "demux", "-f", "framemd5", "-"],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return [int(row[2]) for row in rows]


def difference(left: Path, right: Path) -> float:
    """The worst PSNR of any two pictures of the same number, in dB."""
    done = subprocess.run(
        [find_ffmpeg(), "-v", "error", "-i", left, "-i", right, "-filter_complex",
         "[0:v]settb=AVTB,setpts=N[a];[1:v]settb=AVTB,setpts=N[b];[a][b]psnr=stats_file=-",
         "-f", "null", "-"],
        capture_output=True,
        text=True,
    )  # fmt: skip
    values = [
        float(field.removeprefix("psnr_avg:"))
        for line in done.stdout.splitlines()
        for field in line.split()
        if field.startswith("psnr_avg:")
    ]
    assert values, done.stderr
    return min(values)


@pytest.mark.parametrize("name", SOURCES)
async def test_chunks_join_without_a_lost_or_repeated_picture(name: str, tmp_path: Path) -> None:
    rate, options, suffix, frames = SOURCES[name]
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", *options)
    source = make_clip(
        tmp_path / f"source.{suffix}",
        seconds=float(frames / Fraction(rate)),
        rate=rate,
        video=video,
    )
    plan, chunks = await encoded(source, tmp_path)
    assert (plan.frame_rate, plan.frame_count) == (Fraction(rate), frames)
    assert [rung.name for rung in plan.rungs] == ["180p", "120p"]
    assert len(chunks) >= 2
    init = {
        (tmp_path / str(n) / "180p.mp4").read_bytes()[: chunk["180p"].init_length]
        for n, chunk in enumerate(chunks)
    }
    assert len(init) == 1, "all chunks share one initialisation section"
    whole = joined(tmp_path, plan, "180p")
    times = picture_times(whole)
    assert times == [number * plan.frame_ticks for number in range(frames)]
    # A picture one step off would differ plainly: the clip counts its frames in large digits.
    assert difference(whole, source) > 25


async def test_variable_rate_becomes_a_constant_grid(tmp_path: Path) -> None:
    steady = make_clip(tmp_path / "steady.mp4", seconds=10, rate="30", sound=False)
    source = tmp_path / "variable.mkv"
    ffmpeg(
        "-i", steady, "-vf", "select='not(mod(n,3))+gt(n,150)'", "-fps_mode", "vfr",
        "-c:v", "libx264", "-preset", "ultrafast", source,
    )  # fmt: skip
    plan, _ = await encoded(source, tmp_path)
    assert plan.duration == pytest.approx(10, abs=0.05)
    times = picture_times(joined(tmp_path, plan, "180p"))
    assert times == [number * plan.frame_ticks for number in range(plan.frame_count)]


@pytest.mark.parametrize(
    ("size", "options", "rungs"),
    [
        ("180x320", (), [(180, 320), (120, 214)]),
        ("97x55", (), [(96, 54)]),
        ("320x180", ("-bsf:v", "h264_metadata=rotate=90"), [(320, 180), (214, 120)]),
        ("240x180", ("-vf", "setsar=4/3"), [(320, 180), (214, 120)]),
    ],
)
async def test_picture_keeps_its_shape(
    size: str, options: tuple[str, ...], rungs: list[tuple[int, int]], tmp_path: Path
) -> None:
    video = ("-c:v", "libx264", "-preset", "ultrafast", *options)
    pixels = "yuv444p" if "97" in size else "yuv420p"
    source = tmp_path / "source.mp4"
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size}:d=1", *video, "-pix_fmt", pixels, source)
    plan, chunks = await encoded(source, tmp_path)
    assert [(rung.width, rung.height) for rung in plan.rungs] == rungs
    assert set(chunks[0]) == {rung.name for rung in plan.rungs}


async def test_progress_counts_frames(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=3, sound=False)
    plan = make_plan(await probe(source))
    seen: list[int] = []

    async def note(frames: int) -> None:
        seen.append(frames)

    await encode_chunk(source, plan, plan.spans[0], tmp_path, note)
    assert seen == sorted(seen)
    assert seen[-1] == plan.spans[0].frame_count


async def test_damaged_output_is_never_believed(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=3, sound=False)
    plan = make_plan(await probe(source))
    span = plan.spans[0]
    await encode_chunk(source, plan, span, tmp_path, no_report)
    file = tmp_path / "180p.mp4"
    good = file.read_bytes()
    assert index_video(file, plan, span)
    half_segment = good[: len(good) // 2]
    no_fragments = good[: good.index(b"moof") - 4]
    wrong_time = good.replace(b"tfdt\x01\0\0\0\0\0\0\0\0\0\0\0", b"tfdt\x01\0\0\0\0\0\0\0\0\0\0\1")
    assert wrong_time != good
    for broken in (half_segment, no_fragments, wrong_time, b"", b"text"):
        file.write_bytes(broken)
        with pytest.raises(InvalidOutput):
            index_video(file, plan, span)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_full_disk_is_told_apart_from_a_bad_film(tiny_disk: Path, tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=8, size="640x360")
    plan = make_plan(await probe(source))
    with pytest.raises(StorageFull):
        await encode_chunk(source, plan, plan.spans[0], tiny_disk, no_report)


def size_of(picture: Path) -> str:
    done = subprocess.run([find_ffmpeg(), "-i", picture], capture_output=True, text=True)
    found = re.search(r"\d{3,}x\d{3,}", done.stderr)
    return found.group() if found else done.stderr


async def test_poster_is_a_telling_picture(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    ffmpeg(
        "-f", "lavfi", "-i",
        "testsrc2=s=1920x1080:r=10:d=10,drawbox=c=black:t=fill:enable='lt(t,7)'",
        "-c:v", "libx264", "-preset", "ultrafast", source,
    )  # fmt: skip
    plan = make_plan(await probe(source))
    poster = most_detailed(await decode_frames(source, plan, tmp_path)).file
    assert size_of(poster) == "1280x720"
    assert poster.stat().st_size > 30_000, "a black picture was chosen"


async def test_film_of_one_picture(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "source.mp4", seconds=0.04, sound=False)
    plan, chunks = await encoded(source, tmp_path)
    assert plan.frame_count == 1
    assert len(chunks[0]["180p"].segments) == 1
    (frame,) = await decode_frames(source, plan, tmp_path)
    assert frame.file.exists()
