"""The catalogue over HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.response import ServerSentEvent, ServerSentEventMessage

from videoflix.catalog.models import VideoState
from videoflix.catalog.schemas import Video, VideoPage
from videoflix.catalog.service import Catalog, VideoNotFound, topic_of
from videoflix.platform.db import transaction
from videoflix.platform.events import newsroom
from videoflix.platform.identity import Identity, signed_in
from videoflix.platform.problems import SignInNeeded, problems
from videoflix.platform.web import Id, Limit, Offset, service

HEARTBEAT_SECONDS = 15.0


class VideoController(Controller):
    path = "/videos"
    tags = ("Catalogue",)
    guards = (signed_in,)
    dependencies = {"catalog": service(Catalog)}

    @get(summary="List films", responses=problems(SignInNeeded))
    async def list_videos(
        self,
        request: Request[Any, Any, Any],
        catalog: NamedDependency[Catalog],
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> VideoPage:
        """List films, newest first: viewers see what plays, editors everything."""
        found, total = await catalog.newest(request.user, LimitOffset(limit, offset))
        return VideoPage([Video.of(video) for video in found], total, limit, offset)

    @get("/{video_id:int}", summary="Show a film", responses=problems(SignInNeeded, VideoNotFound))
    async def show_video(
        self, request: Request[Any, Any, Any], catalog: NamedDependency[Catalog], video_id: Id
    ) -> Video:
        """Show one film: state, progress, and the reason if it failed."""
        return Video.of(await catalog.video(request.user, video_id))

    @get(
        "/{video_id:int}/events",
        summary="Follow a film live",
        responses=problems(SignInNeeded, VideoNotFound),
    )
    async def follow_video(self, request: Request[Any, Any, Any], video_id: Id) -> ServerSentEvent:
        """Follow a film live: an event `video` at once and at every change, until it is final."""
        await _read(request.user, video_id)
        return ServerSentEvent(_changes(request.user, video_id))


async def _changes(viewer: Identity, video_id: int) -> AsyncGenerator[ServerSentEventMessage]:
    with newsroom.subscribe(topic_of(video_id)) as news:
        while True:
            news.clear()
            try:
                video = await _read(viewer, video_id)
            except VideoNotFound:
                return
            yield ServerSentEventMessage(event="video", data=msgspec.json.encode(video).decode())
            if video.state is not VideoState.PROCESSING:
                return
            while not await _rings(news):
                yield ServerSentEventMessage(data=None, comment="still here")


async def _rings(news: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(news.wait(), HEARTBEAT_SECONDS)
    except TimeoutError:
        return False
    return True


async def _read(viewer: Identity, video_id: int) -> Video:
    async with transaction() as session:
        return Video.of(await Catalog(session).video(viewer, video_id))
