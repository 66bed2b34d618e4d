"""The one rule of who sees which video."""

import base64
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    String,
    and_,
    cast,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from videoflix.catalog.models import Audience, Category, Subtitle, Video, VideoState, video_category
from videoflix.catalog.schemas import Ordering, Publication
from videoflix.profiles.schemas import Viewing


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What films of a list have in common; None leaves it open. A category is an id or a slug."""

    category: str | None = None
    genre: str | None = None
    language: str | None = None
    featured: bool | None = None
    year: int | None = None
    uploaded_by: int | None = None
    created_after: datetime | None = None
    state: VideoState | None = None
    publication: Publication | None = None


class Listed(NamedTuple):
    """A film with its categories and subtitles, as JSON, and what its list is sorted by."""

    video: Video
    categories: list[dict[str, Any]] | None
    subtitles: list[dict[str, Any]] | None
    key: Any = None


class Cursor(msgspec.Struct, array_like=True):
    """The last film of a page: where the next one begins."""

    ordering: Ordering
    value: Any
    id: int

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


class CursorBroken(ValueError):
    """The cursor was not made by a list with this ordering."""


def read_cursor(text: str, ordering: Ordering) -> Cursor:
    """Raises CursorBroken."""
    kinds: dict[Ordering, Any] = {
        Ordering.NEWEST: datetime,
        Ordering.OLDEST: datetime,
        Ordering.TITLE: str,
        Ordering.DURATION: float,
    }
    try:
        raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        cursor = msgspec.json.decode(raw, type=Cursor)
        value = msgspec.convert(cursor.value, kinds.get(ordering, int))
    except (ValueError, msgspec.DecodeError) as error:
        raise CursorBroken from error
    if cursor.ordering is not ordering or not 0 < cursor.id < 2**63:
        raise CursorBroken
    return Cursor(ordering, value, cursor.id)


def visible_to(viewing: Viewing) -> ColumnElement[bool]:
    """The one rule of who sees which film.

    Editors see all that is not deleted; everybody else what plays, is published by now, is meant
    for them, and is rated no higher than their profile allows.
    """
    if viewing.is_editor:
        return Video.deleted_at.is_(None)
    audiences = [Audience.EVERYONE, *([Audience.MEMBERS] if viewing.member else [])]
    return and_(
        Video.deleted_at.is_(None),
        Video.playable,
        Video.published_at <= func.now(),
        Video.age_rating <= viewing.max_age,
        Video.audience.in_(audiences),
    )


def matching(viewing: Viewing, filters: Filters) -> list[ColumnElement[bool]]:
    """Conditions of a list; without a category, which is a join."""
    deleted = filters.publication is Publication.DELETED and viewing.is_editor
    conditions = [Video.deleted_at.is_not(None) if deleted else visible_to(viewing)]
    equal = {
        Video.genre: filters.genre,
        Video.language: filters.language,
        Video.release_year: filters.year,
        Video.uploaded_by: filters.uploaded_by,
        Video.state: filters.state,
    }
    conditions += [column == value for column, value in equal.items() if value is not None]
    if filters.featured is not None:
        conditions.append(Video.featured.is_(filters.featured))
    if filters.created_after is not None:
        conditions.append(Video.created_at >= filters.created_after)
    published: dict[Publication | None, ColumnElement[bool]] = {
        Publication.DRAFT: Video.published_at.is_(None),
        Publication.SCHEDULED: Video.published_at > func.now(),
        Publication.PUBLISHED: Video.published_at <= func.now(),
    }
    if filters.publication in published:
        conditions.append(published[filters.publication])
    return conditions


def category_id_of(named: str) -> ScalarSelect[int]:
    """The id of a category that is named by its id or its slug."""
    return (
        select(Category.id)
        .where(or_(Category.slug == named, cast(Category.id, String) == named))
        .limit(1)
        .scalar_subquery()
    )


class Order(NamedTuple):
    """What a list is sorted by, what settles ties, and whether the largest comes first."""

    key: ColumnElement[Any]
    number: ColumnElement[int]
    down: bool

    def sort(self, statement: Select[Any]) -> Select[Any]:
        if self.down:
            return statement.order_by(self.key.desc(), self.number.desc())
        return statement.order_by(self.key.asc(), self.number.asc())

    def after(self, cursor: Cursor) -> ColumnElement[bool]:
        """What comes after the cursor's film: one comparison of rows, so an index serves it."""
        here, there = tuple_(self.key, self.number), tuple_(cursor.value, cursor.id)
        return here < there if self.down else here > there


def in_order(ordering: Ordering, *, by_category: bool) -> Order:
    """How a list is sorted; a category's by the columns of its own index."""
    shelf = video_category.c
    shown = shelf.shown_at if by_category else Video.shown_at
    number: Any = shelf.video_id if by_category else Video.id
    columns: dict[Ordering, tuple[Any, bool]] = {
        Ordering.NEWEST: (shown, True),
        Ordering.OLDEST: (shown, False),
        Ordering.TITLE: (Video.title_key, False),
        Ordering.DURATION: (Video.duration, True),
        Ordering.MOST_WATCHED: (Video.popularity, True),
        Ordering.BEST_VOTED: (Video.score, True),
    }
    key, down = columns[ordering]
    return Order(key, number, down)


def cursor_after(last: Listed, ordering: Ordering) -> str:
    """The cursor of a list whose last film this is."""
    return Cursor(ordering, last.key, last.video.id).encode()


def categories_of_video() -> ScalarSelect[Any]:
    """A film's categories as JSON, in their order."""
    entry = func.json_build_object("id", Category.id, "name", Category.name, "slug", Category.slug)
    return (
        select(func.json_agg(aggregate_order_by(entry, Category.position, Category.id)))
        .select_from(video_category)
        .join(Category, Category.id == video_category.c.category_id)
        .where(video_category.c.video_id == Video.id)
        .correlate(Video)
        .scalar_subquery()
    )


def subtitles_of_video() -> ScalarSelect[Any]:
    """A film's subtitles as JSON, without their text."""
    entry = func.json_build_object("language", Subtitle.language, "label", Subtitle.label)
    return (
        select(func.json_agg(aggregate_order_by(entry, Subtitle.language)))
        .where(Subtitle.video_id == Video.id)
        .correlate(Video)
        .scalar_subquery()
    )


def listed() -> Select[Any]:
    """Films with what a list shows of them, in one query."""
    return select(Video, categories_of_video(), subtitles_of_video())
