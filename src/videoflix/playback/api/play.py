"""Playback over HTTP: play passes, playlists, segments, posters."""

import re
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from litestar.status_codes import HTTP_200_OK

from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.media.schemas import Timeline
from videoflix.platform.client import device_of
from videoflix.platform.db import transaction
from videoflix.platform.identity import signed_in
from videoflix.platform.problems import SignInNeeded, problems
from videoflix.platform.storage import media_storage
from videoflix.platform.throttling import UNLIMITED
from videoflix.platform.web import Id, service
from videoflix.playback.schemas import PlayPass
from videoflix.playback.service.leases import Leases
from videoflix.playback.service.play import (
    FilmFailed,
    NotPlayableYet,
    Playback,
    Slice,
    StreamNotFound,
    TimelineCache,
    allows,
    init_slice,
    segment_slice,
    ticket_of,
)
from videoflix.playback.service.playheads import playheads
from videoflix.playback.service.streams import LIMITS, Streams, watching
from videoflix.profiles.schemas import STRANGER, Viewing
from videoflix.profiles.service import viewing_of
from videoflix.settings import settings

HLS = "application/vnd.apple.mpegurl"
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
NOT_STORED = {"Cache-Control": "private, no-store"}
FILE_NAME = re.compile(r"(?:init-(?P<chunk>\d{1,6})\.mp4|(?P<segment>\d{5,7})\.m4s)")

Token = Annotated[str, QueryParameter(description="A play token instead of a header.")]
Name = Annotated[str, PathParameter(pattern=r"^[a-z0-9]{2,16}$")]
FileName = Annotated[str, PathParameter(max_length=32)]

timelines = TimelineCache()


# Players that fetch with a sign-in instead of a play token.
leases = Leases()


class PlaybackController(Controller):
    path = "/videos/{video_id:int}"
    tags = ("Playback",)
    dependencies = {"playback": service(Playback), "streams": service(Streams)}

    @post(
        "/play",
        summary="Ask for a play pass",
        status_code=HTTP_200_OK,
        guards=[signed_in],
        responses=problems(SignInNeeded, VideoNotFound, NotPlayableYet, FilmFailed, *LIMITS),
    )
    async def play(
        self,
        request: Request[Any, Any, Any],
        playback: NamedDependency[Playback],
        streams: NamedDependency[Streams],
        video_id: Id,
    ) -> PlayPass:
        """Ask for an address that plays the film without any header.

        Where memberships limit streams this is one of them, until its segments are not fetched.
        """
        viewing, sign_in = await viewing_of(request.user), request.user.sign_in_id
        device = device_of(request)
        lease_id = await streams.begin_once(viewing, sign_in, video_id, device)
        return await playback.open(viewing, sign_in, video_id, lease_id)

    @get(
        "/master.m3u8",
        opt=UNLIMITED,
        summary="Multivariant playlist",
        media_type=HLS,
        responses=problems(SignInNeeded, VideoNotFound, NotPlayableYet, FilmFailed),
    )
    async def show_master(
        self,
        request: Request[Any, Any, Any],
        playback: NamedDependency[Playback],
        video_id: Id,
        token: Token = "",
    ) -> Response[str]:
        """The film's multivariant playlist (HLS)."""
        viewing = await _viewing(request, video_id, token, begins=True)
        text = await playback.master(viewing, video_id, _query(token))
        return Response(text, media_type=HLS, headers=NOT_STORED)

    @get(
        "/assets/{asset_id:int}/{rendition:str}/index.m3u8",
        opt=UNLIMITED,
        summary="Media playlist",
        media_type=HLS,
        responses=problems(SignInNeeded, VideoNotFound, StreamNotFound, NotPlayableYet),
    )
    async def show_playlist(
        self,
        request: Request[Any, Any, Any],
        playback: NamedDependency[Playback],
        video_id: Id,
        asset_id: Id,
        rendition: Name,
        token: Token = "",
    ) -> Response[str]:
        """A rendition's media playlist; it grows while the film is being encoded."""
        viewing = await _viewing(request, video_id, token)
        text = await playback.playlist(viewing, video_id, asset_id, rendition, _query(token))
        return Response(text, media_type=HLS, headers=NOT_STORED)

    @get(
        "/assets/{asset_id:int}/{rendition:str}/{file_name:str}",
        opt=UNLIMITED,
        summary="Segment or initialisation section",
        media_type="video/mp4",
        responses=problems(SignInNeeded, StreamNotFound),
    )
    async def show_segment(
        self,
        request: Request[Any, Any, Any],
        video_id: Id,
        asset_id: Id,
        rendition: Name,
        file_name: FileName,
        token: Token = "",
    ) -> Response[bytes]:
        """An initialisation section (`init-0.mp4`) or a segment (`00000.m4s`): CMAF."""
        viewing = await _viewing(request, video_id, token)
        if not token:  # a play token was made for a film its holder may see
            async with transaction() as session:
                await Catalog(session).video(viewing, video_id)
        return await segment(viewing, video_id, asset_id, rendition, file_name)

    @get(
        "/poster.jpg",
        opt=UNLIMITED,
        summary="Poster",
        media_type="image/jpeg",
        responses=problems(SignInNeeded, VideoNotFound, StreamNotFound),
    )
    async def show_poster(self, request: Request[Any, Any, Any], video_id: Id) -> Response[bytes]:
        """The picture that stands for the film; strangers see those of films for everyone."""
        if request.user is None and not settings.public_catalogue:
            raise SignInNeeded
        viewing = await viewing_of(request.user) if request.user else STRANGER
        async with transaction() as session:
            video = await Catalog(session).video(viewing, video_id)
        if video.poster is None:
            raise StreamNotFound
        try:
            data = await media_storage().read_all(video.poster)
        except FileNotFoundError as error:
            raise StreamNotFound from error
        return Response(data, media_type="image/jpeg", headers=FOR_EVER)


