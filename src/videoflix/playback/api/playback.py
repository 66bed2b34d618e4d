"""Play tokens, playlists and segments over HTTP."""

import gzip
from http import HTTPStatus
from typing import Annotated, Any

from litestar import Controller, HttpMethod, Request, Response, post, route
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from litestar.status_codes import HTTP_200_OK

from videoflix.catalog.service import VideoNotFound
from videoflix.platform.auth.identity import signed_in
from videoflix.platform.http.delivery import deliver
from videoflix.platform.http.params import Id, service
from videoflix.platform.http.ranges import FileNotFound, RangeUnsatisfiable, byte_range
from videoflix.platform.http.token_cors import TOKEN_CORS
from videoflix.platform.problems import Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.platform.server.client_address import device_of
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.schemas import PlaybackUrl
from videoflix.playback.service import playlists as playing
from videoflix.playback.service.access import VideoFailed, decisions
from videoflix.playback.service.implicit_leases import ImplicitLeases
from videoflix.playback.service.play_tokens import Grant, play_tokens
from videoflix.playback.service.playlists import NotPlayableYet, Playback
from videoflix.playback.service.segments import Playlist, StreamNotFound, store
from videoflix.playback.service.streams import STREAM_PROBLEMS, StreamEnded, Streams, heartbeats
from videoflix.profiles.schemas import Viewer
from videoflix.profiles.service import VIEWER_PROBLEMS, current_viewer

