"""Playback positions and watch history over HTTP."""

from litestar import Controller, Response, delete, get, put
from litestar.params import FromQuery, JSONBody

from videoflix.catalog.service import VideoNotFound
from videoflix.library.api.dependencies import PERSONAL, counter, library_of
from videoflix.library.schemas import HistoryItem, Progress, ProgressUpdate
from videoflix.platform.auth.identity import CurrentUser, signed_in
from videoflix.platform.http.params import Id, Limit, Offset
from videoflix.platform.problems import problems
from videoflix.profiles.service import VIEWER_PROBLEMS


class HistoryController(Controller):
    path = "/history"
    tags = ("Library",)
    guards = (signed_in,)

    @get(summary="List watch history", responses=problems(*VIEWER_PROBLEMS))
    async def list_history(
        self,
        user: CurrentUser,
        unfinished: FromQuery[bool] = False,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Response[list[HistoryItem]]:
        """List watched videos, latest first; `unfinished` lists what to continue with.

        That is unfinished videos, and the next episode of a series whose last one is finished.
        """
        async with library_of(user) as library:
            listing = library.to_continue if unfinished else library.history
            found = await listing(limit, offset)
            return Response(found, headers=PERSONAL)

    @delete(summary="Clear watch history", responses=problems(*VIEWER_PROBLEMS))
    async def clear_history(self, user: CurrentUser) -> None:
        """Delete all playback positions of this profile."""
        async with library_of(user) as library:
            await library.clear_history()

    @delete(
        "/{video_id:int}",
        summary="Remove from watch history",
        responses=problems(*VIEWER_PROBLEMS),
    )
    async def forget_video(self, user: CurrentUser, video_id: Id) -> None:
        """Delete the playback position of a video; idempotent."""
        async with library_of(user) as library:
            await library.clear_history(video_id)


class ProgressController(Controller):
    path = "/videos/{video_id:int}/progress"
    tags = ("Library",)
    guards = (signed_in,)

    @get(summary="Get playback position", responses=problems(*VIEWER_PROBLEMS, VideoNotFound))
    async def show_progress(self, user: CurrentUser, video_id: Id) -> Response[Progress]:
        """Return the playback position in seconds; 0 if the video was never played."""
        async with library_of(user) as library:
            return Response(await library.progress(video_id), headers=PERSONAL)

    @put(summary="Save playback position", responses=problems(*VIEWER_PROBLEMS, VideoNotFound))
    async def put_progress(
        self, user: CurrentUser, video_id: Id, data: JSONBody[ProgressUpdate]
    ) -> Response[Progress]:
        """Save the position, every few seconds; the latest by the client's clock wins."""
        async with library_of(user) as library:
            progress, is_view = await library.save_position(video_id, data)
            profile_id = library.profile_id
        if is_view:
            counter.count(video_id, profile_id)
        return Response(progress, headers=PERSONAL)
