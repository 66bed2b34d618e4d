"""Chapters of a video: from its file, or written by editors."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.repository.chapters import ChapterRepository
from videoflix.catalog.schemas import ChapterRead, ChapterWrite
from videoflix.catalog.service.catalog import Catalog, VideoNotFound, topic_for
from videoflix.platform.postgres.notify import publish
from videoflix.platform.problems import Conflict, InvalidInput
from videoflix.profiles.schemas import Viewer

# In seconds: clients may round the duration up.
TOLERANCE = 0.5


class ChaptersInvalid(InvalidInput):
    """Chapters must be in order, must not overlap, and must end with the film."""

    slug: ClassVar[str] = "chapters-refused"


class DurationUnknown(Conflict):
    """The film's duration is not known yet: add its chapters when the file has been checked."""


class Chapters:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.catalog = Catalog(session)
        self.chapters = ChapterRepository(session=session)

    async def read(self, viewer: Viewer, video_id: int) -> list[ChapterRead]:
        """List the chapters of a video, by time. Raises VideoNotFound."""
        await self.catalog.video(viewer, video_id)
        return await self.of_video(video_id)

    async def of_video(self, video_id: int) -> list[ChapterRead]:
        """The chapters, for viewers that may see the video."""
        found = await self.chapters.of_video(video_id)
        return [ChapterRead(one.title, one.start, one.end) for one in found]

    async def write(self, video_id: int, chapters: Sequence[ChapterWrite]) -> None:
        """Replace all chapters. Raises VideoNotFound, DurationUnknown or ChaptersInvalid."""
        video = await self.catalog.locked(video_id)
        if video.deleted_at is not None:
            raise VideoNotFound
        if chapters and video.duration is None:
            raise DurationUnknown
        checked = with_ends(chapters, video.duration or 0.0)
        video.has_own_chapters = True
        await self.chapters.replace(video_id, checked)
        await publish(self.session, topic_for(video_id))

    async def replace_extracted(
        self, video_id: int, chapters: Sequence[tuple[str, float, float]], duration: float
    ) -> None:
        """Store the chapters of a new file; those of editors stay, as far as the file reaches."""
        if (await self.catalog.locked(video_id)).has_own_chapters:
            await self.chapters.cut(video_id, duration)
        else:
            await self.chapters.replace(video_id, chapters)


def with_ends(chapters: Sequence[ChapterWrite], duration: float) -> list[tuple[str, float, float]]:
    """Title, start and end of each chapter; a missing end is the next start.

    Raises ChaptersInvalid.
    """
    following = [*(chapter.start for chapter in chapters[1:]), duration]
    checked: list[tuple[str, float, float]] = []
    for number, (chapter, next_start) in enumerate(zip(chapters, following, strict=False), 1):
        start = round(chapter.start, 3)
        end = round(next_start if chapter.end is None else chapter.end, 3)
        if checked and start < checked[-1][2]:
            raise ChaptersInvalid(f"Chapter {number} starts before the previous one ends.")
        if end > duration + TOLERANCE or start >= duration:
            raise ChaptersInvalid(
                f"Chapter {number} ends after the film, which has {duration:g} seconds."
            )
        if end <= start:
            raise ChaptersInvalid(f"Chapter {number} ends before it starts.")
        checked.append((chapter.title, start, min(end, duration)))
    return checked
