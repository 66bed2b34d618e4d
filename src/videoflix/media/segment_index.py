"""Packed segment index: 16 bytes per segment, read in place.

A record is duration in ticks (u32), length in bytes (u32) and offset in the file (u64), all
little-endian. With a fixed width, record `n` is a slice: finding a segment unpacks nothing else.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence

RECORD = struct.Struct("<IIQ")
LENGTH = struct.Struct("<I")


def pack(segments: Iterable[Sequence[int]]) -> bytes:
    """Pack (ticks, offset, length) of each segment."""
    return b"".join(RECORD.pack(ticks, length, offset) for ticks, offset, length in segments)


def unpack(packed: bytes) -> tuple[tuple[int, int, int], ...]:
    """Unpack to (ticks, offset, length) of each segment."""
    return tuple((ticks, offset, length) for ticks, length, offset in RECORD.iter_unpack(packed))


def pack_lengths(lengths: Iterable[int]) -> bytes:
    """Pack the length in bytes of each segment's key frame."""
    return b"".join(map(LENGTH.pack, lengths))


def unpack_lengths(packed: bytes) -> tuple[int, ...]:
    return tuple(length for (length,) in LENGTH.iter_unpack(packed))


def count(packed: bytes) -> int:
    return len(packed) // RECORD.size


def extent(packed: bytes, number: int) -> tuple[int, int]:
    """Offset and length of a segment, in bytes."""
    _, length, offset = RECORD.unpack_from(packed, number * RECORD.size)
    return offset, length


def run(packed: bytes, first: int, end: int) -> Iterator[tuple[int, int]]:
    """(ticks, length in bytes) of the segments from `first` up to, excluding, `end`."""
    part = packed[first * RECORD.size : end * RECORD.size]
    return ((ticks, length) for ticks, length, _ in RECORD.iter_unpack(part))
