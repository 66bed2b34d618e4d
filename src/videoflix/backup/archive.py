"""Archive format of exports: a zip with a manifest, a JSON Lines file per table, and media files.

    tables/user_account.jsonl   one row per line
    media/assets/…              objects of the storage by key, optional
    manifest.json               last, with counts and hashes of the tables

Archives are written without seeking and read without unpacking, so memory use does not depend on
the content; only the directory is held in memory. This module uses neither database nor storage.
"""

import asyncio
import hashlib
import struct
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, ClassVar, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import msgspec

from videoflix.backup.zip_limits import ensure_directory_is_small, ensure_no_zip_bomb
from videoflix.platform.problems import BadRequest

FORMAT = "videoflix-export"
VERSION = 1
MANIFEST = "manifest.json"
TABLES = "tables/"
MEDIA = "media/"
# Folders of the storage that contain no media; the root contains none either.
NO_MEDIA = {"exports", "health"}
MANIFEST_MAX = 16 * 1024 * 1024
LINE_MAX = 64 * 1024 * 1024
BLOCK = 1024 * 1024
# Errors of zipfile for corrupt or truncated archives.
CORRUPTION_ERRORS = (
    BadZipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)

Write = Callable[[bytes], Awaitable[object]]


class InvalidArchive(BadRequest):
    """This archive is invalid."""

    slug: ClassVar[str] = "archive-refused"


class TableDigest(msgspec.Struct, frozen=True):
    """Number of rows of a table, and their SHA-256."""

    rows: int
    sha256: str


class MediaSum(msgspec.Struct, frozen=True):
    """Number and total size of media files; the zip contains a CRC-32 of each."""

    files: int
    bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Metadata and expected content of an archive; `revision` is that of the schema."""

    format: str = FORMAT
    version: int = VERSION
    app_version: str
    revision: str
    created_at: datetime
    tables: dict[str, TableDigest]
    media: MediaSum | None = None

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


class RowDigest:
    """Count and hash rows incrementally."""

    def __init__(self) -> None:
        self._rows = 0
        self._digest = hashlib.sha256()

    def add(self, lines: list[str]) -> bytes:
        """Add rows and return them as lines of the archive."""
        data = "".join(f"{line}\n" for line in lines).encode()
        self._rows += len(lines)
        self._digest.update(data)
        return data

    @property
    def sum(self) -> TableDigest:
        return TableDigest(self._rows, self._digest.hexdigest())


class _Outgoing:
    """Unseekable buffer between zipfile and the output."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes, /) -> int:
        self._bytes += data
        return len(data)

    def flush(self) -> None:
        """Do nothing; required by zipfile."""

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


