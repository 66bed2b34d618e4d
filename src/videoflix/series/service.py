"""Use cases of series."""

from typing import ClassVar

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Episode, Series, Video
from videoflix.catalog.schemas import poster_url
from videoflix.catalog.service import (
    Catalog,
    EpisodePlace,
    Markers,
    publish_catalog_change,
    topic_for,
)
from videoflix.library.models import WatchState
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction_time, violated
from videoflix.platform.problems import Conflict, InvalidInput, NotFound
from videoflix.profiles.schemas import Viewer
from videoflix.series.repository import SeriesRepository
from videoflix.series.schemas import (
    EpisodePut,
    EpisodeRead,
    NextEpisode,
    SeasonRead,
    SeriesCreate,
    SeriesCursor,
    SeriesDetail,
    SeriesPage,
    SeriesRead,
    SeriesUpdate,
)

EPISODES_MAX = 10_000


class SeriesNotFound(NotFound):
    """This series doesn't exist or isn't available to you."""


class SeasonNotFound(NotFound):
    """The series has no such season."""


class EpisodeNotFound(NotFound):
    """This video is not an episode of the series."""


class PlaceTaken(Conflict):
    """Another episode has this number in the season: choose another one, or reorder the season."""


class InAnotherSeries(Conflict):
    """This video is an episode of another series: remove it there first."""


class SeriesFull(Conflict):
    """A series can have at most 10,000 episodes."""


class OrderIncomplete(Conflict):
    """The order must name every video of the season once: read the season again."""


class SeriesCursorInvalid(InvalidInput):
    """The cursor is invalid: start again without one."""

    slug: ClassVar[str] = "series-cursor-invalid"


class MarkersInvalid(InvalidInput):
    """`intro_start` and `intro_end` belong together, and the end must be after the start."""

    slug: ClassVar[str] = "markers-invalid"


