"""Wire types of resumable uploads, and payloads of their jobs."""

from datetime import datetime
from typing import Annotated, ClassVar, Self

import msgspec

from videoflix.catalog.schemas import BigId, VideoCreate
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.platform.queue import Job, schedule
from videoflix.uploads.models import Upload, UploadKind, UploadLink

LinkLabel = Annotated[
    str, msgspec.Meta(min_length=1, max_length=150, pattern=r"^[^\x00\r\n]*(?!\n)$")
]


class UploadRead(msgspec.Struct):
    """A resumable upload: how many of its `length` bytes are stored, and the video they become.

    `length` is null while it is unknown; `video_id` is set when all bytes were received. `failure`
    says why the file of an import could not be fetched.
    """

    id: str
    url: str
    kind: UploadKind
    file_name: str
    length: int | None
    received: int
    video_id: int | None
    failure: str | None
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
            failure=upload.failure,
            expires_at=upload.expires_at,
            created_at=upload.created_at,
        )


class Sender(msgspec.Struct, frozen=True):
    """On whose behalf a file is uploaded, and the link that allows it, if there is one."""

    user_id: int
    link_id: int | None = None


class UploadLinkCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A link to upload files without an account.

    With `video_id`, the file of that video is replaced. Otherwise each file becomes a new video
    with the details in `draft`; without them, it is not published, and the sender may give a title
    and a description. `max_bytes` limits each file.
    """

    label: LinkLabel
    max_files: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    max_bytes: Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)] | None = None
    lifetime_seconds: Annotated[int, msgspec.Meta(ge=60, le=90 * 86_400)] = 7 * 86_400
    video_id: BigId | None = None
    draft: VideoCreate | None = None


class UploadLinkRead(msgspec.Struct):
    """A link to upload files without an account; `used` counts the files."""

    id: int
    label: str
    max_files: int
    max_bytes: int | None
    used: int
    video_id: int | None
    expires_at: datetime
    revoked_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, link: UploadLink) -> Self:
        return cls(
            id=link.id,
            label=link.label,
            max_files=link.max_files,
            max_bytes=link.max_bytes,
            used=link.used,
            video_id=link.target_id,
            expires_at=link.expires_at,
            revoked_at=link.revoked_at,
            created_at=link.created_at,
        )


class UploadLinkCreated(msgspec.Struct):
    """A new link; `url` contains its secret and is shown only once."""

    url: str
    link: UploadLinkRead


class UploadLinkOffer(msgspec.Struct):
    """What may be uploaded by a link."""

    label: str
    files_left: int
    max_bytes: int
    expires_at: datetime


class ImportCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A file to fetch from a URL, for a new video (`draft`) or instead of the file of `video_id`.

    Without both, the title is the name of the file.
    """

    url: Annotated[
        str, msgspec.Meta(min_length=8, max_length=4096, pattern=r"^https?://[^\x00-\x20]+(?!\n)$")
    ]
    draft: VideoCreate | None = None
    video_id: BigId | None = None


class ImportFile(Job):
    """Fetch the file of an import."""

    name: ClassVar = "uploads.import"
    unique: ClassVar = True
    subject: ClassVar = "upload_id"
    attempts: ClassVar = 8
    deadline: ClassVar = 6 * 3600.0
    upload_id: int


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
