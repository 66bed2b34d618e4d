"""The format of exports: one zip with a manifest, a file of JSON lines a table, and media files.

    tables/user_account.jsonl   one row a line
    media/assets/…              files of the storage under their keys, if they were asked for
    manifest.json               last, because it counts and hashes what came before it

Writing needs no seeking and reading no unpacking, so that memory does not grow with what is inside;
only the list of names is held. A leaf: no database, no storage.
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
# Folders of the storage that hold other things than media; neither does its root.
NO_MEDIA = {"exports", "health"}
MANIFEST_MAX = 16 * 1024 * 1024
LINE_MAX = 64 * 1024 * 1024
PIECE = 1024 * 1024
# What zipfile raises for bytes that were changed or are missing.
DAMAGES = (BadZipFile, EOFError, NotImplementedError, RuntimeError, struct.error, zlib.error)

Write = Callable[[bytes], Awaitable[object]]


class InvalidArchive(BadRequest):
    """This archive cannot be read."""

    slug: ClassVar[str] = "archive-refused"


class TableDigest(msgspec.Struct, frozen=True):
    """How much of a table is inside, and its fingerprint."""

    rows: int
    sha256: str


class MediaSum(msgspec.Struct, frozen=True):
    """How many files of the storage are inside; the zip itself keeps a checksum of each."""

    files: int
    bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive is, and what must be in it; `revision` is the schema the rows fit."""

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
    """Counts and fingerprints rows as they go by."""

    def __init__(self) -> None:
        self._rows = 0
        self._digest = hashlib.sha256()

    def add(self, lines: list[str]) -> bytes:
        """The rows as they stand in an archive: each a line."""
        data = "".join(f"{line}\n" for line in lines).encode()
        self._rows += len(lines)
        self._digest.update(data)
        return data

    @property
    def sum(self) -> TableDigest:
        return TableDigest(self._rows, self._digest.hexdigest())


class _Outgoing:
    """What zipfile has written and nobody has taken yet; it cannot be sought in."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes, /) -> int:
        self._bytes += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


class ArchiveWriter:
    """Makes an archive and hands its bytes to `write` as they come."""

    def __init__(self, write: Write, created_at: datetime) -> None:
        self._write = write
        self._date = created_at.timetuple()[:6]
        self._outgoing = _Outgoing()
        outgoing: Any = self._outgoing  # typeshed asks for more than is used
        self._zip = ZipFile(outgoing, "w", ZIP_DEFLATED)
        self.size = 0

    @asynccontextmanager
    async def member(self, name: str, *, packed: bool = True) -> AsyncGenerator[Write]:
        """Begin a file; the block writes it. Media are packed already."""
        info = ZipInfo(name, self._date)
        info.compress_type = ZIP_DEFLATED if packed else ZIP_STORED
        info.external_attr = 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as opened:

            async def write(data: bytes) -> None:
                await asyncio.to_thread(opened.write, data)
                await self._pass_on()

            yield write
        await self._pass_on()

    async def table(self, name: str, batches: AsyncGenerator[list[str]]) -> TableDigest:
        """Write a table's rows, each a line of JSON."""
        tally = RowDigest()
        async with self.member(f"{TABLES}{name}.jsonl") as write:
            async for lines in batches:
                await write(tally.add(lines))
        return tally.sum

    def media(self, key: str) -> AbstractAsyncContextManager[Write]:
        """Begin a media file."""
        return self.member(MEDIA + key, packed=False)

    async def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the zip's list of names: before that it is no archive."""
        text = msgspec.json.format(msgspec.json.encode(manifest))
        async with self.member(MANIFEST) as write:
            await write(text)
        self._zip.close()
        await self._pass_on()

    async def _pass_on(self) -> None:
        if data := self._outgoing.take():
            self.size += len(data)
            await self._write(data)


