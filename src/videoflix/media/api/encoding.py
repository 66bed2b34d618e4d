"""Processing of videos over HTTP: progress, cancelling, encoding again."""

from collections.abc import AsyncGenerator

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.status_codes import HTTP_202_ACCEPTED

from videoflix.catalog.service import VideoNotFound, topic_for
from videoflix.catalog.service.catalog import PROGRESS
from videoflix.media.models import UNFINISHED
from videoflix.media.schemas import EncodingRead
from videoflix.media.service.encoding import (
    Encoding,
    EncodingRuns,
    NothingToCancel,
    NothingToEncode,
)
from videoflix.media.service.failures import SourceRemoved
from videoflix.platform.auth.identity import editors_only
from videoflix.platform.http.params import Id, service
from videoflix.platform.postgres.notify import event_bus
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.platform.server.shutdown import RECONNECT_MS, shutdown

# Estimates change also while no row does.
REFRESH_SECONDS = 5.0
READER_PROBLEMS = (Unauthorized, Forbidden, VideoNotFound, NothingToEncode)


class EncodingController(Controller):
    path = "/videos/{video_id:int}/encoding"
    tags = ("Media",)
    guards = (editors_only,)
    dependencies = {"encoding": service(Encoding)}

    @get(summary="Show the processing of a video", responses=problems(*READER_PROBLEMS))
    async def show_encoding(
        self, encoding: NamedDependency[Encoding], video_id: Id
    ) -> EncodingRead:
        """Show how far each track of the newest file is, and how long it will take."""
        return await encoding.read(video_id)

    @get(
        "/events",
        summary="Follow the processing of a video (server-sent events)",
        responses=problems(*READER_PROBLEMS),
    )
    async def follow_encoding(self, video_id: Id) -> ServerSentEvent:
        """Stream an `encoding` event at once, after changes and every few seconds, to the end."""
        await _read(video_id)
        return ServerSentEvent(_changes(video_id))

    @post(
        "/cancel",
        summary="Cancel the processing of a video",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(Unauthorized, Forbidden, VideoNotFound, NothingToCancel),
    )
    async def cancel_encoding(
        self, encoding: NamedDependency[Encoding], video_id: Id
    ) -> EncodingRead:
        """Stop the processing of the newest file; chunks in progress are still completed.

        The file and what is encoded are kept, and `POST …/retry` resumes. If the file was to
        replace another one, that one stays.
        """
        await encoding.cancel(video_id)
        return await encoding.read(video_id)

    @post(
        "/again",
        summary="Encode a video again",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(*READER_PROBLEMS, EncodingRuns, SourceRemoved),
    )
    async def encode_again(self, encoding: NamedDependency[Encoding], video_id: Id) -> EncodingRead:
        """Encode the newest file with the present settings; it plays as before until then."""
        await encoding.encode_again(video_id)
        return await encoding.read(video_id)


async def _changes(video_id: int) -> AsyncGenerator[ServerSentEventMessage]:
    with event_bus.subscribe(topic_for(video_id), f"{PROGRESS}{video_id}") as changed:
        while not shutdown.has_begun:  # clients reconnect to another process
            changed.clear()
            try:
                found = await _read(video_id)
            except (VideoNotFound, NothingToEncode):
                return
            yield ServerSentEventMessage(
                event="encoding", data=msgspec.json.encode(found).decode(), retry=RECONNECT_MS
            )
            if found.state not in UNFINISHED:
                return
            await shutdown.wait_for(changed, REFRESH_SECONDS)


async def _read(video_id: int) -> EncodingRead:
    async with transaction() as session:
        return await Encoding(session).read(video_id)
