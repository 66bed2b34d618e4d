"""Mailed links: the addresses people open, and the tokens in them."""

import hashlib
import math
import secrets
from datetime import timedelta

from videoflix.accounts.models import User


def new_token() -> str:
    """A token nobody can guess (256 bits)."""
    return secrets.token_urlsafe(32)


def link(template: str, user: User, token: str) -> str:
    """A mailed link: `{uid}` and `{token}` of the operator's template filled in.

    Never made from a request, whose Host header anybody may choose.
    """
    return template.replace("{uid}", str(user.id)).replace("{token}", token)


def hours(lifetime: timedelta) -> str:
    return str(math.ceil(lifetime / timedelta(hours=1)))


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
