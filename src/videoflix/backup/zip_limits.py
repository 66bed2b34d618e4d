"""Protection against zip bombs: limits on entries, sizes and compression ratios.

zipfile never reads more than the declared sizes, so limits on them bound the work.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

from videoflix.platform.problems import BadRequest

# The directory is held in memory, about 600 bytes per entry.
ENTRIES_MAX = 2_000_000
NAMES_MAX_BYTES = 256 * 1024 * 1024
NAME_MAX = 1024
# JSON rows compress to about 5 %; deflate's maximum ratio is 1:1032.
RATIO_MAX = 200
# Uncompressed size below which the ratio is not checked.
HARMLESS_BYTES = 16 * 1024 * 1024
END = struct.Struct("<4s4H2LH")
END_MAGIC, END64_MAGIC = b"PK\5\6", b"PK\6\6"
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_BYTES = 20
COMMENT_MAX = 65_535
ALL_ONES = {0xFFFF, 0xFFFF_FFFF}


class ArchiveTooLarge(BadRequest):
    """This archive is too large or compressed too highly; it was not imported."""


def ensure_directory_is_small(path: Path) -> None:
    """Raises ArchiveTooLarge before the directory is read; files that are no zip pass."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - COMMENT_MAX - END.size - LOCATOR_BYTES - END64.size))
        tail = file.read()
    at = tail.rfind(END_MAGIC)
    if at < 0 or len(tail) - at < END.size:
        return
    _, _, _, _, entries, length, _, _ = END.unpack_from(tail, at)
    if entries in ALL_ONES or length in ALL_ONES:
        at64 = tail.rfind(END64_MAGIC, 0, at)
        if at64 >= 0 and at - at64 >= END64.size:
            _, _, _, _, _, _, _, entries, length, _ = END64.unpack_from(tail, at64)
    if entries > ENTRIES_MAX or length > NAMES_MAX_BYTES:
        raise ArchiveTooLarge(
            f"The directory has {entries} entries in {length} bytes; the limit is {ENTRIES_MAX}."
        )


def ensure_no_zip_bomb(entries: Sequence[ZipInfo], archive_bytes: int) -> None:
    """Raises ArchiveTooLarge for compression ratios that an export cannot have."""
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    if packed > archive_bytes:
        raise ArchiveTooLarge("Its files overlap.")
    if unpacked > max(HARMLESS_BYTES, archive_bytes * RATIO_MAX):
        raise ArchiveTooLarge(f"Its {archive_bytes} bytes unpack to {unpacked}.")
    for entry in entries:
        if entry.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise ArchiveTooLarge(f"{entry.filename[:200]} has an unsupported compression method.")
        if len(entry.filename) > NAME_MAX:
            raise ArchiveTooLarge(f"A file name has {len(entry.filename)} characters.")
        if entry.file_size > max(HARMLESS_BYTES, entry.compress_size * RATIO_MAX):
            raise ArchiveTooLarge(
                f"{entry.filename[:200]} unpacks from {entry.compress_size} to"
                f" {entry.file_size} bytes."
            )
