"""Read the sample tables of an MP4 file (ISO/IEC 14496-12), which FFmpeg's index leaves out."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

MOOV_MAX = 512 << 20
FOLDERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"})
# An empty edit that delays the track, and the track itself.
EDITS_MAX = 2


class SampleTable(msgspec.Struct, frozen=True):
    """A track's number of samples, and its composition offsets as (count, ticks)."""

    count: int
    offsets: tuple[tuple[int, int], ...]


class UnusualTables(Exception):
    """The tables do not list every sample once, in order."""


def sample_tables(path: Path) -> dict[int, SampleTable]:
    """Read the table of each track by its id. Raises UnusualTables."""
    with path.open("rb") as file:
        moov = _moov(file, path.stat().st_size)
    try:
        return dict(_track(boxes) for boxes in _tracks(moov))
    except (struct.error, KeyError, RecursionError) as error:
        raise UnusualTables from error


def _moov(file: BinaryIO, size: int) -> memoryview:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length, kind = struct.unpack_from(">I4s", header)
        if length == 1 and len(header) == 16:
            (length,) = struct.unpack_from(">Q", header, 8)
        elif length == 0:
            length = size - at
        if kind == b"moof" or length < 8:
            break
        if kind == b"moov" and length <= min(MOOV_MAX, size - at):
            file.seek(at)
            return memoryview(file.read(length))
        at += length
    raise UnusualTables


def _boxes(data: memoryview, at: int, end: int) -> Iterator[tuple[bytes, memoryview]]:
    """Iterate over the boxes that are not folders, with their contents."""
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        if length < 8 or at + length > end:
            raise UnusualTables
        if kind == b"mvex":
            raise UnusualTables  # the samples are in fragments
        if kind in FOLDERS:
            yield kind, data[at + 8 : at + 8]
            yield from _boxes(data, at + 8, at + length)
        else:
            yield kind, data[at + 8 : at + length]
        at += length


def _tracks(moov: memoryview) -> Iterator[dict[bytes, memoryview]]:
    found: dict[bytes, memoryview] = {}
    for kind, content in _boxes(moov, 8, len(moov)):
        if kind == b"trak":
            if found:
                yield found
            found = {kind: content}
        elif found:
            found.setdefault(kind, content)
    if found:
        yield found


def _track(boxes: dict[bytes, memoryview]) -> tuple[int, SampleTable]:
    header = boxes[b"tkhd"]
    (number,) = struct.unpack_from(">I", header, 20 if header[0] else 12)
    if b"elst" in boxes and struct.unpack_from(">I", boxes[b"elst"], 4)[0] > EDITS_MAX:
        raise UnusualTables
    if b"stsz" in boxes:
        (count,) = struct.unpack_from(">I", boxes[b"stsz"], 8)
    else:
        (count,) = struct.unpack_from(">I", boxes[b"stz2"], 8)
    return number, SampleTable(count, _offsets(boxes.get(b"ctts")))


def _offsets(ctts: memoryview | None) -> tuple[tuple[int, int], ...]:
    if ctts is None:
        return ()
    (entries,) = struct.unpack_from(">I", ctts, 4)
    runs = struct.iter_unpack(">Ii", ctts[8 : 8 + 8 * entries])
    return tuple((count, offset) for count, offset in runs)