class Archive:
    """An archive on the local disk.

    Raises InvalidArchive for what is none, or is damaged, and ArchiveTooLarge.
    """

    def __init__(self, path: Path) -> None:
        with _damaged("It is no zip file, or its end is missing"):
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
        """The storage keys of the media inside, and their sizes."""
        return [
            (name.removeprefix(MEDIA), info.file_size)
            for name, info in self._names.items()
            if name.startswith(MEDIA)
        ]

    def lines(self, table: str) -> Iterator[bytes]:
        """A table's rows."""
        with self._opened(f"{TABLES}{table}.jsonl") as member:
            while line := member.readline(LINE_MAX):
                if not line.endswith(b"\n"):
                    raise InvalidArchive(f"The last line of {member.name} is cut off or too long.")
                yield line

    def pieces(self, key: str) -> Iterator[bytes]:
        """A media file."""
        with self._opened(MEDIA + key) as member:
            while piece := member.read(PIECE):
                yield piece

    def check(self, columns: Mapping[str, frozenset[str]] | None = None) -> None:
        """Read everything and compare it with the manifest, and rows with the tables' columns.

        Raises InvalidArchive at the first difference.
        """
        for name, expected in self.manifest.tables.items():
            found = self._digest_of(name, columns[name] if columns else None)
            if found.rows != expected.rows:
                raise InvalidArchive(
                    f"{name} has {found.rows} rows and should have {expected.rows}."
                )
            if found.sha256 != expected.sha256:
                raise InvalidArchive(f"The rows of {name} were changed after the export.")
        for key, _ in self.media:
            for _piece in self.pieces(key):  # zipfile compares the checksum at the end
                pass

    def _digest_of(self, table: str, columns: frozenset[str] | None) -> TableDigest:
        rows, digest = 0, hashlib.sha256()
        for line in self.lines(table):
            rows += 1
            digest.update(line)
            try:
                fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InvalidArchive(f"Line {rows} of {table} is no JSON object.") from error
            if columns is not None and fields.keys() != columns:
                odd = ", ".join(sorted(fields.keys() ^ columns))
                raise InvalidArchive(f"Line {rows} of {table} has other columns than here: {odd}.")
        return TableDigest(rows, digest.hexdigest())

    def _read_manifest(self) -> Manifest:
        info = self._names.get(MANIFEST)
        if info is None or info.file_size > MANIFEST_MAX:
            raise InvalidArchive("It is a zip file, but no export of Videoflix: no manifest.json.")
        with self._opened(MANIFEST) as member:
            text = member.read()
        try:
            kind = msgspec.json.decode(text, type=_Kind)
            if kind.format != FORMAT:
                raise InvalidArchive(f"It is an export of something else: “{kind.format[:50]}”.")
            if kind.version > VERSION:
                raise InvalidArchive(
                    f"It was made by a newer release: its format is {kind.version}, this release"
                    f" reads up to {VERSION}."
                )
            return msgspec.json.decode(text, type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidArchive(f"Its manifest.json cannot be read: {error}.") from error

    def _compare_names(self) -> None:
        expected = {MANIFEST, *(f"{TABLES}{name}.jsonl" for name in self.manifest.tables)}
        found = {name for name in self._names if not name.startswith(MEDIA)}
        if odd := sorted(expected ^ found):
            what = "misses" if odd[0] in expected else "has, beyond its manifest,"
            raise InvalidArchive(f"It {what} {odd[0][:200]}.")
        if len(self._names) != len(self._zip.infolist()):
            raise InvalidArchive("It holds two files of the same name.")
        media = self.manifest.media or MediaSum(0, 0)
        sizes = [size for _, size in self.media]
        if (media.files, media.bytes) != (len(sizes), sum(sizes)):
            raise InvalidArchive(f"It has {len(sizes)} media files and should have {media.files}.")
        for key, _ in self.media:
            if not is_media(key):
                raise InvalidArchive(f"A media file has an impossible name: {key[:200]!r}.")

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        with _damaged(f"It is damaged at {name}"), self._zip.open(name) as member:
            yield member


class _Kind(msgspec.Struct):
    """As much of a manifest as every version will have."""

    format: str
    version: int


def is_media(key: str) -> bool:
    """Whether a key stays below the folder it is put in, and is media."""
    parts = key.split("/")
    if len(parts) == 1 or parts[0] in NO_MEDIA or "#" in key:
        return False
    return key.isprintable() and "\\" not in key and not {"", ".", ".."} & set(parts)


@contextmanager
def _damaged(sentence: str) -> Iterator[None]:
    try:
        yield
    except DAMAGES as error:
        raise InvalidArchive(f"{sentence} ({error}).") from error
