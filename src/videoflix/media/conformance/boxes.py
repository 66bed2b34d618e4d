"""Read initialisation sections and the heads of fragments of any packager (ISO/IEC 14496-12).

`media.fmp4` verifies whole files of our own; this reads only the beginning of each fragment, from
bytes that somebody else wrote.
"""

import struct
from collections.abc import Iterator
from itertools import accumulate

import msgspec

from videoflix.media.sample_run import DURATION, FLAGS, SampleRun

NOT_SYNC = 0x10000  # sample_is_non_sync_sample
VISUAL_ENTRY, AUDIO_ENTRY = 78, 28  # bytes before the boxes in a sample entry


class Unreadable(Exception):
    """The bytes are not fragmented MP4; the message says why."""


class Truncated(Unreadable):
    """More bytes are needed: `needed` from the beginning."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed} bytes are needed")
        self.needed = needed


class InitSection(msgspec.Struct, frozen=True):
    """The track to check: the picture if there is one.

    `codec` is an RFC 6381 string as far as it is known, `edit` the media time of the first
    presented sample in ticks, `defaults` those of trex: duration, size and flags.
    """

    track_id: int
    is_video: bool
    timescale: int
    codec: str
    width: int
    height: int
    edit: int
    defaults: tuple[int, int, int]


class FragmentHead(msgspec.Struct, frozen=True):
    """A moof, in ticks: samples are decoded from `decode_time` for `duration`, and shown from
    `start` to `stop`. `end` is where its mdat ends, in bytes.
    """

    decode_time: int
    duration: int
    start: int
    stop: int
    samples: int
    begins_with_key_frame: bool
    end: int


def children(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Iterate over boxes: name, start of the content, end. Raises Unreadable."""
    while start < end:
        size, name, content = header(data, start)
        if size < content - start or start + size > end:
            raise Unreadable(f"the box {name.decode('latin-1')!r} is cut off")
        yield name, content, start + size
        start += size


