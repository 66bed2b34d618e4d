"""The visibility rule: which videos and series a viewer can see."""

from sqlalchemy import (
    ColumnElement,
    and_,
    func,
    select,
    true,
)

from videoflix.catalog.models import Audience, Episode, Series, Video
from videoflix.profiles.schemas import Viewer


def visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """Condition for the videos that a viewer can see.

    Editors see all that are not deleted. Others see videos that are playable and published, whose
    audience includes them, and whose age rating their profile allows.
    """
    if viewer.is_editor:
        return Video.deleted_at.is_(None)
    audiences = [Audience.EVERYONE, *([Audience.MEMBERS] if viewer.member else [])]
    return and_(
        Video.deleted_at.is_(None),
        Video.playable,
        Video.published_at <= func.now(),
        Video.age_rating <= viewer.max_age,
        Video.audience.in_(audiences),
    )


def series_published_for(viewer: Viewer) -> ColumnElement[bool]:
    """Condition for the series whose publication and audience include a viewer."""
    if viewer.is_editor:
        return true()
    audiences = [Audience.EVERYONE, *([Audience.MEMBERS] if viewer.member else [])]
    return and_(Series.published_at <= func.now(), Series.audience.in_(audiences))


def series_visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """Condition for the series that a viewer can see.

    Others than editors see those with an episode that they can see: a series says nothing about
    titles that are hidden from them.
    """
    if viewer.is_editor:
        return true()
    episode = (
        select(Episode.id)
        .join(Video, Video.id == Episode.video_id)
        .where(Episode.series_id == Series.id, visible_to(viewer))
        .correlate(Series)
        .exists()
    )
    return and_(series_published_for(viewer), episode)
