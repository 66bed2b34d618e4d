"""The watchlist over HTTP."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, delete, get, post, put
from litestar.params import JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from videoflix.catalog.service import VideoNotFound
from videoflix.library.api.dependencies import PERSONAL, library_of
from videoflix.library.schemas import Contained, WatchlistAdd, WatchlistItem, WatchlistMove
from videoflix.library.service import NotOnWatchlist, WatchlistFull
from videoflix.platform.auth.identity import CurrentUser, signed_in
from videoflix.platform.http.params import BIGINT_MAX, Id, Limit, Offset
from videoflix.platform.problems import problems
from videoflix.profiles.service import VIEWER_PROBLEMS

Ids = Annotated[
    list[Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]],
    QueryParameter(max_items=100, description="Ids of the videos to check: `ids=1&ids=2`."),
]


class WatchlistController(Controller):
    path = "/watchlist"
    tags = ("Library",)
    guards = (signed_in,)

    @get(summary="List your watchlist", responses=problems(*VIEWER_PROBLEMS))
    async def list_watchlist(
        self, user: CurrentUser, limit: Limit = 20, offset: Offset = 0
    ) -> Response[list[WatchlistItem]]:
        """List your watchlist, last added first unless reordered."""
        async with library_of(user) as library:
            return Response(await library.watchlist(limit, offset), headers=PERSONAL)

    @post(
        summary="Add to the watchlist",
        status_code=HTTP_200_OK,
        responses=problems(*VIEWER_PROBLEMS, VideoNotFound, WatchlistFull),
    )
    async def add_to_watchlist(self, user: CurrentUser, data: JSONBody[WatchlistAdd]) -> Contained:
        """Add a video to the watchlist; idempotent."""
        async with library_of(user) as library:
            await library.add(data.video_id)
            return Contained([data.video_id])

    @get(
        "/contains", summary="Check the watchlist for videos", responses=problems(*VIEWER_PROBLEMS)
    )
    async def list_contained(self, user: CurrentUser, ids: Ids) -> Response[Contained]:
        """Return which of the videos are on your watchlist."""
        async with library_of(user) as library:
            return Response(Contained(await library.contained(ids)), headers=PERSONAL)

    @put(
        "/{video_id:int}/position",
        summary="Reorder the watchlist",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(*VIEWER_PROBLEMS, NotOnWatchlist),
    )
    async def move_in_watchlist(
        self, user: CurrentUser, video_id: Id, data: JSONBody[WatchlistMove]
    ) -> None:
        """Move a video before another one of the list, or to its end."""
        async with library_of(user) as library:
            await library.move(video_id, data.before)

    @delete(
        "/{video_id:int}",
        summary="Remove from watchlist",
        responses=problems(*VIEWER_PROBLEMS, NotOnWatchlist),
    )
    async def take_off_watchlist(self, user: CurrentUser, video_id: Id) -> None:
        """Remove a video from the watchlist."""
        async with library_of(user) as library:
            await library.remove(video_id)
