"""Files that were cut off, of every container that declares its size."""

from pathlib import Path

import pytest

from media.clips import make_clip
from videoflix.media.probe.completeness import missing_bytes
from videoflix.media.probe.rejection import SourceRejected
from videoflix.media.probe.source import probe

KINDS = {
    "avi": ("avi", ("-c:v", "mpeg4")),
    "wmv": ("asf", ("-c:v", "wmv2")),
    "ogv": ("ogg", ("-c:v", "libtheora")),
    "mkv": ("matroska,webm", ("-c:v", "mpeg4")),
    "flv": ("flv", ("-c:v", "flv")),
}


def clip(suffix: str, folder: Path) -> Path:
    _, video = KINDS[suffix]
    return make_clip(folder / f"a.{suffix}", seconds=4, video=video, sound=False)


@pytest.mark.parametrize("suffix", KINDS)
async def test_cut_files_are_refused_as_such(suffix: str, tmp_path: Path) -> None:
    file = clip(suffix, tmp_path)
    assert (await probe(file)).frame_count == pytest.approx(100, abs=2)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size * 6 // 10)
    with pytest.raises(SourceRejected) as refusal:
        await probe(file)
    assert refusal.value.code == "truncated"
    assert refusal.value.reason.endswith("upload it again.")


@pytest.mark.parametrize("suffix", ["avi", "wmv", "ogv"])
def test_missing_bytes_are_counted(suffix: str, tmp_path: Path) -> None:
    file, container = clip(suffix, tmp_path), KINDS[suffix][0]
    assert missing_bytes(file, container) == 0
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 100)
    assert missing_bytes(file, container) == 100


def test_recordings_that_were_never_finished_declare_nothing(tmp_path: Path) -> None:
    file = clip("avi", tmp_path)
    data = bytearray(file.read_bytes())
    data[4:8] = bytes(4)
    file.write_bytes(data[: len(data) // 2])
    assert missing_bytes(file, "avi") == 0
    assert missing_bytes(file, "mpegts") == 0
