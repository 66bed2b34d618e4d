"""API tokens: for scripts, which cannot be asked for a password."""

from typing import Any

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from videoflix.platform.identity import ScopeTooNarrow, in_person
from videoflix.platform.problems import SignInNeeded, problems
from videoflix.platform.web import Id, service
from videoflix.sessions.schemas import ApiTokenMade, ApiTokenShown, NewApiToken
from videoflix.sessions.service.sign_ins import Sessions, SignInNotFound


class ApiTokenController(Controller):
    path = "/me/tokens"
    tags = ("Accounts",)
    guards = (in_person,)
    dependencies = {"sessions": service(Sessions)}

    @get(summary="List your API tokens", responses=problems(SignInNeeded, ScopeTooNarrow))
    async def list_tokens(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> list[ApiTokenShown]:
        """List your API tokens, the latest used first."""
        return await sessions.api_tokens(request.user.user_id)

    @post(summary="Make an API token", responses=problems(SignInNeeded, ScopeTooNarrow))
    async def make_token(
        self,
        request: Request[Any, Any, Any],
        sessions: NamedDependency[Sessions],
        data: JSONBody[NewApiToken],
    ) -> ApiTokenMade:
        """Make a token to send as `Authorization: Bearer` or `Token`; it is shown this once."""
        return await sessions.make_api_token(request.user.user_id, data)

    @delete(
        "/{token_id:int}",
        summary="Revoke an API token",
        responses=problems(SignInNeeded, ScopeTooNarrow, SignInNotFound),
    )
    async def revoke_token(
        self,
        request: Request[Any, Any, Any],
        sessions: NamedDependency[Sessions],
        token_id: FromPath[Id],
    ) -> None:
        """Revoke an API token: it stops working everywhere within a second."""
        await sessions.revoke_api_token(request.user.user_id, token_id)
