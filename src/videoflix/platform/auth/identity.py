"""Authentication of requests, once per request and without a query for access tokens.

The Authorization header takes precedence over the cookie, so that a stale cookie does not
invalidate a valid header. Cookie-authenticated changes are protected against CSRF (csrf.py).
"""

import re
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Any, ClassVar, TypeAlias

import msgspec
from litestar.connection import ASGIConnection, Request
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Send

from videoflix.platform.auth.cookies import cookie_value
from videoflix.platform.auth.csrf import SAFE_METHODS, ensure_same_site
from videoflix.platform.auth.revocations import revocations
from videoflix.platform.auth.tokens import InvalidToken, Purpose, verify
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.problems import Forbidden, Problem, Unauthorized
from videoflix.platform.server.client_address import client_address, current_scope

COOKIE = "access_token"
REFRESH_COOKIE = "refresh_token"
# Prefix of API tokens, so that people and secret scanners recognize them.
API_TOKEN_PREFIX = "vf_"  # noqa: S105 - a prefix, no secret
# Opaque tokens, which are looked up: API tokens, and session tokens of older clients.
OPAQUE = re.compile(rf"{API_TOKEN_PREFIX}.*|[0-9a-f]{{40}}")
# Opaque tokens of valid length: 256 or 160 random bits. Others are refused without a query.
WELL_FORMED = re.compile(rf"{API_TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}|[0-9a-f]{{40}}")


# Verifying a signature takes longer than a small request, so valid tokens are cached.
VERIFIED_MAX = 10_000
_verified: LruCache[str, tuple["Identity", float]] = LruCache("access tokens", VERIFIED_MAX)


class Role(StrEnum):
    """Roles in ascending order; each includes the permissions of the ones before it."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def administers(self) -> bool:
        """Whether this role has admin permissions."""
        return self in ADMINISTRATORS


class Scope(StrEnum):
    """Scope of an API token, which restricts its user's permissions."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


RANKS = list(Role)
ADMINISTRATORS = RANKS[RANKS.index(Role.ADMIN) :]


class Identity(msgspec.Struct, frozen=True):
    """The authenticated user of a request; `scope` is set for API tokens.

    `profile` is the unverified value of the header X-Profile.
    """

    user_id: int
    role: Role
    sign_in_id: int
    scope: Scope | None = None
    profile: str = ""

    def may(self, role: Role) -> bool:
        """Whether the user has at least this role and the token's scope allows it."""
        if role.administers and self.scope not in {None, Scope.ADMIN}:
            return False
        return RANKS.index(self.role) >= RANKS.index(role)


# A parameter `user: CurrentUser` of a handler whose guard refuses anonymous requests.
CurrentUser: TypeAlias = NamedDependency[Identity]


async def current_user(request: Request[Any, Any, Any]) -> Any:
    """Provide the person behind the request, as IdentityMiddleware found them."""
    return request.user


class ScopeTooNarrow(Forbidden):
    """The scope of this API token does not allow this."""


class CookiesTooLarge(Problem):
    """Your cookies are too large; delete the cookies of this site."""

    status: ClassVar = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


# Limits of a Cookie header, in bytes and cookies.
COOKIES_MAX = 8 * 1024
COOKIES_MOST = 100
READ_HEADERS = {b"authorization", b"cookie", b"x-profile"}
# Arguments: the token, and the client address for the limit on unknown tokens.
FindOpaqueToken = Callable[[str, str], Awaitable[Identity | None]]
MayDecide = Callable[[Identity], Awaitable[None]]


