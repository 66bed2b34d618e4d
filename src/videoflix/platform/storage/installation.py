"""Pair the media storage with the database by a shared installation ID.

The database holds an ID, and the storage an object (marker) with the same ID. With an unmounted
disk, a bucket of another installation or an empty database they differ, and nothing is deleted.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import msgspec
from sqlalchemy import Boolean, Column, DateTime, Table, Uuid, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.session import Record, transaction
from videoflix.platform.storage.local import MARKER
from videoflix.platform.storage.media_storage import (
    StorageMisconfigured,
    StorageProblem,
    StorageUnavailable,
    media_storage,
)

RETRY_SECONDS = 10.0

# A single row; `storage_claimed_at` is null until a storage has been marked.
installation = Table(
    "installation",
    Record.metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("storage_id", Uuid, nullable=False),
    Column("storage_claimed_at", DateTime(timezone=True), nullable=True),
)

logger = logging.getLogger(__name__)


class Identity(msgspec.Struct, frozen=True):
    """The ID that the storage has to carry, and when it was marked."""

    storage_id: str
    claimed_at: datetime | None


async def claim_storage(session: AsyncSession, *, for_writing: bool = False) -> None:
    """Mark a new storage, or verify the marker of a known one.

    `for_writing` makes this process refuse to write to any other storage, also after a failure.
    Raises StorageUnavailable if a known storage has lost its marker, and StorageMisconfigured if
    it carries another ID.
    """
    storage = media_storage()
    found = await storage.marker()
    ours = await _identity(session, found)
    if for_writing and (found or ours.claimed_at):
        storage.expect(ours.storage_id)
    if found is None:
        if ours.claimed_at is not None:
            raise StorageUnavailable(
                "The media storage has lost the marker of this installation. If its disk is"
                " mounted and STORAGE_URL is right, run `videoflix media adopt`."
            )
        await storage.mark(ours.storage_id)
        found = await storage.marker()  # another process may have marked it first
    if found != ours.storage_id:
        raise StorageMisconfigured(
            "The media storage belongs to another installation, or the database was replaced. If"
            " they do belong together, run `videoflix media adopt`."
        )
    storage.expect(ours.storage_id)
    if ours.claimed_at is None:
        await session.execute(update(installation).values(storage_claimed_at=func.now()))


async def ensure_own_storage() -> None:
    """Verify the storage before deleting orphaned objects. Raises like `claim_storage`."""
    async with transaction() as session:
        await claim_storage(session)


async def adopt_storage(session: AsyncSession) -> str:
    """Pair database and storage regardless of the marker; return the ID.

    A storage without a marker gets this installation's ID; otherwise the database adopts the
    marker's, so that no two databases own the same storage.
    """
    storage = media_storage()
    found = await storage.marker()
    ours = await _identity(session, found)
    if found is None:
        await storage.mark(ours.storage_id)
    adopted = found or ours.storage_id
    try:
        values = {"storage_id": uuid.UUID(adopted), "storage_claimed_at": func.now()}
    except ValueError:
        raise StorageMisconfigured(f"The object {MARKER} in the storage holds no ID.") from None
    await session.execute(update(installation).values(values))
    storage.expect(adopted)
    return adopted


@asynccontextmanager
async def claiming_storage() -> AsyncGenerator[None]:
    """Claim the storage at process start, retrying in the background while it is unavailable.

    Reads are served in the meantime.
    """
    retrying = None
    if not await _claimed():
        retrying = asyncio.create_task(_claim_later())
    try:
        yield
    finally:
        if retrying:
            retrying.cancel()


async def _claim_later() -> None:
    claimed = False
    while not claimed:
        await asyncio.sleep(RETRY_SECONDS)
        claimed = await _claimed()


async def _claimed() -> bool:
    """Try to claim the storage; return whether that succeeded."""
    try:
        async with transaction() as session:
            await claim_storage(session, for_writing=True)
    except (StorageProblem, SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        logger.warning("the media storage cannot be used yet: %s", error)
        return False
    return True


async def _identity(session: AsyncSession, marker: str | None) -> Identity:
    """Return the row, locked to serialize concurrent claims.

    Migrations insert it; a missing row is recreated from the storage's marker.
    """
    try:
        new_id = uuid.UUID(marker or "")
    except ValueError:
        new_id = uuid.uuid4()
    new = insert(installation).values(storage_id=new_id).on_conflict_do_nothing()
    await session.execute(new)
    columns = (installation.c.storage_id, installation.c.storage_claimed_at)
    row = (await session.execute(select(*columns).with_for_update())).one()
    return Identity(str(row[0]), row[1])
