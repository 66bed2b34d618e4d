"""Delete expired uploads, and bytes in the storage that belong to no upload."""

import logging
from datetime import timedelta

from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.growing import delete_growing, growing_names
from videoflix.platform.storage.installation import ensure_own_storage
from videoflix.platform.storage.media_storage import media_storage
from videoflix.uploads.models import Upload
from videoflix.uploads.repository import UploadLinkRepository, UploadRepository
from videoflix.uploads.service.finishing import Finishing

SWEPT_AT_ONCE = 200
# A job that finishes an upload is missing if this did not happen for so long.
LEFT_BEHIND = timedelta(hours=1)

logger = logging.getLogger(__name__)


async def sweep_uploads() -> tuple[int, int]:
    """Return how many uploads were deleted, and how many folders without an upload."""
    await ensure_own_storage()
    async with transaction() as session:
        await Finishing(session).enqueue_left_behind(LEFT_BEHIND)
    deleted = await _delete_expired()
    return deleted, await _delete_orphans()


async def delete_bytes(upload: Upload) -> None:
    """Delete what a deleted upload has in the storage; a finished one belongs to its video."""
    await delete_growing(media_storage(), upload.public_id)
    if upload.finished_at is None:
        await media_storage().delete_below(upload.folder)


async def _delete_expired() -> int:
    async with transaction() as session:
        expired = await UploadRepository(session=session).expired(SWEPT_AT_ONCE)
    deleted = 0
    for public_id in expired:
        async with transaction() as session:
            upload = await UploadRepository(session=session).delete_expired(public_id)
            if upload is not None and upload.link_id and not upload.is_complete:
                await UploadLinkRepository(session=session).give_back(upload.link_id)
        if upload is not None:
            await delete_bytes(upload)
            deleted += 1
    return deleted


async def _delete_orphans() -> int:
    """Delete the bytes of finished and of deleted uploads.

    Names are listed before rows are read: an upload's row is always older than its bytes.
    """
    names, deleted = await growing_names(media_storage()), 0
    for start in range(0, len(names), SWEPT_AT_ONCE):
        batch = names[start : start + SWEPT_AT_ONCE]
        async with transaction() as session:
            needed = await UploadRepository(session=session).unfinished_names(batch)
        for name in batch:
            if name not in needed:
                await delete_growing(media_storage(), name)
                deleted += 1
    return deleted
