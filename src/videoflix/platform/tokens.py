"""Signed, expiring tokens (JWT, RFC 7519) in one place: one algorithm, one purpose each."""

import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

import jwt

from videoflix.settings import settings

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "videoflix"


class Purpose(StrEnum):
    """The `typ` claim: a token made for one purpose is refused for any other."""

    ACCESS = "access"
    REFRESH = "refresh"
    PLAY = "play"


class TokenRefused(Exception):
    """The token is forged, expired, or meant for something else."""


@cache
def _key() -> str:
    return settings.signing_key


def sign(purpose: Purpose, subject: int, lifetime: timedelta, **claims: Any) -> str:
    """A token about `subject` (a user's id) that expires after `lifetime`.

    Its `jti` is random unless the claims hold one.
    """
    now = datetime.now(UTC)
    payload = {
        "jti": uuid.uuid4().hex,
        **claims,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(subject),
        "iat": now,
        "exp": now + lifetime,
        "typ": purpose.value,
    }
    return jwt.encode(payload, _key(), ALGORITHM)


def verify(purpose: Purpose, token: str) -> dict[str, Any]:
    """The token's claims. Raises TokenRefused."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": ["exp", "iat", "sub", "jti", "typ"]},
        )
    except jwt.InvalidTokenError as error:
        raise TokenRefused from error
    if claims["typ"] != purpose.value:
        raise TokenRefused
    return claims
