"""Schemas of sessions and tokens."""

from datetime import datetime
from typing import Annotated

import msgspec

from videoflix.accounts.schemas import UserRead
from videoflix.platform.auth.identity import Scope

Token = Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^[^\x00]*$")]


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """E-mail address and password."""

    email: Annotated[str, msgspec.Meta(max_length=254, pattern=r"^[^\x00]*$")]
    password: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00]*$")]


class TokenPair(msgspec.Struct):
    """An access token for the Authorization header, and a refresh token.

    `expires_in` and `refresh_expires_in` are in seconds. Each refresh token works once.
    """

    access: str
    expires_in: int
    refresh: str
    refresh_expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name, no secret


class TokenOpened(msgspec.Struct):
    """A session with a single opaque token, which is shown only once."""

    token: str
    sign_in_id: int


class RefreshRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token of the current pair."""

    refresh: Token


class VerifyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """An access token to verify."""

    token: Token


class Verified(msgspec.Struct):
    """An empty object: the token is valid."""


class SignedIn(msgspec.Struct):
    """The account that is signed in."""

    user: UserRead


class SessionRead(msgspec.Struct):
    """A session on a device; `current` marks the session of the request."""

    id: int
    device: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool


class ApiTokenCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new API token: name, scope and lifetime in days."""

    name: Annotated[
        str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00\r\n]*(?!\n)$")
    ]
    scope: Scope = Scope.READ
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 365


class ApiTokenRead(msgspec.Struct):
    """An API token without its secret, which is not stored."""

    id: int
    name: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime


class ApiTokenCreated(msgspec.Struct):
    """A new API token; `token` is shown only once."""

    token: str
    about: ApiTokenRead
