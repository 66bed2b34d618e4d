"""The watchlist; each profile has one, with the profile's id.

An entry's id is its video's id: a list holds each video once.
"""

from typing import Any

import msgspec
from litestar import Controller, Request, Response, delete, get, post, put
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_404_NOT_FOUND

from videoflix.accounts.service import Accounts
from videoflix.catalog.schemas import BigId
from videoflix.catalog.service import VideoNotFound
from videoflix.compat.academy.serializers import detail
from videoflix.compat.drf.errors import DrfError, field_error, not_found
from videoflix.compat.drf.formats import stamp
from videoflix.compat.drf.parsing import read
from videoflix.compat.video_requests import parse_id
from videoflix.library.api.dependencies import library_of
from videoflix.library.schemas import WatchlistItem
from videoflix.library.service import WATCHLIST_MAX, Library, NotOnWatchlist
from videoflix.platform.auth.identity import CurrentUser, signed_in


class EntryForm(msgspec.Struct):
    video_id: BigId


class WatchlistController(Controller):
    path = "/api/watchlist"
    guards = (signed_in,)

    @get(opt={"canonical": "GET /api/v1/watchlist"})
    async def list_watchlists(self, request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        return [await _watchlist(request)]

    @post(opt={"canonical": "GET /api/v1/watchlist"})
    async def make_watchlist(self, request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Return the existing watchlist; older backends created another one each time."""
        return await _watchlist(request)

    @get("/{watchlist_id:str}", opt={"canonical": "GET /api/v1/watchlist"})
    async def show_watchlist(
        self, request: Request[Any, Any, Any], watchlist_id: FromPath[str]
    ) -> dict[str, Any]:
        mine = await _watchlist(request)
        if watchlist_id != str(mine["id"]):
            raise not_found("Watchlist")
        return mine


class EntryController(Controller):
    path = "/api/watchlist-entries"
    guards = (signed_in,)

    @get(opt={"canonical": "GET /api/v1/watchlist"})
    async def list_entries(self, request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        async with library_of(request.user) as library:
            return await _entries(request, library)

    @post(opt={"canonical": "POST /api/v1/watchlist"})
    async def add_entry(self, request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        """Add a video; 200 instead of 201 if it is already on the list."""
        video_id = (await read(request, EntryForm)).video_id
        async with library_of(request.user) as library:
            known = await library.contained([video_id])
            entry = await _add(request, library, video_id)
        return Response(entry, status_code=HTTP_200_OK if known else HTTP_201_CREATED)

    @get("/{entry_id:str}", opt={"canonical": "GET /api/v1/watchlist"})
    async def show_entry(
        self, request: Request[Any, Any, Any], entry_id: FromPath[str]
    ) -> dict[str, Any]:
        async with library_of(request.user) as library:
            return await _entry(request, library, entry_id)

    @put("/{entry_id:str}", opt={"canonical": "POST /api/v1/watchlist"})
    async def put_entry(
        self, request: Request[Any, Any, Any], entry_id: FromPath[str]
    ) -> dict[str, Any]:
        """Replace an entry by another video."""
        video_id = (await read(request, EntryForm)).video_id
        async with library_of(request.user) as library:
            old = await _entry(request, library, entry_id)
            if old["id"] == video_id:
                return old
            await library.remove(old["id"])
            return await _add(request, library, video_id)

    @delete("/{entry_id:str}", opt={"canonical": "DELETE /api/v1/watchlist/{video_id}"})
    async def delete_entry(self, request: Request[Any, Any, Any], entry_id: FromPath[str]) -> None:
        async with library_of(request.user) as library:
            await library.remove((await _entry(request, library, entry_id))["id"])

    @delete("/remove/{video_id:str}", opt={"canonical": "DELETE /api/v1/watchlist/{video_id}"})
    async def remove_film(self, user: CurrentUser, video_id: FromPath[str]) -> None:
        try:
            async with library_of(user) as library:
                await library.remove(parse_id(video_id))
        except NotOnWatchlist as error:
            raise DrfError({"error": "Video not in watchlist"}, HTTP_404_NOT_FOUND) from error


async def _watchlist(request: Request[Any, Any, Any]) -> dict[str, Any]:
    async with library_of(request.user) as library:
        entries = await _entries(request, library)
        person = await Accounts(library.session).get_active(request.user.user_id)
    return {
        "id": library.profile_id,
        "user": person.email.partition("@")[0],
        "entries": entries,
        "movies": [entry["video"]["id"] for entry in entries],
    }


async def _entries(request: Request[Any, Any, Any], library: Library) -> list[dict[str, Any]]:
    found = await library.watchlist(WATCHLIST_MAX, 0)
    return [_serialize(request, library, item) for item in found]


async def _entry(
    request: Request[Any, Any, Any], library: Library, entry_id: str
) -> dict[str, Any]:
    for entry in await _entries(request, library):
        if str(entry["id"]) == entry_id:
            return entry
    raise not_found("WatchlistEntry")


async def _add(request: Request[Any, Any, Any], library: Library, video_id: int) -> dict[str, Any]:
    try:
        await library.add(video_id)
    except VideoNotFound as error:
        text = f'Invalid pk "{video_id}" - object does not exist.'
        raise field_error("video_id", text) from error
    return await _entry(request, library, str(video_id))


def _serialize(
    request: Request[Any, Any, Any], library: Library, item: WatchlistItem
) -> dict[str, Any]:
    return {
        "id": item.video.id,
        "video": detail(item.video),
        "watchlist": library.profile_id,
        "added_on": stamp(item.added_at),
    }
