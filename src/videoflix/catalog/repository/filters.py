"""Conditions of a list of videos."""

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, ScalarSelect, String, cast, func, or_, select

from videoflix.catalog.models import Category, Video, VideoState
from videoflix.catalog.repository.visibility import visible_to
from videoflix.catalog.schemas import Publication
from videoflix.profiles.schemas import Viewer


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Filters of a list of videos; None does not filter. `category` is an id or a slug."""

    category: str | None = None
    genre: str | None = None
    language: str | None = None
    featured: bool | None = None
    year: int | None = None
    uploaded_by: int | None = None
    created_after: datetime | None = None
    state: VideoState | None = None
    publication: Publication | None = None


def matching(viewer: Viewer, filters: Filters) -> list[ColumnElement[bool]]:
    """Build the WHERE conditions, except for the category, which needs a join."""
    deleted = filters.publication is Publication.DELETED and viewer.is_editor
    conditions = [Video.deleted_at.is_not(None) if deleted else visible_to(viewer)]
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
    """Subquery for the id of a category, given its id or slug."""
    return (
        select(Category.id)
        .where(or_(Category.slug == named, cast(Category.id, String) == named))
        .limit(1)
        .scalar_subquery()
    )
