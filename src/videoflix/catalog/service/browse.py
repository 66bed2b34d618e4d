"""Lists, categories and search."""

import re
import unicodedata
from typing import ClassVar

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Category
from videoflix.catalog.payloads import DeletePicture
from videoflix.catalog.repository.categories import CategoryRepository
from videoflix.catalog.repository.cursor import InvalidCursor, cursor_after, read_cursor
from videoflix.catalog.repository.filters import Filters
from videoflix.catalog.repository.rows import VideoRow
from videoflix.catalog.repository.search import RANKED, SearchRepository
from videoflix.catalog.repository.videos import COUNTED, VideoRepository
from videoflix.catalog.schemas import (
    Ordering,
    SubtitleHit,
    Suggestion,
    VideoPage,
    VideoRead,
)
from videoflix.catalog.service.catalog import VideoNotFound, publish_catalog_change
from videoflix.platform.postgres.session import violated
from videoflix.platform.problems import Conflict, InvalidInput, NotFound
from videoflix.platform.queue import enqueue
from videoflix.profiles.schemas import Viewer

OFFSET_MAX = 10_000


class CategoryNotFound(NotFound):
    """There is no such category."""


class CategoryTaken(Conflict):
    """Another category has this name."""


class CategoryInUse(Conflict):
    """The category has videos: name the category to move them to in `move_to`."""


class CursorInvalid(InvalidInput):
    """The cursor is invalid, or belongs to another list."""

    slug: ClassVar[str] = "cursor-refused"


class OffsetTooLarge(InvalidInput):
    """The offset is too large: follow `next_cursor` instead."""


