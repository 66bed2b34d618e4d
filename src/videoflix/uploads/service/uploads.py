"""Resumable uploads: creation within the limits, claims of writers, concatenation, removal."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import PurePosixPath

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.schemas import VideoCreate
from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.catalog.service.catalog import UnknownCategory
from videoflix.media.problems import FileEmpty, UploadTooLarge
from videoflix.media.schemas import base_name
from videoflix.media.service.drafts import draft_of
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction_time
from videoflix.settings import settings
from videoflix.uploads.models import Upload, UploadKind, UploadLink
from videoflix.uploads.problems import (
    ConcatenationImpossible,
    FinalUploadClosed,
    InconsistentLength,
    LengthExceeded,
    OffsetMismatch,
    UploadAlreadyComplete,
    UploadExpired,
    UploadHeaderInvalid,
    UploadLocked,
    UploadNotFound,
    UploadQuotaExceeded,
)
from videoflix.uploads.repository import UploadLinkRepository, UploadRepository
from videoflix.uploads.schemas import Sender

# A writer that has received nothing for so long is replaced by the next request.
WRITER_SILENCE = timedelta(seconds=10)
# How long the result of a complete upload can be read.
COMPLETE_RETENTION = timedelta(days=2)


class Announcement(msgspec.Struct, frozen=True):
    """What a client wants to upload; `length` is null while it is unknown.

    A `draft` takes precedence over the metadata.
    """

    length: int | None
    metadata: dict[str, str] = {}
    raw_metadata: str = ""
    kind: UploadKind = UploadKind.SINGLE
    draft: VideoCreate | None = None


class Description(msgspec.Struct, frozen=True):
    """What an upload becomes: a new video, or the file of an existing one."""

    file_name: str
    draft: VideoCreate | None = None
    target_id: int | None = None


class Uploads:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.uploads = UploadRepository(session=session)

    async def create(
        self, announced: Announcement, sender: Sender, link: UploadLink | None = None
    ) -> Upload:
        """Create an upload, perhaps by a link. Raises a problem, also if it exceeds a limit."""
        check_length(announced.length)
        await self._check_quotas(announced.length or 0, sender.user_id)
        return await self._add(announced, sender, link)

    async def concatenate(
        self, announced: Announcement, partial_ids: Sequence[str], sender: Sender
    ) -> Upload:
        """Create a complete upload from partial ones. Raises ConcatenationImpossible."""
        partials = await self.uploads.lock_partials(partial_ids, sender.user_id)
        if len(partials) != len(partial_ids):
            raise ConcatenationImpossible
        length = sum(partial.received for partial in partials.values())
        check_length(length)
        upload = await self._add(msgspec.structs.replace(announced, length=length), sender)
        upload.received = length
        for position, public_id in enumerate(partial_ids):
            partials[public_id].final_id = upload.id
            partials[public_id].position = position
        return upload

    async def _add(
        self, announced: Announcement, sender: Sender, link: UploadLink | None = None
    ) -> Upload:
        described = await self._described(announced, link)
        draft = described.draft
        return await self.uploads.add(
            Upload(
                public_id=secrets.token_hex(16),
                user_id=sender.user_id,
                link_id=sender.link_id,
                kind=announced.kind,
                length=announced.length,
                received=0,
                raw_metadata=announced.raw_metadata,
                draft=None if draft is None else msgspec.to_builtins(draft),
                target_id=described.target_id,
                file_name=described.file_name,
                expires_at=await transaction_time(self.session) + expiry(),
            )
        )

    async def _described(self, announced: Announcement, link: UploadLink | None) -> Description:
        """Validate the metadata. Raises a problem."""
        if announced.kind is UploadKind.PARTIAL:
            return Description("")
        fields = dict(announced.metadata)
        file_name = base_name(fields.get("filename") or fields.get("name") or "")
        if link is not None:
            return await self._described_by(link, fields, file_name)
        if "video" in fields:
            target = await self._target(fields["video"])
            return Description(file_name or "upload", target_id=target)
        if announced.draft is not None:
            await self._check_categories(announced.draft)
            return Description(file_name or "upload", announced.draft)
        return Description(file_name or "upload", await self._draft(fields, file_name))

    async def _described_by(
        self, link: UploadLink, fields: dict[str, str], file_name: str
    ) -> Description:
        """What a file becomes that is sent by a link."""
        name = file_name or "upload"
        if link.target_id is not None:
            return Description(name, target_id=await self._target(str(link.target_id)))
        if link.draft is not None:
            return Description(name, msgspec.convert(link.draft, VideoCreate))
        given = {"publish": "false"}
        given |= {key: fields[key] for key in ("title", "description") if key in fields}
        return Description(name, await self._draft(given, file_name))

    async def _target(self, value: str) -> int:
        """Return the video whose file is replaced. Raises VideoNotFound."""
        if not value.isascii() or not value.isdigit() or int(value) not in range(1, BIGINT_MAX):
            raise UploadHeaderInvalid("The key “video” in Upload-Metadata has to be an ID.")
        video = await self.catalog.locked(int(value))
        if video.deleted_at is not None:
            raise VideoNotFound
        return video.id

    async def _draft(self, fields: dict[str, str], file_name: str) -> VideoCreate:
        """Convert metadata to a new video; other keys of clients are ignored."""
        known = {name: fields[name] for name in VideoCreate.__struct_fields__ if name in fields}
        if "category" in fields:
            known.setdefault("categories", fields["category"])
        known.setdefault("title", PurePosixPath(file_name).stem[:200])
        draft = draft_of(known)
        await self._check_categories(draft)
        return draft

    async def _check_categories(self, draft: VideoCreate) -> None:
        wanted = set(draft.categories)
        if len(await self.catalog.known_categories(list(wanted))) != len(wanted):
            raise UnknownCategory

    async def _check_quotas(self, length: int, user_id: int) -> None:
        if await self.uploads.unfinished(user_id) >= settings.uploads_unfinished_max:
            raise UploadQuotaExceeded("Finish or remove some of your unfinished uploads first.")
        count, size = await self.uploads.used_within_a_day(user_id)
        if 0 < settings.uploads_daily_max <= count:
            raise UploadQuotaExceeded("You have reached the number of uploads for one day.")
        if 0 < settings.uploads_daily_bytes < size + length:
            raise UploadQuotaExceeded("This exceeds the size of your uploads for one day.")
        if settings.uploads_daily_total_bytes:
            _, total = await self.uploads.used_within_a_day()
            if total + length > settings.uploads_daily_total_bytes:
                raise UploadQuotaExceeded("This server accepts no more uploads today.")

    async def read(self, public_id: str, sender: Sender) -> Upload:
        """Get an upload. Raises UploadNotFound or UploadExpired."""
        return await self._checked(await self.uploads.owned(public_id, sender))

    async def list_page(self, user_id: int, page: LimitOffset) -> tuple[list[Upload], int]:
        """List a user's unfinished uploads, newest first, with the total."""
        return await self.uploads.list_page(user_id, page)

    async def claim(
        self, public_id: str, sender: Sender, writer: str, offset: int, length: int | None
    ) -> Upload:
        """Make a request the only writer of an upload, which continues at `offset`.

        A writer that received nothing for WRITER_SILENCE is replaced; otherwise raises
        UploadLocked. `length` is set if it was unknown.
        """
        upload = await self._checked(await self.uploads.owned(public_id, sender, lock=True))
        if upload.kind is UploadKind.FINAL:
            raise FinalUploadClosed
        now = await transaction_time(self.session)
        if upload.writer and now - upload.active_at < WRITER_SILENCE:
            raise UploadLocked
        if offset != upload.received:
            raise OffsetMismatch(upload.received, offset)
        if upload.is_complete:
            raise UploadAlreadyComplete
        _set_length(upload, length)
        if upload.writer:
            await publish(self.session, topic_of(upload))
        upload.writer, upload.active_at = writer, now
        return upload

    async def remove(self, public_id: str, sender: Sender) -> Upload:
        """Delete an upload's row; a complete one only if its video has its file.

        Raises UploadNotFound or UploadAlreadyComplete.
        """
        upload = await self.uploads.owned(public_id, sender, lock=True)
        if upload is None:
            raise UploadNotFound
        is_partial = upload.kind is UploadKind.PARTIAL
        is_needed = upload.final_id is not None if is_partial else upload.is_complete
        if is_needed and upload.finished_at is None:
            raise UploadAlreadyComplete("The file is being processed; delete the video instead.")
        await publish(self.session, topic_of(upload))
        if upload.link_id is not None and not upload.is_complete:
            await UploadLinkRepository(session=self.session).give_back(upload.link_id)
        await self.session.delete(upload)
        return upload

    async def _checked(self, upload: Upload | None) -> Upload:
        if upload is None:
            raise UploadNotFound
        is_waiting = upload.is_complete and upload.kind is not UploadKind.PARTIAL
        if not is_waiting and upload.expires_at < await transaction_time(self.session):
            raise UploadExpired
        return upload


def _set_length(upload: Upload, length: int | None) -> None:
    if length is None:
        return
    if upload.length is not None and upload.length != length:
        raise InconsistentLength
    if length < upload.received:
        raise LengthExceeded(f"{upload.received} bytes were received already.")
    check_length(length)
    upload.length = length


def check_length(length: int | None) -> None:
    """Raises FileEmpty or UploadTooLarge."""
    if length == 0:
        raise FileEmpty
    if length is not None and length > settings.upload_max_bytes:
        raise UploadTooLarge(f"At most {settings.upload_max_bytes} bytes are accepted.")


def expiry() -> timedelta:
    """How long an unfinished upload is kept after its last byte."""
    return timedelta(hours=settings.upload_expiry_hours)


def topic_of(upload: Upload) -> str:
    """The NOTIFY topic of a writer's replacement."""
    return f"upload:{upload.public_id}"
