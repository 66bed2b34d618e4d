"""Votes over HTTP."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, put
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from videoflix.catalog.service import VideoNotFound
from videoflix.library.api.access import PERSONAL, library_of
from videoflix.library.schemas import VoteCast, VoteShown
from videoflix.platform.identity import signed_in
from videoflix.platform.problems import problems
from videoflix.platform.web import Id
from videoflix.profiles.service import WATCHING


class VoteController(Controller):
    path = "/videos/{video_id:int}/vote"
    tags = ("Library",)
    guards = (signed_in,)

    @get(summary="Your vote", responses=problems(*WATCHING, VideoNotFound))
    async def show_vote(self, request: Request[Any, Any, Any], video_id: Id) -> Response[VoteShown]:
        """Your vote on a film, and everybody's."""
        async with library_of(request) as library:
            return Response(await library.own_vote(video_id), headers=PERSONAL)

    @put(summary="Vote", responses=problems(*WATCHING, VideoNotFound))
    async def cast_vote(
        self, request: Request[Any, Any, Any], video_id: Id, data: JSONBody[VoteCast]
    ) -> Response[VoteShown]:
        """Vote up or down; a profile has one vote a film, which it may change."""
        async with library_of(request) as library:
            return Response(await library.vote(video_id, data.vote), headers=PERSONAL)

    @delete(
        summary="Take your vote back",
        status_code=HTTP_200_OK,
        responses=problems(*WATCHING, VideoNotFound),
    )
    async def withdraw_vote(
        self, request: Request[Any, Any, Any], video_id: Id
    ) -> Response[VoteShown]:
        """Take your vote back."""
        async with library_of(request) as library:
            return Response(await library.vote(video_id, None), headers=PERSONAL)
