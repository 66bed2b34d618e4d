"""The visibility rule: which videos a viewer can see."""

from sqlalchemy import (
    ColumnElement,
    and_,
    func,
)

from videoflix.catalog.models import Audience, Video
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
