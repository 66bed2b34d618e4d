"""Use cases of editors: update, publish, delete and restore videos."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.events import VideoDeleted
from videoflix.catalog.models import Video
from videoflix.catalog.payloads import AnnouncePublication
from videoflix.catalog.schemas import BulkRequest, VideoUpdate
from videoflix.catalog.service.catalog import Catalog, VideoNotFound, topic_for
from videoflix.platform.events import emit
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction_time
from videoflix.platform.queue import cancel_pending, enqueue

DELETED_RETENTION = timedelta(days=30)


class Editing:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.videos = self.catalog.videos

    async def change(self, video_id: int, change: VideoUpdate) -> None:
        """Update a video's details. Raises VideoNotFound or UnknownCategory."""
        video = await self._locked(video_id)
        fields = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET
        }
        categories = fields.pop("categories", None)
        for name, value in fields.items():
            setattr(video, name, value)
        await self.session.flush()
        if categories is not None:
            await self.catalog.set_categories(video_id, categories)
        await publish(self.session, topic_for(video_id))

    async def publish(self, video_id: int, at: datetime | None = None) -> None:
        """Publish a video now, or schedule it. Raises VideoNotFound."""
        video = await self._locked(video_id)
        await self._publish(video, at)

    async def schedule_publications(self) -> None:
        """Enqueue the jobs of scheduled publications again (after an import)."""
        await cancel_pending(self.session, [AnnouncePublication])
        for video_id, at in await self.videos.scheduled():
            await enqueue(self.session, AnnouncePublication(video_id=video_id), at=at)

    async def unpublish(self, video_id: int) -> None:
        """Turn a video back into a draft. Raises VideoNotFound."""
        video = await self._locked(video_id)
        video.published_at = None
        await publish(self.session, topic_for(video_id))

    async def delete(self, video_id: int) -> None:
        """Soft-delete a video; it can be restored for 30 days. Raises VideoNotFound."""
        video = await self._locked(video_id)
        video.deleted_at = await transaction_time(self.session)
        await publish(self.session, topic_for(video_id))
        await emit(self.session, VideoDeleted.of(video))

    async def restore(self, video_id: int) -> None:
        """Restore a soft-deleted video. Raises VideoNotFound."""
        video = await self.catalog.locked(video_id)
        video.deleted_at = None
        await publish(self.session, topic_for(video_id))

    async def apply_bulk(self, request: BulkRequest) -> int:
        """Apply one action to all videos or none; return how many. Raises VideoNotFound."""
        wanted = set(request.ids)
        videos = await self.videos.locked_many(list(wanted))
        found = {
            video.id for video in videos if request.action == "restore" or not video.deleted_at
        }
        if missing := sorted(wanted - found):
            raise VideoNotFound(f"Not found: {', '.join(map(str, missing))}.", missing=missing)
        now = await transaction_time(self.session)
        for video in videos:
            if request.action == "publish":
                await self._publish(video, None)
            elif request.action == "unpublish":
                video.published_at = None
            elif request.action in {"feature", "unfeature"}:
                video.featured = request.action == "feature"
            else:
                video.deleted_at = now if request.action == "delete" else None
            await publish(self.session, topic_for(video.id))
        if request.action == "delete":
            await emit(self.session, *map(VideoDeleted.of, videos))
        return len(videos)

    async def due_for_purge(self, count: int) -> list[int]:
        """List videos that were soft-deleted 30 days ago."""
        return await self.videos.deleted_before(DELETED_RETENTION, count)

    async def is_due_for_purge(self, video_id: int) -> bool:
        """Lock a video, and check again whether it is due for purge."""
        video = await self.videos.locked(video_id)
        if video is None or video.deleted_at is None:
            return False
        return video.deleted_at < await transaction_time(self.session) - DELETED_RETENTION

    async def _publish(self, video: Video, at: datetime | None) -> None:
        now = await transaction_time(self.session)
        if at is not None and at > now:
            video.published_at = at
            await enqueue(self.session, AnnouncePublication(video_id=video.id), at=at)
        elif video.published_at is None or video.published_at > now:
            video.published_at = now
        await publish(self.session, topic_for(video.id))

    async def _locked(self, video_id: int) -> Video:
        """Lock a video that is not deleted. Raises VideoNotFound."""
        video = await self.catalog.locked(video_id)
        if video.deleted_at is not None:
            raise VideoNotFound
        return video
