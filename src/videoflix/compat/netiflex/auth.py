"""Sign-in and sign-out: opaque tokens, guests, and token pairs."""

from contextlib import suppress
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Controller, Request, Response, delete, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from videoflix.accounts.models import User
from videoflix.accounts.problems import AccountDisabled, EmailUnconfirmed, InvalidCredentials
from videoflix.accounts.schemas import Typed
from videoflix.accounts.service import Accounts
from videoflix.compat.basic_auth import SESSION_COOKIE, BasicAuthMiddleware
from videoflix.compat.drf.errors import CHALLENGE, SIGN_IN, DrfError
from videoflix.compat.drf.parsing import Email, read, read_fields, sent_fields
from videoflix.compat.drf.simplejwt import NO_ACCOUNT, refusal_of
from videoflix.compat.netiflex.errors import error_body
from videoflix.platform.auth.csrf import CSRF_COOKIE
from videoflix.platform.auth.identity import ScopeTooNarrow
from videoflix.platform.auth.tokens import Purpose, csrf_token
from videoflix.platform.http.params import service
from videoflix.platform.postgres.session import transaction
from videoflix.platform.server.client_address import client_address, device_of
from videoflix.sessions.api.cookies import cookie
from videoflix.sessions.api.login import GUESTS, authenticated
from videoflix.sessions.schemas import Credentials, RefreshRequest, TokenOpened
from videoflix.sessions.service.sessions import GuestLoginDisabled, RefreshTokenInvalid, Sessions
from videoflix.settings import settings

GUEST = "guest@videoflix.com"
SESSION_SECONDS = 14 * 24 * 3600
CSRF_SECONDS = 365 * 24 * 3600


class LoginForm(msgspec.Struct):
    password: Typed
    email: Email = ""


async def known_here(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: signed in, but not by API token; never 401, as in the older backend."""
    user = connection.scope["user"]
    if user is None:
        raise DrfError({"detail": SIGN_IN}, HTTPStatus.FORBIDDEN)
    if user.scope is not None:
        raise ScopeTooNarrow


class AuthController(Controller):
    """Sign-in and sign-out."""

    path = "/"
    dependencies = {"accounts": service(Accounts), "sessions": service(Sessions)}

    @post("/login", status_code=HTTP_200_OK, opt={"canonical": "POST /api/v1/auth/token"})
    async def log_in(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
    ) -> Response[dict[str, str]]:
        fields = await sent_fields(request)
        if fields.get("email") == GUEST:
            await GUESTS.acquire(client_address(request))
            with suppress(GuestLoginDisabled):
                return _signed_in(*await sessions.open_as_guest_by_token(device_of(request)))
        typed = read_fields(fields, LoginForm)
        if not typed.email:
            raise error_body("email", "Please provide an email, field is missing")
        credentials = Credentials(typed.email, typed.password)
        try:
            user = await authenticated(request, accounts, sessions, credentials)
        except (EmailUnconfirmed, AccountDisabled) as error:
            raise error_body("account", "User account is not activated") from error
        except InvalidCredentials as error:
            raise await _refused(typed.email) from error
        return _signed_in(user, await sessions.open_by_token(user, device_of(request)))

    @delete(
        "/logout",
        status_code=HTTP_200_OK,
        guards=[known_here],
        middleware=[BasicAuthMiddleware()],
        opt={"canonical": "POST /api/v1/auth/logout"},
    )
    async def log_out(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
    ) -> Response[Any]:
        """Revoke the token; guest accounts are deleted, other accounts never."""
        user = await accounts.get_active(request.user.user_id)
        email, is_guest = user.email, user.is_guest
        await sessions.sign_out(user.id, request.user.sign_in_id)
        cookies = [cookie(SESSION_COOKIE, "", 0)]
        if is_guest:
            return Response(None, status_code=HTTP_204_NO_CONTENT, cookies=cookies)
        body = {"ok": True, "message": f"User {email} has logged out"}
        return Response(body, cookies=cookies)

    @post("/jwt", status_code=HTTP_200_OK, opt={"canonical": "POST /api/v1/auth/token"})
    async def make_pair(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
    ) -> dict[str, str]:
        typed = await read(request, Credentials)
        try:
            user = await authenticated(request, accounts, sessions, typed)
        except InvalidCredentials as error:
            raise DrfError({"detail": NO_ACCOUNT}, HTTPStatus.UNAUTHORIZED, CHALLENGE) from error
        pair = await sessions.open(user, device_of(request))
        return {"refresh": pair.refresh, "access": pair.access}

    @post(
        "/jwt/refresh",
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/token/refresh"},
    )
    async def refresh(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> dict[str, str]:
        """Return a new access token; the refresh token is not rotated, as clients keep theirs."""
        token = (await read(request, RefreshRequest)).refresh
        try:
            return {"access": await sessions.issue_access_token(token)}
        except RefreshTokenInvalid as error:
            raise refusal_of(token, Purpose.ACCESS) from error


def _signed_in(user: User, opened: TokenOpened) -> Response[dict[str, str]]:
    cookies: list[Cookie] = [
        cookie(SESSION_COOKIE, opened.token, SESSION_SECONDS),
        cookie(
            CSRF_COOKIE, csrf_token(opened.sign_in_id), CSRF_SECONDS, readable=True, prefixed=False
        ),
    ]
    return Response({"token": opened.token, "email": user.email}, cookies=cookies)


async def _refused(email: str) -> DrfError:
    """The error of the wrong field, unless that would reveal whether an account exists."""
    wrong = error_body("credentials", "Wrong Email or password")
    if not settings.dialects_reveal_accounts:
        return wrong
    async with transaction() as session:  # the request's transaction is rolled back
        known = await Accounts(session).by_email(email)
    if known is None:
        return error_body("email", "No user found with this email")
    return wrong
