"""Playback positions.

A record's id is its video's id: a profile has one record per video.
"""

from contextlib import suppress
from typing import Any

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from videoflix.catalog.schemas import BigId
from videoflix.catalog.service import VideoNotFound
from videoflix.compat.drf.errors import NON_FIELD, DrfError, field_error, not_found
from videoflix.compat.drf.formats import stamp
from videoflix.compat.drf.parsing import read, read_fields, sent_fields
from videoflix.compat.video_requests import parse_id
from videoflix.library.api.dependencies import counter, library_of
from videoflix.library.models import WatchState
from videoflix.library.schemas import ProgressUpdate, Seconds
from videoflix.library.service import Library
from videoflix.platform.auth.identity import CurrentUser, signed_in

HISTORY_MAX = 1_000
TWICE = "The fields user, video must make a unique set."


class ProgressForm(msgspec.Struct):
    video_id: BigId
    progress_seconds: Seconds


class RecordForm(msgspec.Struct):
    """The field `user` is ignored: it is always the requesting user."""

    video: BigId
    progress_seconds: Seconds = 0.0


class RecordUpdateForm(msgspec.Struct):
    progress_seconds: Seconds | None = None


class HistoryController(Controller):
    path = "/api/history"
    guards = (signed_in,)

    @post(
        "/save-progress",
        opt={"canonical": "PUT /api/v1/videos/{video_id}/progress"},
    )
    async def save_progress(self, request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        fields = await sent_fields(request)
        if fields.get("video_id") in (None, "") or fields.get("progress_seconds") in (None, ""):
            raise DrfError({"error": "Missing video_id or progress_seconds"})
        place = read_fields(fields, ProgressForm)
        async with library_of(request.user) as library:
            is_first = await library.position(place.video_id) is None
            state = await _save_position(library, place.video_id, place.progress_seconds)
        status = HTTP_201_CREATED if is_first else HTTP_200_OK
        return Response(_serialize(request, state), status_code=status)

    @get(
        "/get-progress/{video_id:str}",
        opt={"canonical": "GET /api/v1/videos/{video_id}/progress"},
    )
    async def show_progress(
        self, request: Request[Any, Any, Any], video_id: FromPath[str]
    ) -> dict[str, Any]:
        """Show a position; that of an unknown video is 0."""
        number = parse_id(video_id)
        state = None
        with suppress(VideoNotFound):
            async with library_of(request.user) as library:
                state = await library.position(number)
        return _serialize(request, state) if state else {"progress_seconds": 0}

    @get(opt={"canonical": "GET /api/v1/history"})
    async def list_history(self, request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        async with library_of(request.user) as library:
            states = await library.positions(HISTORY_MAX, 0)
        return [_serialize(request, state) for state in states]

    @post(opt={"canonical": "PUT /api/v1/videos/{video_id}/progress"})
    async def add_record(self, request: Request[Any, Any, Any]) -> dict[str, Any]:
        new = await read(request, RecordForm)
        try:
            async with library_of(request.user) as library:
                if await library.position(new.video):
                    raise field_error(NON_FIELD, TWICE)
                return _serialize(
                    request, await _save_position(library, new.video, new.progress_seconds)
                )
        except VideoNotFound as error:
            text = f'Invalid pk "{new.video}" - object does not exist.'
            raise field_error("video", text) from error

    @put("/{record_id:str}", opt={"canonical": "PUT /api/v1/videos/{video_id}/progress"})
    async def put_record(
        self, request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, record_id)

    @patch("/{record_id:str}", opt={"canonical": "PUT /api/v1/videos/{video_id}/progress"})
    async def change_record(
        self, request: Request[Any, Any, Any], record_id: FromPath[str]
    ) -> dict[str, Any]:
        return await _change(request, record_id)

    @delete("/{record_id:str}", opt={"canonical": "DELETE /api/v1/history/{video_id}"})
    async def delete_record(self, user: CurrentUser, record_id: FromPath[str]) -> None:
        async with library_of(user) as library:
            await library.clear_history((await _record(library, record_id)).video_id)


async def _change(request: Request[Any, Any, Any], record_id: str) -> dict[str, Any]:
    """Update the position of a record; its video and user cannot be changed."""
    seconds = (await read(request, RecordUpdateForm)).progress_seconds
    async with library_of(request.user) as library:
        state = await _record(library, record_id)
        if seconds is not None:
            state = await _save_position(library, state.video_id, seconds)
        return _serialize(request, state)


async def _record(library: Library, record_id: str) -> WatchState:
    try:
        state = await library.position(parse_id(record_id))
    except (VideoNotFound, DrfError):
        state = None
    if state is None:
        raise not_found("WatchHistory")
    return state


async def _save_position(library: Library, video_id: int, seconds: float) -> WatchState:
    """Save a position, and count a view if it is far enough."""
    _, is_view = await library.save_position(video_id, ProgressUpdate(seconds))
    if is_view:
        counter.count(video_id, library.profile_id)
    state = await library.position(video_id)
    if state is None:
        raise VideoNotFound
    return state


def _serialize(request: Request[Any, Any, Any], state: WatchState) -> dict[str, Any]:
    return {
        "id": state.video_id,
        "user": request.user.user_id,
        "video": state.video_id,
        "watched_on": stamp(state.created_at),
        "updated_at": stamp(state.updated_at),
        "progress_seconds": int(state.seconds),
    }
