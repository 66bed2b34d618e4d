"""Read and verify our own fragmented MP4 files, box by box (ISO/IEC 14496-12).

FFmpeg's exit code is not sufficient: it is 0 on a full disk and for a truncated source. So a file
is accepted only if its boxes contain exactly the planned frames; the segment index is a by-product.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import SEEK_END
from itertools import accumulate, pairwise
from operator import add
from pathlib import Path
from typing import BinaryIO

import msgspec

from videoflix.media.plan import ChunkSpec, EncodePlan
from videoflix.media.sample_run import DURATION, FLAGS, SIZE, SampleRun

NOT_SYNC = 0x10000  # sample_is_non_sync_sample


class InvalidOutput(Exception):
    """FFmpeg's output differs from the plan; the message says how."""


class Segment(msgspec.Struct, frozen=True):
    """A run of fragments: `duration` in ticks of the timescale, `offset` and `length` in bytes.

    Its first `key_length` bytes end with the key frame.
    """

    duration: int
    offset: int
    length: int
    key_length: int


class Index(msgspec.Struct, frozen=True):
    """The segment index of a file.

    `codec` is an RFC 6381 string, `init_length` the length of ftyp and moov in bytes, `start` the
    decode time of the first sample in ticks, and `shown_from` when the first one is shown;
    `length` is that of the file in bytes.
    """

    timescale: int
    codec: str
    init_length: int
    start: int
    shown_from: int
    length: int
    segments: tuple[Segment, ...]


class Fragment(msgspec.Struct, frozen=True):
    """One moof and its mdat: times in ticks, `offset` and `length` in bytes.

    `shown` is when each sample is shown, in the order of decoding; the first one ends `key_length`
    bytes after the start.
    """

    decode_time: int
    duration: int
    shown: tuple[int, ...]
    begins_with_sync: bool
    offset: int
    length: int
    key_length: int


