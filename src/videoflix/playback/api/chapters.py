"""Chapters over HTTP, for players."""

from typing import Any

from litestar import Controller, Request, Response, route

from videoflix.catalog.schemas import ChapterRead
from videoflix.catalog.service.chapters import Chapters
from videoflix.platform.http.params import Id
from videoflix.platform.http.token_cors import TOKEN_CORS
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import problems
from videoflix.platform.rate_limit.middleware import UNLIMITED
from videoflix.playback.api.playback import PLAYBACK_PROBLEMS, READ, TokenInPath, viewing_for
from videoflix.playback.chapters import chapters_json, chapters_vtt

PROBLEMS = problems(*PLAYBACK_PROBLEMS)
VTT, JSON = "text/vtt", "application/json"
REVALIDATED = {"Cache-Control": "private, no-cache"}


class ChapterTrackController(Controller):
    path = "/videos/{video_id:int}"
    tags = ("Playback",)
    opt = UNLIMITED | TOKEN_CORS

    @route(
        "/chapters.vtt",
        http_method=READ,
        summary="Get chapters (WebVTT)",
        media_type=VTT,
        responses=PROBLEMS,
    )
    async def show_vtt(self, request: Request[Any, Any, Any], video_id: Id) -> Response[str]:
        """Return the chapters as a WebVTT track; without any cue if there are none."""
        found = await _chapters(request, video_id, "")
        return Response(chapters_vtt(found), media_type=VTT, headers=REVALIDATED)

    @route(
        "/play/{token:str}/chapters.vtt",
        http_method=READ,
        summary="Get chapters (WebVTT, play token in the path)",
        media_type=VTT,
        responses=PROBLEMS,
    )
    async def show_vtt_by_token(
        self, request: Request[Any, Any, Any], video_id: Id, token: TokenInPath
    ) -> Response[str]:
        """Return the chapters as a WebVTT track; without any cue if there are none."""
        found = await _chapters(request, video_id, token)
        return Response(chapters_vtt(found), media_type=VTT, headers=REVALIDATED)

    @route(
        "/chapters.json",
        http_method=READ,
        summary="Get chapters (Apple's JSON)",
        media_type=JSON,
        responses=PROBLEMS,
    )
    async def show_json(self, request: Request[Any, Any, Any], video_id: Id) -> Response[bytes]:
        """Return the chapters in the JSON format of Apple's players."""
        found = await _chapters(request, video_id, "")
        return Response(chapters_json(found), media_type=JSON, headers=REVALIDATED)

    @route(
        "/play/{token:str}/chapters.json",
        http_method=READ,
        summary="Get chapters (Apple's JSON, play token in the path)",
        media_type=JSON,
        responses=PROBLEMS,
    )
    async def show_json_by_token(
        self, request: Request[Any, Any, Any], video_id: Id, token: TokenInPath
    ) -> Response[bytes]:
        """Return the chapters in the JSON format of Apple's players."""
        found = await _chapters(request, video_id, token)
        return Response(chapters_json(found), media_type=JSON, headers=REVALIDATED)


async def _chapters(
    request: Request[Any, Any, Any], video_id: int, token: str
) -> list[ChapterRead]:
    await viewing_for(request, video_id, token)
    async with transaction() as session:
        return await Chapters(session).of_video(video_id)
