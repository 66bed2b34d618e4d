"""SQL of resumable uploads."""

from collections.abc import Sequence
from datetime import timedelta

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from videoflix.accounts.models import User
from videoflix.platform.auth.identity import Role
from videoflix.platform.storage.growing import Part
from videoflix.uploads.models import Upload, UploadKind, UploadLink, UploadPart
from videoflix.uploads.schemas import Sender

DAY = timedelta(days=1)


class UploadRepository(SQLAlchemyAsyncRepository[Upload]):
    """Uploads and the parts that hold their bytes in a bucket."""

    model_type = Upload

    async def owned(self, public_id: str, sender: Sender, *, lock: bool = False) -> Upload | None:
        """Get an upload of a user, or of a link."""
        query = select(Upload).where(
            Upload.public_id == public_id, Upload.user_id == sender.user_id
        )
        if sender.link_id is not None:
            query = query.where(Upload.link_id == sender.link_id)
        return (
            await self.session.scalars(query.with_for_update() if lock else query)
        ).one_or_none()

    async def locked(self, upload_id: int) -> Upload | None:
        """Lock an upload by its row's ID."""
        query = select(Upload).where(Upload.id == upload_id).with_for_update()
        return (await self.session.scalars(query)).one_or_none()

    async def list_page(self, user_id: int, page: LimitOffset) -> tuple[list[Upload], int]:
        """List a user's unfinished uploads, newest first, with the total."""
        found, total = await self.get_many_and_count(
            Upload.user_id == user_id, Upload.finished_at.is_(None), page, order_by=("id", True)
        )
        return list(found), total

    async def lock_partials(self, public_ids: Sequence[str], user_id: int) -> dict[str, Upload]:
        """Lock those partial uploads of a user that can be concatenated, by public ID."""
        found = await self.session.scalars(
            select(Upload)
            .where(
                Upload.public_id.in_(public_ids),
                Upload.user_id == user_id,
                Upload.kind == UploadKind.PARTIAL,
                Upload.completed_at.is_not(None),
                Upload.final_id.is_(None),
                Upload.expires_at > func.now(),
            )
            .order_by(Upload.id)
            .with_for_update()
        )
        return {upload.public_id: upload for upload in found}

    async def partials_of(self, upload_id: int) -> list[Upload]:
        """List the uploads that a concatenation consists of, in order."""
        found = await self.session.scalars(
            select(Upload).where(Upload.final_id == upload_id).order_by(Upload.position)
        )
        return list(found)

    async def parts_of(self, upload_id: int) -> list[Part]:
        """List the objects that hold an upload's bytes in a bucket, in order."""
        found = await self.session.execute(
            select(UploadPart.start, UploadPart.size, UploadPart.key)
            .where(UploadPart.upload_id == upload_id)
            .order_by(UploadPart.start)
        )
        return [Part(*row) for row in found]

    async def advance(self, upload_id: int, writer: str, received: int, kept: timedelta) -> bool:
        """Set the number of durable bytes, and postpone expiry; False if replaced."""
        return await self._write(
            upload_id, writer, {"received": received, "expires_at": func.now() + kept}
        )

    async def touch(self, upload_id: int, writer: str) -> bool:
        """Record that the writer is active; False if it was replaced."""
        return await self._write(upload_id, writer, {})

    async def release(self, upload_id: int, writer: str) -> None:
        """End the claim of a writer, if it still has it."""
        await self._write(upload_id, writer, {"writer": None})

    async def _write(self, upload_id: int, writer: str, values: dict[str, object]) -> bool:
        changed = await self.session.scalars(
            update(Upload)
            .where(Upload.id == upload_id, Upload.writer == writer)
            .values(active_at=func.now(), **values)
            .returning(Upload.id)
            .execution_options(synchronize_session=False)
        )
        return changed.one_or_none() is not None

    async def add_parts(self, upload_id: int, parts: Sequence[Part]) -> None:
        """Record the objects that hold further bytes."""
        if parts:
            rows = [
                {"upload_id": upload_id, "start": part.start, "size": part.size, "key": part.key}
                for part in parts
            ]
            await self.session.execute(insert(UploadPart), rows)

    async def restart(self, upload_id: int) -> None:
        """Delete the parts of an upload that begins at 0 again; they are swept with it."""
        await self.session.execute(delete(UploadPart).where(UploadPart.upload_id == upload_id))

    async def unfinished(self, user_id: int) -> int:
        """Count a user's uploads that have not expired and are not complete."""
        return await self.count(
            Upload.user_id == user_id,
            Upload.completed_at.is_(None),
            Upload.expires_at > func.now(),
        )

    async def used_within_a_day(self, user_id: int | None = None) -> tuple[int, int]:
        """Count the uploads of a day and their bytes, of one user or of all.

        Partial uploads count, their concatenation does not. An unknown length counts as received.
        """
        conditions: list[ColumnElement[bool]] = [
            Upload.created_at > func.now() - DAY,
            Upload.kind != UploadKind.FINAL,
        ]
        if user_id is not None:
            conditions.append(Upload.user_id == user_id)
        size = func.coalesce(func.sum(func.coalesce(Upload.length, Upload.received)), 0)
        row = (await self.session.execute(select(func.count(), size).where(*conditions))).one()
        return int(row[0]), int(row[1])

    async def expired(self, limit: int) -> list[str]:
        """List the public IDs of expired uploads, except those whose bytes are still needed."""
        found = await self.session.scalars(
            select(Upload.public_id).where(_is_expired()).order_by(Upload.expires_at).limit(limit)
        )
        return list(found)

    async def delete_expired(self, public_id: str) -> Upload | None:
        """Delete an expired upload, unless it was continued meanwhile; return it."""
        found = await self.session.scalars(
            select(Upload)
            .where(Upload.public_id == public_id, _is_expired())
            .with_for_update(skip_locked=True)
        )
        upload = found.one_or_none()
        if upload is not None:
            await self.session.execute(delete(Upload).where(Upload.id == upload.id))
        return upload

    async def unfinished_names(self, public_ids: Sequence[str]) -> set[str]:
        """Filter the uploads whose bytes are still needed."""
        found = await self.session.scalars(
            select(Upload.public_id).where(
                Upload.public_id.in_(public_ids), Upload.finished_at.is_(None)
            )
        )
        return set(found)

    async def left_behind(self, since: timedelta) -> list[int]:
        """List complete uploads that were not finished within this time."""
        found = await self.session.scalars(
            select(Upload.id).where(
                Upload.completed_at < func.now() - since,
                Upload.finished_at.is_(None),
                Upload.kind != UploadKind.PARTIAL,
            )
        )
        return list(found)


