"""Archives that are damaged, cut off, foreign, or made tomorrow are told from good ones."""

import random
import struct
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_LZMA, ZipFile

import msgspec
import pytest

from videoflix.backup.archive import (
    MANIFEST,
    Archive,
    ArchiveWriter,
    InvalidArchive,
    Manifest,
    MediaSum,
)
from videoflix.backup.zip_limits import ArchiveTooLarge

FILM = random.Random(1).randbytes(300_000)
ROWS = [f'{{"id":{number},"name":"Änne \\"{number}\\""}}' for number in range(500)]
COLUMNS = {"person": frozenset({"id", "name"}), "nothing": frozenset({"id"})}


async def some(rows: list[str]) -> AsyncGenerator[list[str]]:
    for begin in range(0, len(rows), 100):
        yield rows[begin : begin + 100]


@pytest.fixture
async def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.zip"
    with path.open("wb") as file:

        async def write(data: bytes) -> None:
            file.write(data)

        archive = ArchiveWriter(write, datetime.now(UTC))
        tables = {
            "person": await archive.table("person", some(ROWS)),
            "nothing": await archive.table("nothing", some([])),
        }
        async with archive.media("assets/1/source") as put:
            await put(FILM)
        await archive.finish(
            Manifest(
                app_version="1",
                revision="0022",
                created_at=datetime.now(UTC),
                tables=tables,
                media=MediaSum(1, len(FILM)),
            )
        )
    assert archive.size == path.stat().st_size
    return path


