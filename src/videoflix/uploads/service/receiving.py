"""Receive the body of one request: bytes first become durable, then the offset is committed.

No database connection is held meanwhile. The row names the request that may write (`writer`);
each commit is conditional on it, so that a replaced request cannot move the offset.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import msgspec
from litestar.types import Receive
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.http.disconnect import ClientDisconnected
from videoflix.platform.postgres.notify import event_bus
from videoflix.platform.postgres.session import (
    database_unavailable,
    one_line,
    resilient_transaction,
    transaction,
)
from videoflix.platform.server.shutdown import shutdown
from videoflix.platform.storage.growing import (
    Appender,
    BytesMissing,
    Part,
    StillLocked,
    appending,
    buffers,
    publish_growing,
)
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings
from videoflix.uploads.models import Upload, UploadKind
from videoflix.uploads.problems import (
    BytesLost,
    ChecksumMismatch,
    InconsistentLength,
    LengthExceeded,
    UploadInterrupted,
    UploadLocked,
    UploadSuperseded,
)
from videoflix.uploads.repository import UploadRepository
from videoflix.uploads.schemas import Sender
from videoflix.uploads.service.finishing import Finishing, stored_file
from videoflix.uploads.service.uploads import Uploads, check_length, expiry, topic_of
from videoflix.uploads.tus import ALGORITHMS, Checksum

# How often the offset is committed while bytes arrive: less often while there are many uploads.
SAVE_SECONDS = 2.0
SAVE_SECONDS_MAX = 5.0
SAVES_PER_SECOND = 20
SAVE_BYTES = 64 * 1024 * 1024
# How often a waiting request notices that it was replaced, or that the server stops.
TICK_SECONDS = 0.5
HASHES_MAX = 1000

Begin = Callable[[], AbstractAsyncContextManager[AsyncSession]]

logger = logging.getLogger(__name__)


class RollingHash(msgspec.Struct):
    """The SHA-256 of the first `size` bytes of an upload."""

    size: int
    digest: Any


# Between the requests of an upload, for the process that received all of its bytes.
_hashes: LruCache[str, RollingHash] = LruCache("hashes of uploads", HASHES_MAX)


class Append(msgspec.Struct, frozen=True):
    """A request that appends bytes to an upload, from `offset`; `length` is the announced size.

    `completes` tells whether the file ends with this request; if it is None, the file ends where
    its length is reached.
    """

    offset: int
    length: int | None = None
    content_length: int | None = None
    checksum: Checksum | None = None
    completes: bool | None = None


async def append(public_id: str, sender: Sender, request: Append, receive: Receive) -> Upload:
    """Append a request's body to an upload; with the last byte, create the video.

    Returns the upload as it is afterwards. Raises a problem; what was received before is stored,
    except bytes whose checksum could not be verified.
    """
    writer = secrets.token_hex(16)
    async with transaction() as session:
        upload = await Uploads(session).claim(
            public_id, sender, writer, request.offset, request.length
        )
    try:
        if (request.content_length or 0) > _room(upload):
            raise LengthExceeded(f"{_room(upload)} bytes are missing.")
        await media_storage().refuse_if_full(request.content_length or 0)
        with event_bus.subscribe(topic_of(upload)) as replaced:
            rolling = _rolling_hash(upload)
            async with _appender(upload, rolling) as appender:
                receiver = Receiver(upload, writer, sender.user_id, appender, rolling, replaced)
                await receiver.run(receive, request.checksum, request.completes)
    finally:
        await _release(upload.id, writer)
    async with transaction() as session:
        return await Uploads(session).read(public_id, sender)


class Receiver:
    """One request that is writing to an upload."""

    def __init__(
        self,
        upload: Upload,
        writer: str,
        user_id: int,
        appender: Appender,
        rolling: RollingHash | None,
        replaced: asyncio.Event,
    ) -> None:
        self._upload = upload
        self._writer = writer
        self._user_id = user_id
        self._appender = appender
        self._replaced = replaced
        self._received = self._saved = upload.received
        self._saved_at = asyncio.get_running_loop().time()
        self._rolling = rolling
        self._checked: Any = None
        self._may_complete = True
        # Durable, but not recorded yet.
        self._parts: list[Part] = []

    async def run(
        self, receive: Receive, checksum: Checksum | None, completes: bool | None
    ) -> None:
        """Write the body. Raises a problem after what can be kept was saved."""
        self._may_complete = completes is None
        self._checked = ALGORITHMS[checksum.algorithm]() if checksum else None
        try:
            async for data in _body_of(receive):
                await self._write(data)
                await self._check_in()
        except (ClientDisconnected, UploadInterrupted):
            if not checksum:  # otherwise it is unknown whether these bytes are right
                await self._save()
            raise
        if checksum and self._checked.digest() != checksum.digest:
            raise ChecksumMismatch
        if completes:
            await self._end()
        await self._save()

    async def _end(self) -> None:
        """The file ends here. Raises InconsistentLength if it should be longer."""
        if self._upload.length is None:
            check_length(self._received)
            self._upload.length = self._received
        elif self._upload.length != self._received:
            await self._save()
            raise InconsistentLength
        self._may_complete = True

    async def _write(self, data: bytes) -> None:
        if not data:
            return
        if self._received + len(data) > self._upload.received + _room(self._upload):
            raise LengthExceeded
        self._received += len(data)
        if self._checked:
            self._checked.update(data)
        await self._appender.write(data)

    async def _check_in(self) -> None:
        """Save regularly, best effort. Raises UploadInterrupted or UploadSuperseded."""
        if shutdown.has_begun:
            raise UploadInterrupted
        since = asyncio.get_running_loop().time() - self._saved_at
        size = self._received - self._saved
        is_due = size >= SAVE_BYTES or (size > 0 and since >= save_seconds())
        if not self._replaced.is_set() and (not is_due or self._is_last):
            return
        self._replaced.clear()
        try:
            await (self._touch() if self._checked or not size else self._advance(transaction))
        except (SQLAlchemyError, OSError) as error:
            if not database_unavailable(error):
                raise
            logger.debug("saved later, the database is unavailable: %s", one_line(error))
            self._saved_at = asyncio.get_running_loop().time()

    @property
    def _is_last(self) -> bool:
        """Whether the last byte was received."""
        return self._may_complete and self._received == self._upload.length

    async def _touch(self) -> None:
        async with transaction() as session:
            if not await UploadRepository(session=session).touch(self._upload.id, self._writer):
                raise UploadSuperseded
        self._saved_at = asyncio.get_running_loop().time()

    async def _save(self) -> None:
        """Commit the offset of the bytes that are durable, and the video with the last one.

        Waits while the database is unavailable.
        """
        if self._is_last:
            await self._complete()
        elif self._received > self._saved:
            await self._advance(resilient_transaction)

    async def _advance(self, begin: Begin) -> None:
        self._parts += await self._appender.flush()
        received = self._received
        async with begin() as session:
            uploads = UploadRepository(session=session)
            if not await uploads.advance(self._upload.id, self._writer, received, expiry()):
                raise UploadSuperseded
            await uploads.add_parts(self._upload.id, self._parts)
        self._parts = []
        if self._rolling:
            known = RollingHash(received, self._rolling.digest.copy())
            _hashes[self._upload.public_id] = known
        self._saved, self._saved_at = received, asyncio.get_running_loop().time()

    async def _complete(self) -> None:
        upload, storage, file = self._upload, media_storage(), None
        self._parts += await self._appender.flush()
        if self._rolling and storage.local and upload.kind is UploadKind.SINGLE:
            await publish_growing(storage, upload.public_id, upload.source_key)
            file = stored_file(upload, self._received, self._rolling.digest.hexdigest())
        async with resilient_transaction() as session:
            finishing = Finishing(session)
            await finishing.uploads.add_parts(upload.id, self._parts)
            stored = await finishing.complete(upload.id, self._writer, self._received)
            await finishing.accept(stored, file, self._user_id)


@asynccontextmanager
async def _appender(upload: Upload, rolling: RollingHash | None) -> AsyncGenerator[Appender]:
    storage = media_storage()
    try:
        async with appending(
            storage,
            upload.public_id,
            upload.received,
            upload.source_key,
            rolling.digest if rolling else None,
        ) as appender:
            yield appender
    except StillLocked as error:
        raise UploadLocked from error
    except BytesMissing as error:
        logger.warning("the storage has lost bytes of upload %s", upload.public_id)
        raise BytesLost from error


async def _release(upload_id: int, writer: str) -> None:
    """End the claim, best effort: the next request replaces a silent writer."""
    with suppress(SQLAlchemyError, OSError):
        async with transaction() as session:
            await UploadRepository(session=session).release(upload_id, writer)


async def _body_of(receive: Receive) -> AsyncGenerator[bytes]:
    """Yield the chunks of a body, and an empty one whenever none arrives for TICK_SECONDS.

    Raises ClientDisconnected if the body is incomplete.
    """
    while True:
        try:
            async with asyncio.timeout(TICK_SECONDS):
                message = await receive()
        except TimeoutError:
            yield b""
            continue
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        if message["type"] == "http.request":
            yield message["body"]
            if not message["more_body"]:
                return


def save_seconds() -> float:
    """How often the offset is committed while bytes arrive."""
    return min(SAVE_SECONDS_MAX, max(SAVE_SECONDS, buffers.count / SAVES_PER_SECOND))


def _room(upload: Upload) -> int:
    """How many bytes the upload can still receive."""
    largest = settings.upload_max_bytes if upload.length is None else upload.length
    return largest - upload.received


def _rolling_hash(upload: Upload) -> RollingHash | None:
    """Return the hash of the bytes so far; None if another process received some of them."""
    known = _hashes.pop(upload.public_id, None)
    if upload.received == 0:
        return RollingHash(0, hashlib.sha256())
    return known if known and known.size == upload.received else None