class IdentityMiddleware(ASGIMiddleware):
    """Set `request.user` to an Identity, or to None for anonymous requests.

    `find_opaque_token` looks up the identity of an opaque token.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, find_opaque_token: FindOpaqueToken) -> None:
        self._find_opaque_token = find_opaque_token

    async def handle(self, scope: Any, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        sent = sent_headers(scope)
        scheme, credential = read_credential(sent, scope)
        if is_opaque(scheme, credential):
            address = client_address(ASGIConnection(scope))
            user = await self._find_opaque_token(credential, address)
        else:
            user = identity_of(credential)
        if user and scope["method"] not in SAFE_METHODS:
            if user.scope is Scope.READ:
                raise ScopeTooNarrow("This token is read-only.")
            if scheme == COOKIE:
                ensure_same_site(ASGIConnection(scope), user.sign_in_id)
        if user and (profile := sent.get(b"x-profile")):
            user = msgspec.structs.replace(user, profile=profile.decode("latin-1"))
        scope["user"] = user
        scope["auth"] = None
        reset = current_scope.set(scope)
        try:
            await next_app(scope, receive, send)
        finally:
            current_scope.reset(reset)


def identify(scope: Any, known_opaque_token: Callable[[str], Identity | None]) -> Identity | None:
    """Return the identity of a request as far as it is known without a query."""
    scheme, credential = read_credential(sent_headers(scope), scope)
    if is_opaque(scheme, credential):
        return known_opaque_token(credential)
    return identity_of(credential)


def sent_headers(scope: Any) -> dict[bytes, bytes]:
    return {name: value for name, value in scope["headers"] if name in READ_HEADERS}


def read_credential(sent: dict[bytes, bytes], scope: Any) -> tuple[str, str]:
    """Return the authentication scheme (`bearer`, `token` or the cookie's name) and credential."""
    scheme, _, credential = sent.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme:
        scheme, credential = scheme.lower(), credential.strip()
        is_known = scheme == "bearer" or is_opaque(scheme, credential)
        return scheme, credential if is_known else ""
    if b"cookie" in sent:
        # Litestar caches a thousand parsed headers: limit the memory a client can fill.
        if len(sent[b"cookie"]) > COOKIES_MAX or sent[b"cookie"].count(b";") >= COOKIES_MOST:
            raise CookiesTooLarge
        return COOKIE, cookie_value(ASGIConnection[Any, Any, Any, Any](scope).cookies, COOKIE)
    return "", ""


def is_opaque(scheme: str, credential: str) -> bool:
    return scheme in {"bearer", "token"} and OPAQUE.fullmatch(credential) is not None


def identity_of(token: str) -> Identity | None:
    """Return the identity of an access token, or None if it is invalid, expired or revoked."""
    if not token:
        return None
    identity, until = _verified.get(token, (None, 0.0))
    if until < time.time():
        identity, until = _verify(token)
        _cache_verified(token, identity, until)
    return None if identity is None or identity.sign_in_id in revocations else identity


def _verify(token: str) -> tuple[Identity | None, float]:
    """Return the identity and the token's expiry as a Unix timestamp."""
    try:
        claims = verify(Purpose.ACCESS, token)
        identity = Identity(_number(claims["sub"]), Role(claims["role"]), _number(claims["sid"]))
    except (InvalidToken, KeyError, ValueError):
        return None, 0.0
    return identity, float(claims["exp"])


def _number(claim: object) -> int:
    """Parse an ID in a claim. Raises ValueError unless it is a positive 64-bit integer."""
    number = int(str(claim)[:20])
    if not 0 < number < 2**63:
        raise ValueError(f"{number} is not a valid ID")
    return number


def _cache_verified(token: str, identity: Identity | None, until: float) -> None:
    """Cache a valid token; invalid ones are not cached, as anyone could fill the cache."""
    if identity is None:
        _verified.pop(token, None)
    else:
        _verified[token] = identity, until


# Guards are coroutines: Litestar runs plain functions in a thread pool.
async def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: require a signed-in user."""
    if connection.scope["user"] is None:
        raise Unauthorized


async def interactive_only(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: require an interactive session; a stolen API token must not create further ones."""
    await signed_in(connection, handler)
    if connection.scope["user"].scope is not None:
        raise ScopeTooNarrow("Sign in with your password; an API token is not sufficient for this.")


# Checks of domains for `adults_only`; each raises a problem to refuse.
_account_checks: list[MayDecide] = []


def register_account_check(check: MayDecide) -> MayDecide:
    """Register a check of identities for the guard `adults_only`; it raises a problem to refuse."""
    _account_checks.append(check)
    return check


async def account_holder_only(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: require an interactive session that does not use a child's profile."""
    await interactive_only(connection, handler)
    await adults_only(connection, handler)


async def adults_only(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: require a signed-in user that does not use a child's profile."""
    await signed_in(connection, handler)
    for check in _account_checks:
        await check(connection.scope["user"])


async def editors_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: require the role editor or higher."""
    _require(connection, Role.EDITOR)


async def admins_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: require the role admin or higher."""
    _require(connection, Role.ADMIN)


async def owners_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: require the role owner, the only one that may read viewing histories."""
    _require(connection, Role.OWNER)


def _require(connection: ASGIConnection[Any, Any, Any, Any], role: Role) -> None:
    user: Identity | None = connection.scope["user"]
    if user is None:
        raise Unauthorized
    if user.scope and not user.may(role) and RANKS.index(user.role) >= RANKS.index(role):
        raise ScopeTooNarrow(f"This needs the scope “admin”; this token has “{user.scope}”.")
    if not user.may(role):
        raise Forbidden(f"This needs the role “{role}”; yours is “{user.role}”.")