def header(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Size, name and start of the content of the box at an offset. Raises Truncated."""
    if len(data) < at + 16:
        if len(data) < at + 8:
            raise Truncated(at + 16)
        size, name = struct.unpack_from(">I4s", data, at)
        if size == 1:
            raise Truncated(at + 16)
        return size, name, at + 8
    size, name = struct.unpack_from(">I4s", data, at)
    if size == 1:
        return struct.unpack_from(">Q", data, at + 8)[0], name, at + 16
    return size, name, at + 8


def read_init(data: bytes) -> InitSection:
    """Read an initialisation section. Raises Unreadable."""
    try:
        return _read_init(data)
    except (struct.error, IndexError) as broken:
        raise Unreadable("the initialisation section is damaged") from broken


def read_head(data: bytes, init: InitSection) -> FragmentHead | None:
    """Read the first fragment of `data`; None if there is none.

    Only its moof must be there. Raises Truncated or Unreadable.
    """
    at = 0
    while at < len(data):
        size, name, content = header(data, at)
        if size < content - at:
            raise Unreadable(f"a box of {size} bytes")
        if name == b"moof":
            if len(data) < at + size + 16:
                raise Truncated(at + size + 16)
            try:
                return _head(data, (content, at + size), init)
            except (struct.error, IndexError) as broken:
                raise Unreadable("a fragment is damaged") from broken
        at += size
    if at > len(data):
        raise Truncated(at + 16)
    return None


def _find(data: bytes, within: tuple[int, int], *names: bytes) -> tuple[int, int]:
    for wanted in names:
        found = next((box for box in children(data, *within) if box[0] == wanted), None)
        if found is None:
            raise Unreadable(f"no box {wanted.decode()!r}")
        within = found[1], found[2]
    return within


def _read_init(data: bytes) -> InitSection:
    moov = _find(data, (0, len(data)), b"moov")
    tracks = [(start, end) for name, start, end in children(data, *moov) if name == b"trak"]
    if not tracks:
        raise Unreadable("no track")
    handlers = [_handler(data, track) for track in tracks]
    index = handlers.index(b"vide") if b"vide" in handlers else 0
    track, is_video = tracks[index], handlers[index] == b"vide"
    head = _find(data, track, b"tkhd")[0]
    (track_id,) = struct.unpack_from(">I", data, head + (20 if data[head] == 1 else 12))
    time = _find(data, track, b"mdia", b"mdhd")[0]
    (timescale,) = struct.unpack_from(">I", data, time + (20 if data[time] == 1 else 12))
    if not timescale:
        raise Unreadable("a timescale of 0")
    entry = _find(data, track, b"mdia", b"minf", b"stbl", b"stsd")[0] + 8
    codec, width, height = _sample_entry(data, entry, is_video=is_video)
    defaults = _defaults(data, moov, track_id)
    edit = _edit(data, track)
    return InitSection(track_id, is_video, timescale, codec, width, height, edit, defaults)


def _handler(data: bytes, track: tuple[int, int]) -> bytes:
    start = _find(data, track, b"mdia", b"hdlr")[0]
    return data[start + 8 : start + 12]


def _sample_entry(data: bytes, at: int, *, is_video: bool) -> tuple[str, int, int]:
    """Codec, width and height of the first sample entry."""
    size, name, content = header(data, at)
    end = at + size
    codec = name.decode("latin-1")
    if not is_video:
        return (_aac(data, content + AUDIO_ENTRY, end) if name == b"mp4a" else codec), 0, 0
    width, height = struct.unpack_from(">HH", data, content + 24)
    for box, start, _ in children(data, content + VISUAL_ENTRY, end):
        if box == b"avcC":  # profile, constraints and level follow the version
            codec = f"{codec}.{data[start + 1 : start + 4].hex()}"
    return codec, width, height


def _aac(data: bytes, start: int, end: int) -> str:
    """The codec of MPEG-4 audio, whose object type is in the first five bits of its description."""
    for name, begin, stop in children(data, start, end):
        if name == b"esds":
            return f"mp4a.40.{_object_type(data[begin + 4 : stop])}"
    return "mp4a"


def _object_type(descriptors: bytes) -> int:
    """Follow ES, decoder configuration and its specific info (ISO/IEC 14496-1, 7.2.6)."""
    at, _ = _descriptor(descriptors, 0, 0x03)
    flags = descriptors[at + 2]
    at += 3 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
    at += 1 + descriptors[at] if flags & 0x40 else 0
    at, _ = _descriptor(descriptors, at, 0x04)
    at, _ = _descriptor(descriptors, at + 13, 0x05)
    found = descriptors[at] >> 3
    if found == 31:
        return 32 + ((descriptors[at] & 7) << 3 | descriptors[at + 1] >> 5)
    return found


def _descriptor(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Start and length of the content of a descriptor. Raises Unreadable."""
    if data[at] != tag:
        raise Unreadable(f"no descriptor {tag}")
    end = next(n for n in range(at + 1, at + 5) if n == at + 4 or not data[n] & 0x80) + 1
    length = 0
    for byte in data[at + 1 : end]:
        length = length << 7 | byte & 0x7F
    return end, length


def _defaults(data: bytes, moov: tuple[int, int], track_id: int) -> tuple[int, int, int]:
    """Duration, size and flags of samples, from the track's trex."""
    for name, start, _ in children(data, *_find(data, moov, b"mvex")):
        if name == b"trex":
            found, _, duration, size, flags = struct.unpack_from(">IIIII", data, start + 4)
            if found == track_id:
                return duration, size, flags
    raise Unreadable("no trex of the track")


def _edit(data: bytes, track: tuple[int, int]) -> int:
    """The media time at which the presentation begins (edit list); 0 without one."""
    try:
        start, _ = _find(data, track, b"edts", b"elst")
    except Unreadable:
        return 0
    (count,) = struct.unpack_from(">I", data, start + 4)
    wide = data[start] == 1
    entry = struct.Struct(">QqI" if wide else ">IiI")
    for number in range(min(count, 100)):
        _, time, _ = entry.unpack_from(data, start + 8 + number * entry.size)
        if time >= 0:
            return int(time)
    return 0


def _head(data: bytes, moof: tuple[int, int], init: InitSection) -> FragmentHead:
    for name, start, end in children(data, *moof):
        if name != b"traf":
            continue
        header_start, _ = _find(data, (start, end), b"tfhd")
        (track_id,) = struct.unpack_from(">I", data, header_start + 4)
        if track_id == init.track_id:
            mdat_size, mdat, _ = header(data, moof[1])
            if mdat != b"mdat":
                raise Unreadable("a moof without its mdat")
            return _run(
                data, (start, end), _tfhd(data, header_start, init), init, moof[1] + mdat_size
            )
    raise Unreadable("a fragment without the track")


def _tfhd(data: bytes, start: int, init: InitSection) -> list[int]:
    """Duration, size and flags of samples in a fragment."""
    (flags,) = struct.unpack_from(">I", data, start)
    at = start + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
    values = list(init.defaults)
    for place, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            (values[place],) = struct.unpack_from(">I", data, at)
            at += 4
    return values


def _run(
    data: bytes, traf: tuple[int, int], defaults: list[int], init: InitSection, end: int
) -> FragmentHead:
    durations: list[int] = []
    offsets: list[int] = []
    time, sync = None, False
    for name, start, stop in children(data, *traf):
        if name == b"tfdt":
            (time,) = struct.unpack_from(">Q" if data[start] == 1 else ">I", data, start + 4)
        elif name == b"trun":
            run = SampleRun.parse(data[start:stop])
            if not durations and run.count:
                first = run.first_flags
                flags = run.columns.get(FLAGS, (defaults[2] if first is None else first,))[0]
                sync = not (flags if first is None else first) & NOT_SYNC
            durations += run.columns.get(DURATION, (defaults[0],) * run.count)
            offsets += run.compositions
    if time is None or not durations:
        raise Unreadable("a fragment without times")
    decoded = accumulate(durations[:-1], initial=time)
    shown = [at + offset - init.edit for at, offset in zip(decoded, offsets, strict=True)]
    return FragmentHead(
        decode_time=time,
        duration=sum(durations),
        start=min(shown),
        stop=max(at + duration for at, duration in zip(shown, durations, strict=True)),
        samples=len(durations),
        begins_with_key_frame=sync,
        end=end,
    )
