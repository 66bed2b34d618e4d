"""Videos: lists, single rows and updates."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    true,
)

from videoflix.catalog.models import OWN_POSTERS, Category, Video, video_category
from videoflix.catalog.repository.cursor import Cursor, order_for
from videoflix.catalog.repository.episodes import place_of_video
from videoflix.catalog.repository.filters import Filters, category_id_of, matching
from videoflix.catalog.repository.rows import VideoRow, chapters_of_video, select_videos
from videoflix.catalog.repository.visibility import visible_to
from videoflix.catalog.schemas import Ordering
from videoflix.profiles.schemas import Viewer

# Lists are counted up to this limit; an exact count would cost more than the page itself.
COUNTED = 1_000
RELATED_CONSIDERED = 60


class VideoRepository(SQLAlchemyAsyncRepository[Video]):
    """Videos; reads apply the visibility rule of the viewer."""

    model_type = Video

    async def page(
        self,
        viewer: Viewer,
        filters: Filters,
        ordering: Ordering,
        page: LimitOffset,
        cursor: Cursor | None = None,
    ) -> list[VideoRow]:
        """Select a page of a list, plus one row if there is a next page."""
        order = order_for(ordering, by_category=filters.category is not None)
        statement = self._filtered(select_videos().add_columns(order.key), viewer, filters)
        if cursor is not None:
            statement = statement.where(order.after(cursor))
        statement = order.sort(statement).limit(page.limit + 1).offset(page.offset)
        found = await self.session.execute(statement)
        return [VideoRow(*row) for row in found]

    async def count_limited(self, viewer: Viewer, filters: Filters) -> int:
        """Count the videos of a list, up to COUNTED + 1."""
        some = self._filtered(select(literal(1)), viewer, filters)
        # In the order of the index: the planner would otherwise scan the table.
        order = order_for(Ordering.NEWEST, by_category=filters.category is not None)
        some = order.sort(some).limit(COUNTED + 1)
        return await self.session.scalar(select(func.count()).select_from(some.subquery())) or 0

    async def count_all(self, viewer: Viewer) -> int:
        """Count the videos the viewer can see, by an index-only scan."""
        return (
            await self.session.scalar(select(func.count(Video.id)).where(visible_to(viewer))) or 0
        )

    def _filtered(self, statement: Select[Any], viewer: Viewer, filters: Filters) -> Select[Any]:
        statement = statement.select_from(Video).where(*matching(viewer, filters))
        if filters.category is None:
            return statement
        return statement.join(video_category, video_category.c.video_id == Video.id).where(
            video_category.c.category_id == category_id_of(filters.category)
        )

    async def get_visible(self, viewer: Viewer, wanted: ColumnElement[bool]) -> VideoRow | None:
        """Select a video, with its chapters and its place in a series, if the viewer can see it."""
        statement = select_videos().add_columns(chapters_of_video(), place_of_video(viewer))
        found = await self.session.execute(statement.where(wanted, visible_to(viewer)))
        row = found.one_or_none()
        if row is None:
            return None
        return VideoRow(row[0], row[1], row[2], chapters=row[3], place=row[4])

    async def seen_by(self, viewer: Viewer, video_id: int) -> Video | None:
        return await self.get_one_or_none(Video.id == video_id, visible_to(viewer))

    async def list_visible(self, viewer: Viewer, ids: Sequence[int]) -> list[VideoRow]:
        """Select those of the videos that the viewer can see, in no particular order."""
        found = await self.session.execute(
            select_videos().where(Video.id.in_(ids), visible_to(viewer))
        )
        return [VideoRow(*row) for row in found]

    async def places(
        self, viewer: Viewer, ids: Sequence[int]
    ) -> list[tuple[int, dict[str, Any] | None]]:
        """Select the places in series of those of the videos that the viewer can see."""
        found = await self.session.execute(
            select(Video.id, place_of_video(viewer)).where(Video.id.in_(ids), visible_to(viewer))
        )
        return [(row[0], row[1]) for row in found]

    async def by_category(
        self, viewer: Viewer, count: int
    ) -> list[tuple[Category, VideoRow | None]]:
        """Select every category with its newest videos (LATERAL); None for an empty category."""
        newest = (
            select(video_category.c.video_id, video_category.c.shown_at)
            .join(Video, Video.id == video_category.c.video_id)
            .where(video_category.c.category_id == Category.id, visible_to(viewer))
            .order_by(video_category.c.shown_at.desc(), video_category.c.video_id.desc())
            .limit(count)
            .lateral("newest")
        )
        statement = (
            select_videos()
            .add_columns(Category)
            .select_from(Category)
            .outerjoin(newest, true())
            .outerjoin(Video, Video.id == newest.c.video_id)
            .order_by(Category.position, Category.id, newest.c.shown_at.desc(), Video.id.desc())
        )
        found = await self.session.execute(statement)
        return [(row[3], VideoRow(row[0], row[1], row[2]) if row[0] else None) for row in found]

    async def related(self, viewer: Viewer, video: Video, count: int) -> list[VideoRow]:
        """Find similar videos by tags, author, genre and categories.

        At most RELATED_CONSIDERED candidates of each kind are scored, so the cost does not grow
        with the catalogue.
        """
        newest = Video.shown_at.desc()
        same_genre = select(Video.id).where(Video.genre == video.genre, Video.genre != "")
        same_tags = select(Video.id).where(Video.tags.overlap(video.tags))
        considered = [
            same_genre.where(visible_to(viewer)).order_by(newest).limit(RELATED_CONSIDERED),
            # Unsorted: a common tag has too many videos to sort.
            same_tags.where(visible_to(viewer)).limit(RELATED_CONSIDERED * 5),
            self._in_same_categories(viewer, video),
        ]
        ids = [select(part.subquery().c.id) for part in considered]
        mine = select(func.unnest(Video.tags).label("tag")).correlate(Video).subquery()
        shared = (
            select(func.count())
            .select_from(mine)
            .where(mine.c.tag.in_(video.tags))
            .scalar_subquery()
        )
        return await self._closest(ids, shared, video, count)

    def _in_same_categories(self, viewer: Viewer, video: Video) -> Select[Any]:
        """The newest videos of each of a video's categories, by the index of video_category."""
        mine = video_category.alias("mine")
        newest = (
            select(video_category.c.video_id.label("id"))
            .join(Video, Video.id == video_category.c.video_id)
            .where(video_category.c.category_id == mine.c.category_id, visible_to(viewer))
            .order_by(video_category.c.shown_at.desc(), video_category.c.video_id.desc())
            .limit(RELATED_CONSIDERED)
            .lateral("newest")
        )
        return (
            select(newest.c.id)
            .select_from(mine.join(newest, true()))
            .where(mine.c.video_id == video.id)
        )

    async def _closest(
        self, ids: list[Select[Any]], shared: ColumnElement[int], video: Video, count: int
    ) -> list[VideoRow]:
        same_author = and_(Video.author == video.author, Video.author != "")
        closeness = (
            shared * 3
            + cast(same_author, Integer) * 4
            + cast(Video.genre == video.genre, Integer) * 2
        )
        found = await self.session.execute(
            select_videos()
            .where(Video.id.in_(ids[0].union(*ids[1:])), Video.id != video.id)
            .order_by(closeness.desc(), Video.popularity.desc(), Video.id.desc())
            .limit(count)
        )
        return [VideoRow(*row) for row in found]

    async def locked(self, video_id: int) -> Video | None:
        """Lock the row (FOR UPDATE) until the transaction ends."""
        found: Video | None = await self.session.scalar(
            select(Video)
            .where(Video.id == video_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def locked_many(self, ids: Sequence[int]) -> list[Video]:
        """Lock the rows in the order of their ids, which prevents deadlocks."""
        found = await self.session.scalars(
            select(Video)
            .where(Video.id.in_(ids))
            .order_by(Video.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return list(found)

    async def has_poster_in(self, folder: str) -> bool:
        """Whether an editor's poster is in this folder of the storage."""
        return await self.exists(
            Video.poster.startswith(f"{OWN_POSTERS}/"), Video.poster.startswith(f"{folder}/")
        )

    async def known_categories(self, category_ids: Sequence[int]) -> list[int]:
        """Filter the categories that exist."""
        found = await self.session.scalars(
            select(Category.id).where(Category.id.in_(category_ids)).order_by(Category.id)
        )
        return list(found)

    async def set_categories(self, video_id: int, category_ids: Sequence[int]) -> int:
        """Replace a video's categories; return how many of them exist."""
        await self.session.execute(
            delete(video_category).where(video_category.c.video_id == video_id)
        )
        chosen = select(literal(video_id), Category.id, func.now()).where(
            Category.id.in_(category_ids)
        )
        done = await self.session.execute(
            insert(video_category)
            .from_select(["video_id", "category_id", "shown_at"], chosen)
            .returning(video_category.c.category_id)
        )
        return len(done.all())

    async def scheduled(self) -> list[tuple[int, datetime | None]]:
        """List scheduled videos with their time of publication."""
        found = await self.session.execute(
            select(Video.id, Video.published_at).where(Video.published_at > func.now())
        )
        return [(video_id, at) for video_id, at in found]

    async def deleted_before(self, span: timedelta, count: int) -> list[int]:
        """List videos whose soft delete is older than `span`."""
        found = await self.session.scalars(
            select(Video.id)
            .where(Video.deleted_at < func.now() - span)
            .order_by(Video.deleted_at)
            .limit(count)
        )
        return list(found)

    async def count_by_state(self) -> dict[str, int]:
        rows = await self.session.execute(
            select(Video.state, func.count())
            .where(Video.deleted_at.is_(None))
            .group_by(Video.state)
        )
        return {state.value: count for state, count in rows}
