"""Chapters."""

from collections.abc import Sequence

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, select, update

from videoflix.catalog.models import Chapter


class ChapterRepository(SQLAlchemyAsyncRepository[Chapter]):
    """Chapters, one row each."""

    model_type = Chapter

    async def of_video(self, video_id: int) -> list[Chapter]:
        """The chapters of a video, by time."""
        found = await self.session.scalars(
            select(Chapter).where(Chapter.video_id == video_id).order_by(Chapter.start)
        )
        return list(found)

    async def replace(self, video_id: int, chapters: Sequence[tuple[str, float, float]]) -> None:
        """Store titles, starts and ends in place of all chapters of a video."""
        await self.session.execute(delete(Chapter).where(Chapter.video_id == video_id))
        await self.add_many(
            [
                Chapter(video_id=video_id, title=title, start=start, end=end)
                for title, start, end in chapters
            ]
        )

    async def cut(self, video_id: int, duration: float) -> None:
        """End the chapters of a video with it; delete those that would start later."""
        of_video = Chapter.video_id == video_id
        await self.session.execute(delete(Chapter).where(of_video, Chapter.start >= duration))
        await self.session.execute(
            update(Chapter)
            .where(of_video, Chapter.end > duration)
            .values(end=func.least(Chapter.end, duration))
        )
