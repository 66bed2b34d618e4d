"""SQL of the list to continue watching: unfinished videos and next episodes."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Subquery,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from videoflix.catalog.models import Episode
from videoflix.catalog.service import next_visible
from videoflix.library.models import WatchState
from videoflix.profiles.schemas import Viewer

# Next episodes are looked for after so many of the finished videos, the latest ones.
CONSIDERED = 200


class Continued(NamedTuple):
    """A video to continue with; `series_id` tells that it is the next episode, not yet begun."""

    client_at: datetime
    video_id: int
    seconds: float
    series_id: int | None


class ContinueRepository:
    """What a profile can continue with."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def to_continue(self, viewer: Viewer, limit: int, offset: int) -> list[Continued]:
        """Select unfinished videos and next episodes, latest first, in one statement.

        The next visible episode of a series is offered where the last one watched is finished, as
        long as it has not been begun. CONSIDERED bounds the number of finished videos.
        """
        mine = WatchState.profile_id == viewer.profile_id
        begun = select(
            WatchState.client_at,
            WatchState.video_id,
            WatchState.seconds,
            null().cast(BigInteger).label("series_id"),
        ).where(mine, WatchState.finished.is_(False), WatchState.seconds > 0)
        finished = (
            select(WatchState.video_id, WatchState.client_at)
            .where(mine, WatchState.finished)
            .order_by(WatchState.client_at.desc())
            .limit(CONSIDERED)
            .subquery()
        )
        place = aliased(Episode)
        latest = (
            select(finished.c.client_at, place.series_id, place.season, place.number)
            .join(place, place.video_id == finished.c.video_id)
            .ext(distinct_on(place.series_id))
            .order_by(place.series_id, finished.c.client_at.desc())
            .subquery()
        )
        following = next_visible(viewer, latest.c.series_id, latest.c.season, latest.c.number)
        nexts = (
            select(latest.c.client_at, following.c.video_id, literal(0.0), following.c.series_id)
            .select_from(latest.join(following, true()))
            .where(~_is_begun(viewer, following.c.video_id), ~_is_left(viewer, latest))
        )
        found = union_all(begun, nexts).subquery()
        rows = await self.session.execute(
            select(found).order_by(found.c.client_at.desc()).limit(limit).offset(offset)
        )
        return [Continued(*row) for row in rows]


def _is_begun(viewer: Viewer, video_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the profile has watched a part of the video, or all of it."""
    state = aliased(WatchState)
    return (
        select(state.id)
        .where(
            state.profile_id == viewer.profile_id,
            state.video_id == video_id,
            or_(state.finished, state.seconds > 0),
        )
        .exists()
    )


def _is_left(viewer: Viewer, latest: Subquery) -> ColumnElement[bool]:
    """Whether another episode of the series was begun after its last finished one."""
    state, other = aliased(WatchState), aliased(Episode)
    return (
        select(state.id)
        .join(other, other.video_id == state.video_id)
        .where(
            state.profile_id == viewer.profile_id,
            state.finished.is_(False),
            state.seconds > 0,
            state.client_at > latest.c.client_at,
            other.series_id == latest.c.series_id,
        )
        .exists()
    )
