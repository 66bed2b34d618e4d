"""The whole check, on what FFmpeg's own HLS muxer writes, and on that with one fault at a time."""

import re
import struct
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from media.clips import ffmpeg
from videoflix.media.conformance.check import Report, check
from videoflix.media.conformance.findings import Severity
from videoflix.media.conformance.m3u8 import NotAPlaylist
from videoflix.media.conformance.measure import Bytes, SourceFailed

Files = dict[str, bytes]
HEAD_MAX = 8192  # more than this of a segment is never read


class Folder:
    """Files by name, as a server would return them; notes how much was read of each."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.read_bytes: dict[str, int] = {}

    async def read(self, url: str, offset: int, length: int) -> Bytes:
        name = urlsplit(url).path.removeprefix("/")
        if name not in self._files:
            raise SourceFailed("the server returned 404")
        data = self._files[name][offset : offset + length]
        self.read_bytes[name] = self.read_bytes.get(name, 0) + len(data)
        return Bytes(data, len(self._files[name]))


async def checked(files: Files, name: str = "master.m3u8", segments_max: int = 0) -> Report:
    return await check(Folder(files), f"https://example.org/{name}", segments_max)


def errors_of(report: Report) -> set[tuple[str, str]]:
    """Rule and place, without the line or segment."""
    found = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    return {(finding.rule, finding.track) for finding in found}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Two video renditions with one of audio, 6 s in segments of 2 s."""
    folder = tmp_path_factory.mktemp("hls")
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=6", "-f", "lavfi", "-i", "sine=d=6",
        "-map", "0:v", "-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-bf", "2",
        "-b:v:0", "300k", "-b:v:1", "100k", "-c:a", "aac", "-f", "hls", "-hls_time", "2",
        "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod",
        "-hls_flags", "independent_segments", "-master_pl_name", "master.m3u8",
        "-var_stream_map", "v:0,agroup:a v:1,agroup:a a:0,agroup:a,default:yes",
        "-hls_segment_filename", folder / "s%v-%d.m4s", "-hls_fmp4_init_filename", "init%v.mp4",
        folder / "v%v.m3u8",
    )  # fmt: skip
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
async def files(written: Files) -> Files:
    """The same without FFmpeg's one fault: its bandwidths leave out the audio."""
    report = await checked(written)
    assert errors_of(report) == {
        ("bandwidth", "master.m3u8"),
        ("average-bandwidth", "master.m3u8"),
    }
    return with_true_bandwidths(written, report)


def with_true_bandwidths(files: Files, report: Report) -> Files:
    """Put the measured bit rates into the multivariant playlist."""
    lines = files["master.m3u8"].decode().splitlines()
    for finding in report.findings:
        measured = re.search(r"measured \w+ (\d+) bit/s", finding.message)
        if measured:
            line = int(finding.where.rpartition(" ")[2]) - 1
            name = "AVERAGE-BANDWIDTH" if finding.rule.startswith("average") else "BANDWIDTH"
            value = f"{name}={int(measured[1]) + 1}"
            lines[line] = re.sub(rf"(?<![A-Z-]){name}=\d+", value, lines[line])
    return files | {"master.m3u8": "\n".join(lines).encode()}


async def test_correct_presentation_passes_and_only_heads_are_read(files: Files) -> None:
    source = Folder(files)
    report = await check(source, "https://example.org/master.m3u8")
    assert errors_of(report) == set()
    assert [(found.name, found.kind, found.segments) for found in report.playlists] == [
        ("v0.m3u8", "variant", 3),
        ("v1.m3u8", "variant", 3),
        ("v2.m3u8 (audio_2)", "audio", 4),
    ]
    read = {name: size for name, size in source.read_bytes.items() if name.endswith(".m4s")}
    assert len(read) == 10
    assert max(read.values()) <= HEAD_MAX < max(map(len, files.values()))


def text(name: str, old: str, new: str) -> Callable[[Files], Files]:
    """Replace a part of a playlist."""

    def change(files: Files) -> Files:
        assert old in files[name].decode()
        return files | {name: files[name].decode().replace(old, new, 1).encode()}

    return change


def moved(name: str, ticks: int) -> Callable[[Files], Files]:
    """Add to the decode time of a segment."""

    def change(files: Files) -> Files:
        data = bytearray(files[name])
        at = data.index(b"tfdt") + 8
        (time,) = struct.unpack_from(">Q", data, at)
        struct.pack_into(">Q", data, at, time + ticks)
        return files | {name: bytes(data)}

    return change


def without_key_frame(name: str) -> Callable[[Files], Files]:
    """Mark the first sample of a segment as one that depends on others."""

    def change(files: Files) -> Files:
        data = bytearray(files[name])
        at = data.index(b"trun") + 4
        (flags,) = struct.unpack_from(">I", data, at)
        assert flags & 0x4, "first_sample_flags"
        struct.pack_into(">I", data, at + 12, 0x0101_0000)
        return files | {name: bytes(data)}

    return change


