"""Recognise files that were cut off, by the sizes that their containers declare.

FFmpeg reads such files to their end without an error. MP4 and Matroska declare a duration, which
is compared with the packets (source.py); MPEG streams declare nothing.
"""

import struct
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

RIFF_UNKNOWN = {0, 0xFFFFFFFF}  # never completed by the program that recorded the file
ASF_HEADER = UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le
ASF_FILE_PROPERTIES = UUID("8cabdca1-a947-11cf-8ee4-00c00c205365").bytes_le
ASF_HEADER_BYTES = 64 * 1024
ASF_BROADCAST = 1
OGG_PAGE_BYTES = 65_307  # at most (RFC 3533, section 6)


def missing_bytes(path: Path, container: str) -> int:
    """Return how many bytes at the end of the file are missing; 0 if that is unknown."""
    check = CHECKS.get(container)
    if check is None:
        return 0
    with path.open("rb") as file:
        return max(0, check(file, path.stat().st_size))


def _riff(file: BinaryIO, size: int) -> int:
    """AVI: one RIFF chunk, and with OpenDML more of them."""
    end = 0
    while end < size:
        file.seek(end)
        header = file.read(8)
        if len(header) < 8 or header[:4] != b"RIFF":
            return 0
        (length,) = struct.unpack("<I", header[4:])
        if length in RIFF_UNKNOWN:
            return 0
        end += 8 + length + length % 2
    return end - size if end - size > 1 else 0  # some omit the padding byte


def _asf(file: BinaryIO, size: int) -> int:
    """WMV: the file properties object has the size of the file, except in a broadcast."""
    header = file.read(ASF_HEADER_BYTES)
    at = header.find(ASF_FILE_PROPERTIES)
    if not header.startswith(ASF_HEADER) or at < 0 or len(header) < at + 92:
        return 0
    (declared,) = struct.unpack_from("<Q", header, at + 40)
    (flags,) = struct.unpack_from("<I", header, at + 88)
    return 0 if flags & ASF_BROADCAST else int(declared) - size


def _ogg(file: BinaryIO, size: int) -> int:
    """Ogg: the last page has a table of its contents."""
    file.seek(max(0, size - OGG_PAGE_BYTES))
    tail = file.read()
    at = tail.rfind(b"OggS\x00")
    if at < 0 or len(tail) < at + 27:
        return 0
    lengths = tail[at + 27 : at + 27 + tail[at + 26]]
    return at + 27 + tail[at + 26] + sum(lengths) - len(tail)


CHECKS = {"avi": _riff, "asf": _asf, "ogg": _ogg}