class UploadLinkRepository(SQLAlchemyAsyncRepository[UploadLink]):
    """Links to upload without an account."""

    model_type = UploadLink

    async def usable(self, token_hash: str) -> UploadLink | None:
        """Lock a link that is valid, and whose creator is still an editor."""
        found = await self.session.scalars(
            select(UploadLink)
            .join(User, User.id == UploadLink.user_id)
            .where(
                UploadLink.token_hash == token_hash,
                UploadLink.revoked_at.is_(None),
                UploadLink.expires_at > func.now(),
                User.is_active,
                User.role != Role.VIEWER,
            )
            .with_for_update(of=UploadLink)
        )
        return found.one_or_none()

    async def owned(self, link_id: int, user_id: int) -> UploadLink | None:
        """Lock a user's link."""
        found = await self.session.scalars(
            select(UploadLink)
            .where(UploadLink.id == link_id, UploadLink.user_id == user_id)
            .with_for_update()
        )
        return found.one_or_none()

    async def list_page(self, user_id: int, page: LimitOffset) -> tuple[list[UploadLink], int]:
        """List a user's links, newest first, with the total."""
        found, total = await self.get_many_and_count(
            UploadLink.user_id == user_id, page, order_by=("id", True)
        )
        return list(found), total

    async def give_back(self, link_id: int) -> None:
        """Decrement the number of files: an upload ended without one."""
        await self.session.execute(
            update(UploadLink)
            .where(UploadLink.id == link_id, UploadLink.used > 0)
            .values(used=UploadLink.used - 1)
            .execution_options(synchronize_session=False)
        )

    async def unfinished_of(self, link_id: int) -> list[Upload]:
        """Lock the uploads of a link that are not complete."""
        found = await self.session.scalars(
            select(Upload)
            .where(Upload.link_id == link_id, Upload.completed_at.is_(None))
            .order_by(Upload.id)
            .with_for_update()
        )
        return list(found)

    async def delete_ended(self, kept: timedelta) -> int:
        """Delete links that ended longer ago than this."""
        ended = func.least(UploadLink.expires_at, UploadLink.revoked_at)
        found = await self.session.scalars(
            delete(UploadLink).where(ended < func.now() - kept).returning(UploadLink.id)
        )
        return len(found.all())


def _is_expired() -> ColumnElement[bool]:
    """Expired, and neither waiting for its job nor part of a concatenation that does."""
    is_needed = or_(
        and_(Upload.kind != UploadKind.PARTIAL, Upload.completed_at.is_not(None)),
        Upload.final_id.is_not(None),
    )
    return and_(Upload.expires_at < func.now(), or_(Upload.finished_at.is_not(None), ~is_needed))
