"""The columns that lists of videos select: categories and subtitles in the same query."""

from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from videoflix.catalog.models import Category, Chapter, Subtitle, Video, video_category


class VideoRow(NamedTuple):
    """A video with its categories and subtitles as JSON, and the value of the sort column.

    Only single videos have their chapters, and their place in a series, as JSON.
    """

    video: Video
    categories: list[dict[str, Any]] | None
    subtitles: list[dict[str, Any]] | None
    key: Any = None
    chapters: list[dict[str, Any]] | None = None
    place: dict[str, Any] | None = None


def categories_of_video() -> ScalarSelect[Any]:
    """Subquery for a video's categories as JSON, ordered by `position`."""
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
    """Subquery for a video's subtitle tracks as JSON, without their text."""
    entry = func.json_build_object("language", Subtitle.language, "label", Subtitle.label)
    return (
        select(func.json_agg(aggregate_order_by(entry, Subtitle.language)))
        .where(Subtitle.video_id == Video.id)
        .correlate(Video)
        .scalar_subquery()
    )


def chapters_of_video() -> ScalarSelect[Any]:
    """Subquery for a video's chapters as JSON."""
    entry = func.json_build_object(
        "title", Chapter.title, "start", Chapter.start, "end", Chapter.end
    )
    return (
        select(func.json_agg(aggregate_order_by(entry, Chapter.start)))
        .where(Chapter.video_id == Video.id)
        .correlate(Video)
        .scalar_subquery()
    )


def select_videos() -> Select[Any]:
    """Select videos with their categories and subtitles."""
    return select(Video, categories_of_video(), subtitles_of_video())