def index_video(path: Path, plan: EncodePlan, span: ChunkSpec) -> Index:
    """Verify an encoded chunk and index its segments.

    Raises InvalidOutput unless the file is complete and shows exactly the chunk's frames, each at
    its time, and each segment starts with a sync sample.
    """
    index, fragments = _read(path)
    check(index.timescale == plan.timescale, f"timescale {index.timescale}")
    shown = sorted(time for fragment in fragments for time in fragment.shown)
    check(len(shown) == span.frame_count, f"{len(shown)} frames instead of {span.frame_count}")
    first, ticks = span.first_frame * plan.frame_ticks, plan.frame_ticks
    check(shown[0] == first, f"starts at {shown[0]} instead of {first}")
    last = first + span.frame_count * ticks
    check(shown == list(range(first, last, ticks)), "a frame at another time than planned")
    grid = plan.segment_frames * ticks
    # Decoding runs ahead of the grid; a segment lasts as long as its frames are shown.
    timed = [
        msgspec.structs.replace(fragment, duration=len(fragment.shown) * ticks)
        for fragment in fragments
    ]
    segments = _grouped(timed, lambda fragment: (fragment.shown[0] - first) % grid == 0)
    for segment in segments[:-1]:
        check(segment.duration == grid, f"a segment of {segment.duration} ticks instead of {grid}")
    check(len(segments) == -(-span.frame_count // plan.segment_frames), "wrong number of segments")
    return msgspec.structs.replace(index, segments=segments)


def index_audio(path: Path) -> Index:
    """Index the segments of audio. Raises InvalidOutput if the file is incomplete."""
    index, fragments = _read(path)
    return msgspec.structs.replace(index, segments=_grouped(fragments, lambda _: True))


def check(condition: bool, difference: str) -> None:
    if not condition:
        raise InvalidOutput(difference)


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Iterate over the boxes between two offsets: name, start of the content, end."""
    while start < end:
        file.seek(start)
        header = file.read(8)
        check(len(header) == 8, "ends inside a box header")
        size, name = struct.unpack(">I4s", header)
        content = start + 8
        if size == 1:
            size, content = struct.unpack(">Q", file.read(8))[0], start + 16
        check(size >= 8 and start + size <= end, f"box {name!r} is cut off")
        yield name, content, start + size
        start += size


def complete_boxes(file: BinaryIO, start: int) -> Iterator[tuple[bytes, int, int]]:
    """Iterate over the top-level boxes from an offset, in a file that is still being written."""
    end = file.seek(0, SEEK_END)
    with suppress(InvalidOutput):  # the last box is not complete yet
        yield from boxes(file, start, end)


def find(file: BinaryIO, within: tuple[int, int], *names: bytes) -> tuple[int, int]:
    """Find a nested box; return start and end of its content. Raises InvalidOutput."""
    for wanted in names:
        found = [(s, e) for name, s, e in boxes(file, *within) if name == wanted]
        check(bool(found), f"no box {wanted!r}")
        within = found[0]
    return within


def _read(path: Path) -> tuple[Index, list[Fragment]]:
    size = path.stat().st_size
    with path.open("rb") as file:
        top = list(boxes(file, 0, size))
        moov = next(((s, e) for name, s, e in top if name == b"moov"), None)
        if moov is None:
            raise InvalidOutput("no moov box")
        fragments = _fragments(file, top, _trex(file, moov))
        check(bool(fragments), "no fragments")
        index = Index(_timescale(file, moov), _codec(file, moov), moov[1], 0, 0, size, ())
    start, shown_from = fragments[0].decode_time, min(fragments[0].shown)
    return msgspec.structs.replace(index, start=start, shown_from=shown_from), fragments


def _fragments(
    file: BinaryIO, top: list[tuple[bytes, int, int]], defaults: tuple[int, int]
) -> list[Fragment]:
    found: list[Fragment] = []
    for (name, start, end), (following, mdat_start, mdat_end) in pairwise(top):
        if name != b"moof":
            continue
        check(following == b"mdat", "a moof without its mdat")
        traf = find(file, (start, end), b"traf")
        fragment, data = _fragment(file, traf, defaults, (start - 8, mdat_start, mdat_end))
        check(data == mdat_end - mdat_start, "sample sizes do not add up to the mdat")
        if found:
            last = found[-1]
            check(fragment.decode_time == last.decode_time + last.duration, "a gap in time")
        found.append(fragment)
    check(not top or top[-1][0] != b"moof", "ends with a moof")
    return found


def _fragment(
    file: BinaryIO, traf: tuple[int, int], trex: tuple[int, int], bounds: tuple[int, int, int]
) -> tuple[Fragment, int]:
    """Read a fragment, and how many bytes of samples it has.

    `bounds` are where the moof begins, and where the content of the mdat begins and ends.
    """
    begin, content_start, end = bounds
    default_duration, default_size, default_flags = _tfhd(file, traf, trex)
    durations: list[int] = []
    compositions: list[int] = []
    sizes: list[int] = []
    time, sync = 0, False
    for name, start, stop in boxes(file, *traf):
        file.seek(start)
        content = file.read(stop - start)
        if name == b"tfdt":
            wide = content[0] == 1
            (time,) = struct.unpack_from(">Q" if wide else ">I", content, 4)
        elif name == b"trun":
            run = SampleRun.parse(content)
            if not durations and run.count:
                flags = run.columns.get(FLAGS, (run.first_flags,))[0]
                sync = not (default_flags if flags is None else flags) & NOT_SYNC
            durations += run.columns.get(DURATION, (default_duration,) * run.count)
            compositions += run.compositions
            sizes += run.columns.get(SIZE, (default_size,) * run.count)
    decoded = accumulate(durations, initial=time)
    shown = tuple(map(add, decoded, compositions))
    check(bool(shown), "a fragment without samples")
    key_length = content_start + sizes[0] - begin
    length = end - begin
    return Fragment(time, sum(durations), shown, sync, begin, length, key_length), sum(sizes)


def _tfhd(file: BinaryIO, traf: tuple[int, int], trex: tuple[int, int]) -> tuple[int, int, int]:
    start, end = find(file, traf, b"tfhd")
    file.seek(start)
    content = file.read(end - start)
    (flags,) = struct.unpack_from(">I", content)
    at = 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
    values = [trex[0], 0, trex[1]]
    for place, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            (values[place],) = struct.unpack_from(">I", content, at)
            at += 4
    return values[0], values[1], values[2]


def _trex(file: BinaryIO, moov: tuple[int, int]) -> tuple[int, int]:
    """Read the trex: default duration and flags of samples."""
    start, _ = find(file, moov, b"mvex", b"trex")
    file.seek(start + 12)
    duration, _, flags = struct.unpack(">III", file.read(12))
    return duration, flags


def _timescale(file: BinaryIO, moov: tuple[int, int]) -> int:
    start, end = find(file, moov, b"trak", b"mdia", b"mdhd")
    file.seek(start)
    content = file.read(end - start)
    (timescale,) = struct.unpack_from(">I", content, 20 if content[0] == 1 else 12)
    return int(timescale)


def _codec(file: BinaryIO, moov: tuple[int, int]) -> str:
    start, end = find(file, moov, b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    file.seek(start)
    entry = file.read(end - start)
    at = entry.find(b"avcC")
    if at >= 0:  # profile, constraints and level follow the configuration's version byte
        return "avc1." + entry[at + 5 : at + 8].hex()
    check(b"mp4a" in entry, "an unknown codec")
    return "mp4a.40.2"  # AAC-LC is the only profile we encode


def _grouped(fragments: list[Fragment], begins: Callable[[Fragment], bool]) -> tuple[Segment, ...]:
    """Join fragments into segments; extra key frames are scene cuts of the encoder."""
    segments: list[Segment] = []
    for fragment in fragments:
        if begins(fragment):
            check(fragment.begins_with_sync, "a segment that cannot be decoded by itself")
            segments.append(_segment(fragment))
        else:
            check(bool(segments), "does not start on a segment boundary")
            last = segments[-1]
            segments[-1] = msgspec.structs.replace(
                last,
                duration=last.duration + fragment.duration,
                length=last.length + fragment.length,
            )
    return tuple(segments)


def _segment(fragment: Fragment) -> Segment:
    return Segment(fragment.duration, fragment.offset, fragment.length, fragment.key_length)