def rebuilt(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The archive as somebody would have made it who packs it by hand."""
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    other = path.with_name("other.zip")
    with ZipFile(other, "w", ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return other


def check(path: Path) -> None:
    with Archive(path) as archive:
        archive.check(COLUMNS)


def test_good_archive_is_read_back(good: Path) -> None:
    check(good)
    with Archive(good) as archive:
        assert [line.decode().rstrip("\n") for line in archive.lines("person")] == ROWS
        assert archive.manifest.rows == 500
        assert archive.media == [("assets/1/source", len(FILM))]
        assert b"".join(archive.blocks("assets/1/source")) == FILM


def test_no_byte_can_be_missing_at_the_end(good: Path) -> None:
    data = good.read_bytes()
    for length in [0, 1, 21, 1000, len(data) // 2, len(data) - 200, len(data) - 1]:
        good.write_bytes(data[:length])
        with pytest.raises(InvalidArchive, match=r"truncated|corrupt"):
            check(good)


def test_changed_bytes_are_noticed_or_matter_to_nobody(good: Path) -> None:
    data, chance, noticed = good.read_bytes(), random.Random(7), 0
    for _ in range(300):
        place = chance.randrange(len(data))
        broken = bytearray(data)
        broken[place] ^= 1 << chance.randrange(8)
        good.write_bytes(broken)
        try:
            check(good)
            with Archive(good) as archive:
                assert [line.decode().rstrip("\n") for line in archive.lines("person")] == ROWS
                assert b"".join(archive.blocks("assets/1/source")) == FILM
        except InvalidArchive:
            noticed += 1
    assert noticed > 250


def manifest_with(**fields: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        manifest = msgspec.json.decode(members[MANIFEST]) | fields
        members[MANIFEST] = msgspec.json.encode(manifest)

    return change


def put(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({name: data})


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        del members[name]

    return change


PEOPLE = "tables/person.jsonl"
LINES = "".join(f"{row}\n" for row in ROWS).encode()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without(MANIFEST), "not a Videoflix export"),
        (put(MANIFEST, b"{"), "manifest.json is invalid"),
        (put(MANIFEST, b"\xff"), "manifest.json is invalid"),
        (manifest_with(format="photos"), "unknown format: “photos”"),
        (manifest_with(version=2), "newer release: its format is 2"),
        (manifest_with(tables={}), "unexpected file tables/"),
        (manifest_with(media=None), "1 media files instead of 0"),
        (without(PEOPLE), "lacks tables/person.jsonl"),
        (put("tables/../../etc/passwd.jsonl", b""), "unexpected file"),
        (put("readme.txt", b""), "unexpected file readme.txt"),
        (without("media/assets/1/source"), "0 media files instead of 1"),
        (put("media/../secret_key", b""), "media files"),
        (put("media/assets/1/source", b"x" * len(FILM)), None),
        (put(PEOPLE, LINES[: len(LINES) // 2]), "truncated"),
        (put(PEOPLE, LINES.replace(b"499", b"498")), "do not match their checksum"),
        (put(PEOPLE, LINES + b'{"id":1,"name":""}\n'), "501 rows instead of 500"),
        (put(PEOPLE, LINES.replace(b"{", b"[", 1)), "Line 1 of person is not a JSON object"),
        (put(PEOPLE, LINES.replace(b'"name"', b'"role"', 1)), "different columns: name, role"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    good: Path, change: Callable[[dict[str, bytes]], None], sentence: str | None
) -> None:
    other = rebuilt(good, change)
    if sentence is None:  # the media's own checksum is the zip's: packing it again makes a new one
        check(other)
        return
    with pytest.raises(InvalidArchive, match=sentence):
        check(other)


def test_media_cannot_leave_their_folder(good: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["media/../../x"] = members.pop("media/assets/1/source")

    with pytest.raises(InvalidArchive, match="invalid name"):
        check(rebuilt(good, change))


def test_two_files_of_one_name_are_refused(good: Path) -> None:
    with ZipFile(good, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(PEOPLE, LINES)
    with pytest.raises(InvalidArchive, match="two files with the same name"):
        check(good)


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    for data in (b"", b"hello", b"PK\x03\x04", b"\x1f\x8b" + bytes(100)):
        path = tmp_path / "file"
        path.write_bytes(data)
        with pytest.raises(InvalidArchive, match="not a zip file"):
            check(path)


def zipped(path: Path, members: dict[str, bytes], method: int = ZIP_DEFLATED) -> Path:
    with ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("name", [MANIFEST, "tables/person.jsonl", "media/assets/1/source"])
def test_compression_bombs_are_refused(good: Path, name: str) -> None:
    """A thousand to one, wherever it is."""

    def change(files: dict[str, bytes]) -> None:
        files[name] = bytes(64 * 1024 * 1024)

    with pytest.raises(ArchiveTooLarge, match="unpack"):
        Archive(rebuilt(good, change))


def test_many_small_bombs_are_one(good: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        files.update({f"media/assets/{n}": bytes(8 * 1024 * 1024) for n in range(9)})

    with pytest.raises(ArchiveTooLarge, match="unpack"):
        Archive(rebuilt(good, change))


def test_methods_that_pack_more_tightly_are_refused(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "a.zip", {MANIFEST: bytes(1000)}, ZIP_LZMA)
    with pytest.raises(ArchiveTooLarge, match="unsupported compression"):
        Archive(bomb)


def test_too_many_names_are_refused_before_they_are_read(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An end that announces a directory of terabytes, in both forms of the format."""
    data = bytearray(good.read_bytes())
    at = data.rfind(b"PK\5\6")
    data[at + 10 : at + 12] = b"\xff\xff"
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 46, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    good.write_bytes(data[:at] + end64 + locator + data[at:])
    with pytest.raises(ArchiveTooLarge, match="entries"):
        Archive(good)


def test_names_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(ArchiveTooLarge, match="characters"):
        Archive(zipped(tmp_path / "a.zip", {"a" * 2000: b""}))


@pytest.mark.parametrize(
    "key", ["videoflix-installation", "exports/1/archive.zip", "health/1", "assets/1/source#1"]
)
def test_only_media_are_put_into_the_storage(good: Path, key: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        files[f"media/{key}"] = files.pop("media/assets/1/source")

    with pytest.raises(InvalidArchive, match="invalid name"):
        Archive(rebuilt(good, change))
