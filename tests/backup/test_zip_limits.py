"""How large an archive may be inside, before anything of it is unpacked."""

import struct
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest

from videoflix.backup.zip_limits import (
    COMMENT_MAX,
    ENTRIES_MAX,
    HARMLESS_BYTES,
    NAME_MAX,
    NAMES_MAX_BYTES,
    RATIO_MAX,
    ArchiveTooLarge,
    ensure_directory_is_small,
    ensure_no_zip_bomb,
)


def entry(
    unpacked: int, packed: int, name: str = "rows.json", method: int = ZIP_DEFLATED
) -> ZipInfo:
    info = ZipInfo(name)
    info.file_size, info.compress_size, info.compress_type = unpacked, packed, method
    return info


def test_limits() -> None:
    """An export of a large installation stays below each of them."""
    assert (ENTRIES_MAX, NAMES_MAX_BYTES, NAME_MAX) == (2_000_000, 268_435_456, 1_024)
    assert (RATIO_MAX, HARMLESS_BYTES) == (200, 16_777_216)


PACKED = 1024 * 1024  # times RATIO_MAX is far above HARMLESS_BYTES


@pytest.mark.parametrize(
    ("entries", "archive_bytes"),
    [
        ([], 22),
        ([entry(HARMLESS_BYTES, 1)], 100),
        ([entry(PACKED * RATIO_MAX, PACKED)], PACKED),
        ([entry(10, 10, method=ZIP_STORED), entry(20, 10)], 20),
        ([entry(1, 1, "n" * NAME_MAX)], 100),
    ],
)
def test_archives_that_an_export_could_be(entries: list[ZipInfo], archive_bytes: int) -> None:
    ensure_no_zip_bomb(entries, archive_bytes)


@pytest.mark.parametrize(
    ("entries", "archive_bytes", "message"),
    [
        ([entry(HARMLESS_BYTES + 1, 1)], 100, "unpack to"),
        ([entry(PACKED * RATIO_MAX + 1, PACKED)], PACKED, "unpack to"),
        ([entry(PACKED * RATIO_MAX + 1, PACKED)], 2 * PACKED, "unpacks from"),
        ([entry(HARMLESS_BYTES, 1)] * 2, 100, "unpack to"),
        ([entry(10, 10), entry(10, 11)], 20, "overlap"),
        ([entry(1, 1, method=ZIP_BZIP2)], 100, "unsupported compression method"),
        ([entry(1, 1, "n" * (NAME_MAX + 1))], 100, "name has 1025 characters"),
    ],
)
def test_zip_bombs(entries: list[ZipInfo], archive_bytes: int, message: str) -> None:
    with pytest.raises(ArchiveTooLarge, match=message):
        ensure_no_zip_bomb(entries, archive_bytes)


def directory_end(entries: int, length: int, comment: bytes = b"") -> bytes:
    """The end of a zip file's central directory (APPNOTE 4.3.16)."""
    head = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, entries, entries, length, 0, len(comment))
    return head + comment


def directory_end_64(entries: int, length: int, marks: bytes = b"") -> bytes:
    """The same with 64 bits, its locator, and the record that points to it (4.3.14 to 4.3.16)."""
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, length, 0)
    return end + b"PK\6\7" + bytes(16) + (marks or directory_end(0xFFFF, 0xFFFF_FFFF))


def zip_file() -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr("a.json", "[]")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip",
        b"PK\5\6",
        b"x" * 10 + b"PK\5\6" + bytes(12),  # too short to be the end of a directory
        zip_file(),
        directory_end(0xFFFE, NAMES_MAX_BYTES),
        directory_end(1, 1, b"c" * COMMENT_MAX),
        directory_end_64(ENTRIES_MAX, NAMES_MAX_BYTES),
    ],
    ids=len,
)
def test_small_directories(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    ensure_directory_is_small(path)


@pytest.mark.parametrize(
    "content",
    [
        directory_end(1, NAMES_MAX_BYTES + 1),
        b"x" * 100_000 + directory_end(1, NAMES_MAX_BYTES + 1, b"c" * COMMENT_MAX),
        directory_end_64(ENTRIES_MAX + 1, 1),
        directory_end_64(1, NAMES_MAX_BYTES + 1),
        directory_end_64(ENTRIES_MAX + 1, 1, directory_end(0xFFFF, 1)),
        directory_end_64(ENTRIES_MAX + 1, 1, directory_end(1, 0xFFFF_FFFF)),
    ],
    ids=len,
)
def test_large_directories(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveTooLarge, match="the limit is 2000000"):
        ensure_directory_is_small(path)
