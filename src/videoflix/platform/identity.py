"""Who is asking: read once per request from its token, without a query.

A bearer header is taken before the cookie, so that an old cookie never spoils a valid header.
A cookie travels with requests that other sites cause, so a change made with a cookie alone
must come from our own origin.
"""

from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from videoflix.platform.problems import Forbidden, SignInNeeded
from videoflix.platform.revocations import revocations
from videoflix.platform.tokens import Purpose, TokenRefused, verify
from videoflix.settings import settings

COOKIE = "access_token"
REFRESH_COOKIE = "refresh_token"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Role(StrEnum):
    """What a person may do; each role includes the ones before it."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


RANKS = list(Role)


class Identity(msgspec.Struct, frozen=True):
    """The person behind a request."""

    user_id: int
    role: Role
    sign_in_id: int

    def may(self, role: Role) -> bool:
        """Whether the person has this role or a higher one."""
        return RANKS.index(self.role) >= RANKS.index(role)


class CrossSiteRequest(Forbidden):
    """Another site asked for this change with your cookie."""


class IdentityMiddleware(ASGIMiddleware):
    """Sets `request.user` to an Identity, or to None for strangers."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        connection = ASGIConnection[Any, Any, Any, Any](scope)
        scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
        from_cookie = not scheme
        if from_cookie:
            credential = connection.cookies.get(COOKIE, "")
        elif scheme.lower() != "bearer":
            credential = ""
        user = identity_of(credential.strip())
        if user and from_cookie and str(scope.get("method")) not in SAFE_METHODS:
            refuse_other_origins(connection)
        scope["user"] = user
        scope["auth"] = None
        await next_app(scope, receive, send)


def identity_of(token: str) -> Identity | None:
    """The person an access token was signed for, or None if it is not valid."""
    if not token:
        return None
    try:
        claims = verify(Purpose.ACCESS, token)
        identity = Identity(int(claims["sub"]), Role(claims["role"]), int(claims["sid"]))
    except (TokenRefused, KeyError, ValueError):
        return None
    return None if identity.sign_in_id in revocations else identity


def refuse_other_origins(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raises CrossSiteRequest unless the browser says the request began on our own pages.

    Sec-Fetch-Site is the browser's own word (Fetch Metadata); browsers without it send Origin.
    """
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise CrossSiteRequest
        return
    origin = urlsplit(connection.headers.get("origin", ""))
    ours = {connection.headers.get("host"), urlsplit(settings.site_url).netloc}
    if not origin.netloc or origin.netloc not in ours:
        raise CrossSiteRequest("Send the Origin header, or use a bearer token.")


def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: anyone who is signed in."""
    if connection.scope["user"] is None:
        raise SignInNeeded


def editors_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: editors and admins."""
    _require(connection, Role.EDITOR)


def admins_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: admins."""
    _require(connection, Role.ADMIN)


def _require(connection: ASGIConnection[Any, Any, Any, Any], role: Role) -> None:
    user: Identity | None = connection.scope["user"]
    if user is None:
        raise SignInNeeded
    if not user.may(role):
        raise Forbidden(f"This needs the role “{role}”; yours is “{user.role}”.")
