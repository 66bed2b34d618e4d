"""API tokens: for scripts, which cannot be asked for a password."""

from typing import Any

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from videoflix.platform.auth.identity import ScopeTooNarrow, deciding, in_person
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Forbidden, SignInNeeded, problems
from videoflix.sessions.schemas import ApiTokenMade, ApiTokenShown, NewApiToken
from videoflix.sessions.service.api_tokens import ApiTokens
from videoflix.sessions.service.sessions import SignInNotFound


class ApiTokenController(Controller):
    path = "/me/tokens"
    tags = ("Accounts",)
    guards = (in_person,)
    dependencies = {"tokens": service(ApiTokens)}

    @get(summary="List your API tokens", responses=problems(SignInNeeded, ScopeTooNarrow))
    async def list_tokens(
        self, request: Request[Any, Any, Any], tokens: NamedDependency[ApiTokens]
    ) -> list[ApiTokenShown]:
        """List your API tokens, the latest used first."""
        return await tokens.of(request.user.user_id)

    @post(
        summary="Make an API token",
        guards=[deciding],
        responses=problems(SignInNeeded, ScopeTooNarrow, Forbidden),
    )
    async def make_token(
        self,
        request: Request[Any, Any, Any],
        tokens: NamedDependency[ApiTokens],
        data: JSONBody[NewApiToken],
    ) -> ApiTokenMade:
        """Make a token to send as `Authorization: Bearer` or `Token`; it is shown this once."""
        return await tokens.make(request.user.user_id, request.user.sign_in_id, data)

    @delete(
        "/{token_id:int}",
        summary="Revoke an API token",
        responses=problems(SignInNeeded, ScopeTooNarrow, SignInNotFound),
    )
    async def revoke_token(
        self,
        request: Request[Any, Any, Any],
        tokens: NamedDependency[ApiTokens],
        token_id: FromPath[Id],
    ) -> None:
        """Revoke an API token: it stops working everywhere within a second."""
        await tokens.revoke(request.user.user_id, token_id)
