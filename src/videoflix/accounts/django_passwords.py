"""Password hashes of Django, which imported accounts keep until their next sign-in.

Formats of Django's hashers (`django.contrib.auth.hashers`):

    pbkdf2_sha256$ITERATIONS$SALT$HASH    also pbkdf2_sha1; HASH is base64
    scrypt$N$SALT$R$P$HASH                HASH is base64, of 64 bytes
    argon2$argon2id$v=19$…                a PHC string without its first `$`

They are stored with the prefix `django$`, which no hash of ours begins with.
"""

import base64
import binascii
import hashlib
import hmac
import re

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PREFIX = "django$"

# A file to import could hold a hash that takes minutes to verify.
ITERATIONS_MAX = 5_000_000
SCRYPT_MAX_BYTES = 256 * 1024 * 1024
SCRYPT_LENGTH = 64

_PBKDF2 = re.compile(r"pbkdf2_(sha256|sha1)\$(\d{1,7})\$([^$]+)\$([A-Za-z0-9+/=]+)(?!\n)$")
_SCRYPT = re.compile(r"scrypt\$(\d{1,7})\$([^$]+)\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9+/=]+)(?!\n)$")
_ARGON2 = re.compile(r"argon2(\$argon2(?:id|i|d)\$[^\n]{1,400})(?!\n)$")

_argon2 = PasswordHasher()


def imported(encoded: str) -> str | None:
    """Return the hash to store for one of Django's, or None if it cannot be verified."""
    if found := _PBKDF2.match(encoded):
        is_usable = 0 < int(found[2]) <= ITERATIONS_MAX
    elif found := _SCRYPT.match(encoded):
        n, r, p = int(found[1]), int(found[3]), int(found[4])
        is_power_of_two = n > 1 and n & (n - 1) == 0
        is_usable = is_power_of_two and r * p > 0 and _scrypt_bytes(n, r, p) <= SCRYPT_MAX_BYTES
    else:
        is_usable = _ARGON2.match(encoded) is not None
    return f"{PREFIX}{encoded}" if is_usable else None


def is_django(stored: str) -> bool:
    """Whether a stored hash is one of Django's."""
    return stored.startswith(PREFIX)


def matches(stored: str, password: str) -> bool:
    """Verify a password against a stored hash of Django."""
    encoded = stored.removeprefix(PREFIX)
    try:
        if found := _PBKDF2.match(encoded):
            made = hashlib.pbkdf2_hmac(
                found[1], password.encode(), found[3].encode(), int(found[2])
            )
            return hmac.compare_digest(made, base64.b64decode(found[4]))
        if found := _SCRYPT.match(encoded):
            n, r, p = int(found[1]), int(found[3]), int(found[4])
            made = hashlib.scrypt(
                password.encode(),
                salt=found[2].encode(),
                n=n,
                r=r,
                p=p,
                maxmem=_scrypt_bytes(n, r, p),
                dklen=SCRYPT_LENGTH,
            )
            return hmac.compare_digest(made, base64.b64decode(found[5]))
        if found := _ARGON2.match(encoded):
            return _argon2.verify(found[1], password)
    except (InvalidHashError, VerificationError, binascii.Error):
        return False
    return False


def _scrypt_bytes(n: int, r: int, p: int) -> int:
    """Memory of scrypt with these parameters (RFC 7914), and a margin."""
    return 128 * r * (n + p + 2) + 1024 * 1024
