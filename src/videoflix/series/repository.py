"""SQL of series, seasons and episodes."""

from collections.abc import Sequence
from typing import Any

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import (
    BigInteger,
    Row,
    Select,
    Text,
    cast,
    delete,
    func,
    join,
    literal,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import defer

from videoflix.catalog.models import Episode, Season, Series, Video
from videoflix.catalog.service import next_visible, series_visible_to, visible_to
from videoflix.library.models import WatchState
from videoflix.profiles.schemas import Viewer
from videoflix.series.schemas import SeriesCursor

SUMMARY = 300
# In a LIKE pattern, these stand for other text or escape it.
LITERALLY = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


def with_first_episode(viewer: Viewer) -> Select[Series, Video]:
    """Select series with the first episode that the viewer can see."""
    first = (
        select(Episode.video_id)
        .join(Video, Video.id == Episode.video_id)
        .where(Episode.series_id == Series.id, visible_to(viewer))
        .order_by(Episode.season, Episode.number)
        .limit(1)
        .lateral("first")
    )
    return (
        select(Series, Video)
        .select_from(Series)
        .outerjoin(first, true())
        .outerjoin(Video, Video.id == first.c.video_id)
    )


class SeriesRepository(SQLAlchemyAsyncRepository[Series]):
    """Series; reads apply the visibility rule of the viewer."""

    model_type = Series

    async def page(
        self, viewer: Viewer, words: str, after: SeriesCursor | None, limit: int
    ) -> list[tuple[Series, Video | None]]:
        """Select a page by title, plus one row if there is a next page."""
        statement = with_first_episode(viewer).where(series_visible_to(viewer))
        if words:
            plain = func.videoflix_plain(cast(words.translate(LITERALLY), Text))
            statement = statement.where(Series.title_key.like(func.concat("%", plain, "%")))
        if after is not None:
            here = tuple_(Series.title_key, Series.id)
            statement = statement.where(here > tuple_(literal(after.title_key), literal(after.id)))
        found = await self.session.execute(
            statement.order_by(Series.title_key, Series.id).limit(limit + 1)
        )
        return [(row[0], row[1]) for row in found]

    async def visible(self, viewer: Viewer, series_id: int) -> Series | None:
        return await self.get_one_or_none(Series.id == series_id, series_visible_to(viewer))

    async def seasons(
        self, viewer: Viewer, series_id: int
    ) -> Sequence[Row[Season, Episode, Video, str, WatchState]]:
        """Select all seasons with the visible episodes and the profile's positions, in order."""
        shown = (
            select(Episode.id)
            .join(Video, Video.id == Episode.video_id)
            .where(Episode.series_id == series_id, visible_to(viewer))
        )
        mine = (WatchState.video_id == Episode.video_id) & (
            WatchState.profile_id == viewer.profile_id
        )
        found = await self.session.execute(
            select(Season, Episode, Video, func.left(Video.description, SUMMARY), WatchState)
            .select_from(Season)
            .outerjoin(
                Episode,
                (Episode.series_id == Season.series_id)
                & (Episode.season == Season.number)
                & Episode.id.in_(shown),
            )
            .outerjoin(Video, Video.id == Episode.video_id)
            .outerjoin(WatchState, mine)
            .where(Season.series_id == series_id)
            .order_by(Season.number, Episode.number)
            .options(defer(Video.description))
        )
        return found.all()

    async def next_after(self, viewer: Viewer, video_id: int) -> Row[Any] | None:
        """Select video, series, season, number and series title of the next episode."""
        following = next_visible(viewer, Episode.series_id, Episode.season, Episode.number)
        found = await self.session.execute(
            select(*following.c)
            .select_from(join(Episode, following, true()))
            .where(Episode.video_id == video_id)
        )
        return found.one_or_none()

    async def locked(self, series_id: int) -> Series | None:
        """Lock the row, so that changes of its seasons take turns."""
        found: Series | None = await self.session.scalar(
            select(Series)
            .where(Series.id == series_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def put_season(self, series_id: int, number: int, title: str | None) -> None:
        """Upsert a season; without a title, an existing one keeps its own."""
        season = insert(Season).values(
            series_id=series_id,
            number=number,
            title=title or "",
            created_at=func.now(),
            updated_at=func.now(),
        )
        unique = [Season.series_id, Season.number]
        if title is None:
            await self.session.execute(season.on_conflict_do_nothing(index_elements=unique))
            return
        await self.session.execute(
            season.on_conflict_do_update(
                index_elements=unique, set_={"title": title, "updated_at": func.now()}
            )
        )

    async def put_episode(self, series_id: int, video_id: int, season: int, number: int) -> bool:
        """Upsert the place of a video; False if it belongs to another series."""
        place = insert(Episode).values(
            video_id=video_id,
            series_id=series_id,
            season=season,
            number=number,
            created_at=func.now(),
            updated_at=func.now(),
        )
        put = await self.session.scalar(
            place.on_conflict_do_update(
                index_elements=[Episode.video_id],
                set_={"season": season, "number": number, "updated_at": func.now()},
                where=Episode.series_id == series_id,
            ).returning(Episode.id)
        )
        return put is not None

    async def count_episodes(self, series_id: int) -> int:
        counted = select(func.count()).where(Episode.series_id == series_id)
        return await self.session.scalar(counted) or 0

    async def remove_episode(self, series_id: int, video_id: int) -> bool:
        gone = await self.session.scalar(
            delete(Episode)
            .where(Episode.series_id == series_id, Episode.video_id == video_id)
            .returning(Episode.id)
        )
        return gone is not None

    async def remove_season(self, series_id: int, number: int) -> bool:
        gone = await self.session.scalar(
            delete(Season)
            .where(Season.series_id == series_id, Season.number == number)
            .returning(Season.id)
        )
        return gone is not None

    async def in_season(self, series_id: int, number: int) -> set[int]:
        found = await self.session.scalars(
            select(Episode.video_id).where(Episode.series_id == series_id, Episode.season == number)
        )
        return set(found)

    async def reorder(self, series_id: int, number: int, video_ids: list[int]) -> None:
        """Number the episodes of a season from 1, in one statement."""
        order = func.array_position(cast(video_ids, ARRAY(BigInteger)), Episode.video_id)
        await self.session.execute(
            update(Episode)
            .where(Episode.series_id == series_id, Episode.season == number)
            .values(number=order, updated_at=func.now())
            .execution_options(synchronize_session=False)
        )

    async def set_markers(self, video_id: int, markers: dict[str, float | None]) -> None:
        await self.session.execute(update(Video).where(Video.id == video_id).values(**markers))
