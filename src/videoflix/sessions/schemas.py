"""Shapes of signing in and staying signed in."""

from datetime import datetime
from typing import Annotated

import msgspec

from videoflix.accounts.schemas import Person

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


class RefreshRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token of the last pair."""

    refresh: Token


class VerifyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """An access token to check."""

    token: Token


class SignedIn(msgspec.Struct):
    """Who the cookies now stand for."""

    user: Person


class SignInShown(msgspec.Struct):
    """A device that is signed in; `current` is the one that asks."""

    id: int
    device: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool
