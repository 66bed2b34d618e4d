"""Boxes of fragmented MP4 (ISO/IEC 14496-12), built here byte by byte.

tests/media/test_encode.py reads what FFmpeg wrote.
"""

import struct
from pathlib import Path

import pytest

from videoflix.media.filters import SAMPLE_RATE
from videoflix.media.fmp4 import (
    InvalidOutput,
    Segment,
    boxes,
    complete_boxes,
    index_audio,
    index_video,
)
from videoflix.media.ladder import Rung
from videoflix.media.plan import ChunkSpec, EncodePlan

SAMPLE = 10  # bytes
TICKS = 400  # a frame at 25 frames per second and a timescale of 10,000
SYNC, NON_SYNC = 0x0200_0000, 0x0101_0000
CHUNK = ChunkSpec(index=0, first_frame=0, frame_count=6, entry=None)
PLAN = EncodePlan(
    frame_rate_num=25,
    frame_rate_den=1,
    frame_count=6,
    segment_frames=4,
    rungs=(Rung("120p", 214, 120, 100_000),),
    spans=(CHUNK,),
    has_audio=False,
    origin="0/1",
    interlaced=False,
    hdr="",
    matrix="bt709",
)


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), name) + body


def integers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def initialization(timescale: int = 10_000, codec: bytes | None = None) -> bytes:
    """ftyp and moov of one track; samples default to TICKS and no sync sample."""
    entry = box(b"avcC", bytes([1, 0x64, 0x00, 0x1F])) if codec is None else codec
    stsd = box(b"stsd", integers(0, 1), entry)
    mdia = box(
        b"mdia",
        box(b"mdhd", integers(0, 0, 0, timescale, 0, 0)),
        box(b"minf", box(b"stbl", stsd)),
    )
    trex = box(b"trex", integers(0, 1, 1, TICKS, 0, NON_SYNC))
    return box(b"ftyp", b"iso5") + box(b"moov", box(b"trak", mdia), box(b"mvex", trex))


def fragment(time: int, samples: int, *, sync: bool = True, data: int | None = None) -> bytes:
    """A moof and its mdat, with ten bytes a sample."""
    sizes = integers(*([10] * samples))
    trun = box(b"trun", integers(0x204, samples, SYNC if sync else NON_SYNC), sizes)
    tfdt = box(b"tfdt", struct.pack(">IQ", 1 << 24, time))
    moof = box(b"moof", box(b"traf", box(b"tfhd", integers(0, 1)), tfdt, trun))
    return moof + box(b"mdat", bytes(10 * samples if data is None else data))


def delayed(samples: int, ticks: int) -> bytes:
    """A fragment whose last sample is shown late."""
    values = [value for n in range(samples) for value in (10, ticks * (n == samples - 1))]
    trun = box(b"trun", integers(0xA04, samples, SYNC, *values))
    tfdt = box(b"tfdt", struct.pack(">IQ", 1 << 24, 0))
    moof = box(b"moof", box(b"traf", box(b"tfhd", integers(0, 1)), tfdt, trun))
    return moof + box(b"mdat", bytes(10 * samples))


