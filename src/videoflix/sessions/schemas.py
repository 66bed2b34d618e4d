"""Shapes of signing in and staying signed in."""

from datetime import datetime
from typing import Annotated

import msgspec

from videoflix.accounts.schemas import UserRead
from videoflix.platform.auth.identity import Scope

Token = Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^[^\x00]*$")]


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """What a person signs in with."""

    email: Annotated[str, msgspec.Meta(max_length=254, pattern=r"^[^\x00]*$")]
    password: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00]*$")]


class TokenPair(msgspec.Struct):
    """A token for the Authorization header, and one to get the next pair with.

    `expires_in` and `refresh_expires_in` count seconds. Each refresh token works once.
    """

    access: str
    expires_in: int
    refresh: str
    refresh_expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name, no secret


class TokenOpened(msgspec.Struct):
    """A sign-in with a single token, shown this once."""

    token: str
    sign_in_id: int


class RefreshRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token of the last pair."""

    refresh: Token


class VerifyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """An access token to check."""

    token: Token


class Verified(msgspec.Struct):
    """The token is good; there is no more to say."""


class SignedIn(msgspec.Struct):
    """Who the cookies now stand for."""

    user: UserRead


class SessionRead(msgspec.Struct):
    """A device that is signed in; `current` is the one that asks."""

    id: int
    device: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool


class ApiTokenCreate(msgspec.Struct, forbid_unknown_fields=True):
    """What a token is for, what it may do, and for how many days."""

    name: Annotated[
        str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[^\x00\r\n]*(?!\n)$")
    ]
    scope: Scope = Scope.READ
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 365


class ApiTokenRead(msgspec.Struct):
    """An API token without the token itself, which is not kept."""

    id: int
    name: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime


class ApiTokenCreated(msgspec.Struct):
    """A new API token; `token` is shown this once."""

    token: str
    about: ApiTokenRead
