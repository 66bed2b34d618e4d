"""Token pairs as of Simple JWT: clients keep a refresh token and use it again and again."""

from http import HTTPStatus
from typing import Any

from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency

from videoflix.accounts.problems import InvalidCredentials
from videoflix.accounts.service import Accounts
from videoflix.compat.drf.errors import CHALLENGE, DrfError
from videoflix.compat.drf.parsing import read
from videoflix.compat.drf.simplejwt import (
    NO_ACCOUNT,
    CredentialsForm,
    RefreshForm,
    VerifyForm,
    refusal_of,
)
from videoflix.platform.auth.identity import identity_of
from videoflix.platform.auth.tokens import InvalidToken, Purpose, verify
from videoflix.platform.http.params import service
from videoflix.platform.server.client_address import device_of
from videoflix.sessions.api.login import authenticated
from videoflix.sessions.schemas import Credentials
from videoflix.sessions.service.sessions import RefreshTokenInvalid, Sessions


class OlderTokenController(Controller):
    path = "/api/v1/auth"
    dependencies = {"accounts": service(Accounts), "sessions": service(Sessions)}

    @post("/token", status_code=HTTPStatus.OK, opt={"canonical": "POST /api/v1/auth/token"})
    async def make_pair(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
    ) -> dict[str, str]:
        """Sign in; the refresh token stays valid until it expires or the session ends."""
        typed = await read(request, CredentialsForm)
        try:
            credentials = Credentials(typed.email, typed.password)
            user = await authenticated(request, accounts, sessions, credentials)
        except InvalidCredentials as error:
            raise DrfError({"detail": NO_ACCOUNT}, HTTPStatus.UNAUTHORIZED, CHALLENGE) from error
        pair = await sessions.open(user, device_of(request), keeps_refresh_token=True)
        return {"refresh": pair.refresh, "access": pair.access}

    @post(
        ["/token/refresh", "/refresh"],
        status_code=HTTPStatus.OK,
        opt={"canonical": "POST /api/v1/auth/token/refresh"},
    )
    async def refresh(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> dict[str, str]:
        """Return a new access token; tokens of our own clients are rotated here as well."""
        token = (await read(request, RefreshForm)).refresh
        try:
            pair = await sessions.refresh(token)
        except RefreshTokenInvalid as error:
            raise refusal_of(token, Purpose.ACCESS) from error
        rotated = {} if pair.refresh == token else {"refresh": pair.refresh}
        return {"access": pair.access, **rotated}

    @post(
        "/token/verify",
        status_code=HTTPStatus.OK,
        opt={"canonical": "POST /api/v1/auth/token/verify"},
    )
    async def check(self, request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        """Respond with an empty object if an access or refresh token is valid."""
        token = (await read(request, VerifyForm)).token
        if identity_of(token) is None and not _is_refresh_token(token):
            raise refusal_of(token)
        return Response({})


def _is_refresh_token(token: str) -> bool:
    try:
        verify(Purpose.REFRESH, token)
    except InvalidToken:
        return False
    return True
