"""What may happen to the catalogue."""

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Video, VideoState
from videoflix.catalog.repository import VideoRepository
from videoflix.catalog.schemas import VideoDraft
from videoflix.platform.events import announce
from videoflix.platform.identity import Identity
from videoflix.platform.problems import NotFound


class VideoNotFound(NotFound):
    """There is no such film, or you may not see it."""


class Catalog:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.videos = VideoRepository(session=session)

    async def newest(self, viewer: Identity, page: LimitOffset) -> tuple[list[Video], int]:
        """The films this person sees, newest first, and how many there are."""
        return await self.videos.newest(viewer, page)

    async def video(self, viewer: Identity, video_id: int) -> Video:
        """A film this person may see. Raises VideoNotFound."""
        video = await self.videos.seen_by(viewer, video_id)
        if video is None:
            raise VideoNotFound
        return video

    async def uploads_of(self, user_id: int, page: LimitOffset) -> list[Video]:
        """What a person uploaded, newest first."""
        return await self.videos.get_many(Video.uploaded_by == user_id, page, order_by=("id", True))

    async def counts(self) -> dict[str, int]:
        """How many films there are in each state."""
        return {state.value: 0 for state in VideoState} | await self.videos.count_by_state()

    async def add(self, draft: VideoDraft, uploaded_by: int) -> Video:
        """Enter a film whose renditions do not exist yet."""
        return await self.videos.add(
            Video(title=draft.title, description=draft.description, uploaded_by=uploaded_by)
        )

    async def remove(self, video_id: int) -> None:
        """Take the film out of the catalogue. Raises VideoNotFound."""
        await self._locked(video_id)
        await self.videos.delete(video_id)
        await announce(self.session, topic_of(video_id))

    async def describe(self, video_id: int, *, duration: float, qualities: list[str]) -> None:
        """What the inspection found: length in seconds and the renditions to come."""
        video = await self._locked(video_id)
        video.duration, video.qualities = duration, qualities
        await announce(self.session, topic_of(video_id))

    async def illustrate(self, video_id: int, poster: str) -> None:
        """The film has a poster; `poster` is its storage key."""
        video = await self._locked(video_id)
        video.poster = poster
        await announce(self.session, topic_of(video_id))

    async def poster(self, video_id: int) -> str | None:
        """The storage key of a film's poster."""
        return (await self._locked(video_id)).poster

    async def advance(self, video_id: int, progress: float, *, playable: bool) -> None:
        """Encoding went on; progress never goes back."""
        video = await self._locked(video_id)
        video.progress = max(video.progress, min(progress, 1.0))
        video.playable = video.playable or playable
        await announce(self.session, topic_of(video_id))

    async def publish(self, video_id: int) -> None:
        """Every rendition is complete."""
        video = await self._locked(video_id)
        video.state, video.playable, video.progress = VideoState.READY, True, 1.0
        await announce(self.session, topic_of(video_id))

    async def fail(self, video_id: int, code: str, reason: str) -> None:
        """The upload cannot become a film; its owner sees why."""
        video = await self._locked(video_id)
        video.state, video.playable = VideoState.FAILED, False
        video.failure_code, video.failure_reason = code, reason
        await announce(self.session, topic_of(video_id))

    async def _locked(self, video_id: int) -> Video:
        video = await self.videos.locked(video_id)
        if video is None:
            raise VideoNotFound
        return video


def topic_of(video_id: int) -> str:
    """What news about a film is announced under."""
    return f"video:{video_id}"
