"""MP4 files, posters and storyboards over HTTP."""

from typing import Annotated, Any

from litestar import Controller, HttpMethod, Request, Response, get, route
from litestar.params import PathParameter, QueryParameter

from videoflix.catalog.service import VideoNotFound
from videoflix.platform.auth.identity import CurrentUser, signed_in
from videoflix.platform.http.delivery import deliver
from videoflix.platform.http.params import Id
from videoflix.platform.http.ranges import FileNotFound, RangeUnsatisfiable
from videoflix.platform.http.token_cors import TOKEN_CORS
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.platform.server.client_address import device_of
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.schemas import DownloadLinks
from videoflix.playback.service.access import VideoFailed, decisions
from videoflix.playback.service.downloads import NAME, Downloads, FileNotReady
from videoflix.playback.service.implicit_leases import ImplicitLeases
from videoflix.playback.service.play_tokens import Grant, file_tokens
from videoflix.playback.service.segments import StreamNotFound
from videoflix.playback.service.streams import STREAM_PROBLEMS, StreamEnded
from videoflix.profiles.service import VIEWER_PROBLEMS, ProfileNotFound, current_viewer

CACHE_CONTROL = "private, max-age=3600"
FileName = Annotated[str, PathParameter(max_length=160)]
Token = Annotated[str, QueryParameter(max_length=300, description="Signature of the URL.")]


leases = ImplicitLeases()


class DownloadController(Controller):
    path = "/videos/{video_id:int}/files"
    tags = ("Playback",)

    @get(
        summary="List download URLs",
        guards=[signed_in],
        responses=problems(*VIEWER_PROBLEMS, VideoNotFound),
    )
    async def list_files(self, user: CurrentUser, video_id: Id) -> Response[DownloadLinks]:
        """List signed URLs of MP4 files, poster and storyboard, for players without HLS or headers.

        If a plan limits concurrent streams, downloading an MP4 file counts as one.
        """
        viewer = await current_viewer(user)
        async with transaction() as session:
            found = await Downloads(session).links(viewer, user.sign_in_id, video_id)
        return Response(found, headers={"Cache-Control": "private, no-store"})

    @route(
        "/{file_name:str}",
        http_method=[HttpMethod.GET, HttpMethod.HEAD],
        summary="Download a file",
        media_type="video/mp4",
        opt=UNLIMITED | TOKEN_CORS,
        responses=problems(
            Unauthorized,
            ProfileNotFound,
            VideoNotFound,
            StreamNotFound,
            FileNotFound,
            VideoFailed,
            FileNotReady,
            *STREAM_PROBLEMS,
            StreamEnded,
            RangeUnsatisfiable,
        ),
    )
    async def show_file(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        file_name: FileName,
        token: Token = "",
    ) -> Response[Any]:
        """Download `clip.mp4`, `clip_720p.mp4`, `clip_poster.jpg`, or thumbnails (`.vtt`, `.jpg`).

        The token of one URL is valid for all files of the video. If the requested size does not
        exist, the next lower one is sent.
        """
        granted = file_tokens.read(token, video_id)
        name = NAME.fullmatch(file_name)
        if name is None:
            raise StreamNotFound
        if name["kind"] == "mp4":
            lines = int(name["lines"]) if name["lines"] else None
            return await _movie(request, granted, lines)
        async with transaction() as session:
            files = Downloads(session)
            viewer = await files.viewer(granted)
            if name["kind"] == "vtt":
                sprite = f"{file_name.removesuffix('.vtt')}.jpg?token={token}"
                text = await files.storyboard(viewer, video_id, sprite)
                return Response(
                    text, media_type="text/vtt", headers={"Cache-Control": CACHE_CONTROL}
                )
            find = files.poster if name["part"] else files.sprite
            key = await find(viewer, video_id)
        return await _picture(key)


async def _movie(
    request: Request[Any, Any, Any], granted: Grant, lines: int | None
) -> Response[Any]:
    """Serve an MP4 file; the transfer is aborted when access is revoked."""
    video_id, sign_in_id = granted.video_id, granted.sign_in_id
    viewer = await decisions.viewer(granted)
    async with transaction() as session:
        movie = await Downloads(session).movie(viewer, video_id, lines)
    await leases.touch(granted, viewer, sign_in_id, video_id, device_of(request))

    async def still_allowed() -> None:
        now = await decisions.viewer(granted)
        await leases.touch(granted, now, sign_in_id, video_id, device_of(request))

    return await deliver(request, movie.key, movie.size, "video/mp4", CACHE_CONTROL, still_allowed)


async def _picture(key: str) -> Response[bytes]:
    try:
        data = await media_storage().read_all(key)
    except FileNotFoundError as error:
        raise FileNotFound from error
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": CACHE_CONTROL})
