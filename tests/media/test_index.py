"""The index of an MP4 file tells the same times as all of its packets."""

import re
from pathlib import Path

import pytest

from media.clips import ffmpeg, make_clip
from videoflix.media.probe.child import inspect, open_container
from videoflix.media.probe.clock import Clocks, StreamClock, read_clocks
from videoflix.media.probe.index import read_index
from videoflix.media.probe.rejection import SourceRejected

PIXELS = 10**9
SLOW = ("-c:v", "libx264", "-preset", "medium", "-g", "25")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reordered pictures, and audio that begins before them: an edit list."""
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_clip(file, seconds=12, size="64x36", video=SLOW)


def facts(clock: StreamClock) -> dict[str, object]:
    return {name: value for name, value in vars(clock).items() if name != "_last"}


def both(file: Path) -> tuple[Clocks | None, Clocks]:
    with open_container(str(file)) as container:
        indexed = read_index(container, str(file))
    with open_container(str(file)) as container:
        return indexed, read_clocks(container)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ("-c", "copy")),
        ("faststart.mp4", ("-c", "copy", "-movflags", "+faststart")),
        ("negative.mp4", ("-c", "copy", "-movflags", "+negative_cts_offsets")),
        ("late.mp4", ("-c", "copy", "-itsoffset", "3")),
        ("pcm.mov", ("-c:v", "copy", "-c:a", "pcm_s16le")),
        ("mute.mov", ("-c:v", "copy", "-an")),
        ("begun-between-keys.mp4", ("-ss", "1.7", "-c", "copy")),
        ("stills.mp4", ("-vf", "select='not(mod(n,30))'", "-fps_mode", "vfr", "-c:a", "copy")),
    ],
)
def test_index_tells_what_the_packets_do(
    clip: Path, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    file = tmp_path / name
    delayed = options[-2:] == ("-itsoffset", "3")
    inputs = ("-itsoffset", "3", "-i", clip, "-i", clip) if delayed else ("-i", clip)
    maps = ("-map", "0:v", "-map", "1:a") if delayed else ()
    ffmpeg(*inputs, *maps, *(options[:2] if delayed else options), file)
    indexed, packets = both(file)
    assert indexed is not None
    assert {number: facts(clock) for number, clock in indexed.items()} == {
        number: facts(clock) for number, clock in packets.items()
    }
    assert indexed.seconds == pytest.approx(packets.seconds)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fragments.mp4", ("-c", "copy", "-movflags", "frag_keyframe+empty_moov")),
        ("a.mkv", ("-c", "copy")),
    ],
)
def test_without_an_index_all_packets_are_read(
    clip: Path, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    file = tmp_path / name
    ffmpeg("-i", clip, *options, file)
    indexed, packets = both(file)
    assert indexed is None
    assert len(packets) == 2


def test_cut_file_is_read_to_its_end(clip: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    ffmpeg("-i", clip, "-c", "copy", "-movflags", "+faststart", whole)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert both(cut)[0] is None


@pytest.mark.parametrize("kind", [b"ctts", b"stsz", b"tkhd", b"elst"])
def test_damaged_tables_are_not_believed(clip: Path, tmp_path: Path, kind: bytes) -> None:
    data = bytearray(clip.read_bytes())
    at = data.index(kind)
    data[at + 8 : at + 20] = b"\xff" * 12
    file = tmp_path / "damaged.mp4"
    file.write_bytes(data)
    try:
        indexed, packets = both(file)
    except SourceRejected:  # FFmpeg does not open it
        return
    if indexed is not None:
        assert {n: facts(clock) for n, clock in indexed.items()} == {
            n: facts(clock) for n, clock in packets.items()
        }


def test_media_of_a_large_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.mp4"
    noise = "nullsrc=s=320x180:r=25:d=40,noise=alls=100:allf=t"
    ffmpeg("-f", "lavfi", "-i", noise, "-c:v", "mpeg4", "-b:v", "20M", "-g", "25", file)
    before = _bytes_read()
    inspect(str(file), PIXELS)
    read = _bytes_read() - before
    assert read < file.stat().st_size / 3, f"{read} of {file.stat().st_size} bytes"


def _bytes_read() -> int:
    """What this process has read from files, by the kernel."""
    found = re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())
    assert found
    return int(found[1])
