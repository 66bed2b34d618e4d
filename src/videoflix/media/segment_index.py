"""The segments of a rendition's file in packed form: 16 bytes each, read in place.

A record is duration in ticks (u32), length in bytes (u32) and offset in the file (u64), all
little-endian. Fixed width makes record `n` a slice: nothing is unpacked to find a segment.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

RECORD = struct.Struct("<IIQ")


def pack(segments: Iterable[Sequence[int]]) -> bytes:
    """Records of (ticks, offset, length)."""
    return b"".join(RECORD.pack(ticks, length, offset) for ticks, offset, length in segments)


def unpack(packed: bytes) -> tuple[tuple[int, int, int], ...]:
    """(ticks, offset, length) of each segment."""
    return tuple((ticks, offset, length) for ticks, length, offset in RECORD.iter_unpack(packed))


def count(packed: bytes) -> int:
    return len(packed) // RECORD.size


def extent(packed: bytes, number: int) -> tuple[int, int]:
    """Offset and length of a segment."""
    _, length, offset = RECORD.unpack_from(packed, number * RECORD.size)
    return offset, length


def run(packed: bytes, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Ticks and length in bytes of the segments from `first` to before `end`."""
    part = packed[first * RECORD.size : end * RECORD.size]
    return ((ticks, length) for ticks, length, _ in RECORD.iter_unpack(part))
