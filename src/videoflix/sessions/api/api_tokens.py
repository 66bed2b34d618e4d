"""HTTP API of API tokens, for scripts."""

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from videoflix.platform.auth.identity import (
    CurrentUser,
    ScopeTooNarrow,
    account_holder_only,
    interactive_only,
)
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.sessions.schemas import ApiTokenCreate, ApiTokenCreated, ApiTokenRead
from videoflix.sessions.service.api_tokens import ApiTokens
from videoflix.sessions.service.sessions import SignInNotFound


class ApiTokenController(Controller):
    path = "/me/tokens"
    tags = ("Accounts",)
    guards = (interactive_only,)
    dependencies = {"tokens": service(ApiTokens)}

    @get(summary="List your API tokens", responses=problems(Unauthorized, ScopeTooNarrow))
    async def list_tokens(
        self, user: CurrentUser, tokens: NamedDependency[ApiTokens]
    ) -> list[ApiTokenRead]:
        """List your API tokens, most recently used first."""
        return await tokens.for_user(user.user_id)

    @post(
        summary="Create an API token",
        guards=[account_holder_only],
        responses=problems(Unauthorized, ScopeTooNarrow, Forbidden),
    )
    async def make_token(
        self,
        user: CurrentUser,
        tokens: NamedDependency[ApiTokens],
        data: JSONBody[ApiTokenCreate],
    ) -> ApiTokenCreated:
        """Create a token to send as `Authorization: Bearer` or `Token`; it is shown only once."""
        return await tokens.create(user.user_id, user.sign_in_id, data)

    @delete(
        "/{token_id:int}",
        summary="Revoke an API token",
        responses=problems(Unauthorized, ScopeTooNarrow, SignInNotFound),
    )
    async def revoke_token(
        self,
        user: CurrentUser,
        tokens: NamedDependency[ApiTokens],
        token_id: FromPath[Id],
    ) -> None:
        """Revoke an API token; this takes effect everywhere within a second."""
        await tokens.revoke(user.user_id, token_id)
