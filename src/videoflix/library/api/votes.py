"""Votes over HTTP."""

from typing import Annotated

from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from videoflix.catalog.service import VideoNotFound
from videoflix.library.api.dependencies import PERSONAL, library_of
from videoflix.library.schemas import VoteAdminRead, VoteCast, VoteRead
from videoflix.library.service import VoteNotFound, Votes
from videoflix.platform.auth.identity import CurrentUser, admins_only, signed_in
from videoflix.platform.http.params import BIGINT_MAX, Id, Limit, Offset, Page, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.profiles.service import VIEWER_PROBLEMS

Of = Annotated[int | None, QueryParameter(ge=1, le=BIGINT_MAX)]


class VoteController(Controller):
    path = "/videos/{video_id:int}/vote"
    tags = ("Library",)
    guards = (signed_in,)

    @get(summary="Get your vote", responses=problems(*VIEWER_PROBLEMS, VideoNotFound))
    async def show_vote(self, user: CurrentUser, video_id: Id) -> Response[VoteRead]:
        """Return your vote on a video, and the number of all votes."""
        async with library_of(user) as library:
            return Response(await library.own_vote(video_id), headers=PERSONAL)

    @put(summary="Vote", responses=problems(*VIEWER_PROBLEMS, VideoNotFound))
    async def cast_vote(
        self, user: CurrentUser, video_id: Id, data: JSONBody[VoteCast]
    ) -> Response[VoteRead]:
        """Vote up or down; each profile has one vote per video, which can be changed."""
        async with library_of(user) as library:
            return Response(await library.vote(video_id, data.vote), headers=PERSONAL)

    @delete(
        summary="Withdraw your vote",
        status_code=HTTP_200_OK,
        responses=problems(*VIEWER_PROBLEMS, VideoNotFound),
    )
    async def withdraw_vote(self, user: CurrentUser, video_id: Id) -> Response[VoteRead]:
        """Withdraw your vote; idempotent."""
        async with library_of(user) as library:
            return Response(await library.vote(video_id, None), headers=PERSONAL)


class VotesController(Controller):
    path = "/votes"
    tags = ("Library",)
    guards = (admins_only,)
    dependencies = {"votes": service(Votes)}

    @get(summary="List votes", responses=problems(Unauthorized, Forbidden))
    async def list_votes(
        self,
        votes: NamedDependency[Votes],
        video_id: Of = None,
        user_id: Of = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[VoteAdminRead]:
        """List votes, newest first, optionally of one video or one user."""
        found, total = await votes.list_page(
            LimitOffset(limit, offset), video_id=video_id, user_id=user_id
        )
        return Page(found, total, limit, offset)

    @delete(
        "/{vote_id:int}",
        summary="Delete a vote",
        responses=problems(Unauthorized, Forbidden, VoteNotFound),
    )
    async def delete_vote(self, votes: NamedDependency[Votes], vote_id: FromPath[Id]) -> None:
        """Delete a vote; its profile can vote again."""
        await votes.remove(vote_id)