class Browse:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.videos = VideoRepository(session=session)
        self.search = SearchRepository(session)
        self.categories = CategoryRepository(session=session)

    async def page(
        self, viewer: Viewer, filters: Filters, ordering: Ordering, page: LimitOffset
    ) -> VideoPage:
        """Return a page by offset. Raises CategoryNotFound or OffsetTooLarge."""
        if page.offset > OFFSET_MAX:
            raise OffsetTooLarge
        found = await self.videos.page(viewer, filters, ordering, page)
        total = page.offset + len(found)
        if len(found) > page.limit or not found:
            total = await self.videos.count_limited(viewer, filters)
        await self._check_category(filters, found)
        shown = _page(viewer, found, ordering, page)
        shown.total, shown.offset = min(total, COUNTED), page.offset
        shown.total_is_minimum = total > COUNTED
        return shown

    async def count(self, viewer: Viewer) -> int:
        """Count the videos the viewer can see, exactly."""
        return await self.videos.count_all(viewer)

    async def next_page(
        self, viewer: Viewer, filters: Filters, ordering: Ordering, cursor: str, limit: int
    ) -> VideoPage:
        """Return the page after a cursor; an empty one is the first page. Raises CursorInvalid."""
        try:
            after = read_cursor(cursor, ordering) if cursor else None
        except InvalidCursor as error:
            raise CursorInvalid from error
        page = LimitOffset(limit, 0)
        found = await self.videos.page(viewer, filters, ordering, page, after)
        await self._check_category(filters, found)
        return _page(viewer, found, ordering, page)

    async def search_videos(
        self, viewer: Viewer, words: str, filters: Filters, page: LimitOffset
    ) -> VideoPage:
        """Search videos, ordered by rank; without results, retry with corrected spelling."""
        if page.offset > RANKED:
            raise OffsetTooLarge
        forms = await self.search.forms(words)
        result = await self.search.page(viewer, forms, filters, page)
        corrected = None
        if not result.rows and page.offset == 0:
            await self._check_category(filters, [])
            corrected = await self.search.corrected(words)
            if corrected:
                forms = await self.search.forms(corrected)
                result = await self.search.page(viewer, forms, filters, page)
        spoken = [row.video.id for row in result.rows if row.subtitles]
        hits = await self.search.hits(forms, spoken) if spoken else {}
        return VideoPage(
            items=[_to_read(viewer, row, hits.get(row.video.id)) for row in result.rows],
            total=min(result.total, RANKED),
            limit=page.limit,
            offset=page.offset,
            total_is_minimum=result.total >= RANKED,
            corrected=corrected if result.rows else None,
        )

    async def suggest(self, viewer: Viewer, typed: str, count: int) -> list[Suggestion]:
        """Suggest titles for a prefix; without any, retry with corrected spelling."""
        found = await self.search.suggest(viewer, typed, count)
        if not found and len(typed) > 3:
            corrected = await self.search.corrected(typed)
            found = await self.search.suggest(viewer, corrected, count) if corrected else []
        return found

    async def by_category(
        self, viewer: Viewer, count: int
    ) -> list[tuple[Category, list[VideoRead]]]:
        """List every category with its newest videos."""
        by_id: dict[int, tuple[Category, list[VideoRead]]] = {}
        for category, row in await self.videos.by_category(viewer, count):
            _, videos = by_id.setdefault(category.id, (category, []))
            if row is not None:
                videos.append(_to_read(viewer, row))
        return list(by_id.values())

    async def related(self, viewer: Viewer, video_id: int, count: int) -> list[VideoRead]:
        """List similar videos. Raises VideoNotFound."""
        video = await self.videos.seen_by(viewer, video_id)
        if video is None:
            raise VideoNotFound
        return [_to_read(viewer, row) for row in await self.videos.related(viewer, video, count)]

    async def category(self, named: str) -> Category:
        """Find a category by id or slug. Raises CategoryNotFound."""
        found = await self.categories.by_id_or_slug(named)
        if found is None:
            raise CategoryNotFound
        return found

    async def add_category(self, name: str, slug: str, position: int | None) -> Category:
        """Raises CategoryTaken."""
        if position is None:
            position = await self.categories.next_position()
        category = Category(name=name, slug=slug or slug_of(name), position=position)
        try:
            async with self.session.begin_nested():
                self.session.add(category)
        except SQLAlchemyError as error:
            raise _taken(error) from error
        await publish_catalog_change(self.session)
        return category

    async def change_category(self, named: str, fields: dict[str, object]) -> Category:
        """Raises CategoryNotFound or CategoryTaken."""
        category = await self.category(named)
        try:
            async with self.session.begin_nested():
                for name, value in fields.items():
                    setattr(category, name, value)
        except SQLAlchemyError as error:
            raise _taken(error) from error
        await publish_catalog_change(self.session)
        return category

    async def show_picture(self, named: str, key: str) -> None:
        """Set a category's picture; the previous one is deleted after the commit.

        Raises CategoryNotFound.
        """
        previous = (await self.category(named)).picture
        await self.change_category(named, {"picture": key})
        if previous:
            await enqueue(self.session, DeletePicture(key=previous))

    async def remove_category(self, named: str, move_to: str | None) -> None:
        """Delete a category; its picture is deleted after the commit.

        Raises CategoryNotFound, or CategoryInUse when it has videos and `move_to` is None.
        """
        category = await self.category(named)
        if move_to is not None:
            there = await self.category(move_to)
            if there.id != category.id:
                await self.categories.move_videos(category.id, there.id)
        if await self.categories.is_used(category.id):
            raise CategoryInUse
        if category.picture:
            await enqueue(self.session, DeletePicture(key=category.picture))
        await self.categories.delete(category.id)
        await publish_catalog_change(self.session)

    async def _check_category(self, filters: Filters, found: list[VideoRow]) -> None:
        if not found and filters.category is not None:
            await self.category(filters.category)


def slug_of(name: str) -> str:
    """Derive a slug from a name: ASCII letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:100] or "category"


def _page(
    viewer: Viewer, found: list[VideoRow], ordering: Ordering, page: LimitOffset
) -> VideoPage:
    """Cut the extra row off, which tells that there is a next page."""
    shown, more = found[: page.limit], len(found) > page.limit
    return VideoPage(
        items=[_to_read(viewer, row) for row in shown],
        total=None,
        limit=page.limit,
        offset=None,
        next_cursor=cursor_after(shown[-1], ordering) if more else None,
    )


def _to_read(viewer: Viewer, row: VideoRow, hits: list[SubtitleHit] | None = None) -> VideoRead:
    return VideoRead.of(*row[:3], hits, for_editors=viewer.is_editor)


def _taken(error: SQLAlchemyError) -> Exception:
    is_taken = violated(error) in {"uq_category_name", "uq_category_slug"}
    return CategoryTaken() if is_taken else error
