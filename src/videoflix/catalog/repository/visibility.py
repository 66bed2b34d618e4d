"""The one rule of who sees which video."""

from sqlalchemy import (
    ColumnElement,
    and_,
    func,
)

from videoflix.catalog.models import Audience, Video
from videoflix.profiles.schemas import Viewer


def visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """The one rule of who sees which film.

    Editors see all that is not deleted; everybody else what plays, is published by now, is meant
    for them, and is rated no higher than their profile allows.
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
