"""Wire types of resumable uploads, and payloads of their jobs."""

from datetime import datetime
from typing import ClassVar, Self

import msgspec

from videoflix.platform.queue import Job, schedule
from videoflix.uploads.models import Upload, UploadKind


class UploadRead(msgspec.Struct):
    """A resumable upload: how many of its `length` bytes are stored, and the video they become.

    `length` is null while it is unknown; `video_id` is set when all bytes were received.
    """

    id: str
    url: str
    kind: UploadKind
    file_name: str
    length: int | None
    received: int
    video_id: int | None
    expires_at: datetime
    created_at: datetime

    @classmethod
    def of(cls, upload: Upload) -> Self:
        return cls(
            id=upload.public_id,
            url=f"/api/v1/uploads/{upload.public_id}",
            kind=upload.kind,
            file_name=upload.file_name,
            length=upload.length,
            received=upload.received,
            video_id=upload.video_id,
            expires_at=upload.expires_at,
            created_at=upload.created_at,
        )


class FinishUpload(Job):
    """Hash and assemble the bytes of a complete upload, and hand the file over to the media."""

    name: ClassVar = "uploads.finish"
    unique: ClassVar = True
    subject: ClassVar = "upload_id"
    deadline: ClassVar = 6 * 3600.0
    upload_id: int


class SweepUploads(Job):
    """Delete expired uploads, and bytes that belong to no upload."""

    name: ClassVar = "uploads.sweep"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("*/15 * * * *", SweepUploads())
