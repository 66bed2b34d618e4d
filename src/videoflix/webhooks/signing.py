"""Secrets and signatures of webhooks by the Standard Webhooks specification, version 1.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from videoflix.settings import settings

PREFIX = "whsec_"
SECRET_BYTES = 32  # the specification recommends 24 to 64


class SecretUnreadable(Exception):
    """The secret was encrypted with a key that is neither SECRET_KEY nor a previous one."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret_keys: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Build the header `webhook-signature`: one signature per secret, separated by spaces."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_signature(secret, content)}" for secret in secret_keys)


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def encrypt(secret: str) -> str:
    """Encrypt a secret for the database, with a key derived from SECRET_KEY."""
    return _ciphers().encrypt(secret.encode()).decode()


def decrypt(stored: str) -> str:
    """Decrypt a secret, also one encrypted with a previous key. Raises SecretUnreadable."""
    try:
        return _ciphers().decrypt(stored).decode()
    except InvalidToken as error:
        raise SecretUnreadable from error


def _ciphers() -> MultiFernet:
    """Return a cipher that encrypts with the first key and decrypts with any."""
    return MultiFernet(
        [Fernet(_derived(key)) for key in [settings.signing_key, *settings.earlier_keys]]
    )


def _derived(key: str) -> bytes:
    """Derive a key for this purpose only; SECRET_KEY is random, so one HMAC suffices."""
    digest = hmac.digest(key.encode(), b"videoflix.webhooks", hashlib.sha256)
    return base64.urlsafe_b64encode(digest)
