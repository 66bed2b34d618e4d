"""Signed, expiring tokens in one place: one algorithm, one purpose each.

JWTs (RFC 7519) for headers; for addresses, which hold hundreds of them, short sealed numbers.

The header's `kid` names the key, so that SECRET_KEY can be changed while what an earlier one
signed stays good until it expires.
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
# Seconds by which the clocks of replicas may differ: a token that another one issued a moment
# ahead of ours is good. Nothing lives longer for it: expiry is exact.
LEEWAY_SECONDS = 10
ISSUER = AUDIENCE = "videoflix"
# When a token begins is checked here: PyJWT's leeway would let tokens live longer as well.
CHECKS: Options = {
    "require": ["exp", "iat", "sub", "jti", "typ"],
    "verify_iat": False,
    "verify_nbf": False,
}
COMPACT_MAX = 200


class Purpose(StrEnum):
    """The `typ` claim: a token made for one purpose is refused for any other."""

    ACCESS = "access"
    REFRESH = "refresh"
    PLAY = "play"
    PROFILE = "profile"
    STOP = "stop"
    FILE = "file"


class InvalidToken(Exception):
    """The token is forged, expired, or meant for something else."""


@cache
def _keys() -> dict[str, str]:
    """Every key that verifies by its id; the first one signs."""
    return {_key_id(key): key for key in [settings.signing_key, *settings.earlier_keys]}


def _key_id(key: str) -> str:
    """A name that tells nothing about the key."""
    return hmac.new(key.encode(), b"kid", hashlib.sha256).hexdigest()[:12]


def csrf_token(sign_in_id: int) -> str:
    """What a page must send back in X-CSRFToken; nobody can make one for another sign-in."""
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
    """A token about `subject` (a user's id) that expires `lifetime` after `issued_at`, or now.

    Its `jti` is random unless the claims hold one. The same claims and times make the same token.
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
    """HMAC-SHA-256 truncated to 128 bits (RFC 2104, section 5), for addresses."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return super().get_signature(key, value)[:16]


@cache
def _signer(purpose: Purpose, keys: tuple[str, ...]) -> Signer:
    """Verifies with every key, signs with the newest, which itsdangerous expects last."""
    return Signer(
        list(reversed(keys)),
        salt=f"videoflix.{purpose}",
        key_derivation="hmac",
        digest_method=hashlib.sha256,
        algorithm=ShortHmac(hashlib.sha256),
    )


def sign_compact(purpose: Purpose, lifetime: timedelta, *numbers: int) -> str:
    """A short signed token over some numbers, for addresses: 50 to 80 characters."""
    until = int((datetime.now(UTC) + lifetime).timestamp())
    text = ".".join(map(str, (*numbers, until)))
    return _signer(purpose, tuple(_keys().values())).sign(text).decode()


def verify_compact(purpose: Purpose, sealed: str) -> list[int]:
    """The numbers that were sealed, and until when it is good. Raises InvalidToken."""
    if len(sealed) > COMPACT_MAX or not sealed.isascii():
        raise InvalidToken
    try:
        text = _signer(purpose, tuple(_keys().values())).unsign(sealed).decode()
    except BadSignature as error:
        raise InvalidToken from error
    numbers = [int(part) for part in text.split(".")]
    if numbers[-1] < datetime.now(UTC).timestamp():
        raise InvalidToken
    return numbers


def verify(purpose: Purpose, token: str) -> dict[str, Any]:
    """The token's claims. Raises InvalidToken."""
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
    """Whether `iat` and `nbf` are past, give or take the clocks of replicas."""
    latest = datetime.now(UTC).timestamp() + LEEWAY_SECONDS
    begins = (claims["iat"], claims.get("nbf", 0))
    return all(isinstance(begin, int | float) and begin <= latest for begin in begins)
