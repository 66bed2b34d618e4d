"""Requests and errors of djangorestframework-simplejwt."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from videoflix.accounts.schemas import Typed
from videoflix.compat.drf.errors import CHALLENGE, DrfError
from videoflix.platform.auth.tokens import InvalidToken, Purpose, verify
from videoflix.platform.problems import Unauthorized
from videoflix.sessions.schemas import Token

NOT_VALID = "token_not_valid"
INVALID = "Token is invalid or expired"
WRONG_TYPE = "Token has wrong type"
NO_ACCOUNT = "No active account found with the given credentials"
GIVEN_NOT_VALID = {
    "detail": "Given token not valid for any token type",
    "code": NOT_VALID,
    "messages": [{"token_class": "AccessToken", "token_type": "access", "message": INVALID}],
}
Filled = Annotated[Token, msgspec.Meta(min_length=1)]


class CredentialsForm(msgspec.Struct):
    email: Annotated[str, msgspec.Meta(min_length=1, max_length=254, pattern=r"^[^\x00]*$")]
    password: Annotated[Typed, msgspec.Meta(min_length=1)]


class RefreshForm(msgspec.Struct):
    refresh: Filled


class VerifyForm(msgspec.Struct):
    token: Filled


def refusal_of(token: str, other: Purpose | None = None) -> DrfError:
    """The error for an invalid token; `other` is the type that clients confuse it with."""
    detail = INVALID
    if other is not None:
        try:
            verify(other, token)
        except InvalidToken:
            pass
        else:
            detail = WRONG_TYPE
    return DrfError({"detail": detail, "code": NOT_VALID}, HTTPStatus.UNAUTHORIZED, CHALLENGE)


async def signed_in_by_bearer(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Guard: signed in; an invalid token gets another error than none."""
    if connection.scope["user"] is not None:
        return
    if connection.headers.get("authorization", "").lower().startswith("bearer "):
        raise DrfError(GIVEN_NOT_VALID, HTTPStatus.UNAUTHORIZED, CHALLENGE)
    raise Unauthorized
