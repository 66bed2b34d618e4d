"""How large an archive may be inside: a few megabytes must not fill the memory, disk or time.

Sizes that an archive declares are binding, since zipfile reads no further; so bounds on them are
bounds on the work.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

from videoflix.platform.problems import BadRequest

# The list of names is held in memory, about 600 bytes an entry.
ENTRIES_MAX = 2_000_000
NAMES_MAX_BYTES = 256 * 1024 * 1024
NAME_MAX = 1024
# Rows of JSON shrink to a twentieth or so; deflate's limit is 1:1032.
RATIO_MAX = 200
# Whatever its ratio, this much is read in no time.
HARMLESS_BYTES = 16 * 1024 * 1024
END = struct.Struct("<4s4H2LH")
END_MAGIC, END64_MAGIC = b"PK\5\6", b"PK\6\6"
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_BYTES = 20
COMMENT_MAX = 65_535
ALL_ONES = {0xFFFF, 0xFFFF_FFFF}


class ArchiveTooLarge(BadRequest):
    """This archive unpacks to more than an export ever does; it was not imported."""


def ensure_directory_is_small(path: Path) -> None:
    """Raises ArchiveTooLarge before the list of names is read; a file that is no zip passes."""
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
            f"It lists {entries} files in {length} bytes; at most {ENTRIES_MAX} are read."
        )


def ensure_no_zip_bomb(entries: Sequence[ZipInfo], archive_bytes: int) -> None:
    """Raises ArchiveTooLarge for what is packed more tightly than an export can be."""
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    if packed > archive_bytes:
        raise ArchiveTooLarge("Its files overlap one another.")
    if unpacked > max(HARMLESS_BYTES, archive_bytes * RATIO_MAX):
        raise ArchiveTooLarge(f"Its {archive_bytes} bytes unpack to {unpacked}.")
    for entry in entries:
        if entry.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise ArchiveTooLarge(f"{entry.filename[:200]} is packed in a way exports never are.")
        if len(entry.filename) > NAME_MAX:
            raise ArchiveTooLarge(f"It has a name of {len(entry.filename)} letters.")
        if entry.file_size > max(HARMLESS_BYTES, entry.compress_size * RATIO_MAX):
            raise ArchiveTooLarge(
                f"{entry.filename[:200]} unpacks from {entry.compress_size} to"
                f" {entry.file_size} bytes."
            )
