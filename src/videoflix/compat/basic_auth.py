"""Authentication of `netiflex` and `authemail` clients, and their 401 and 403 errors.

Token headers are handled by our own middleware; this adds the schemes that only these clients use:
HTTP Basic (RFC 7617), and the session cookie of their sign-in.
"""

import base64
import hashlib
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Send

from videoflix.accounts.problems import InvalidCredentials
from videoflix.accounts.service import Accounts
from videoflix.compat.drf.errors import NOT_ALLOWED, SIGN_IN, DrfError
from videoflix.platform.auth.csrf import SAFE_METHODS, ensure_own_page, ensure_same_site
from videoflix.platform.auth.identity import Identity, Role, ScopeTooNarrow
from videoflix.platform.auth.revocations import revocations
from videoflix.platform.cache.ttl import TtlCache
from videoflix.platform.postgres.session import transaction
from videoflix.platform.server.client_address import client_address, device_of
from videoflix.sessions.api.login import authenticated
from videoflix.sessions.schemas import Credentials
from videoflix.sessions.service.opaque_tokens import opaque_tokens
from videoflix.sessions.service.sessions import Sessions

SESSION_COOKIE = "sessionid"
# Hashing is slow by design, so verified passwords are cached briefly.
KNOWN_SECONDS = 60.0
KNOWN_MAX = 1_000
TOKEN_CHALLENGE = {"WWW-Authenticate": "Token"}
BEARER_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="api"'}
TOKEN_NOT_VALID = {
    "detail": "Given token not valid for any token type",
    "code": "token_not_valid",
    "messages": [
        {
            "token_class": "AccessToken",
            "token_type": "access",
            "message": "Token is invalid or expired",
        }
    ],
}


class PasswordCache:
    """Cache of recently verified passwords of Authorization headers, by hash."""

    def __init__(self) -> None:
        self._known: TtlCache[bytes, Identity]
        self._known = TtlCache("passwords in headers", KNOWN_MAX, KNOWN_SECONDS)

    async def holder_of(self, request: Request[Any, Any, Any], sent: str) -> Identity | None:
        """Verify a password, rate-limited like sign-ins. Raises TooManyAttempts."""
        key = hashlib.sha256(sent.encode()).digest()
        identity = self._known.get(key)
        if identity is None or identity.sign_in_id in revocations:
            identity = await _by_password(request, sent)
            if identity is not None:
                self._known[key] = identity
        return identity


passwords = PasswordCache()


class BasicAuthMiddleware(ASGIMiddleware):
    """Authenticates by Basic or the cookie `sessionid` if our own middleware did not.

    A cookie counts only without a header, so that an old one never spoils a valid header.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Any, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request = Request[Any, Any, Any](scope)
        if scope["user"] is None:
            scope["user"] = await _identified(request)
        await next_app(scope, receive, send)


async def token_needed(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: signed-in users; others get the reason in the older wire."""
    if connection.scope["user"] is not None:
        return
    scheme = connection.headers.get("authorization", "").partition(" ")[0].lower()
    if scheme == "bearer":
        raise DrfError(TOKEN_NOT_VALID, HTTPStatus.UNAUTHORIZED, BEARER_CHALLENGE)
    text = {"token": "Invalid token.", "basic": "Invalid username/password."}.get(scheme, SIGN_IN)
    raise DrfError({"detail": text}, HTTPStatus.UNAUTHORIZED, TOKEN_CHALLENGE)


async def admins_only(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: administrators; these backends let only them change videos."""
    await token_needed(connection, handler)
    if not connection.scope["user"].may(Role.ADMIN):
        raise DrfError({"detail": NOT_ALLOWED}, HTTPStatus.FORBIDDEN)


async def interactive_only(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: interactive sign-ins, not API tokens."""
    await token_needed(connection, handler)
    if connection.scope["user"].scope is not None:
        raise ScopeTooNarrow


async def _identified(request: Request[Any, Any, Any]) -> Identity | None:
    header = request.headers.get("authorization", "")
    if header:
        scheme, _, sent = header.partition(" ")
        if scheme.lower() != "basic":
            return None
        if request.method not in SAFE_METHODS:
            ensure_own_page(request)
        return await passwords.holder_of(request, sent.strip())
    cookie, address = request.cookies.get(SESSION_COOKIE, ""), client_address(request)
    identity = await opaque_tokens.holder_of(cookie, address) if cookie else None
    if identity is not None and identity.scope is not None:
        return None  # API tokens are not accepted as cookies
    if identity is not None and request.method not in SAFE_METHODS:
        ensure_same_site(request, identity.sign_in_id)
    return identity


async def _by_password(request: Request[Any, Any, Any], sent: str) -> Identity | None:
    try:
        email, _, password = base64.b64decode(sent, validate=True).decode().partition(":")
        typed = msgspec.convert({"email": email, "password": password}, Credentials)
    except (ValueError, msgspec.ValidationError):  # not Base64, not UTF-8, or not an e-mail address
        return None
    async with transaction() as session:
        sessions = Sessions(session)
        try:
            user = await authenticated(request, Accounts(session), sessions, typed)
        except InvalidCredentials:
            return None
        sign_in = await sessions.open_by_password(user, device_of(request))
        return Identity(user.id, user.role, sign_in.id)
