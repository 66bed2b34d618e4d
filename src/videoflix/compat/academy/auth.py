"""Signing in and out with cookies."""

from typing import Any

import msgspec
from litestar import Controller, Request, Response, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK, HTTP_401_UNAUTHORIZED

from videoflix.accounts.problems import InvalidCredentials
from videoflix.accounts.service import Accounts
from videoflix.compat.dialect import NONE
from videoflix.compat.drf.errors import NON_FIELD, DrfError
from videoflix.compat.drf.parsing import Email, read, read_fields, sent_fields
from videoflix.platform.auth.cookies import cookie_value
from videoflix.platform.auth.csrf import CSRF_COOKIE, ensure_same_site
from videoflix.platform.auth.identity import COOKIE, REFRESH_COOKIE
from videoflix.platform.auth.tokens import csrf_token
from videoflix.platform.http.params import service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.rate_limit.bucket import AttemptLimit
from videoflix.platform.server.client_address import client_address, device_of
from videoflix.sessions.api.cookies import cookie
from videoflix.sessions.api.login import authenticated
from videoflix.sessions.schemas import Credentials, TokenPair
from videoflix.sessions.service.sessions import RefreshTokenInvalid, Sessions, sign_in_of
from videoflix.settings import settings

YEAR = 365 * 24 * 3600
WRONG = "Invalid emailaddress or password"
# Whether an account exists is revealed only with DIALECTS_REVEAL_ACCOUNTS, and rate-limited.
ASKED = AttemptLimit("academy-who-has-an-account", burst=20, seconds=15)


class KnownAddress(msgspec.Struct):
    email: Email


class AuthController(Controller):
    path = "/api"
    dependencies = {"accounts": service(Accounts), "sessions": service(Sessions)}

    @post("/login", status_code=HTTP_200_OK, opt={"canonical": "POST /api/v1/auth/session"})
    async def log_in(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
    ) -> Response[dict[str, Any]]:
        typed = await read(request, Credentials)
        try:
            user = await authenticated(request, accounts, sessions, typed)
        except InvalidCredentials as error:
            why = {NON_FIELD: [await _why(typed.email)]}
            raise DrfError(why, headers={"Set-Cookie": _unusable().to_header(header="")}) from error
        pair = await sessions.open(user, device_of(request))
        body = {"detail": "Login successful", "user": {"id": user.id, "username": user.email}}
        return Response(body, cookies=_cookies(pair))

    @post(
        "/token/refresh",
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/session/refresh"},
    )
    async def refresh(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[dict[str, str]]:
        token = cookie_value(request.cookies, REFRESH_COOKIE)
        if not token:
            raise DrfError({"error": "Refresh token not found in cookies"})
        ensure_same_site(request, sign_in_of(token))
        try:
            pair = await sessions.refresh(token)
        except RefreshTokenInvalid as error:
            body = {"detail": "Refresh token is invalid"}
            raise DrfError(body, HTTP_401_UNAUTHORIZED) from error
        return Response({"message": "access Token refreshed successfully"}, cookies=_cookies(pair))

    @post("/logout", status_code=HTTP_200_OK, opt={"canonical": "DELETE /api/v1/auth/session"})
    async def log_out(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[dict[str, str]]:
        token = cookie_value(request.cookies, REFRESH_COOKIE)
        if not token:
            raise DrfError({"error": "Refresh token is missing."})
        ensure_same_site(request, sign_in_of(token))
        if not await sessions.end_family(token):
            raise DrfError({"error": "Invalid or expired refresh token."})
        text = "Log-Out successfully! All Tokens will be deleted. Refresh token is now invalid."
        return Response({"detail": text}, cookies=_no_cookies())

    @post("/users/check-login-register", status_code=HTTP_200_OK, opt={"canonical": NONE})
    async def check_address(
        self, request: Request[Any, Any, Any], accounts: NamedDependency[Accounts]
    ) -> dict[str, bool]:
        """Always claim that the account exists, unless DIALECTS_REVEAL_ACCOUNTS is set."""
        await ASKED.acquire(client_address(request))
        fields = await sent_fields(request)
        if not fields.get("email"):
            raise DrfError({"detail": "Email is required"})
        email = read_fields(fields, KnownAddress).email
        known = not settings.dialects_reveal_accounts or await accounts.by_email(email) is not None
        return {"shouldLogin": known, "shouldRegister": not known}


async def _why(email: str) -> str:
    """The reason shown by older clients; reveals unknown accounts only if configured."""
    if not settings.dialects_reveal_accounts:
        return WRONG
    async with transaction() as session:  # the request's transaction is rolled back
        known = await Accounts(session).by_email(email)
    return WRONG if known else "Email address is not registered"


def _cookies(pair: TokenPair) -> list[Cookie]:
    """Session cookies for the tokens, as in the older backend; csrftoken lasts a year."""
    return [
        cookie(COOKIE, pair.access, None),
        cookie(REFRESH_COOKIE, pair.refresh, None),
        cookie(
            CSRF_COOKIE, csrf_token(sign_in_of(pair.refresh)), YEAR, readable=True, prefixed=False
        ),
    ]


def _no_cookies() -> list[Cookie]:
    """Delete the cookies; older pages still read a csrftoken, so an unusable one is set."""
    return [
        cookie(COOKIE, "", 0),
        cookie(REFRESH_COOKIE, "", 0),
        _unusable(),
    ]


def _unusable() -> Cookie:
    """A csrftoken of nobody: older pages read one whether they are signed in or not."""
    return cookie(CSRF_COOKIE, csrf_token(0), YEAR, readable=True, prefixed=False)
