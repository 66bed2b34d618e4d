"""HTTP API of browser sessions, with tokens in HttpOnly cookies."""

from typing import Any

from litestar import Controller, Request, Response, delete, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from videoflix.accounts.schemas import UserRead
from videoflix.accounts.service import CREDENTIAL_PROBLEMS, Accounts
from videoflix.platform.auth.cookies import cookie_name, cookie_value, is_https
from videoflix.platform.auth.csrf import CSRF_COOKIE, CrossSiteRequest, ensure_same_site
from videoflix.platform.auth.identity import COOKIE, REFRESH_COOKIE
from videoflix.platform.auth.tokens import csrf_token
from videoflix.platform.http.params import service
from videoflix.platform.problems import problems
from videoflix.platform.rate_limit.bucket import TooManyAttempts
from videoflix.platform.server.client_address import client_address, device_of
from videoflix.sessions.api.login import GUESTS, authenticated
from videoflix.sessions.schemas import Credentials, SignedIn, TokenPair
from videoflix.sessions.service.sessions import (
    GuestLoginDisabled,
    RefreshTokenInvalid,
    Sessions,
    sign_in_of,
)

# Path of the refresh token's cookie, which is sent to no other route.
REFRESH_PATH = "/api/v1/auth"


class CookieSessionController(Controller):
    path = "/auth/session"
    tags = ("Accounts",)
    dependencies = {"accounts": service(Accounts), "sessions": service(Sessions)}

    @post(
        summary="Sign in (sets cookies)",
        status_code=HTTP_200_OK,
        responses=problems(*CREDENTIAL_PROBLEMS, TooManyAttempts, CrossSiteRequest),
    )
    async def open_session(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
        data: JSONBody[Credentials],
    ) -> Response[SignedIn]:
        """Sign in from a browser: sets HttpOnly cookies, and `csrftoken` for X-CSRFToken."""
        user = await authenticated(request, accounts, sessions, data)
        pair = await sessions.open(user, device_of(request))
        return Response(SignedIn(UserRead.of(user)), cookies=_cookies(pair))

    @post(
        "/guest",
        summary="Sign in as a guest (sets cookies)",
        status_code=HTTP_200_OK,
        responses=problems(GuestLoginDisabled, TooManyAttempts, CrossSiteRequest),
    )
    async def open_guest_session(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[SignedIn]:
        """Sign in without an account, if GUEST_LOGIN is on; guests are deleted after a day."""
        await GUESTS.acquire(client_address(request))
        guest, pair = await sessions.open_as_guest(device_of(request))
        return Response(SignedIn(UserRead.of(guest)), cookies=_cookies(pair))

    @post(
        "/refresh",
        summary="Refresh the session cookies",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(RefreshTokenInvalid, CrossSiteRequest),
    )
    async def refresh_session(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[None]:
        """Refresh the session with the refresh token in the cookies."""
        token = cookie_value(request.cookies, REFRESH_COOKIE)
        ensure_same_site(request, sign_in_of(token))
        return Response(None, cookies=_cookies(await sessions.refresh(token)))

    @delete(summary="Sign out", responses=problems(CrossSiteRequest))
    async def close_session(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[None]:
        """Sign out of this browser: ends the session and clears the cookies."""
        if token := cookie_value(request.cookies, REFRESH_COOKIE):
            ensure_same_site(request, sign_in_of(token))
            await sessions.end_family(token)
        return Response(None, cookies=no_cookies())


def no_cookies() -> list[Cookie]:
    """Return expired cookies that clear ours, including those of earlier releases."""
    both = (True, False) if is_https() else (True,)
    return [
        one
        for prefixed in both
        for one in (
            cookie(COOKIE, "", 0, prefixed=prefixed),
            cookie(REFRESH_COOKIE, "", 0, path=REFRESH_PATH, prefixed=prefixed),
            cookie(CSRF_COOKIE, "", 0, readable=True, prefixed=prefixed),
        )
    ]


def _cookies(pair: TokenPair) -> list[Cookie]:
    left = pair.refresh_expires_in
    csrf = csrf_token(sign_in_of(pair.refresh))
    return [
        cookie(COOKIE, pair.access, pair.expires_in),
        cookie(REFRESH_COOKIE, pair.refresh, left, path=REFRESH_PATH),
        cookie(CSRF_COOKIE, csrf, left, readable=True),
    ]


def cookie(
    name: str,
    value: str,
    max_age: int | None,
    *,
    path: str = "/",
    readable: bool = False,
    prefixed: bool = True,
) -> Cookie:
    """Build a cookie; without `max_age` (seconds) it is a session cookie."""
    return Cookie(
        key=cookie_name(name, path) if prefixed else name,
        value=value,
        max_age=max_age,
        path=path,
        httponly=not readable,
        samesite="lax",
        secure=is_https(),
    )
