"""The places of videos in series."""

from sqlalchemy import ColumnElement, ScalarSelect, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.sql.selectable import LateralFromClause

from videoflix.catalog.models import Episode, Series, Video
from videoflix.catalog.repository.visibility import series_published_for, visible_to
from videoflix.profiles.schemas import Viewer

Column = InstrumentedAttribute[int] | ColumnElement[int]


def place_of_video(viewer: Viewer) -> ScalarSelect[dict[str, object]]:
    """Subquery for a video's place in a series the viewer can see, as JSON."""
    place = func.json_build_object(
        "series_id", Series.id,
        "series_title", Series.title,
        "season", Episode.season,
        "number", Episode.number,
    )  # fmt: skip
    return (
        select(place)
        .select_from(Episode)
        .join(Series, Series.id == Episode.series_id)
        .where(Episode.video_id == Video.id, series_published_for(viewer))
        .correlate(Video)
        .scalar_subquery()
    )


def next_visible(
    viewer: Viewer,
    series_id: Column,
    season: Column,
    number: Column,
) -> LateralFromClause:
    """LATERAL subquery for the first visible episode after a place, across seasons.

    One range scan of the unique index on (series_id, season, number).
    """
    after = aliased(Episode)
    return (
        select(after.video_id, after.series_id, after.season, after.number, Series.title)
        .join(Video, Video.id == after.video_id)
        .join(Series, Series.id == after.series_id)
        .where(
            after.series_id == series_id,
            tuple_(after.season, after.number) > tuple_(season, number),
            visible_to(viewer),
            series_published_for(viewer),
        )
        .order_by(after.season, after.number)
        .limit(1)
        .lateral("following")
    )
