"""Repair findings of fsck: recreate what can be derived from the source, mark lost sources.

Each asset is repaired in one transaction, which also enqueues the jobs.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.service.catalog import topic_for
from videoflix.media.inventory import AssetInventory, ExpectedObject, ObjectRole
from videoflix.media.models import Asset, AssetState
from videoflix.media.payloads import (
    EncodeAudio,
    EncodeChunk,
    MakePoster,
    MakeStoryboard,
    PackageRendition,
)
from videoflix.media.repository.renditions import RenditionRepository
from videoflix.media.service.assets import Media
from videoflix.media.service.publication import Publication
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import Job, enqueue
from videoflix.platform.storage.media_storage import media_storage

NO_SOURCE = "not possible: the source is lost as well"


class Repairs:
    """Repairs the lost, damaged and orphaned objects of an asset."""

    def __init__(self, asset: AssetInventory) -> None:
        self._asset = asset
        self._done: dict[str, str] = {}
        self._queued: list[Job] = []

    async def apply(self, keys: Sequence[str]) -> dict[str, str]:
        """Repair the objects; return what was done, by key."""
        broken = [self._asset.expected[key] for key in keys if key in self._asset.expected]
        source_fault = next((found for found in broken if found.role is ObjectRole.SOURCE), None)
        async with transaction() as session:
            asset = await Publication(session).locked(self._asset.asset_id)
            if asset is None:
                return {}
            asset.source_fault = await self._fault(source_fault)
            if source_fault:
                self._done[source_fault.key] = "marked; upload the file again"
            for found in broken:
                if found.role is not ObjectRole.SOURCE and asset.state is not AssetState.FAILED:
                    await self._restore(session, asset, found, has_source=source_fault is None)
            await publish(session, topic_for(asset.video_id))
        await self._delete_orphans([key for key in keys if key not in self._asset.expected])
        return self._done

    async def _fault(self, source: ExpectedObject | None) -> str | None:
        if source is None:
            return None
        return "missing" if await media_storage().size(source.key) is None else "damaged"

    async def _restore(
        self, session: AsyncSession, asset: Asset, lost: ExpectedObject, *, has_source: bool
    ) -> None:
        needs_source = lost.role in {ObjectRole.PART, ObjectRole.AUDIO, ObjectRole.POSTER}
        if needs_source and not has_source:
            self._done[lost.key] = NO_SOURCE
            return
        rows = RenditionRepository(session=session)
        job: Job
        if lost.role is ObjectRole.PART:
            await rows.reset_chunk(asset.id, lost.chunk_index)
            _reopen(asset)
            job = EncodeChunk(asset_id=asset.id, index=lost.chunk_index)
        elif lost.role is ObjectRole.AUDIO:
            await rows.reset_audio(lost.rendition_id or 0)
            _reopen(asset)
            job = EncodeAudio(asset_id=asset.id, track=lost.track)
        elif lost.role is ObjectRole.MP4:
            await rows.forget_file(lost.rendition_id or 0)
            job = PackageRendition(asset_id=asset.id, rendition=lost.rendition)
        elif lost.role is ObjectRole.STORYBOARD:
            asset.sprite_key = asset.sprite_sha256 = asset.storyboard = None
            job = MakeStoryboard(asset_id=asset.id)
        else:
            job = MakePoster(asset_id=asset.id)
        if job not in self._queued:  # one job encodes all renditions of a chunk
            await enqueue(session, job)
            self._queued.append(job)
        self._done[lost.key] = "queued again"

    async def _delete_orphans(self, keys: Sequence[str]) -> None:
        """Delete orphans after checking the rows again."""
        if not keys:
            return
        async with transaction() as session:
            in_use = await Media(session).keys_in_use(self._asset.asset_id)
        if in_use is None:
            return
        unused = [key for key in keys if key not in in_use.used]
        await media_storage().delete(unused)
        self._done.update(dict.fromkeys(unused, "deleted"))


def _reopen(asset: Asset) -> None:
    """Set a complete asset back to encoding; others are unfinished anyway."""
    if asset.state is AssetState.READY:
        asset.state = AssetState.ENCODING
