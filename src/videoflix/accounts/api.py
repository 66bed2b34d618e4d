"""Accounts over HTTP."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from videoflix.accounts.schemas import AccessToken, Credentials, Person, SignedIn
from videoflix.accounts.service import Accounts, CredentialsRefused, access_token
from videoflix.platform.identity import COOKIE, CrossSiteRequest, signed_in
from videoflix.platform.problems import SignInNeeded, problems
from videoflix.platform.web import service
from videoflix.settings import settings


class AuthController(Controller):
    path = "/auth"
    tags = ("Accounts",)
    dependencies = {"accounts": service(Accounts)}

    @post(
        "/token",
        summary="Sign in for a token",
        status_code=HTTP_200_OK,
        responses=problems(CredentialsRefused),
    )
    async def create_token(
        self, accounts: NamedDependency[Accounts], data: JSONBody[Credentials]
    ) -> AccessToken:
        """Sign in for programs: answers a bearer token."""
        return access_token(await accounts.authenticate(data.email, data.password))

    @post(
        "/session",
        summary="Sign in for a cookie",
        status_code=HTTP_200_OK,
        responses=problems(CredentialsRefused),
    )
    async def open_session(
        self, accounts: NamedDependency[Accounts], data: JSONBody[Credentials]
    ) -> Response[SignedIn]:
        """Sign in for browsers: sets an HTTP-only cookie."""
        user = await accounts.authenticate(data.email, data.password)
        token = access_token(user)
        cookie = _session_cookie(token.access, max_age=token.expires_in)
        return Response(SignedIn(Person.of(user)), cookies=[cookie])

    @delete("/session", summary="Sign out", responses=problems(CrossSiteRequest))
    async def close_session(self) -> Response[None]:
        """Sign out: clears the cookie."""
        return Response(None, cookies=[_session_cookie("", max_age=0)])


class MeController(Controller):
    path = "/me"
    tags = ("Accounts",)
    guards = (signed_in,)
    dependencies = {"accounts": service(Accounts)}

    @get(summary="Show who is signed in", responses=problems(SignInNeeded))
    async def show_me(
        self, request: Request[Any, Any, Any], accounts: NamedDependency[Accounts]
    ) -> Person:
        """Show who is signed in."""
        return Person.of(await accounts.person(request.user.user_id))


def _session_cookie(token: str, max_age: int) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=token,
        max_age=max_age,
        httponly=True,
        samesite="lax",
        secure=settings.site_url.startswith("https:"),
    )
