"""Playlists and segments for players that send a cookie and nothing else.

Older players ask for one resolution. What they get is a multivariant playlist of that one rung,
because picture and sound are apart in our files; all it names lies beside it.
"""

import re
from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.params import FromPath, PathParameter
from litestar.status_codes import HTTP_404_NOT_FOUND

from videoflix.catalog.service import Catalog, VideoNotFound
from videoflix.compat.drf import Refusal
from videoflix.compat.films import number
from videoflix.platform.client import device_of
from videoflix.platform.db import transaction
from videoflix.platform.identity import Identity, signed_in
from videoflix.platform.revocations import ended_streams
from videoflix.platform.throttling import UNLIMITED
from videoflix.playback.api.play import HLS, NOT_STORED, segment
from videoflix.playback.service.play import (
    FilmFailed,
    NotPlayableYet,
    Playback,
    StreamNotFound,
)
from videoflix.playback.service.streams import StreamEnded, Streams, watching
from videoflix.profiles.schemas import Viewing
from videoflix.profiles.service import viewing_of

RESOLUTIONS = {"120p": 120, "360p": 360, "480p": 480, "720p": 720, "1080p": 1080}
# An asset, a rendition, and the rendition's playlist or one of its files.
PART = re.compile(
    r"(?P<asset>\d{1,18})-(?P<rendition>[a-z0-9]{2,16})(?:\.m3u8|-(?P<file>[a-z0-9-]+\.(?:mp4|m4s)))"
)
NO_MANIFEST = {"detail": "Video or Manifest file not found"}
NO_SEGMENT = {"detail": "Video or Segment file not found"}
KNOWN_MAX = 20_000

Text = Annotated[str, PathParameter(max_length=100)]


class Leases:
    """The streams of players that know nothing of leases, by sign-in and film.

    Opening the playlist begins a stream; what is fetched for it keeps it alive. One that fell
    silent begins again by itself where the membership allows; one that was stopped does not.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}

    async def begin(self, identity: Identity, viewing: Viewing, video_id: int, device: str) -> None:
        """Raises what `Streams.begin_once` raises."""
        async with transaction() as session:
            lease_id = await Streams(session).begin_once(
                viewing, identity.sign_in_id, video_id, device
            )
        key = (identity.sign_in_id, video_id)
        self._known.pop(key, None)
        self._known[key] = lease_id
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]

    async def go_on(self, identity: Identity, viewing: Viewing, video_id: int, device: str) -> None:
        """Raises StreamEnded when somebody stopped it, or what `begin` raises."""
        lease_id = self._known.get((identity.sign_in_id, video_id))
        if lease_id is None:
            await self.begin(identity, viewing, video_id, device)
        elif lease_id in ended_streams:
            raise StreamEnded
        elif lease_id:
            try:
                await watching.go_on(lease_id)
            except StreamEnded:
                await self.begin(identity, viewing, video_id, device)


leases = Leases()


class PlayingController(Controller):
    path = "/api/video/{video_id:str}/{resolution:str}"
    guards = (signed_in,)
    opt = UNLIMITED

    @get("/index.m3u8", opt={"canonical": "GET /api/v1/videos/{video_id}/master.m3u8"})
    async def show_manifest(
        self, request: Request[Any, Any, Any], video_id: FromPath[str], resolution: Text
    ) -> Response[str]:
        """A rung above the film's ladder falls back to the nearest lower one."""
        film, lines = number(video_id), RESOLUTIONS.get(resolution)
        viewing = await viewing_of(request.user)
        try:
            if lines is None:
                raise StreamNotFound
            async with transaction() as session:
                text = await Playback(session).one_rung(viewing, film, lines, _playlist_name)
        except (VideoNotFound, StreamNotFound, NotPlayableYet, FilmFailed) as error:
            raise Refusal(NO_MANIFEST, HTTP_404_NOT_FOUND) from error
        await leases.begin(request.user, viewing, film, device_of(request))
        return _playlist(text)

    @get(
        "/{segment_name:str}",
        opt={
            "canonical": "GET /api/v1/videos/{video_id}/assets/{asset_id}/{rendition}/{file_name}"
        },
    )
    async def show_part(
        self, request: Request[Any, Any, Any], video_id: FromPath[str], segment_name: Text
    ) -> Response[Any]:
        """A rendition's playlist or segment, by a name out of a playlist and no other."""
        film, named = number(video_id), PART.fullmatch(segment_name)
        try:
            if named is None:
                raise StreamNotFound
            viewing = await viewing_of(request.user)
            text = await _look(viewing, film, named)
            await leases.go_on(request.user, viewing, film, device_of(request))
            if text:
                return _playlist(text)
            asset_id, rendition = int(named["asset"]), named["rendition"]
            return await segment(viewing, film, asset_id, rendition, named["file"])
        except (VideoNotFound, StreamNotFound, NotPlayableYet, FilmFailed) as error:
            raise Refusal(NO_SEGMENT, HTTP_404_NOT_FOUND) from error


async def _look(viewing: Viewing, video_id: int, named: re.Match[str]) -> str:
    """The playlist that was named; empty for a segment of a film that may be seen."""
    async with transaction() as session:
        if named["file"]:
            await Catalog(session).video(viewing, video_id)
            return ""
        name = f"{named['asset']}-{named['rendition']}-"
        return await Playback(session).playlist(
            viewing, video_id, int(named["asset"]), named["rendition"], prefix=name
        )


def _playlist_name(asset_id: int, rendition: str) -> str:
    return f"{asset_id}-{rendition}.m3u8"


def _playlist(text: str) -> Response[str]:
    return Response(text, media_type=HLS, headers=NOT_STORED)
