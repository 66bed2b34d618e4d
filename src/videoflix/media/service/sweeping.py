"""Delete what killed processes left in the storage, and nothing that a row may reference.

Objects are listed before rows are read, ages are by the storage's own clock, and database and
storage must belong together: after restoring a dump or on an unmounted disk, nothing is deleted.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from videoflix.catalog.models import OWN_POSTERS
from videoflix.media.inventory import Inventory
from videoflix.media.repository.assets import AssetRepository
from videoflix.media.service.assets import Media
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.installation import ensure_own_storage
from videoflix.platform.storage.media_storage import media_storage

ORPHANED_AFTER = timedelta(days=1)
LATELY = timedelta(days=7)
# Younger files may belong to an attempt that is about to publish them.
LEFT_ALONE = timedelta(hours=1)
SWEPT_AT_ONCE = 200
# More unknown folders than this, and than a tenth of all, are not leftovers of killed uploads.
SUSPICIOUS = 20

logger = logging.getLogger(__name__)

InUse = Callable[[list[str]], Awaitable[set[str] | None]]


class TooManyOrphans(Exception):
    """Too much of the storage is unknown to the database; nothing was deleted."""


async def sweep_asset(asset_id: int, older_than: timedelta) -> int:
    """Delete what killed attempts left in an asset's folder; return the number of objects."""
    await ensure_own_storage()
    until = await media_storage().clock() - older_than
    return await _sweep_asset(asset_id, until)


async def remove_orphans() -> int:
    """Delete unreferenced objects older than a day; return the number of objects.

    Raises TooManyOrphans, StorageUnavailable or StorageMisconfigured.
    """
    await ensure_own_storage()
    until = await media_storage().clock() - ORPHANED_AFTER
    removed = 0
    for folder in await _unknown_folders(until):
        removed += await _delete_unused(folder, until, partial(_unless_known, folder))
    for pictures in ("categories", OWN_POSTERS):
        removed += await _delete_unused(pictures, until, _pictures)
    removed += await _delete_unused("health", until, _nothing)
    async for asset_id in _lately_changed():
        removed += await _sweep_asset(asset_id, until)
    return removed


async def _unknown_folders(until: datetime) -> list[str]:
    """List asset folders without a row that contain an old object. Raises TooManyOrphans."""
    folders, unknown = await media_storage().folders("assets"), []
    for start in range(0, len(folders), SWEPT_AT_ONCE):
        batch = folders[start : start + SWEPT_AT_ONCE]
        async with transaction() as session:
            known = await Inventory(session).known_folders(batch)
        unknown += [folder for folder in batch if folder not in known]
    unknown = [folder for folder in unknown if await _has_old(folder, until)]
    if len(unknown) > max(SUSPICIOUS, len(folders) // 10):
        raise TooManyOrphans(
            f"{len(unknown)} of {len(folders)} folders are unknown to the database. Was an older"
            " backup restored? List them with `videoflix media fsck`; `--repair` deletes them."
        )
    return unknown


async def _has_old(folder: str, until: datetime) -> bool:
    async for batch in media_storage().objects(folder):
        if any(found.modified < until for found in batch):
            return True
    return False


async def _sweep_asset(asset_id: int, until: datetime) -> int:
    async with transaction() as session:
        keys = await Media(session).keys_in_use(asset_id)
    if keys is None:
        return 0

    async def used(_: list[str]) -> set[str] | None:
        async with transaction() as session:
            now = await Media(session).keys_in_use(asset_id)
        return None if now is None else now.used

    return await _delete_unused(keys.folder, until, used)


async def _delete_unused(prefix: str, until: datetime, in_use: InUse) -> int:
    """Delete old objects that are not in use, of those given; if `in_use` returns None, all are."""
    removed = 0
    async for batch in media_storage().objects(prefix):
        old = [found.key for found in batch if found.modified < until]
        used = await in_use(old) if old else None
        if used is None:
            continue
        unused = [key for key in old if key not in used]
        await media_storage().delete(unused)
        removed += len(unused)
    return removed


async def _unless_known(folder: str, _: list[str]) -> set[str] | None:
    async with transaction() as session:
        known = await Inventory(session).known_folders([folder])
    return None if known else set()


async def _pictures(keys: list[str]) -> set[str] | None:
    async with transaction() as session:
        return await Inventory(session).used_pictures(keys)


async def _nothing(_: list[str]) -> set[str] | None:
    return set()


async def _lately_changed() -> AsyncGenerator[int]:
    last = 0
    while True:
        async with transaction() as session:
            found = await AssetRepository(session=session).recently_changed(
                last, LATELY, SWEPT_AT_ONCE
            )
        if not found:
            return
        for last in found:
            yield last