class ArchiveWriter:
    """Write an archive as a stream to `write`."""

    def __init__(self, write: Write, created_at: datetime) -> None:
        self._write = write
        self._date = created_at.timetuple()[:6]
        self._outgoing = _Outgoing()
        outgoing: Any = self._outgoing  # typeshed's type is wider than required
        self._zip = ZipFile(outgoing, "w", ZIP_DEFLATED)
        self.size = 0

    @asynccontextmanager
    async def member(self, name: str, *, packed: bool = True) -> AsyncGenerator[Write]:
        """Open a new file for writing; `packed` compresses it."""
        info = ZipInfo(name, self._date)
        info.compress_type = ZIP_DEFLATED if packed else ZIP_STORED
        info.external_attr = 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as opened:

            async def write(data: bytes) -> None:
                await asyncio.to_thread(opened.write, data)
                await self._flush()

            yield write
        await self._flush()

    async def table(self, name: str, batches: AsyncGenerator[list[str]]) -> TableDigest:
        """Write the rows of a table as JSON Lines."""
        digest = RowDigest()
        async with self.member(f"{TABLES}{name}.jsonl") as write:
            async for lines in batches:
                await write(digest.add(lines))
        return digest.sum

    def media(self, key: str) -> AbstractAsyncContextManager[Write]:
        """Open a new media file for writing, uncompressed."""
        return self.member(MEDIA + key, packed=False)

    async def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the zip directory, which complete the archive."""
        text = msgspec.json.format(msgspec.json.encode(manifest))
        async with self.member(MANIFEST) as write:
            await write(text)
        self._zip.close()
        await self._flush()

    async def _flush(self) -> None:
        if data := self._outgoing.take():
            self.size += len(data)
            await self._write(data)


class Archive:
    """An archive on the local disk.

    Raises InvalidArchive if the file is corrupt or not an export, and ArchiveTooLarge.
    """

    def __init__(self, path: Path) -> None:
        with _corruption_errors("The file is not a zip file, or it is truncated"):
            ensure_directory_is_small(path)
            self._zip = ZipFile(path)
        try:
            ensure_no_zip_bomb(self._zip.infolist(), path.stat().st_size)
            self._names = {info.filename: info for info in self._zip.infolist()}
            self.manifest = self._read_manifest()
            self._compare_names()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def media(self) -> list[tuple[str, int]]:
        """The storage keys and sizes of the media files."""
        return [
            (name.removeprefix(MEDIA), info.file_size)
            for name, info in self._names.items()
            if name.startswith(MEDIA)
        ]

    def lines(self, table: str) -> Iterator[bytes]:
        """Iterate over the rows of a table."""
        with self._opened(f"{TABLES}{table}.jsonl") as member:
            while line := member.readline(LINE_MAX):
                if not line.endswith(b"\n"):
                    raise InvalidArchive(
                        f"The last line of {member.name} is truncated or too long."
                    )
                yield line

    def blocks(self, key: str) -> Iterator[bytes]:
        """Iterate over the blocks of a media file."""
        with self._opened(MEDIA + key) as member:
            while block := member.read(BLOCK):
                yield block

    def check(self, columns: Mapping[str, frozenset[str]] | None = None) -> None:
        """Verify the whole archive against the manifest, and rows against the tables' columns.

        Raises InvalidArchive at the first mismatch.
        """
        for name, expected in self.manifest.tables.items():
            found = self._digest_of(name, columns[name] if columns else None)
            if found.rows != expected.rows:
                raise InvalidArchive(f"{name} has {found.rows} rows instead of {expected.rows}.")
            if found.sha256 != expected.sha256:
                raise InvalidArchive(f"The rows of {name} do not match their checksum.")
        for key, _ in self.media:
            for _block in self.blocks(key):  # zipfile verifies the checksum at the end
                pass

    def _digest_of(self, table: str, columns: frozenset[str] | None) -> TableDigest:
        rows, digest = 0, hashlib.sha256()
        for line in self.lines(table):
            rows += 1
            digest.update(line)
            try:
                fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InvalidArchive(f"Line {rows} of {table} is not a JSON object.") from error
            if columns is not None and fields.keys() != columns:
                mismatched = ", ".join(sorted(fields.keys() ^ columns))
                raise InvalidArchive(f"Line {rows} of {table} has different columns: {mismatched}.")
        return TableDigest(rows, digest.hexdigest())

    def _read_manifest(self) -> Manifest:
        info = self._names.get(MANIFEST)
        if info is None or info.file_size > MANIFEST_MAX:
            raise InvalidArchive("The zip file is not a Videoflix export: it has no manifest.json.")
        with self._opened(MANIFEST) as member:
            text = member.read()
        try:
            kind = msgspec.json.decode(text, type=_Kind)
            if kind.format != FORMAT:
                raise InvalidArchive(f"The archive has an unknown format: “{kind.format[:50]}”.")
            if kind.version > VERSION:
                raise InvalidArchive(
                    f"The archive was made by a newer release: its format is {kind.version},"
                    f" this release supports up to {VERSION}."
                )
            return msgspec.json.decode(text, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidArchive(f"manifest.json is invalid: {error}.") from error

    def _compare_names(self) -> None:
        expected = {MANIFEST, *(f"{TABLES}{name}.jsonl" for name in self.manifest.tables)}
        found = {name for name in self._names if not name.startswith(MEDIA)}
        if mismatched := sorted(expected ^ found):
            problem = "lacks" if mismatched[0] in expected else "has an unexpected file"
            raise InvalidArchive(f"The archive {problem} {mismatched[0][:200]}.")
        if len(self._names) != len(self._zip.infolist()):
            raise InvalidArchive("The archive contains two files with the same name.")
        media = self.manifest.media or MediaSum(0, 0)
        sizes = [size for _, size in self.media]
        if (media.files, media.bytes) != (len(sizes), sum(sizes)):
            raise InvalidArchive(f"Found {len(sizes)} media files instead of {media.files}.")
        for key, _ in self.media:
            if not is_media(key):
                raise InvalidArchive(f"A media file has an invalid name: {key[:200]!r}.")

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        with (
            _corruption_errors(f"The archive is corrupt at {name}"),
            self._zip.open(name) as member,
        ):
            yield member


class _Kind(msgspec.Struct):
    """The fields of a manifest that are common to all versions."""

    format: str
    version: int


def is_media(key: str) -> bool:
    """Return whether a key is a valid media key that cannot escape its folder (zip slip)."""
    parts = key.split("/")
    if len(parts) == 1 or parts[0] in NO_MEDIA or "#" in key:
        return False
    return key.isprintable() and "\\" not in key and not {"", ".", ".."} & set(parts)


@contextmanager
def _corruption_errors(message: str) -> Iterator[None]:
    try:
        yield
    except CORRUPTION_ERRORS as error:
        raise InvalidArchive(f"{message} ({error}).") from error
