"""Subtitles in segments over HTTP, for players that follow the multivariant playlist."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, route
from litestar.params import PathParameter

from videoflix.platform.http.params import Id, LanguageTag
from videoflix.platform.http.token_cors import TOKEN_CORS
from videoflix.platform.problems import problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.playback.api.playback import (
    FOR_EVER,
    HLS,
    PLAYBACK_PROBLEMS,
    READ,
    TokenInPath,
    text_response,
    viewing_for,
)
from videoflix.playback.service.playlists import NotPlayableYet, current_presentation
from videoflix.playback.service.segments import StreamNotFound
from videoflix.playback.service.subtitles import (
    WHOLE,
    subtitle_playlist,
    subtitle_segment,
    whole_subtitles,
)

Digest = Annotated[str, PathParameter(pattern=r"^[0-9a-f]{32}(?!\n)$", max_length=32)]
Step = Annotated[int, PathParameter(ge=1, le=100)]
SegmentFile = Annotated[
    str, PathParameter(pattern=r"^(?:[0-9]{5}|whole)\.vtt(?!\n)$", max_length=9)
]
PROBLEMS = problems(*PLAYBACK_PROBLEMS, NotPlayableYet, StreamNotFound)
VTT = "text/vtt"
TRACK = "subtitles/{language:str}/{digest:str}/{step:int}"


class SubtitleRenditionController(Controller):
    path = "/videos/{video_id:int}"
    tags = ("Playback",)
    opt = UNLIMITED | TOKEN_CORS

    @route(
        f"/{TRACK}/index.m3u8",
        http_method=READ,
        summary="Get a subtitle playlist",
        media_type=HLS,
        responses=PROBLEMS,
    )
    async def show_subtitle_playlist(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        language: LanguageTag,
        digest: Digest,
        step: Step,
    ) -> Response[bytes]:
        """Return the media playlist of a subtitle track; the multivariant playlist has its URI."""
        return await _playlist(request, video_id, "", step)

    @route(
        f"/{TRACK}/{{file_name:str}}",
        http_method=READ,
        summary="Get a subtitle segment",
        media_type=VTT,
        responses=PROBLEMS,
    )
    async def show_subtitle_segment(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        language: LanguageTag,
        digest: Digest,
        step: Step,
        file_name: SegmentFile,
    ) -> Response[bytes]:
        """Return a segment of a subtitle track as WebVTT (`00000.vtt`), or all (`whole.vtt`)."""
        return await _segment(request, video_id, "", (language, digest, step), file_name)

    @route(
        f"/play/{{token:str}}/{TRACK}/index.m3u8",
        http_method=READ,
        summary="Get a subtitle playlist (play token in the path)",
        media_type=HLS,
        responses=PROBLEMS,
    )
    async def show_subtitle_playlist_by_token(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        token: TokenInPath,
        language: LanguageTag,
        digest: Digest,
        step: Step,
    ) -> Response[bytes]:
        """Return the media playlist of a subtitle track; the multivariant playlist has its URI."""
        return await _playlist(request, video_id, token, step)

    @route(
        f"/play/{{token:str}}/{TRACK}/{{file_name:str}}",
        http_method=READ,
        summary="Get a subtitle segment (play token in the path)",
        media_type=VTT,
        responses=PROBLEMS,
    )
    async def show_subtitle_segment_by_token(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        token: TokenInPath,
        language: LanguageTag,
        digest: Digest,
        step: Step,
        file_name: SegmentFile,
    ) -> Response[bytes]:
        """Return a segment of a subtitle track as WebVTT (`00000.vtt`), or all (`whole.vtt`)."""
        return await _segment(request, video_id, token, (language, digest, step), file_name)


async def _playlist(
    request: Request[Any, Any, Any], video_id: int, token: str, step: int
) -> Response[bytes]:
    await viewing_for(request, video_id, token)
    text = subtitle_playlist(await current_presentation(video_id), step)
    return text_response(request, text.encode(), HLS)


async def _segment(
    request: Request[Any, Any, Any],
    video_id: int,
    token: str,
    track: tuple[str, str, int],
    file_name: str,
) -> Response[bytes]:
    await viewing_for(request, video_id, token)
    language, digest, step = track
    presentation = await current_presentation(video_id)
    if file_name == WHOLE:
        text = await whole_subtitles(presentation, language, digest)
    else:
        number = int(file_name.removesuffix(".vtt"))
        text = await subtitle_segment(presentation, language, digest, step, number)
    return Response(text, media_type=VTT, headers=FOR_EVER)
