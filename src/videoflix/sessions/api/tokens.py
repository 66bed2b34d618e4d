"""HTTP API of token sessions, and the list of a user's sessions."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from videoflix.accounts.service import CREDENTIAL_PROBLEMS, Accounts
from videoflix.platform.auth.identity import (
    CurrentUser,
    ScopeTooNarrow,
    identity_of,
    interactive_only,
)
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Unauthorized, problems
from videoflix.platform.rate_limit.bucket import TooManyAttempts
from videoflix.platform.server.client_address import client_address, device_of
from videoflix.sessions.api.cookies import no_cookies
from videoflix.sessions.api.login import GUESTS, authenticated
from videoflix.sessions.schemas import (
    Credentials,
    RefreshRequest,
    SessionRead,
    TokenPair,
    Verified,
    VerifyRequest,
)
from videoflix.sessions.service.sessions import (
    GuestLoginDisabled,
    RefreshTokenInvalid,
    Sessions,
    SignInNotFound,
)


class TokenController(Controller):
    """Token pairs; a dialect may replace these routes."""

    path = "/auth"
    tags = ("Accounts",)
    dependencies = {"accounts": service(Accounts), "sessions": service(Sessions)}

    @post(
        "/token",
        summary="Sign in (returns tokens)",
        status_code=HTTP_200_OK,
        responses=problems(*CREDENTIAL_PROBLEMS, TooManyAttempts),
    )
    async def create_token(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
        data: JSONBody[Credentials],
    ) -> TokenPair:
        """Sign in from an application: returns an access token and a refresh token."""
        user = await authenticated(request, accounts, sessions, data)
        return await sessions.open(user, device_of(request))

    @post(
        ["/token/refresh", "/refresh"],
        summary="Refresh tokens",
        status_code=HTTP_200_OK,
        responses=problems(RefreshTokenInvalid),
    )
    async def refresh_token(
        self, sessions: NamedDependency[Sessions], data: JSONBody[RefreshRequest]
    ) -> TokenPair:
        """Exchange a refresh token for a new pair; each refresh token works once."""
        return await sessions.refresh(data.refresh)

    @post(
        "/token/verify",
        summary="Check an access token",
        status_code=HTTP_200_OK,
        responses=problems(Unauthorized),
    )
    async def verify_token(self, data: JSONBody[VerifyRequest]) -> Verified:
        """Return 200 if the access token is valid, otherwise 401."""
        if identity_of(data.token) is None:
            raise Unauthorized("This token is invalid or expired.")
        return Verified()


class AuthController(Controller):
    path = "/auth"
    tags = ("Accounts",)
    dependencies = {"sessions": service(Sessions)}

    @post(
        "/guest",
        summary="Sign in as a guest (returns tokens)",
        status_code=HTTP_200_OK,
        responses=problems(GuestLoginDisabled, TooManyAttempts),
    )
    async def create_guest(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> TokenPair:
        """Sign in without an account, if GUEST_LOGIN is on; guests are deleted after a day."""
        await GUESTS.acquire(client_address(request))
        _, pair = await sessions.open_as_guest(device_of(request))
        return pair

    @post(
        "/logout",
        summary="Sign out",
        guards=[interactive_only],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(Unauthorized, ScopeTooNarrow, SignInNotFound),
    )
    async def log_out(
        self, user: CurrentUser, sessions: NamedDependency[Sessions]
    ) -> Response[None]:
        """End this session; its tokens are revoked everywhere within a second."""
        await sessions.sign_out(user.user_id, user.sign_in_id)
        return Response(None, cookies=no_cookies())

    @post(
        "/logout/all",
        summary="Sign out everywhere",
        guards=[interactive_only],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(Unauthorized, ScopeTooNarrow),
    )
    async def log_out_everywhere(
        self, user: CurrentUser, sessions: NamedDependency[Sessions]
    ) -> Response[None]:
        """End all of your sessions, including this one, and revoke your API tokens."""
        await sessions.sign_out_everywhere(user.user_id)
        return Response(None, cookies=no_cookies())

    @get(
        "/sessions",
        summary="List your devices",
        guards=[interactive_only],
        responses=problems(Unauthorized, ScopeTooNarrow),
    )
    async def list_sessions(
        self, user: CurrentUser, sessions: NamedDependency[Sessions]
    ) -> list[SessionRead]:
        """List your sessions, most recently used first."""
        return await sessions.for_user(user.user_id, user.sign_in_id)

    @delete(
        "/sessions/{sign_in_id:int}",
        summary="Sign a device out",
        guards=[interactive_only],
        responses=problems(Unauthorized, ScopeTooNarrow, SignInNotFound),
    )
    async def end_session(
        self,
        user: CurrentUser,
        sessions: NamedDependency[Sessions],
        sign_in_id: FromPath[Id],
    ) -> None:
        """End one of your sessions."""
        await sessions.end(user.user_id, sign_in_id)
