"""Links that allow uploads without an account: limited in files, bytes and time, and revocable."""

import hashlib
import secrets
from datetime import timedelta

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.catalog.service.catalog import UnknownCategory
from videoflix.media.problems import UploadTooLarge
from videoflix.platform.http.urls import absolute
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction_time
from videoflix.platform.queue import enqueue
from videoflix.settings import settings
from videoflix.uploads.models import Upload, UploadKind, UploadLink
from videoflix.uploads.problems import UploadHeaderInvalid, UploadLinkNotFound
from videoflix.uploads.repository import UploadLinkRepository
from videoflix.uploads.schemas import (
    Sender,
    SweepUploads,
    UploadLinkCreate,
    UploadLinkCreated,
    UploadLinkOffer,
    UploadLinkRead,
)
from videoflix.uploads.service.uploads import Announcement, Uploads, topic_of

RETENTION = timedelta(days=30)
PATH = "/api/v1/uploads/by-link/"


class UploadLinks:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.links = UploadLinkRepository(session=session)

    async def create(self, user_id: int, new: UploadLinkCreate) -> UploadLinkCreated:
        """Create a link; only the hash of its token is stored.

        Raises VideoNotFound or UnknownCategory.
        """
        if new.video_id is not None:
            video = await self.catalog.locked(new.video_id)
            if video.deleted_at is not None:
                raise VideoNotFound
        if new.draft is not None:
            wanted = set(new.draft.categories)
            if len(await self.catalog.known_categories(list(wanted))) != len(wanted):
                raise UnknownCategory
        token = secrets.token_urlsafe(32)
        now = await transaction_time(self.session)
        link = await self.links.add(
            UploadLink(
                user_id=user_id,
                label=new.label,
                token_hash=_hash_of(token),
                max_bytes=new.max_bytes,
                max_files=new.max_files,
                used=0,
                target_id=new.video_id,
                draft=None if new.draft is None else msgspec.to_builtins(new.draft),
                expires_at=now + timedelta(seconds=new.lifetime_seconds),
            )
        )
        return UploadLinkCreated(absolute(f"{PATH}{token}"), UploadLinkRead.of(link))

    async def list_page(self, user_id: int, page: LimitOffset) -> tuple[list[UploadLinkRead], int]:
        """List a user's links, newest first, with the total."""
        found, total = await self.links.list_page(user_id, page)
        return [UploadLinkRead.of(link) for link in found], total

    async def revoke(self, link_id: int, user_id: int) -> None:
        """Revoke a link and stop its uploads; a job deletes their bytes.

        Raises UploadLinkNotFound.
        """
        link = await self.links.owned(link_id, user_id)
        if link is None:
            raise UploadLinkNotFound
        link.revoked_at = link.revoked_at or await transaction_time(self.session)
        for upload in await self.links.unfinished_of(link_id):
            await publish(self.session, topic_of(upload))
            await self.session.delete(upload)
        await enqueue(self.session, SweepUploads())

    async def offer(self, token: str) -> UploadLinkOffer:
        """Return what may be uploaded. Raises UploadLinkNotFound."""
        link = await self._usable(token)
        left = link.max_files - link.used
        return UploadLinkOffer(link.label, left, largest(link), link.expires_at)

    async def sender(self, token: str) -> Sender:
        """Return on whose behalf files are uploaded. Raises UploadLinkNotFound."""
        link = await self._usable(token)
        return Sender(link.user_id, link.id)

    async def create_upload(self, token: str, announced: Announcement) -> Upload:
        """Create an upload by a link. Raises a problem, also if it exceeds a limit of the link."""
        link = await self._usable(token)
        if link.used >= link.max_files:
            raise UploadLinkNotFound("As many files as this link allows were uploaded.")
        if announced.kind is not UploadKind.SINGLE or announced.length is None:
            raise UploadHeaderInvalid("A link needs Upload-Length, and cannot concatenate.")
        if announced.length > largest(link):
            raise UploadTooLarge(f"This link accepts files of at most {largest(link)} bytes.")
        upload = await Uploads(self.session).create(announced, Sender(link.user_id, link.id), link)
        link.used += 1
        return upload

    async def delete_ended(self) -> int:
        """Delete links that ended a month ago; return their number."""
        return await self.links.delete_ended(RETENTION)

    async def _usable(self, token: str) -> UploadLink:
        link = await self.links.usable(_hash_of(token))
        if link is None:
            raise UploadLinkNotFound
        return link


def largest(link: UploadLink) -> int:
    """The largest file that a link accepts, in bytes."""
    return min(link.max_bytes or settings.upload_max_bytes, settings.upload_max_bytes)


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
