"""Series over HTTP."""

from typing import Annotated

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.status_codes import HTTP_204_NO_CONTENT

from videoflix.catalog.service import Markers, VideoNotFound
from videoflix.platform.auth.identity import CurrentUser, editors_only, signed_in
from videoflix.platform.http.params import Id, Limit, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.profiles.schemas import unrestricted_viewer
from videoflix.profiles.service import VIEWER_PROBLEMS, current_viewer
from videoflix.series.schemas import (
    EpisodePut,
    NextEpisode,
    SeasonOrder,
    SeasonUpdate,
    SeriesCreate,
    SeriesDetail,
    SeriesPage,
    SeriesUpdate,
)
from videoflix.series.service import (
    EpisodeNotFound,
    InAnotherSeries,
    MarkersInvalid,
    OrderIncomplete,
    PlaceTaken,
    SeasonNotFound,
    SeriesCatalog,
    SeriesCursorInvalid,
    SeriesEditing,
    SeriesFull,
    SeriesNotFound,
)

# Positions are personal, and must not be stored by any cache.
PERSONAL = {"Cache-Control": "private, no-store"}
EDITOR_PROBLEMS = (Unauthorized, Forbidden, SeriesNotFound)
Number = Annotated[int, PathParameter(ge=0, le=1_000, description="Number of the season.")]
Words = Annotated[
    str,
    QueryParameter(
        max_length=200, pattern=r"^[^\x00]*$", description="Part of the title, in any case."
    ),
]
CursorText = Annotated[
    str,
    QueryParameter(
        max_length=1_000,
        pattern=r"^[A-Za-z0-9_-]*(?!\n)$",
        description="`next_cursor` of the page before; empty for the first page.",
    ),
]


class SeriesController(Controller):
    path = "/series"
    tags = ("Series",)
    guards = (signed_in,)
    dependencies = {"catalog": service(SeriesCatalog)}

    @get(summary="List series", responses=problems(*VIEWER_PROBLEMS, SeriesCursorInvalid))
    async def list_series(
        self,
        user: CurrentUser,
        catalog: NamedDependency[SeriesCatalog],
        search: Words = "",
        cursor: CursorText = "",
        limit: Limit = 20,
    ) -> Response[SeriesPage]:
        """List series by title; `search` matches a part of the title."""
        viewer = await current_viewer(user)
        return Response(await catalog.page(viewer, search, cursor, limit), headers=PERSONAL)

    @get(
        "/{series_id:int}",
        summary="Show a series",
        responses=problems(*VIEWER_PROBLEMS, SeriesNotFound),
    )
    async def show_series(
        self, user: CurrentUser, catalog: NamedDependency[SeriesCatalog], series_id: Id
    ) -> Response[SeriesDetail]:
        """Show a series with its seasons, episodes, and where this profile stopped in each."""
        viewer = await current_viewer(user)
        return Response(await catalog.read(viewer, series_id), headers=PERSONAL)


class NextEpisodeController(Controller):
    path = "/videos/{video_id:int}/next"
    tags = ("Series",)
    guards = (signed_in,)
    dependencies = {"catalog": service(SeriesCatalog)}

    @get(summary="Get the next episode", responses=problems(*VIEWER_PROBLEMS, VideoNotFound))
    async def show_next(
        self, user: CurrentUser, catalog: NamedDependency[SeriesCatalog], video_id: Id
    ) -> Response[NextEpisode]:
        """Return the next episode that you can see, across seasons; nulls if there is none."""
        viewer = await current_viewer(user)
        return Response(await catalog.next_episode(viewer, video_id), headers=PERSONAL)


