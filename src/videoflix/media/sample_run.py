"""The track run box (trun): times and sizes of a fragment's samples (ISO/IEC 14496-12, 8.8.8)."""

import struct
from typing import Self

import msgspec

DATA_OFFSET, FIRST_FLAGS = 0x1, 0x4
DURATION, SIZE, FLAGS, COMPOSITION = 0x100, 0x200, 0x400, 0x800
COLUMNS = (DURATION, SIZE, FLAGS, COMPOSITION)


class SampleRun(msgspec.Struct, frozen=True):
    """A parsed trun; `columns` holds a value per sample for each of COLUMNS that is present.

    `data_offset` is in bytes from the start of the moof, `first_flags` override those of the
    first sample; both are None if absent.
    """

    count: int
    data_offset: int | None
    first_flags: int | None
    columns: dict[int, tuple[int, ...]]

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Parse the content of the box. Raises struct.error if it is cut off."""
        has, count = struct.unpack_from(">II", content)
        at, head = 8, dict.fromkeys((DATA_OFFSET, FIRST_FLAGS))
        for flag in head:
            if has & flag:
                (head[flag],) = struct.unpack_from(">I", content, at)
                at += 4
        present = [column for column in COLUMNS if has & column]
        values = struct.unpack_from(f">{len(present) * count}I", content, at)
        columns = {flag: values[n :: len(present)] for n, flag in enumerate(present)}
        if content[0]:  # version 1: composition offsets are signed
            columns = {
                flag: _signed(v) if flag == COMPOSITION else v for flag, v in columns.items()
            }
        return cls(count, head[DATA_OFFSET], head[FIRST_FLAGS], columns)

    @property
    def compositions(self) -> tuple[int, ...]:
        """From decoding to showing each sample, in ticks."""
        return self.columns.get(COMPOSITION) or (0,) * self.count

    def serialise(self) -> bytes:
        """The content of a box of version 0."""
        head = {DATA_OFFSET: self.data_offset, FIRST_FLAGS: self.first_flags}
        values = [value for value in head.values() if value is not None]
        has = sum(flag for flag, value in head.items() if value is not None) + sum(self.columns)
        ordered = [self.columns[column] for column in COLUMNS if column in self.columns]
        values += [value for sample in zip(*ordered, strict=True) for value in sample]
        return struct.pack(f">II{len(values)}I", has, self.count, *values)


def _signed(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(value - (1 << 32) if value >> 31 else value for value in values)
