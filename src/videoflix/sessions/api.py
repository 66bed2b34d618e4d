"""Signing in over HTTP: for programs by tokens, for browsers by cookies."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from videoflix.accounts.models import User
from videoflix.accounts.schemas import Person
from videoflix.accounts.service import Accounts, CredentialsRefused, normalized
from videoflix.platform.client import client_address
from videoflix.platform.identity import (
    COOKIE,
    REFRESH_COOKIE,
    CrossSiteRequest,
    identity_of,
    refuse_other_origins,
    signed_in,
)
from videoflix.platform.problems import SignInNeeded, problems
from videoflix.platform.throttle import Limit, TooManyTries
from videoflix.platform.web import Id, service
from videoflix.sessions.schemas import (
    Credentials,
    RefreshRequest,
    SignedIn,
    SignInShown,
    TokenPair,
    VerifyRequest,
)
from videoflix.sessions.service import RefreshRefused, Sessions, SignInNotFound
from videoflix.settings import settings

# From one address; guesses at one account from there; and guesses at it from everywhere, which
# slow a botnet down without keeping the owner out for long.
SIGN_INS = Limit("sign-in", burst=30, seconds=2)
GUESSES = Limit("guess", burst=6, seconds=60)
GUESSES_EVERYWHERE = Limit("guess-everywhere", burst=100, seconds=10)

# The refresh token travels to nowhere else.
REFRESH_PATH = "/api/v1/auth"


class AuthController(Controller):
    path = "/auth"
    tags = ("Accounts",)
    dependencies = {"accounts": service(Accounts), "sessions": service(Sessions)}

    @post(
        "/token",
        summary="Sign in for tokens",
        status_code=HTTP_200_OK,
        responses=problems(CredentialsRefused, TooManyTries),
    )
    async def create_token(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
        data: JSONBody[Credentials],
    ) -> TokenPair:
        """Sign in for programs: answers an access token and a refresh token."""
        user = await _authenticated(request, accounts, sessions, data)
        return await sessions.open(user, _device(request))

    @post(
        "/token/refresh",
        summary="Get the next tokens",
        status_code=HTTP_200_OK,
        responses=problems(RefreshRefused),
    )
    async def refresh_token(
        self, sessions: NamedDependency[Sessions], data: JSONBody[RefreshRequest]
    ) -> TokenPair:
        """Trade a refresh token for the next pair; each works once."""
        return await sessions.refresh(data.refresh)

    @post(
        "/token/verify",
        summary="Check an access token",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(SignInNeeded),
    )
    async def verify_token(self, data: JSONBody[VerifyRequest]) -> None:
        """Answer 204 when the access token is good, 401 when it is not."""
        if identity_of(data.token) is None:
            raise SignInNeeded("This token is not valid, or not any more.")

    @post(
        "/session",
        summary="Sign in for cookies",
        status_code=HTTP_200_OK,
        responses=problems(CredentialsRefused, TooManyTries),
    )
    async def open_session(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
        data: JSONBody[Credentials],
    ) -> Response[SignedIn]:
        """Sign in for browsers: sets HTTP-only cookies."""
        user = await _authenticated(request, accounts, sessions, data)
        pair = await sessions.open(user, _device(request))
        return Response(SignedIn(Person.of(user)), cookies=_cookies(pair))

    @post(
        "/session/refresh",
        summary="Renew the cookies",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(RefreshRefused, CrossSiteRequest),
    )
    async def refresh_session(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[None]:
        """Renew the cookies with the refresh token among them."""
        refuse_other_origins(request)
        pair = await sessions.refresh(request.cookies.get(REFRESH_COOKIE, ""))
        return Response(None, cookies=_cookies(pair))

    @delete("/session", summary="Sign out", responses=problems(CrossSiteRequest))
    async def close_session(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[None]:
        """Sign out of this browser: ends the sign-in and clears the cookies."""
        if token := request.cookies.get(REFRESH_COOKIE):
            refuse_other_origins(request)
            await sessions.end_family(token)
        return Response(None, cookies=_no_cookies())

    @post(
        "/logout",
        summary="Sign out",
        guards=[signed_in],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(SignInNeeded),
    )
    async def log_out(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[None]:
        """End this sign-in: its tokens stop working everywhere within a second."""
        await sessions.end(request.user.user_id, request.user.sign_in_id)
        return Response(None, cookies=_no_cookies())

    @post(
        "/logout/all",
        summary="Sign out everywhere",
        guards=[signed_in],
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(SignInNeeded),
    )
    async def log_out_everywhere(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> Response[None]:
        """End all of your sign-ins, this one too."""
        await sessions.end_all(request.user.user_id)
        return Response(None, cookies=_no_cookies())

    @get(
        "/sessions",
        summary="List your devices",
        guards=[signed_in],
        responses=problems(SignInNeeded),
    )
    async def list_sessions(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> list[SignInShown]:
        """List where you are signed in, the latest used first."""
        return await sessions.of(request.user.user_id, request.user.sign_in_id)

    @delete(
        "/sessions/{sign_in_id:int}",
        summary="Sign a device out",
        guards=[signed_in],
        responses=problems(SignInNeeded, SignInNotFound),
    )
    async def end_session(
        self,
        request: Request[Any, Any, Any],
        sessions: NamedDependency[Sessions],
        sign_in_id: FromPath[Id],
    ) -> None:
        """End one of your sign-ins."""
        await sessions.end(request.user.user_id, sign_in_id)


async def _authenticated(
    request: Request[Any, Any, Any], accounts: Accounts, sessions: Sessions, data: Credentials
) -> User:
    """Who these credentials belong to, unless too many were tried from the same place."""
    address, account = client_address(request), normalized(data.email).lower()
    await SIGN_INS.spend(address)
    await GUESSES.spend(address, account)
    await GUESSES_EVERYWHERE.spend(account)
    user = await accounts.authenticate(data.email, data.password)
    await GUESSES.forgive(sessions.session, address, account)
    await GUESSES_EVERYWHERE.forgive(sessions.session, account)
    return user


def _device(request: Request[Any, Any, Any]) -> str:
    return request.headers.get("user-agent", "").replace("\x00", "")


def _cookies(pair: TokenPair) -> list[Cookie]:
    return [
        _cookie(COOKIE, pair.access, pair.expires_in, "/"),
        _cookie(REFRESH_COOKIE, pair.refresh, pair.refresh_expires_in, REFRESH_PATH),
    ]


def _no_cookies() -> list[Cookie]:
    return [_cookie(COOKIE, "", 0, "/"), _cookie(REFRESH_COOKIE, "", 0, REFRESH_PATH)]


def _cookie(name: str, value: str, max_age: int, path: str) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        max_age=max_age,
        path=path,
        httponly=True,
        samesite="lax",
        secure=settings.site_url.startswith("https:"),
    )