class SeriesCatalog:
    """Series as viewers see them."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.series = SeriesRepository(session=session)
        self.catalog = Catalog(session)

    async def page(self, viewer: Viewer, words: str, cursor: str, limit: int) -> SeriesPage:
        """List series by title. Raises SeriesCursorInvalid."""
        try:
            after = SeriesCursor.decode(cursor) if cursor else None
        except ValueError as error:
            raise SeriesCursorInvalid from error
        found = await self.series.page(viewer, words.strip(), after, limit)
        items = [SeriesRead.of(one, poster_url(first) if first else None) for one, first in found]
        last = found[limit - 1][0] if len(found) > limit else None
        following = SeriesCursor(last.title_key, last.id).encode() if last else None
        return SeriesPage(items[:limit], following)

    async def read(self, viewer: Viewer, series_id: int) -> SeriesDetail:
        """Read a series with all seasons and visible episodes. Raises SeriesNotFound."""
        series = await self.series.visible(viewer, series_id)
        if series is None:
            raise SeriesNotFound
        seasons: dict[int, SeasonRead] = {}
        for season, episode, video, summary, state in await self.series.seasons(viewer, series_id):
            shown = seasons.setdefault(season.number, SeasonRead(season.number, season.title, []))
            if episode is not None and video is not None:
                shown.episodes.append(_episode(episode, video, summary, state))
        # A season without a visible episode is news only for editors.
        listed = [one for one in seasons.values() if one.episodes or viewer.is_editor]
        posters = [one.poster_url for season in listed for one in season.episodes]
        detail = SeriesDetail.of(series, posters[0] if posters else None)
        detail.seasons = listed
        return detail

    async def next_episode(self, viewer: Viewer, video_id: int) -> NextEpisode:
        """Find the next visible episode, across seasons. Raises VideoNotFound."""
        await self.catalog.video(viewer, video_id)
        found = await self.series.next_after(viewer, video_id)
        if found is None:
            return NextEpisode(None, None)
        place = EpisodePlace(found.series_id, found.title, found.season, found.number)
        return NextEpisode(found.video_id, place)


class SeriesEditing:
    """Changes to series, by editors."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.series = SeriesRepository(session=session)
        self.catalog = Catalog(session)

    async def add(self, draft: SeriesCreate) -> int:
        series = Series(title=draft.title, description=draft.description, audience=draft.audience)
        self.session.add(series)
        await self.session.flush()
        if not draft.publish:  # afterwards: None would be inserted as the default
            series.published_at = None
            await self.session.flush()
        return series.id

    async def change(self, series_id: int, change: SeriesUpdate) -> None:
        """Raises SeriesNotFound."""
        series = await self._locked(series_id)
        fields = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET
        }
        publish_it = fields.pop("publish", None)
        for name, value in fields.items():
            setattr(series, name, value)
        if publish_it is False:
            series.published_at = None
        elif publish_it and series.published_at is None:
            series.published_at = await transaction_time(self.session)
        await self._changed()

    async def remove(self, series_id: int) -> None:
        """Delete a series; its videos stay. Raises SeriesNotFound."""
        await self._locked(series_id)
        await self.series.delete(series_id)
        await self._changed()

    async def name_season(self, series_id: int, number: int, title: str) -> None:
        """Upsert a season. Raises SeriesNotFound."""
        await self._locked(series_id)
        await self.series.put_season(series_id, number, title)
        await self._changed()

    async def remove_season(self, series_id: int, number: int) -> None:
        """Delete a season; its videos stay. Raises SeriesNotFound or SeasonNotFound."""
        await self._locked(series_id)
        if not await self.series.remove_season(series_id, number):
            raise SeasonNotFound
        await self._changed()

    async def put_episode(
        self, viewer: Viewer, series_id: int, video_id: int, place: EpisodePut
    ) -> None:
        """Put a video at a place, or move it there within its series.

        Raises SeriesNotFound, VideoNotFound, PlaceTaken, InAnotherSeries or SeriesFull.
        """
        await self._locked(series_id)
        await self.catalog.video(viewer, video_id)
        await self.series.put_season(series_id, place.season, None)
        try:
            async with self.session.begin_nested():
                put = await self.series.put_episode(series_id, video_id, place.season, place.number)
        except SQLAlchemyError as error:
            raise PlaceTaken() if violated(error) == "uq_episode_series_id" else error from error
        if not put:
            raise InAnotherSeries
        if await self.series.count_episodes(series_id) > EPISODES_MAX:
            raise SeriesFull
        await self._changed()

    async def remove_episode(self, series_id: int, video_id: int) -> None:
        """Take a video out of a series. Raises SeriesNotFound or EpisodeNotFound."""
        await self._locked(series_id)
        if not await self.series.remove_episode(series_id, video_id):
            raise EpisodeNotFound
        await self._changed()

    async def reorder(self, series_id: int, number: int, video_ids: list[int]) -> None:
        """Number a season's episodes. Raises SeriesNotFound, SeasonNotFound, OrderIncomplete."""
        await self._locked(series_id)
        known = await self.series.in_season(series_id, number)
        if not known:
            raise SeasonNotFound
        if len(video_ids) != len(known) or set(video_ids) != known:
            raise OrderIncomplete
        await self.series.reorder(series_id, number, video_ids)
        await self._changed()

    async def set_markers(self, viewer: Viewer, video_id: int, markers: Markers) -> None:
        """Raises MarkersInvalid or VideoNotFound."""
        if not markers.are_in_order:
            raise MarkersInvalid
        await self.catalog.video(viewer, video_id)
        await self.series.set_markers(video_id, msgspec.structs.asdict(markers))
        await publish(self.session, topic_for(video_id))

    async def _locked(self, series_id: int) -> Series:
        series = await self.series.locked(series_id)
        if series is None:
            raise SeriesNotFound
        return series

    async def _changed(self) -> None:
        """Details of videos name their series, so cached ones are invalidated."""
        await self.session.flush()
        await publish_catalog_change(self.session)


def _episode(episode: Episode, video: Video, summary: str, state: WatchState | None) -> EpisodeRead:
    return EpisodeRead(
        video_id=video.id,
        number=episode.number,
        title=video.title,
        summary=summary,
        duration=video.duration,
        poster_url=poster_url(video),
        playable=video.playable,
        published_at=video.published_at,
        seconds=0.0 if state is None else state.seconds,
        finished=state is not None and state.finished,
    )
