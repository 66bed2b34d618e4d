"""Streams and their leases over HTTP."""

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from videoflix.catalog.service import VideoNotFound
from videoflix.platform.auth.identity import CurrentUser, admins_only, signed_in
from videoflix.platform.http.idempotency import Key, KeyReused, run_once
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.playback.schemas import (
    Heartbeat,
    OwnMembership,
    StreamAdminRead,
    StreamCreate,
    StreamRead,
    StreamStarted,
    StreamWanted,
)
from videoflix.playback.service.access import VideoFailed
from videoflix.playback.service.playlists import NotPlayableYet, Playback
from videoflix.playback.service.streams import (
    STREAM_PROBLEMS,
    StreamEnded,
    StreamNotFound,
    Streams,
    expiry_of,
    owner_by,
)
from videoflix.profiles.service import VIEWER_PROBLEMS, current_viewer
from videoflix.settings import settings

StopToken = Annotated[
    str,
    QueryParameter(max_length=2048, description="A `stop_token`, as an alternative to signing in."),
]
# Two heartbeats may get lost.
HEARTBEATS_PER_LEASE = 3


class StreamController(Controller):
    path = "/streams"
    tags = ("Playback",)
    dependencies = {"streams": service(Streams), "playback": service(Playback)}

    @post(
        summary="Start a stream",
        guards=[signed_in],
        responses=problems(
            *VIEWER_PROBLEMS,
            VideoNotFound,
            NotPlayableYet,
            VideoFailed,
            *STREAM_PROBLEMS,
            KeyReused,
        ),
    )
    async def start_stream(
        self,
        user: CurrentUser,
        streams: NamedDependency[Streams],
        playback: NamedDependency[Playback],
        data: JSONBody[StreamCreate],
        key: Key = "",
    ) -> StreamStarted:
        """Start a stream on a device: returns a lease and a playback URL.

        If the plan's limit is reached, the problem lists the running streams with stop tokens.
        """
        viewer = await current_viewer(user)
        sign_in = user.sign_in_id

        async def start() -> StreamStarted:
            lease = await streams.begin(viewer, sign_in, data.video_id, data.device)
            return StreamStarted(
                id=lease.id,
                heartbeat_seconds=settings.stream_lease_seconds // HEARTBEATS_PER_LEASE,
                expires_at=expiry_of(lease),
                playback=await playback.open(viewer, sign_in, data.video_id, lease.id),
            )

        wanted = StreamWanted(user.profile, data)
        return await run_once(streams.session, viewer.user_id, key, wanted, start)

    @get(summary="List your streams", guards=[signed_in], responses=problems(Unauthorized))
    async def list_streams(
        self, user: CurrentUser, streams: NamedDependency[Streams]
    ) -> list[StreamRead]:
        """List your running streams, oldest first."""
        return await streams.for_user(user.user_id)

    @get(
        "/everybody",
        summary="List all streams",
        guards=[admins_only],
        responses=problems(Unauthorized, Forbidden),
    )
    async def list_everybodys(self, streams: NamedDependency[Streams]) -> list[StreamAdminRead]:
        """List the running streams of all users."""
        return await streams.all()

    @put(
        "/{stream_id:int}",
        summary="Send a heartbeat",
        guards=[signed_in],
        responses=problems(Unauthorized, StreamNotFound, StreamEnded),
    )
    async def beat(
        self, user: CurrentUser, streams: NamedDependency[Streams], stream_id: Id
    ) -> Heartbeat:
        """Extend a stream's lease; fetching its segments does too."""
        return await streams.heartbeat(user.user_id, stream_id)

    @delete(
        "/{stream_id:int}",
        summary="Stop a stream",
        responses=problems(Unauthorized, StreamNotFound),
    )
    async def stop_stream(
        self,
        request: Request[Any, Any, Any],
        streams: NamedDependency[Streams],
        stream_id: Id,
        token: StopToken = "",
    ) -> None:
        """Stop one of your streams; its URLs stop working within a second."""
        if token:
            user_id = owner_by(token, stream_id)
        elif request.user is None:
            raise Unauthorized
        else:
            user_id = request.user.user_id
        await streams.stop(user_id, stream_id)


class OwnMembershipController(Controller):
    path = "/me/membership"
    tags = ("Memberships",)
    guards = (signed_in,)
    dependencies = {"streams": service(Streams)}

    @get(summary="Show your membership", responses=problems(*VIEWER_PROBLEMS))
    async def show_membership(
        self, user: CurrentUser, streams: NamedDependency[Streams]
    ) -> OwnMembership:
        """Show your membership and how many of its streams are in use."""
        return await streams.own_membership(await current_viewer(user))
