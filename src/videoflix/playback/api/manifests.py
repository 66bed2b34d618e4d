"""I-frame playlists and DASH manifests over HTTP."""

from typing import Any

from litestar import Controller, Request, Response, route

from videoflix.platform.http.params import Id
from videoflix.platform.http.token_cors import TOKEN_CORS
from videoflix.platform.problems import problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.playback.api.playback import (
    HLS,
    PLAYBACK_PROBLEMS,
    READ,
    Name,
    PlayToken,
    TokenInPath,
    playlist_response,
    text_response,
    viewing_for,
)
from videoflix.playback.service.manifests import NotCompleteYet, dash_manifest
from videoflix.playback.service.playlists import KEY_FRAMES, NotPlayableYet, key_frame_playlist
from videoflix.playback.service.segments import StreamNotFound

DASH = "application/dash+xml"
TRACK = "assets/{asset_id:int}/{rendition:str}"


class ManifestController(Controller):
    path = "/videos/{video_id:int}"
    tags = ("Playback",)
    opt = UNLIMITED | TOKEN_CORS

    @route(
        "/manifest.mpd",
        http_method=READ,
        summary="Get the DASH manifest",
        media_type=DASH,
        responses=problems(*PLAYBACK_PROBLEMS, NotPlayableYet, NotCompleteYet),
    )
    async def show_manifest(
        self, request: Request[Any, Any, Any], video_id: Id, token: PlayToken = ""
    ) -> Response[bytes]:
        """Return the MPEG-DASH manifest (MPD) of a complete film, over the segments of HLS.

        With a play token, all URIs have the token in their path.
        """
        viewer = await viewing_for(request, video_id, token, begins=True)
        text = await dash_manifest(viewer, video_id, f"play/{token}/" if token else "")
        return text_response(request, text.encode(), DASH)

    @route(
        f"/{TRACK}/{KEY_FRAMES}",
        http_method=READ,
        summary="Get an I-frame playlist",
        media_type=HLS,
        responses=problems(*PLAYBACK_PROBLEMS, StreamNotFound),
    )
    async def show_key_frames(
        self, request: Request[Any, Any, Any], video_id: Id, asset_id: Id, rendition: Name
    ) -> Response[bytes]:
        """Return the byte ranges of a rendition's key frames, for previews and seeking."""
        viewer = await viewing_for(request, video_id, "")
        found = await key_frame_playlist(viewer, video_id, asset_id, rendition)
        return playlist_response(request, found)

    @route(
        f"/play/{{token:str}}/{TRACK}/{KEY_FRAMES}",
        http_method=READ,
        summary="Get an I-frame playlist (play token in the path)",
        media_type=HLS,
        responses=problems(*PLAYBACK_PROBLEMS, StreamNotFound),
    )
    async def show_key_frames_by_token(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        token: TokenInPath,
        asset_id: Id,
        rendition: Name,
    ) -> Response[bytes]:
        """Return the byte ranges of a rendition's key frames, for previews and seeking."""
        viewer = await viewing_for(request, video_id, token)
        found = await key_frame_playlist(viewer, video_id, asset_id, rendition)
        return playlist_response(request, found)