HLS = "application/vnd.apple.mpegurl"
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
RANGED = {**FOR_EVER, "Accept-Ranges": "bytes"}
NOT_STORED = {"Cache-Control": "private, no-store"}
# Revalidate each time, as access may have been revoked.
REVALIDATED = {"Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
READ = [HttpMethod.GET, HttpMethod.HEAD]
# Placeholder in cached playlists for a token in the query.
ANY_TOKEN = "?token=%"  # noqa: S105 - a placeholder

PlayToken = Annotated[
    str, QueryParameter(max_length=200, description="A play token instead of a header.")
]
TokenInPath = Annotated[str, PathParameter(max_length=200, description="A play token.")]
Name = Annotated[str, PathParameter(pattern=r"^[a-z0-9]{2,16}(?!\n)$")]
FileName = Annotated[str, PathParameter(max_length=32)]

PLAYBACK_PROBLEMS = (*VIEWER_PROBLEMS, VideoNotFound, VideoFailed, *STREAM_PROBLEMS, StreamEnded)

SEGMENT_RESPONSES = problems(*PLAYBACK_PROBLEMS, StreamNotFound, RangeUnsatisfiable)

# Players that fetch with a sign-in instead of a play token.
leases = ImplicitLeases()


class PlaybackController(Controller):
    path = "/videos/{video_id:int}"
    tags = ("Playback",)

    @post(
        "/play",
        summary="Create a play token",
        status_code=HTTP_200_OK,
        guards=[signed_in],
        dependencies={"playback": service(Playback), "streams": service(Streams)},
        responses=problems(
            Unauthorized, VideoNotFound, NotPlayableYet, VideoFailed, *STREAM_PROBLEMS
        ),
    )
    async def play(
        self,
        request: Request[Any, Any, Any],
        playback: NamedDependency[Playback],
        streams: NamedDependency[Streams],
        video_id: Id,
    ) -> PlaybackUrl:
        """Return a signed URL that plays the video without any header.

        If a plan limits concurrent streams, this is one of them until it stops fetching segments.
        """
        viewer, sign_in = await current_viewer(request.user), request.user.sign_in_id
        device = device_of(request)
        lease_id = await streams.get_or_begin(viewer, sign_in, video_id, device)
        return await playback.open(viewer, sign_in, video_id, lease_id)

    @route(
        "/master.m3u8",
        http_method=READ,
        opt=UNLIMITED | TOKEN_CORS,
        summary="Get the multivariant playlist",
        media_type=HLS,
        responses=problems(*PLAYBACK_PROBLEMS, NotPlayableYet),
    )
    async def show_master(
        self, request: Request[Any, Any, Any], video_id: Id, token: PlayToken = ""
    ) -> Response[bytes]:
        """Return the HLS multivariant playlist.

        With a play token, all URIs have the token in their path, so that no further request
        needs a header or a query.
        """
        viewer = await viewing_for(request, video_id, token, begins=True)
        text = await playing.master_playlist(viewer, video_id, f"play/{token}/" if token else "")
        return text_response(request, text.encode(), HLS)

    @route(
        ["/assets/{asset_id:int}/{rendition:str}/index.m3u8"],
        http_method=READ,
        opt=UNLIMITED | TOKEN_CORS,
        summary="Get a media playlist",
        media_type=HLS,
        responses=problems(*PLAYBACK_PROBLEMS, StreamNotFound),
    )
    async def show_playlist(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        asset_id: Id,
        rendition: Name,
        token: PlayToken = "",
    ) -> Response[bytes]:
        """Return a rendition's media playlist; it grows while the video is being encoded."""
        viewer = await viewing_for(request, video_id, token)
        query = ANY_TOKEN if token else ""
        found = await playing.playlist(viewer, video_id, asset_id, rendition, query=query)
        if not token:
            return playlist_response(request, found)
        text = found.text.replace(ANY_TOKEN.encode(), f"?token={token}".encode())
        return text_response(request, text, HLS)

    @route(
        "/play/{token:str}/assets/{asset_id:int}/{rendition:str}/index.m3u8",
        http_method=READ,
        opt=UNLIMITED | TOKEN_CORS,
        summary="Get a media playlist (play token in the path)",
        media_type=HLS,
        responses=problems(*PLAYBACK_PROBLEMS, StreamNotFound),
    )
    async def show_playlist_by_token(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        token: TokenInPath,
        asset_id: Id,
        rendition: Name,
    ) -> Response[bytes]:
        """Return a rendition's media playlist, with relative URIs."""
        viewer = await viewing_for(request, video_id, token)
        found = await playing.playlist(viewer, video_id, asset_id, rendition)
        return playlist_response(request, found)

    @route(
        "/assets/{asset_id:int}/{rendition:str}/{file_name:str}",
        http_method=READ,
        opt=UNLIMITED | TOKEN_CORS,
        summary="Get a segment or initialisation section",
        media_type="video/mp4",
        responses=SEGMENT_RESPONSES,
    )
    async def show_segment(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        asset_id: Id,
        rendition: Name,
        file_name: FileName,
        token: PlayToken = "",
    ) -> Response[Any]:
        """Return an initialisation section (`init-0.mp4`) or a CMAF segment (`00000.m4s`).

        Depending on DELIVERY, playlists list byte ranges of parts (`part-0.mp4`) instead, which may
        redirect to another host.
        """
        viewer = await viewing_for(request, video_id, token)
        return await segment(request, viewer, video_id, asset_id, rendition, file_name)

    @route(
        "/play/{token:str}/assets/{asset_id:int}/{rendition:str}/{file_name:str}",
        http_method=READ,
        opt=UNLIMITED | TOKEN_CORS,
        summary="Get a segment or initialisation section (play token in the path)",
        media_type="video/mp4",
        responses=SEGMENT_RESPONSES,
    )
    async def show_segment_by_token(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        token: TokenInPath,
        asset_id: Id,
        rendition: Name,
        file_name: FileName,
    ) -> Response[Any]:
        """Return an initialisation section (`init-0.mp4`) or a CMAF segment (`00000.m4s`).

        Depending on DELIVERY, playlists list byte ranges of parts (`part-0.mp4`) instead, which may
        redirect to another host.
        """
        viewer = await viewing_for(request, video_id, token)
        return await segment(request, viewer, video_id, asset_id, rendition, file_name)


async def viewing_for(
    request: Request[Any, Any, Any], video_id: int, token: str, *, begins: bool = False
) -> Viewer:
    """Authorize by play token, else by sign-in, and keep the lease alive.

    Raises Unauthorized, VideoNotFound, StreamEnded, or one of STREAM_PROBLEMS.
    """
    if token:
        grant = play_tokens.read(token, video_id)
        viewer = await decisions.viewer(grant)
        if grant.lease_id:
            await heartbeats.heartbeat(grant.lease_id)
        return viewer
    viewer = await signed_in_viewing(request, video_id)
    sign_in = request.user.sign_in_id
    watch = leases.begin if begins else leases.touch
    await watch((sign_in, video_id), viewer, sign_in, video_id, device_of(request))
    return viewer


async def signed_in_viewing(request: Request[Any, Any, Any], video_id: int) -> Viewer:
    """Authorize by sign-in, without a lease. Raises what `viewing_for` raises."""
    if request.user is None:
        raise Unauthorized
    viewer = await current_viewer(request.user)
    sign_in_id = request.user.sign_in_id
    return await decisions.viewer(Grant(video_id, viewer.user_id, viewer.profile_id, sign_in_id))


async def segment(
    request: Request[Any, Any, Any],
    viewer: Viewer,
    video_id: int,
    asset_id: int,
    rendition: str,
    file_name: str,
) -> Response[Any]:
    """Read a segment or initialisation section, or a byte range of it, or deliver a part.

    Raises StreamNotFound or RangeUnsatisfiable.
    """
    found = await playing.locate(viewer, video_id, asset_id, rendition, file_name)
    wanted = byte_range(range_of(request), found.length)
    if wanted is not None and not wanted:
        raise RangeUnsatisfiable(found.length)
    part = range(found.length) if wanted is None else wanted
    try:
        if file_name.startswith("part-"):
            cache = FOR_EVER["Cache-Control"]
            return await deliver(request, found.key, found.length, "video/mp4", cache)
        data = await media_storage().read(found.key, found.offset + part.start, len(part))
    except (FileNotFoundError, FileNotFound) as error:
        store.refresh(video_id, asset_id)
        raise StreamNotFound from error
    if wanted is None:
        return Response(data, media_type="video/mp4", headers=RANGED)
    place = {"Content-Range": f"bytes {part.start}-{part.stop - 1}/{found.length}"}
    return Response(
        data,
        status_code=HTTPStatus.PARTIAL_CONTENT,
        media_type="video/mp4",
        headers=RANGED | place,
    )


def range_of(request: Request[Any, Any, Any]) -> str:
    """The Range header; with If-Range the whole is sent, as segments have no validator."""
    return "" if "if-range" in request.headers else request.headers.get("range", "")


def text_response(request: Request[Any, Any, Any], text: bytes, media_type: str) -> Response[bytes]:
    """Send a text that was made for this request, gzipped if accepted."""
    headers = {**NOT_STORED, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        text = gzip.compress(text, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(text, media_type=media_type, headers=headers)


def playlist_response(request: Request[Any, Any, Any], found: Playlist) -> Response[bytes]:
    """Send a playlist, gzipped if accepted, or 304 if the ETag matches."""
    headers = {**REVALIDATED, "ETag": found.etag}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    body = found.text
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = found.gzipped
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=HLS, headers=headers)
