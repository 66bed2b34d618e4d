"""Completion of uploads: the video and its jobs in the transaction of the last byte.

If the bytes are one file whose hash is known, that transaction also creates the asset. Otherwise
the job FinishUpload reads the bytes: to hash them, to concatenate, or to assemble a bucket's parts.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.service import Audit
from videoflix.catalog.schemas import VideoCreate
from videoflix.catalog.service import VideoNotFound
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.queue import Job, enqueue, on_failure, on_retry
from videoflix.platform.storage.growing import (
    BytesMissing,
    Part,
    publish_growing,
    read_growing,
)
from videoflix.platform.storage.media_storage import Storage
from videoflix.platform.storage.writing import Writer
from videoflix.uploads.models import Upload, UploadKind
from videoflix.uploads.problems import UploadSuperseded
from videoflix.uploads.repository import UploadRepository
from videoflix.uploads.schemas import FinishUpload
from videoflix.uploads.service.uploads import COMPLETE_RETENTION

FAILED = (
    "upload-unfinished",
    "The uploaded file could not be stored; see the server's log for the reason. The bytes are"
    " kept: retry the job.",
)


class Source(msgspec.Struct, frozen=True):
    """A growing file that is part of an upload."""

    name: str
    key: str
    parts: Sequence[Part]


class Work(msgspec.Struct, frozen=True):
    """A complete upload, and the files it consists of."""

    upload: Upload
    sources: list[Source]


class Finishing:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.media = Media(session)
        self.uploads = UploadRepository(session=session)

    async def complete(self, upload_id: int, writer: str, received: int) -> Upload:
        """Record that the last byte was received. Raises UploadSuperseded."""
        kept = COMPLETE_RETENTION
        if not await self.uploads.advance(upload_id, writer, received, kept):
            raise UploadSuperseded
        upload = await self.uploads.locked(upload_id)
        if upload is None:
            raise UploadSuperseded
        await self.session.refresh(upload)
        upload.writer = None
        upload.length = received
        return upload

    async def accept(self, upload: Upload, file: StoredFile | None, user_id: int) -> None:
        """Create the video of a complete upload; without a file, a job finishes it.

        Raises VideoNotFound if the video whose file it replaces was deleted.
        """
        now = await transaction_time(self.session)
        upload.completed_at = now
        if upload.kind is UploadKind.PARTIAL:
            return
        if upload.target_id is None:
            upload.video_id = await self._create(upload, file, user_id)
        else:
            upload.video_id = await self._replace(upload, file)
        if file is None:
            await enqueue(self.session, FinishUpload(upload_id=upload.id))
        else:
            upload.finished_at = now
        verb = "Upload" if upload.target_id is None else "Replace the file of"
        by_link = f" (link {upload.link_id})" if upload.link_id else ""
        await Audit(self.session).record_change(
            f"{verb} a video: /videos/{upload.video_id}{by_link}", by=user_id
        )

    async def _create(self, upload: Upload, file: StoredFile | None, user_id: int) -> int:
        draft = msgspec.convert(upload.draft, VideoCreate)
        # Some may have been deleted since the upload began.
        draft.categories = await self.media.catalog.known_categories(draft.categories)
        if file is None:
            return (await self.media.catalog.add(draft, user_id)).id
        return (await self.media.accept(draft, file, user_id)).id

    async def _replace(self, upload: Upload, file: StoredFile | None) -> int:
        video = await self.media.catalog.locked(upload.target_id or 0)
        if video.deleted_at is not None:
            raise VideoNotFound
        if file is not None:
            await self.media.replace(video.id, file)
        return video.id

    async def work(self, upload_id: int) -> Work | None:
        """Read what is to be finished; None if that was done."""
        upload = await self.uploads.get_one_or_none(id=upload_id)
        if upload is None or upload.video_id is None or upload.finished_at is not None:
            return None
        is_final = upload.kind is UploadKind.FINAL
        found = await self.uploads.partials_of(upload_id) if is_final else [upload]
        parts = [await self.uploads.parts_of(one.id) for one in found]
        return Work(
            upload,
            [
                Source(one.public_id, one.source_key, some)
                for one, some in zip(found, parts, strict=True)
            ],
        )

    async def hand_over(self, upload_id: int, file: StoredFile) -> bool:
        """Give the file to the video; False if nobody needs it, as the video was deleted."""
        upload = await self.uploads.locked(upload_id)
        if upload is None or upload.finished_at is not None:
            return upload is not None
        upload.finished_at = await transaction_time(self.session)
        for partial in await self.uploads.partials_of(upload_id):
            partial.finished_at = upload.finished_at
        try:
            await self.media.replace(upload.video_id or 0, file)
        except VideoNotFound:
            return False
        return True

    async def fail(self, upload_id: int) -> None:
        """Mark the video as failed, or its replacement."""
        upload = await self.uploads.get_one_or_none(id=upload_id)
        if upload is None or upload.video_id is None:
            return
        if await self.media.assets.ready_of(upload.video_id):
            await self.media.catalog.fail_replacement(upload.video_id, *FAILED)
        else:
            await self.media.catalog.fail(upload.video_id, *FAILED)

    async def resume(self, upload_id: int) -> None:
        """Undo `fail` before a retry."""
        upload = await self.uploads.get_one_or_none(id=upload_id)
        if upload is None or upload.video_id is None:
            return
        if await self.media.assets.ready_of(upload.video_id):
            await self.media.catalog.clear_failure(upload.video_id)
        else:
            await self.media.catalog.restart(upload.video_id)

    async def enqueue_left_behind(self, since: timedelta) -> int:
        """Enqueue the jobs of complete uploads that have none; return the number of uploads."""
        found = await self.uploads.left_behind(since)
        for upload_id in found:
            await enqueue(self.session, FinishUpload(upload_id=upload_id))
        return len(found)


async def assemble(storage: Storage, work: Work) -> StoredFile:
    """Hash the bytes of an upload and store them as its source. Raises BytesMissing."""
    upload = work.upload
    digest, size = hashlib.sha256(), 0
    is_one_file = storage.local is not None and upload.kind is UploadKind.SINGLE
    if is_one_file:
        size = await _copy(storage, work.sources, digest, None)
    else:
        async with storage.writing(upload.source_key) as writer:
            size = await _copy(storage, work.sources, digest, writer)
    if size != upload.length:
        raise BytesMissing(f"{size} of {upload.length} bytes are stored")
    if is_one_file:
        await publish_growing(storage, upload.public_id, upload.source_key)
    return stored_file(upload, size, digest.hexdigest())


def stored_file(upload: Upload, size: int, sha256: str) -> StoredFile:
    """Describe the source that an upload has become."""
    return StoredFile(upload.folder, upload.source_key, upload.file_name, size, sha256)


async def _copy(
    storage: Storage, sources: Sequence[Source], digest: "hashlib._Hash", writer: Writer | None
) -> int:
    size = 0
    for source in sources:
        async for data in read_growing(storage, source.name, source.parts, source.key):
            await asyncio.to_thread(digest.update, data)
            size += len(data)
            if writer is not None:
                await writer.write(data)
    return size


@on_failure(FinishUpload)
async def fail_upload(job: FinishUpload, error: Exception) -> None:
    """Mark the video as failed; the bytes are kept for a retry."""
    async with transaction() as session:
        await Finishing(session).fail(job.upload_id)


@on_retry(FinishUpload)
async def resume_upload(session: AsyncSession, job: FinishUpload) -> Sequence[Job]:
    """Reset the video when an operator retries the job."""
    await Finishing(session).resume(job.upload_id)
    return ()
