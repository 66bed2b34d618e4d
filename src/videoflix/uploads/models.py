"""Tables of resumable uploads: what was announced, and how much of it is stored."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class UploadKind(StrEnum):
    """Whether an upload is a whole file, a part of one, or the concatenation of parts."""

    SINGLE = "single"
    PARTIAL = "partial"
    FINAL = "final"


class UploadLink(Record):
    """The right to upload files without an account, on behalf of the user who created the link.

    `target_id` is the video whose file is replaced; otherwise each file becomes a new video with
    the details in `draft`, or as an unpublished one with a title by the sender. `used` counts the
    uploads that were created. Only the token's hash is stored.
    """

    __tablename__ = "upload_link"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(150))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    max_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    max_files: Mapped[int] = mapped_column(default=1)
    used: Mapped[int] = mapped_column(default=0)
    target_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), default=None)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)


class Upload(Record):
    """One upload; `received` of its `length` bytes are durable in the storage.

    `link_id` is set if it was sent by a link. `user_id` is null once the account was deleted,
    `length` while the client has not announced it. `draft` holds the
    catalog.schemas.VideoCreate of a new video; `target_id` is the video whose file is replaced
    instead. `video_id` is set with the last byte. `writer` identifies the request that is
    receiving bytes; it was active at `active_at`. A partial upload has a `final_id` and its
    `position` once it is part of a concatenation. `completed_at` is when all bytes were
    received, `finished_at` when they were handed over to the media; rows are deleted after
    `expires_at`. The file of an import is fetched from `source_url`; `source_validator` is its
    ETag or date, and `failure` says why that failed.
    """

    __tablename__ = "upload"

    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey(User.id, ondelete="SET NULL"), index=True
    )
    link_id: Mapped[int | None] = mapped_column(
        ForeignKey(UploadLink.id, ondelete="SET NULL"), index=True, default=None
    )
    kind: Mapped[UploadKind] = mapped_column(default=UploadKind.SINGLE)
    length: Mapped[int | None] = mapped_column(BigInteger, default=None)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    raw_metadata: Mapped[str] = mapped_column(default="")
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), default=None)
    target_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    video_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    file_name: Mapped[str] = mapped_column(String(255), default="")
    source_url: Mapped[str | None] = mapped_column(default=None)
    source_validator: Mapped[str | None] = mapped_column(String(200), default=None)
    failure: Mapped[str | None] = mapped_column(default=None)
    writer: Mapped[str | None] = mapped_column(String(32), default=None)
    active_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    final_id: Mapped[int | None] = mapped_column(
        ForeignKey("upload.id", ondelete="SET NULL"), index=True, default=None
    )
    position: Mapped[int] = mapped_column(SmallInteger, default=0)
    expires_at: Mapped[datetime]
    completed_at: Mapped[datetime | None] = mapped_column(default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (Index("ix_upload_expires_at", "expires_at"),)

    @property
    def is_complete(self) -> bool:
        return self.completed_at is not None

    @property
    def folder(self) -> str:
        """The folder of the asset that the bytes become."""
        return f"assets/{self.public_id}"

    @property
    def source_key(self) -> str:
        return f"{self.folder}/source"


class UploadPart(Record):
    """A run of an upload's bytes in a bucket, as an object of its own."""

    __tablename__ = "upload_part"

    upload_id: Mapped[int] = mapped_column(ForeignKey(Upload.id, ondelete="CASCADE"))
    start: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(String(100))

    __table_args__ = (UniqueConstraint("upload_id", "start"),)
