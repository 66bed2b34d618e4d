"""Mailed links and their tokens."""

import hashlib
import math
import secrets
from datetime import timedelta

from videoflix.accounts.models import User


def new_token() -> str:
    """Return a random token of 256 bits."""
    return secrets.token_urlsafe(32)


def link(template: str, user: User, token: str) -> str:
    """Fill `{uid}` and `{token}` into the operator's URL template.

    Links are never built from a request's Host header, which the client controls.
    """
    return template.replace("{uid}", str(user.id)).replace("{token}", token)


def hours(lifetime: timedelta) -> str:
    return str(math.ceil(lifetime / timedelta(hours=1)))


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