class SeriesEditingController(Controller):
    path = "/series"
    tags = ("Editing",)
    guards = (editors_only,)
    dependencies = {"editing": service(SeriesEditing), "catalog": service(SeriesCatalog)}

    @post(summary="Add a series", responses=problems(Unauthorized, Forbidden))
    async def add_series(
        self,
        user: CurrentUser,
        editing: NamedDependency[SeriesEditing],
        catalog: NamedDependency[SeriesCatalog],
        data: JSONBody[SeriesCreate],
    ) -> SeriesDetail:
        """Add a series without episodes; viewers see it with the first episode they can see."""
        made = await editing.add(data)
        return await catalog.read(unrestricted_viewer(user), made)

    @patch("/{series_id:int}", summary="Update a series", responses=problems(*EDITOR_PROBLEMS))
    async def change_series(
        self,
        user: CurrentUser,
        editing: NamedDependency[SeriesEditing],
        catalog: NamedDependency[SeriesCatalog],
        series_id: Id,
        data: JSONBody[SeriesUpdate],
    ) -> SeriesDetail:
        """Update a series; `publish` publishes it now, or turns it back into a draft."""
        await editing.change(series_id, data)
        return await catalog.read(unrestricted_viewer(user), series_id)

    @delete("/{series_id:int}", summary="Delete a series", responses=problems(*EDITOR_PROBLEMS))
    async def delete_series(self, editing: NamedDependency[SeriesEditing], series_id: Id) -> None:
        """Delete a series with its seasons; its videos stay in the catalogue."""
        await editing.remove(series_id)

    @put(
        "/{series_id:int}/seasons/{number:int}",
        summary="Name a season",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(*EDITOR_PROBLEMS),
    )
    async def name_season(
        self,
        editing: NamedDependency[SeriesEditing],
        series_id: Id,
        number: Number,
        data: JSONBody[SeasonUpdate],
    ) -> None:
        """Set the title of a season, which is created if there is none with this number."""
        await editing.name_season(series_id, number, data.title)

    @delete(
        "/{series_id:int}/seasons/{number:int}",
        summary="Delete a season",
        responses=problems(*EDITOR_PROBLEMS, SeasonNotFound),
    )
    async def delete_season(
        self, editing: NamedDependency[SeriesEditing], series_id: Id, number: Number
    ) -> None:
        """Delete a season; its videos stay in the catalogue."""
        await editing.remove_season(series_id, number)

    @put(
        "/{series_id:int}/seasons/{number:int}/order",
        summary="Reorder a season",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(*EDITOR_PROBLEMS, SeasonNotFound, OrderIncomplete),
    )
    async def reorder_season(
        self,
        editing: NamedDependency[SeriesEditing],
        series_id: Id,
        number: Number,
        data: JSONBody[SeasonOrder],
    ) -> None:
        """Number the episodes of a season from 1, in this order."""
        await editing.reorder(series_id, number, data.video_ids)

    @put(
        "/{series_id:int}/episodes/{video_id:int}",
        summary="Put an episode",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(
            *EDITOR_PROBLEMS, VideoNotFound, PlaceTaken, InAnotherSeries, SeriesFull
        ),
    )
    async def put_episode(
        self,
        user: CurrentUser,
        editing: NamedDependency[SeriesEditing],
        series_id: Id,
        video_id: Id,
        data: JSONBody[EpisodePut],
    ) -> None:
        """Make a video an episode, or move it within its series; idempotent."""
        await editing.put_episode(unrestricted_viewer(user), series_id, video_id, data)

    @delete(
        "/{series_id:int}/episodes/{video_id:int}",
        summary="Remove an episode",
        responses=problems(*EDITOR_PROBLEMS, EpisodeNotFound),
    )
    async def remove_episode(
        self, editing: NamedDependency[SeriesEditing], series_id: Id, video_id: Id
    ) -> None:
        """Take a video out of a series; it stays in the catalogue."""
        await editing.remove_episode(series_id, video_id)


class MarkerController(Controller):
    path = "/videos/{video_id:int}/markers"
    tags = ("Editing",)
    guards = (editors_only,)
    dependencies = {"editing": service(SeriesEditing)}

    @put(
        summary="Set markers of intro and credits",
        responses=problems(Unauthorized, Forbidden, VideoNotFound, MarkersInvalid),
    )
    async def put_markers(
        self,
        user: CurrentUser,
        editing: NamedDependency[SeriesEditing],
        video_id: Id,
        data: JSONBody[Markers],
    ) -> Markers:
        """Set where the intro and the credits are; omitted markers are removed."""
        await editing.set_markers(unrestricted_viewer(user), video_id, data)
        return data
