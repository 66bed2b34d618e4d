"""Playlists and segments for players that send only a cookie.

Older players request one resolution. They get a multivariant playlist with that one rendition,
because our files have separate video and audio; its URIs are relative.
"""

import re
from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.params import FromPath, PathParameter
from litestar.status_codes import HTTP_404_NOT_FOUND

from videoflix.catalog.service import VideoNotFound
from videoflix.compat.drf.errors import DrfError
from videoflix.compat.video_requests import parse_id
from videoflix.platform.auth.identity import signed_in
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.platform.server.client_address import device_of
from videoflix.playback.api.playback import (
    HLS,
    NOT_STORED,
    playlist_response,
    segment,
    signed_in_viewing,
)
from videoflix.playback.service.access import VideoFailed
from videoflix.playback.service.implicit_leases import ImplicitLeases
from videoflix.playback.service.playlists import NotPlayableYet, playlist, single_variant_playlist
from videoflix.playback.service.segments import StreamNotFound
from videoflix.profiles.schemas import Viewer

RESOLUTIONS = {"120p": 120, "360p": 360, "480p": 480, "720p": 720, "1080p": 1080}
# An asset, a rendition, and the rendition's playlist or one of its files.
PART = re.compile(
    r"(?P<asset>\d{1,18})-(?P<rendition>[a-z0-9]{2,16})(?:\.m3u8|-(?P<file>[a-z0-9-]+\.(?:mp4|m4s)))"
)
NO_MANIFEST = {"detail": "Video or Manifest file not found"}
NO_SEGMENT = {"detail": "Video or Segment file not found"}

Text = Annotated[str, PathParameter(max_length=100)]


leases = ImplicitLeases()


async def open_lease(request: Request[Any, Any, Any], viewer: Viewer, video_id: int) -> None:
    """Start a stream when its playlist is opened. Raises what `Streams.get_or_begin` raises."""
    sign_in_id = request.user.sign_in_id
    player = (sign_in_id, video_id)
    await leases.begin(player, viewer, sign_in_id, video_id, device_of(request))


async def touch_lease(request: Request[Any, Any, Any], viewer: Viewer, video_id: int) -> None:
    """Extend the lease when a segment is fetched. Raises StreamEnded, or what `begin` raises."""
    sign_in_id = request.user.sign_in_id
    player = (sign_in_id, video_id)
    await leases.touch(player, viewer, sign_in_id, video_id, device_of(request))


class PlaybackController(Controller):
    path = "/api/video/{video_id:str}/{resolution:str}"
    guards = (signed_in,)
    opt = UNLIMITED

    @get("/index.m3u8", opt={"canonical": "GET /api/v1/videos/{video_id}/master.m3u8"})
    async def show_manifest(
        self, request: Request[Any, Any, Any], video_id: FromPath[str], resolution: Text
    ) -> Response[str]:
        """A resolution above the ladder falls back to the next lower one."""
        film, lines = parse_id(video_id), RESOLUTIONS.get(resolution)
        try:
            if lines is None:
                raise StreamNotFound
            viewer = await signed_in_viewing(request, film)
            text = await single_variant_playlist(viewer, film, lines, _playlist_name)
        except (VideoNotFound, StreamNotFound, NotPlayableYet, VideoFailed) as error:
            raise DrfError(NO_MANIFEST, HTTP_404_NOT_FOUND) from error
        await open_lease(request, viewer, film)
        return Response(text, media_type=HLS, headers=NOT_STORED)

    @get(
        "/{segment_name:str}",
        opt={
            "canonical": "GET /api/v1/videos/{video_id}/assets/{asset_id}/{rendition}/{file_name}"
        },
    )
    async def show_part(
        self, request: Request[Any, Any, Any], video_id: FromPath[str], segment_name: Text
    ) -> Response[Any]:
        """Return a rendition's playlist or segment, by a name used in the playlists."""
        film, named = parse_id(video_id), PART.fullmatch(segment_name)
        try:
            if named is None:
                raise StreamNotFound
            viewer = await signed_in_viewing(request, film)
            asset_id, rendition, file = int(named["asset"]), named["rendition"], named["file"]
            if file is None:
                prefix = f"{asset_id}-{rendition}-"
                found = await playlist(viewer, film, asset_id, rendition, prefix)
                await touch_lease(request, viewer, film)
                return playlist_response(request, found)
            await touch_lease(request, viewer, film)
            return await segment(request, viewer, film, asset_id, rendition, file)
        except (VideoNotFound, StreamNotFound, NotPlayableYet, VideoFailed) as error:
            raise DrfError(NO_SEGMENT, HTTP_404_NOT_FOUND) from error


def _playlist_name(asset_id: int, rendition: str) -> str:
    return f"{asset_id}-{rendition}.m3u8"
