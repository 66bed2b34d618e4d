"""Signed, expiring tokens, each for one purpose.

JWTs (RFC 7519) for headers, and short signed numbers for URLs, of which playlists contain hundreds.
The header's `kid` names the key, so that SECRET_KEY can be rotated while tokens signed with an
earlier key stay valid until they expire.
"""

import hashlib
import hmac
import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

import jwt
from itsdangerous import BadSignature, Signer
from itsdangerous.signer import HMACAlgorithm
from jwt.types import Options

from videoflix.settings import settings

ALGORITHM = "HS256"
# Clock skew allowed between replicas for the start of validity, in seconds; expiry is exact.
LEEWAY_SECONDS = 10
ISSUER = AUDIENCE = "videoflix"
# `iat` and `nbf` are checked in _has_begun: PyJWT's leeway would also extend expiry.
CHECKS: Options = {
    "require": ["exp", "iat", "sub", "jti", "typ"],
    "verify_iat": False,
    "verify_nbf": False,
}
COMPACT_MAX = 200


class Purpose(StrEnum):
    """The `typ` claim; a token is only accepted for its own purpose."""

    ACCESS = "access"
    REFRESH = "refresh"
    PLAY = "play"
    PROFILE = "profile"
    STOP = "stop"
    FILE = "file"


class InvalidToken(Exception):
    """The token is forged, expired or for another purpose."""


@cache
def _keys() -> dict[str, str]:
    """Return the verification keys by ID; the first one signs."""
    return {_key_id(key): key for key in [settings.signing_key, *settings.earlier_keys]}


def _key_id(key: str) -> str:
    """Return an ID that does not reveal the key."""
    return hmac.new(key.encode(), b"kid", hashlib.sha256).hexdigest()[:12]


def csrf_token(sign_in_id: int) -> str:
    """Return the CSRF token of a session, an HMAC of its ID."""
    key = next(iter(_keys().values()))
    return hmac.new(key.encode(), f"csrf:{sign_in_id}".encode(), hashlib.sha256).hexdigest()


def sign(
    purpose: Purpose,
    subject: int,
    lifetime: timedelta,
    *,
    issued_at: datetime | None = None,
    **claims: Any,
) -> str:
    """Sign a JWT about `subject` (a user ID) that expires `lifetime` after `issued_at` or now.

    `jti` is random unless given. Equal claims and times give equal tokens.
    """
    now = issued_at or datetime.now(UTC)
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
    kid, key = next(iter(_keys().items()))
    return jwt.encode(payload, key, ALGORITHM, headers={"kid": kid})


class ShortHmac(HMACAlgorithm):
    """HMAC-SHA-256 truncated to 128 bits (RFC 2104, section 5), for URLs."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return super().get_signature(key, value)[:16]


@cache
def _signer(purpose: Purpose, keys: tuple[str, ...]) -> Signer:
    """Return a signer with all keys, the newest last, as itsdangerous signs with the last one."""
    return Signer(
        list(reversed(keys)),
        salt=f"videoflix.{purpose}",
        key_derivation="hmac",
        digest_method=hashlib.sha256,
        algorithm=ShortHmac(hashlib.sha256),
    )


def sign_compact(purpose: Purpose, lifetime: timedelta, *numbers: int) -> str:
    """Sign some numbers as a short token of 50 to 80 characters, for URLs."""
    until = int((datetime.now(UTC) + lifetime).timestamp())
    text = ".".join(map(str, (*numbers, until)))
    return _signer(purpose, tuple(_keys().values())).sign(text).decode()


def verify_compact(purpose: Purpose, token: str) -> list[int]:
    """Return the signed numbers and the expiry as a Unix timestamp. Raises InvalidToken."""
    if len(token) > COMPACT_MAX or not token.isascii():
        raise InvalidToken
    try:
        text = _signer(purpose, tuple(_keys().values())).unsign(token).decode()
    except BadSignature as error:
        raise InvalidToken from error
    numbers = [int(part) for part in text.split(".")]
    if numbers[-1] < datetime.now(UTC).timestamp():
        raise InvalidToken
    return numbers


def verify(purpose: Purpose, token: str) -> dict[str, Any]:
    """Verify a JWT and return its claims. Raises InvalidToken."""
    try:
        key = _keys()[str(jwt.get_unverified_header(token)["kid"])]
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options=CHECKS,
        )
    except (jwt.InvalidTokenError, KeyError, TypeError) as error:
        raise InvalidToken from error
    if claims["typ"] != purpose.value or not _has_begun(claims):
        raise InvalidToken
    return claims


def _has_begun(claims: dict[str, Any]) -> bool:
    """Return whether `iat` and `nbf` are past, allowing for LEEWAY_SECONDS of clock skew."""
    latest = datetime.now(UTC).timestamp() + LEEWAY_SECONDS
    begins = (claims["iat"], claims.get("nbf", 0))
    return all(isinstance(begin, int | float) and begin <= latest for begin in begins)
