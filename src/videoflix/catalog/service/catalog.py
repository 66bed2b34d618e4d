"""Videos: visibility, state of processing, and notifications of changes."""

from collections.abc import Sequence
from typing import ClassVar

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.events import (
    VideoCreated,
    VideoDeleted,
    VideoFailed,
    VideoPlayable,
    VideoReady,
)
from videoflix.catalog.models import Video, VideoState
from videoflix.catalog.repository.rows import VideoRow
from videoflix.catalog.repository.videos import VideoRepository
from videoflix.catalog.schemas import VideoCreate
from videoflix.catalog.schemas import VideoRead as ShownVideo
from videoflix.catalog.video_detail import EpisodePlace, VideoDetail
from videoflix.platform.events import emit
from videoflix.platform.postgres.notify import publish
from videoflix.platform.problems import NotFound
from videoflix.profiles.schemas import Viewer

CATALOGUE = "catalogue"
VOTES = "votes:"
PROGRESS = "progress:"


class VideoNotFound(NotFound):
    """This film doesn't exist or isn't available to you."""


class UnknownCategory(NotFound):
    """There is no such category."""

    slug: ClassVar[str] = "category-unknown"


class Catalog:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.videos = VideoRepository(session=session)

    async def video(self, viewer: Viewer, video_id: int) -> Video:
        """Get a video the viewer can see. Raises VideoNotFound."""
        video = await self.videos.seen_by(viewer, video_id)
        if video is None:
            raise VideoNotFound
        return video

    async def read(self, viewer: Viewer, video_id: int) -> VideoDetail:
        """Read a video for a viewer. Raises VideoNotFound."""
        found = await self.videos.get_visible(viewer, Video.id == video_id)
        if found is None:
            raise VideoNotFound
        return _detail(viewer, found)

    async def by_slug(self, viewer: Viewer, slug: str) -> VideoDetail:
        """Read a video by its slug. Raises VideoNotFound."""
        found = await self.videos.get_visible(viewer, Video.slug == slug)
        if found is None:
            raise VideoNotFound
        return _detail(viewer, found)

    async def get_many(self, viewer: Viewer, ids: list[int]) -> dict[int, ShownVideo]:
        """Read those of the videos that the viewer can see, by id."""
        found = await self.videos.list_visible(viewer, ids)
        return {
            one.video.id: ShownVideo.of(*one[:3], for_editors=viewer.is_editor) for one in found
        }

    async def places(self, viewer: Viewer, ids: list[int]) -> dict[int, EpisodePlace]:
        """The places of videos in series the viewer can see, by id of the video."""
        found = await self.videos.places(viewer, ids)
        return {video_id: EpisodePlace(**place) for video_id, place in found if place}

    async def uploads_of(self, user_id: int, page: LimitOffset) -> list[Video]:
        """List a user's uploads, newest first."""
        return await self.videos.get_many(Video.uploaded_by == user_id, page, order_by=("id", True))

    async def counts(self) -> dict[str, int]:
        """Count the videos in each state."""
        return {state.value: 0 for state in VideoState} | await self.videos.count_by_state()

    async def add(
        self, draft: VideoCreate, uploaded_by: int | None, video_id: int | None = None
    ) -> Video:
        """Create a video without media, with the next ID or a free one.

        Raises UnknownCategory.
        """
        video = Video(
            **({} if video_id is None else {"id": video_id}),
            title=draft.title,
            description=draft.description,
            genre=draft.genre,
            language=draft.language,
            release_year=draft.release_year,
            age_rating=draft.age_rating,
            author=draft.author,
            tags=draft.tags,
            featured=draft.featured,
            audience=draft.audience,
            uploaded_by=uploaded_by,
        )
        video = await self.videos.add(video)
        if not draft.publish:
            video.published_at = None
        if draft.categories:
            await self.set_categories(video.id, draft.categories)
        await publish(self.session, topic_for(video.id))
        await emit(self.session, VideoCreated.of(video))
        return video

    async def set_categories(self, video_id: int, category_ids: list[int]) -> None:
        """Replace a video's categories. Raises UnknownCategory."""
        wanted = set(category_ids)
        if await self.videos.set_categories(video_id, list(wanted)) != len(wanted):
            raise UnknownCategory

    async def known_categories(self, category_ids: list[int]) -> list[int]:
        """Filter the categories that exist."""
        return await self.videos.known_categories(category_ids)

    async def remove(self, video_id: int) -> None:
        """Delete a video permanently. Raises VideoNotFound."""
        video = await self.locked(video_id)
        await self.videos.delete(video_id)
        await publish(self.session, topic_for(video_id))
        if video.deleted_at is None:  # otherwise it was reported when it was soft-deleted
            await emit(self.session, VideoDeleted.of(video))

    async def set_media_info(self, video_id: int, *, duration: float, qualities: list[str]) -> None:
        """Store the duration in seconds and the names of the planned renditions."""
        video = await self.locked(video_id)
        video.duration, video.qualities = duration, qualities
        await publish(self.session, topic_for(video_id))

    async def set_poster(self, video_id: int, poster: str | None, widths: Sequence[int]) -> None:
        """Set the storage key of the poster, and the widths of its sizes."""
        video = await self.locked(video_id)
        video.poster, video.poster_widths = poster, list(widths)
        await publish(self.session, topic_for(video_id))

    async def set_preview(self, video_id: int, preview: str | None) -> None:
        """Set the storage key of the animated preview."""
        video = await self.locked(video_id)
        if video.preview != preview:
            video.preview = preview
            await publish(self.session, topic_for(video_id))

    async def poster(self, video_id: int) -> str | None:
        """Return the storage key of the poster; locks the row."""
        return (await self.locked(video_id)).poster

    async def update_progress(self, video_id: int, progress: float, *, playable: bool) -> None:
        """Advance the progress (0 to 1), which never decreases."""
        video = await self.locked(video_id)
        video.progress = max(video.progress, min(progress, 1.0))
        if playable and not video.playable:
            video.playable = True
            await publish(self.session, topic_for(video_id))
            await emit(self.session, VideoPlayable.of(video))
        await publish(self.session, f"{PROGRESS}{video_id}")

    async def restart(self, video_id: int) -> None:
        """Reset the progress: another file was uploaded for a video without a playable one."""
        video = await self.locked(video_id)
        video.playable, video.progress = False, 0.0
        await self.resume(video_id)

    async def resume(self, video_id: int) -> None:
        """Set the state to processing again; `update_progress` tells what is playable."""
        video = await self.locked(video_id)
        video.state = VideoState.PROCESSING
        _clear_failure(video)
        await publish(self.session, topic_for(video_id))

    async def complete(self, video_id: int) -> None:
        """Set the state to ready: every rendition is complete."""
        video = await self.locked(video_id)
        first = [] if video.playable else [VideoPlayable.of(video)]
        video.state, video.playable, video.progress = VideoState.READY, True, 1.0
        _clear_failure(video)
        await publish(self.session, topic_for(video_id))
        await emit(self.session, *first, VideoReady.of(video))

    async def fail(self, video_id: int, code: str, reason: str) -> None:
        """Set the state to failed, with the reason shown to editors."""
        video = await self.locked(video_id)
        video.state, video.playable = VideoState.FAILED, False
        _clear_failure(video)
        video.failure_code, video.failure_reason = code, reason
        await publish(self.session, topic_for(video_id))
        await self._failed(video, code, reason)

    async def fail_replacement(self, video_id: int, code: str, reason: str) -> None:
        """Record why a replacement file failed; the playable one stays."""
        video = await self.locked(video_id)
        _clear_failure(video)
        video.replacement_code, video.replacement_reason = code, reason
        await publish(self.session, topic_for(video_id))
        await self._failed(video, code, reason)

    async def stall(self, video_id: int, code: str, reason: str) -> None:
        """Record why processing of the newest file is stalled."""
        video = await self.locked(video_id)
        if (video.stalled_code, video.stalled_reason) == (code, reason):
            return
        video.stalled_code, video.stalled_reason = code, reason
        await publish(self.session, topic_for(video_id))

    async def clear_failure(self, video_id: int) -> None:
        """Clear failure and stall: processing of the newest file has resumed."""
        video = await self.locked(video_id)
        _clear_failure(video)
        await publish(self.session, topic_for(video_id))

    async def _failed(self, video: Video, code: str, reason: str) -> None:
        failed = VideoFailed(video_id=video.id, title=video.title, code=code, reason=reason)
        await emit(self.session, failed)

    async def locked(self, video_id: int) -> Video:
        """Lock a video's row. Raises VideoNotFound."""
        video = await self.videos.locked(video_id)
        if video is None:
            raise VideoNotFound
        return video


def _detail(viewer: Viewer, row: VideoRow) -> VideoDetail:
    detail = VideoDetail.of(*row[:3], for_editors=viewer.is_editor)
    return detail.completed(row.video, row.chapters, row.place)


def _clear_failure(video: Video) -> None:
    video.failure_code = video.failure_reason = None
    video.stalled_code = video.stalled_reason = None
    video.replacement_code = video.replacement_reason = None


def topic_for(video_id: int) -> str:
    """The NOTIFY topic of a video's changes."""
    return f"video:{video_id}"


async def publish_vote_change(session: AsyncSession, video_id: int) -> None:
    """Notify that only a video's vote counts changed."""
    await publish(session, f"{VOTES}{video_id}")


async def publish_catalog_change(session: AsyncSession) -> None:
    """Notify of a change that concerns more than one video."""
    await publish(session, CATALOGUE)
