"""Chunks on the film's clock, as players of all kinds read it."""

import itertools
from pathlib import Path

import av
import pytest

from media.clips import ffmpeg
from videoflix.media.fmp4 import boxes, find
from videoflix.media.placement import place
from videoflix.media.sample_run import COMPOSITION, DURATION, SampleRun

TICKS = 400  # at 25 frames per second and a timescale of 10,000


def encoded(file: Path, frames: int, *options: str) -> Path:
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25", "-frames:v", str(frames),
        "-c:v", "libx264", "-preset", "veryfast", "-g", "100", "-flags", "+cgop", *options,
        "-avoid_negative_ts", "disabled", "-video_track_timescale", "10000",
        "-f", "mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof", file,
    )  # fmt: skip
    return file


def runs(file: Path) -> list[SampleRun]:
    with file.open("rb") as opened:
        found = []
        for name, start, end in boxes(opened, 0, file.stat().st_size):
            if name == b"moof":
                at, stop = find(opened, (start, end), b"traf", b"trun")
                opened.seek(at)
                found.append(SampleRun.parse(opened.read(stop - at)))
        return found


def times(file: Path) -> list[int]:
    with av.open(str(file)) as container:
        return [frame.pts or 0 for frame in container.decode(video=0)]


OPTIONS = {
    "reordered": (),
    "in order": ("-bf", "0"),
    "with a scene cut in the first frames": ("-force_key_frames", "0.04,0.12"),
    "deeply reordered": ("-bf", "8", "-x264-params", "b-pyramid=normal"),
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("frames", [1, 2, 3, 50, 120])
def test_first_chunk_is_shown_from_zero(name: str, frames: int, tmp_path: Path) -> None:
    file = encoded(tmp_path / "a.mp4", frames, *OPTIONS[name])
    place(file, 0, TICKS)
    assert times(file) == [number * TICKS for number in range(frames)]
    offsets = [offset for run in runs(file) for offset in run.compositions]
    assert min(offsets) >= 0
    assert b"elst" not in file.read_bytes()


@pytest.mark.parametrize("name", OPTIONS)
def test_later_chunks_continue_the_decode_times(name: str, tmp_path: Path) -> None:
    first = encoded(tmp_path / "1.mp4", 100, *OPTIONS[name])
    second = encoded(tmp_path / "2.mp4", 50, *OPTIONS[name])
    place(first, 0, TICKS)
    place(second, 100, TICKS)
    data = second.read_bytes()
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(first.read_bytes() + data[data.index(b"moof") - 4 :])
    assert times(whole) == [number * TICKS for number in range(150)]
    with av.open(str(whole)) as container:
        decoded = [packet.dts for packet in container.demux() if packet.dts is not None]
    assert all(after > before for before, after in itertools.pairwise(decoded))


def test_sample_run_is_written_as_it_was_read(tmp_path: Path) -> None:
    (run,) = runs(encoded(tmp_path / "a.mp4", 50))
    assert SampleRun.parse(run.serialise()) == run
    timed = {DURATION: (TICKS,) * 50, COMPOSITION: run.compositions}
    changed = SampleRun(50, 8, None, run.columns | timed)
    assert SampleRun.parse(changed.serialise()) == changed


def test_negative_offsets_are_read_as_such() -> None:
    content = bytes.fromhex("01000800 00000002 fffffff0 00000010".replace(" ", ""))
    assert SampleRun.parse(content).compositions == (-16, 16)
