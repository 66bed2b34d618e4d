"""Import a file from a URL: a job is the client of an upload, and resumes after interruptions."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from litestar.types import Receive
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media.schemas import base_name
from videoflix.platform.http.disconnect import ClientDisconnected
from videoflix.platform.late_import import late
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Problem
from videoflix.platform.queue import Job, enqueue, on_failure, on_retry
from videoflix.platform.storage.media_storage import StorageProblem
from videoflix.settings import settings
from videoflix.uploads.models import Upload
from videoflix.uploads.problems import ImportRefused, UploadLocked
from videoflix.uploads.repository import UploadRepository
from videoflix.uploads.schemas import ImportCreate, ImportFile, Sender
from videoflix.uploads.service.receiving import Append, append
from videoflix.uploads.service.uploads import Announcement, Uploads
from videoflix.uploads.source_url import (
    RemoteFile,
    SourceRefused,
    SourceUnavailable,
    check_url,
)

QUEUED_BLOCKS = 4
FAILED = "The file could not be fetched; see the server's log for the reason."


class Imports:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.uploads = UploadRepository(session=session)

    async def create(self, new: ImportCreate, user_id: int) -> Upload:
        """Create an upload whose bytes a job fetches. Raises a problem."""
        try:
            check_url(new.url)
        except SourceRefused as error:
            raise ImportRefused(str(error)) from error
        upload = await Uploads(self.session).create(_announcement(new), Sender(user_id))
        upload.source_url = new.url
        await enqueue(self.session, ImportFile(upload_id=upload.id))
        return upload

    async def pending(self, upload_id: int) -> Upload | None:
        """Get an import that is not complete."""
        upload = await self.uploads.get_one_or_none(id=upload_id)
        is_pending = upload is not None and not upload.is_complete and upload.user_id is not None
        return upload if is_pending else None

    async def fail(self, upload_id: int, reason: str) -> None:
        """Record why the import failed; what was fetched is deleted when the upload expires."""
        upload = await self.uploads.locked(upload_id)
        if upload is not None and not upload.is_complete:
            upload.failure = reason

    async def begin(self, upload_id: int, remote: RemoteFile) -> Upload | None:
        """Record the file that is fetched. If it begins at 0 again, discard what there is.

        None if the upload was removed.
        """
        upload = await self.uploads.locked(upload_id)
        if upload is None:
            return None
        if remote.start not in {0, upload.received}:
            raise SourceRefused("The server sends another part of the file than requested.")
        if remote.start != upload.received:
            await self.uploads.restart(upload_id)
        upload.received, upload.failure = remote.start, None
        upload.source_validator = remote.validator
        upload.file_name = base_name(remote.name) or upload.file_name
        if remote.length != upload.length:
            upload.length = remote.length
        return upload


async def fetch(upload_id: int) -> None:
    """Fetch the file of an import; with the last byte, the video is created.

    Raises SourceUnavailable if it was interrupted; the next attempt continues.
    """
    async with transaction() as session:
        upload = await Imports(session).pending(upload_id)
    if upload is None:
        return
    try:
        remote_file = late("videoflix.uploads.fetch:remote_file")  # loads httpx
        async with remote_file(
            upload.source_url or "",
            upload.received,
            upload.source_validator or "",
            settings.import_networks,
        ) as remote:
            await _receive(upload, remote)
    except SourceRefused as error:
        await _fail(upload_id, str(error))
    except (UploadLocked, StorageProblem):
        raise
    except ClientDisconnected as error:
        raise SourceUnavailable("The connection was lost.") from error
    except Problem as problem:
        await _fail(upload_id, problem.detail or problem.__doc__ or "")


async def _receive(upload: Upload, remote: RemoteFile) -> None:
    if remote.length is not None and remote.length > settings.upload_max_bytes:
        raise SourceRefused(f"At most {settings.upload_max_bytes} bytes are accepted.")
    async with transaction() as session:
        begun = await Imports(session).begin(upload.id, remote)
    if begun is None:
        return
    sender = Sender(upload.user_id or 0)
    async with _as_body(remote.blocks) as receive:
        size = None if remote.length is None else remote.length - begun.received
        rest = Append(begun.received, remote.length, size)
        done = await append(begun.public_id, sender, rest, receive)
    if not done.is_complete and remote.length is None:
        end = Append(done.received, done.received)
        await append(done.public_id, sender, end, _nothing)


@asynccontextmanager
async def _as_body(blocks: AsyncIterator[bytes]) -> AsyncGenerator[Receive]:
    """Provide blocks as the body of a request, whose `receive` may be cancelled at any time."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUED_BLOCKS)

    async def read() -> None:
        try:
            async for block in blocks:
                await queue.put({"type": "http.request", "body": block, "more_body": True})
        except SourceUnavailable:
            await queue.put({"type": "http.disconnect"})
        else:
            await queue.put(END)

    reading = asyncio.create_task(read())
    try:
        receive: Any = queue.get
        yield receive
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


END = {"type": "http.request", "body": b"", "more_body": False}


async def _nothing() -> Any:
    return END


async def _fail(upload_id: int, reason: str) -> None:
    async with transaction() as session:
        await Imports(session).fail(upload_id, reason)


def _announcement(new: ImportCreate) -> Announcement:
    parts = urlsplit(new.url)
    name = base_name(unquote(PurePosixPath(parts.path).name)) or parts.hostname or "import"
    metadata = {"filename": name}
    if new.video_id is not None:
        metadata["video"] = str(new.video_id)
    return Announcement(None, metadata, draft=new.draft)


@on_failure(ImportFile)
async def fail_import(job: ImportFile, error: Exception) -> None:
    """Record that all attempts failed."""
    reason = str(error) if isinstance(error, SourceUnavailable) else FAILED
    await _fail(job.upload_id, reason)


@on_retry(ImportFile)
async def resume_import(session: AsyncSession, job: ImportFile) -> Sequence[Job]:
    """Clear the failure when an operator retries the job."""
    upload = await UploadRepository(session=session).locked(job.upload_id)
    if upload is not None:
        upload.failure = None
    return ()