INIT = initialization()
WHOLE = INIT + fragment(0, 4) + fragment(4 * TICKS, 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "chunk.mp4"


def test_segments_are_listed_with_their_bytes(file: Path) -> None:
    file.write_bytes(WHOLE)
    index = index_video(file, PLAN, CHUNK)
    first, second = len(fragment(0, 4)), len(fragment(0, 2))
    times = (index.timescale, index.start, index.shown_from)
    assert (times, index.codec) == ((10_000, 0, 0), "avc1.64001f")
    assert index.length == len(WHOLE)
    assert index.init_length == len(INIT)
    assert index.segments == (
        Segment(4 * TICKS, len(INIT), first, first - 3 * SAMPLE),
        Segment(2 * TICKS, len(INIT) + first, second, second - SAMPLE),
    )


def test_fragments_within_a_segment_are_joined(file: Path) -> None:
    """The encoder starts a fragment at a scene cut as well."""
    parts = [fragment(0, 3), fragment(3 * TICKS, 1, sync=False), fragment(4 * TICKS, 2)]
    file.write_bytes(INIT + b"".join(parts))
    segments = index_video(file, PLAN, CHUNK).segments
    assert [segment.duration for segment in segments] == [4 * TICKS, 2 * TICKS]
    assert segments[0].length == len(parts[0]) + len(parts[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no moov box"),
        (WHOLE[:-1], "is cut off"),
        (INIT + fragment(0, 4) + fragment(4 * TICKS, 2)[:-28], "ends with a moof"),
        (WHOLE + b"\0" * 7, "ends inside a box"),
        (WHOLE + integers(7) + b"free", "is cut off"),
        (INIT, "no fragments"),
        (INIT + fragment(0, 4), "4 frames instead of 6"),
        (INIT + fragment(0, 4) + fragment(4 * TICKS, 3), "7 frames instead of 6"),
        (INIT + fragment(TICKS, 4) + fragment(5 * TICKS, 2), "starts at 400 instead of 0"),
        (INIT + fragment(0, 4) + fragment(5 * TICKS, 2), "a gap in time"),
        (INIT + delayed(4, 1) + fragment(4 * TICKS, 2), "another time than planned"),
        (INIT + fragment(0, 4, data=39) + fragment(4 * TICKS, 2), "do not add up to the mdat"),
        (INIT + fragment(0, 4) + fragment(4 * TICKS, 2, sync=False), "cannot be decoded by itself"),
        (INIT + fragment(0, 6), "wrong number of segments"),
        (INIT + fragment(0, 5) + fragment(5 * TICKS, 1), "wrong number of segments"),
        (initialization(timescale=9_999) + fragment(0, 6), "timescale 9999"),
        (initialization(codec=box(b"vp09")) + fragment(0, 6), "an unknown codec"),
    ],
)
def test_files_that_differ_from_the_plan_are_refused(
    file: Path, content: bytes, message: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(InvalidOutput, match=message):
        index_video(file, PLAN, CHUNK)


def test_every_truncation_is_noticed(file: Path) -> None:
    for length in range(len(WHOLE)):
        file.write_bytes(WHOLE[:length])
        with pytest.raises(InvalidOutput):
            index_video(file, PLAN, CHUNK)


def test_boxes_of_64_bits(file: Path) -> None:
    file.write_bytes(struct.pack(">I4sQ", 1, b"mdat", 18) + b"ab" + box(b"free"))
    with file.open("rb") as opened:
        assert list(boxes(opened, 0, 26)) == [(b"mdat", 16, 18), (b"free", 26, 26)]


def test_defaults_of_a_fragment_replace_those_of_the_track(file: Path) -> None:
    """tfhd with every optional field: base offset, description, duration, size and flags."""
    flags = 0x1 | 0x2 | 0x8 | 0x10 | 0x20
    tfhd = box(b"tfhd", integers(flags, 1, 0, 99, 1, TICKS, 10, SYNC))
    tfdt = box(b"tfdt", integers(0, 0))  # a decode time of 32 bits
    traf = box(b"traf", tfhd, tfdt, box(b"trun", integers(0, 4)))
    first = box(b"moof", traf) + box(b"mdat", bytes(40))
    file.write_bytes(INIT + first + fragment(4 * TICKS, 2))
    assert index_video(file, PLAN, CHUNK).segments[0] == Segment(
        4 * TICKS, len(INIT), len(first), len(first) - 3 * SAMPLE
    )


def test_audio_fragments_are_segments(file: Path) -> None:
    head = initialization(SAMPLE_RATE, box(b"mp4a"))
    file.write_bytes(head + fragment(0, 10) + fragment(10 * TICKS, 5))
    index = index_audio(file)
    assert index.codec == "mp4a.40.2"
    assert [segment.duration for segment in index.segments] == [10 * TICKS, 5 * TICKS]


def test_boxes_of_a_growing_file_are_those_that_are_complete(file: Path) -> None:
    complete = [b"ftyp", b"moov", b"moof", b"mdat", b"moof", b"mdat"]
    for length in range(len(WHOLE)):
        file.write_bytes(WHOLE[:length])
        with file.open("rb") as opened:
            names = [name for name, _, end in complete_boxes(opened, 0) if end <= length]
        assert names == complete[: len(names)]
    file.write_bytes(WHOLE)
    with file.open("rb") as opened:
        assert [name for name, _, _ in complete_boxes(opened, 0)] == complete
        assert len(list(complete_boxes(opened, len(INIT)))) == 4