def swapped(one: str, other: str) -> Callable[[Files], Files]:
    return lambda files: files | {one: files[other], other: files[one]}


def without(name: str) -> Callable[[Files], Files]:
    return lambda files: {found: data for found, data in files.items() if found != name}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (text("v0.m3u8", "#EXTINF:2.000000", "#EXTINF:2.300000"), "duration v0.m3u8"),
        (text("v0.m3u8", "DURATION:2", "DURATION:1"), "target-duration v0.m3u8"),
        (text("v0.m3u8", "SEQUENCE:0", "SEQUENCE:5"), "media-sequence v0.m3u8"),
        (text("v0.m3u8", "#EXT-X-ENDLIST", ""), "end v0.m3u8"),
        (text("v0.m3u8", "VERSION:7", "VERSION:3"), "version v0.m3u8"),
        (text("v0.m3u8", '#EXT-X-MAP:URI="init0.mp4"', ""), "map v0.m3u8"),
        (text("v0.m3u8", "init0.mp4", "init2.mp4"), "timeline v0.m3u8"),
        (text("v0.m3u8", "#EXTINF:2.000000,\ns0-2.m4s\n", ""), "tracks-end-together v1.m3u8"),
        (
            text("v0.m3u8", "s0-1.m4s", "#EXT-X-BYTERANGE:99999999@0\ns0-1.m4s"),
            "byte-range v0.m3u8",
        ),
        (text("master.m3u8", "160x90", "160x92"), "resolution master.m3u8"),
        (text("master.m3u8", "avc1.", "avc1.64"), "codecs master.m3u8"),
        (text("master.m3u8", "mp4a.40.2", "mp4a.40.5"), "codecs master.m3u8"),
        (text("master.m3u8", ",RESOL", ",FRAME-RATE=24.000,RESOL"), "frame-rate master.m3u8"),
        (text("master.m3u8", 'AUDIO="group_a"', 'AUDIO="b"'), "missing-group master.m3u8"),
        (text("master.m3u8", "AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=9"), "bandwidth master.m3u8"),
        (moved("s0-1.m4s", 512), "continuity v0.m3u8"),
        (moved("s0-1.m4s", -512), "continuity v0.m3u8"),
        (swapped("s0-0.m4s", "s0-1.m4s"), "timeline v0.m3u8"),
        (without_key_frame("s1-1.m4s"), "key-frame v1.m3u8"),
        (without("s2-3.m4s"), "segment v2.m3u8 (audio_2)"),
        (without("v1.m3u8"), "playlist v1.m3u8"),
    ],
)
async def test_fault_is_found(
    files: Files, change: Callable[[Files], Files], expected: str
) -> None:
    rule, _, place = expected.partition(" ")
    report = await checked(change(files))
    assert (rule, place) in errors_of(report)
    assert not report.is_conformant


@pytest.mark.parametrize("renditions", ["v1", "v2"])
async def test_renditions_with_another_clock_are_not_synchronous(
    files: Files, renditions: str
) -> None:
    """Every segment is half a second late, which no rule for one track can notice."""
    number, late = renditions[1], files
    for name in sorted(files):
        if name.startswith(f"s{number}-"):
            late = moved(name, 6400 if number == "1" else 22_050)(late)
    name = f"{renditions}.m3u8" + (" (audio_2)" if number == "2" else "")
    assert errors_of(await checked(late)) == {("synchronization", name)}


async def test_sample_of_segments_is_enough_for_a_fault_in_it(files: Files) -> None:
    source = Folder(moved("s0-2.m4s", 25_600)(files))
    report = await check(source, "https://example.org/master.m3u8", 2)
    assert sorted(name for name in source.read_bytes if name.startswith("s0")) == [
        "s0-0.m4s",
        "s0-2.m4s",
    ]
    assert errors_of(report) == {("timeline", "v0.m3u8")}


async def test_media_playlist_is_checked_alone(files: Files) -> None:
    report = await checked(files, "v0.m3u8")
    assert report.is_conformant
    assert [found.kind for found in report.playlists] == ["media"]


async def test_many_findings_of_a_kind_are_summed_up(files: Files) -> None:
    lines = "\n".join(f"#EXTINF:9,\ns0-{number}.m4s" for number in range(8))
    report = await checked(text("v0.m3u8", "#EXT-X-ENDLIST", lines)(files), "v0.m3u8")
    shown = [found.message for found in report.findings if found.rule == "target-duration"]
    assert len(shown) == 6
    assert shown[-1] == "3 more like this."


@pytest.mark.parametrize("data", [b"", b"<html>", b"\xff\xfe", b"#EXTM3Utoo"])
async def test_other_files_are_no_playlists(data: bytes) -> None:
    with pytest.raises(NotAPlaylist):
        await checked({"master.m3u8": data})
