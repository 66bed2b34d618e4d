"""Films on their way from upload to screen, and who may see them."""

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Video, VideoState
from videoflix.catalog.repository.videos import VideoRepository
from videoflix.catalog.schemas import Video as ShownVideo
from videoflix.catalog.schemas import VideoDraft
from videoflix.platform.postgres.notify import announce
from videoflix.platform.problems import NotFound
from videoflix.profiles.schemas import Viewing

CATALOGUE = "catalogue"
VOTES = "votes:"
PROGRESS = "progress:"


class VideoNotFound(NotFound):
    """There is no such film, or you may not see it."""


class CategoryUnknown(NotFound):
    """There is no such category."""


class Catalog:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.videos = VideoRepository(session=session)

    async def video(self, viewing: Viewing, video_id: int) -> Video:
        """A film this person may see. Raises VideoNotFound."""
        video = await self.videos.seen_by(viewing, video_id)
        if video is None:
            raise VideoNotFound
        return video

    async def shown(self, viewing: Viewing, video_id: int) -> ShownVideo:
        """A film as it is shown to this person. Raises VideoNotFound."""
        found = await self.videos.shown(viewing, Video.id == video_id)
        if found is None:
            raise VideoNotFound
        return ShownVideo.of(*found[:3], for_editors=viewing.is_editor)

    async def by_slug(self, viewing: Viewing, slug: str) -> ShownVideo:
        """A film by the name in its address. Raises VideoNotFound."""
        found = await self.videos.shown(viewing, Video.slug == slug)
        if found is None:
            raise VideoNotFound
        return ShownVideo.of(*found[:3], for_editors=viewing.is_editor)

    async def some(self, viewing: Viewing, ids: list[int]) -> dict[int, ShownVideo]:
        """Those of these films that this person may see."""
        found = await self.videos.seen_of(viewing, ids)
        return {
            one.video.id: ShownVideo.of(*one[:3], for_editors=viewing.is_editor) for one in found
        }

    async def uploads_of(self, user_id: int, page: LimitOffset) -> list[Video]:
        """What a person uploaded, newest first."""
        return await self.videos.get_many(Video.uploaded_by == user_id, page, order_by=("id", True))

    async def counts(self) -> dict[str, int]:
        """How many films there are in each state."""
        return {state.value: 0 for state in VideoState} | await self.videos.count_by_state()

    async def add(self, draft: VideoDraft, uploaded_by: int | None) -> Video:
        """Enter a film whose renditions do not exist yet. Raises CategoryUnknown."""
        video = Video(
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
            await self.put_on_shelves(video.id, draft.categories)
        await announce(self.session, topic_of(video.id))
        return video

    async def put_on_shelves(self, video_id: int, category_ids: list[int]) -> None:
        """Raises CategoryUnknown."""
        wanted = set(category_ids)
        if await self.videos.set_categories(video_id, list(wanted)) != len(wanted):
            raise CategoryUnknown

    async def remove(self, video_id: int) -> None:
        """Take the film out of the catalogue for good. Raises VideoNotFound."""
        await self.locked(video_id)
        await self.videos.delete(video_id)
        await announce(self.session, topic_of(video_id))

    async def describe(self, video_id: int, *, duration: float, qualities: list[str]) -> None:
        """What the inspection found: length in seconds and the renditions to come."""
        video = await self.locked(video_id)
        video.duration, video.qualities = duration, qualities
        await announce(self.session, topic_of(video_id))

    async def illustrate(self, video_id: int, poster: str) -> None:
        """The film has a poster; `poster` is its storage key."""
        video = await self.locked(video_id)
        video.poster = poster
        await announce(self.session, topic_of(video_id))

    async def poster(self, video_id: int) -> str | None:
        """The storage key of a film's poster."""
        return (await self.locked(video_id)).poster

    async def advance(self, video_id: int, progress: float, *, playable: bool) -> None:
        """Encoding went on; progress never goes back."""
        video = await self.locked(video_id)
        video.progress = max(video.progress, min(progress, 1.0))
        if playable and not video.playable:
            video.playable = True
            await announce(self.session, topic_of(video_id))
        await announce(self.session, f"{PROGRESS}{video_id}")

    async def begin_again(self, video_id: int) -> None:
        """Another file was uploaded for a film that has none to play."""
        video = await self.locked(video_id)
        video.playable, video.progress = False, 0.0
        await self.resume(video_id)

    async def resume(self, video_id: int) -> None:
        """Work on a film begins again where it ended; what is playable is told by `advance`."""
        video = await self.locked(video_id)
        video.state = VideoState.PROCESSING
        _clear_troubles(video)
        await announce(self.session, topic_of(video_id))

    async def complete(self, video_id: int) -> None:
        """Every rendition is there."""
        video = await self.locked(video_id)
        video.state, video.playable, video.progress = VideoState.READY, True, 1.0
        _clear_troubles(video)
        await announce(self.session, topic_of(video_id))

    async def fail(self, video_id: int, code: str, reason: str) -> None:
        """The upload cannot become a film; its owner sees why."""
        video = await self.locked(video_id)
        video.state, video.playable = VideoState.FAILED, False
        _clear_troubles(video)
        video.failure_code, video.failure_reason = code, reason
        await announce(self.session, topic_of(video_id))

    async def fail_replacement(self, video_id: int, code: str, reason: str) -> None:
        """The file that should replace the one that plays failed; editors see why."""
        video = await self.locked(video_id)
        _clear_troubles(video)
        video.replacement_code, video.replacement_reason = code, reason
        await announce(self.session, topic_of(video_id))

    async def stall(self, video_id: int, code: str, reason: str) -> None:
        """Work on the newest file waits for the machine; editors see why."""
        video = await self.locked(video_id)
        if (video.stalled_code, video.stalled_reason) == (code, reason):
            return
        video.stalled_code, video.stalled_reason = code, reason
        await announce(self.session, topic_of(video_id))

    async def clear_troubles(self, video_id: int) -> None:
        """Work on the newest file goes on: nothing failed, and nothing waits."""
        video = await self.locked(video_id)
        _clear_troubles(video)
        await announce(self.session, topic_of(video_id))

    async def locked(self, video_id: int) -> Video:
        """A film, held against other writers. Raises VideoNotFound."""
        video = await self.videos.locked(video_id)
        if video is None:
            raise VideoNotFound
        return video


def _clear_troubles(video: Video) -> None:
    video.failure_code = video.failure_reason = None
    video.stalled_code = video.stalled_reason = None
    video.replacement_code = video.replacement_reason = None


def topic_of(video_id: int) -> str:
    """What news about a film is announced under."""
    return f"video:{video_id}"


async def announce_votes(session: AsyncSession, video_id: int) -> None:
    """A film's counts changed, and nothing else of it."""
    await announce(session, f"{VOTES}{video_id}")


async def announce_catalogue(session: AsyncSession) -> None:
    """Something changed that is about no single film."""
    await announce(session, CATALOGUE)