async def _viewing(
    request: Request[Any, Any, Any], video_id: int, token: str, *, begins: bool = False
) -> Viewing:
    """Who watches: the play token if there is one, else who is signed in, with a lease either way.

    Raises SignInNeeded, StreamEnded, or what may stand in the way of a stream.
    """
    if token:
        ticket = ticket_of(token, video_id)
        if ticket.lease_id:
            await watching.go_on(ticket.lease_id)
        return ticket.viewing
    if request.user is None:
        raise SignInNeeded
    viewing, sign_in = await viewing_of(request.user), request.user.sign_in_id
    watch = leases.begin if begins else leases.go_on
    await watch((sign_in, video_id), viewing, sign_in, video_id, device_of(request))
    return viewing


async def segment(
    viewing: Viewing, video_id: int, asset_id: int, rendition: str, file_name: str
) -> Response[bytes]:
    """The bytes of a segment of a film that may be seen. Raises StreamNotFound."""
    found = await _find(viewing, video_id, asset_id, rendition, file_name)
    if (name := FILE_NAME.fullmatch(file_name)) and name["segment"] is not None:
        await playheads.reached(asset_id, int(name["segment"]))
    try:
        data = await media_storage().read(found.key, found.offset, found.length)
    except FileNotFoundError as error:
        raise StreamNotFound from error
    return Response(data, media_type="video/mp4", headers=FOR_EVER)


def _query(token: str) -> str:
    return f"?token={token}" if token else ""


async def _find(
    viewing: Viewing, video_id: int, asset_id: int, rendition: str, file_name: str
) -> Slice:
    """Look in what this process knows first; most segments then cost no query."""
    timeline = timelines.get(video_id, asset_id)
    found = _slice(viewing, timeline, rendition, file_name) if timeline else None
    if found is None:
        async with transaction() as session:
            timeline = await Playback(session).timeline(video_id, asset_id)
        timelines.keep(timeline)
        found = _slice(viewing, timeline, rendition, file_name)
    if found is None:
        raise StreamNotFound
    return found


def _slice(viewing: Viewing, timeline: Timeline, rendition: str, file_name: str) -> Slice | None:
    track = timeline.track(rendition)
    name = FILE_NAME.fullmatch(file_name)
    if track is None or name is None or not allows(viewing, timeline, track):
        return None
    if name["chunk"] is not None:
        return init_slice(track, int(name["chunk"]))
    return segment_slice(track, int(name["segment"]))
