"""Registration, activation and password reset."""

import secrets
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED, HTTP_400_BAD_REQUEST

from videoflix.accounts.problems import WeakPassword
from videoflix.accounts.schemas import Password, Typed
from videoflix.compat.drf.errors import NON_FIELD, DrfError, field_error
from videoflix.compat.drf.parsing import WRONG, Email, read, sent_fields
from videoflix.platform.http.params import service
from videoflix.registration.api import limit_mail
from videoflix.registration.schemas import RegistrationCreate
from videoflix.registration.service import LinkInvalid, Registration
from videoflix.settings import settings

EXPIRED = "Invalid or expired token"
TOO_SHORT = f"Password must be at least {settings.password_min} characters long."


class RegistrationForm(msgspec.Struct):
    email: Email
    password: Annotated[Password, msgspec.Meta(extra={WRONG: TOO_SHORT})]
    confirmed_password: Typed


class EmailForm(msgspec.Struct):
    email: Email


class PasswordForm(msgspec.Struct):
    new_password: Password
    confirm_password: Typed


class RegistrationController(Controller):
    path = "/api"
    dependencies = {"registration": service(Registration)}

    @post("/register", opt={"canonical": "POST /api/v1/auth/register"})
    async def register(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> Response[dict[str, Any]]:
        """Register. The `token` is a placeholder: the real one is only mailed.

        `id` is always a new number, so that it does not reveal existing accounts.
        """
        new = await read(request, RegistrationForm)
        if new.confirmed_password != new.password:
            raise field_error("password", "Passwords must match")
        await limit_mail(request, new.email)
        made = await registration.register(RegistrationCreate(new.email, new.password))
        if made.is_known and settings.dialects_reveal_accounts:
            # No error, to prevent enumeration: the owner of the address gets a mail.
            taken = {"email": ["Email already exists"]}
            return Response(taken, status_code=HTTP_400_BAD_REQUEST)
        body = {"user": {"id": made.user_id, "email": made.email}, "token": _no_token()}
        return Response(body, status_code=HTTP_201_CREATED)

    @get("/activate/{uid:str}/{token:str}", opt={"canonical": "POST /api/v1/auth/activate"})
    async def open_activation(
        self,
        registration: NamedDependency[Registration],
        uid: FromPath[str],
        token: FromPath[str],
    ) -> dict[str, str]:
        return await _activate(registration, uid, token)

    @post(
        "/activate/{uid:str}/{token:str}",
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/activate"},
    )
    async def activate(
        self,
        request: Request[Any, Any, Any],
        registration: NamedDependency[Registration],
        uid: FromPath[str],
        token: FromPath[str],
    ) -> dict[str, str]:
        fields = await sent_fields(request)
        return await _activate(
            registration, str(fields.get("uid") or uid), str(fields.get("token") or token)
        )

    @post(
        "/password_reset",
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/password/forgot"},
    )
    async def ask_for_reset(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        email = (await read(request, EmailForm)).email
        await limit_mail(request, email)
        await registration.request_password_reset(email)
        return {"detail": "An email has been sent to reset your password."}

    @post(
        "/password_confirm/{uid:str}/{token:str}",
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/password/reset"},
    )
    async def reset_password(
        self,
        request: Request[Any, Any, Any],
        registration: NamedDependency[Registration],
        uid: FromPath[str],
        token: FromPath[str],
    ) -> dict[str, str]:
        chosen = await read(request, PasswordForm)
        if chosen.confirm_password != chosen.new_password:
            raise field_error(NON_FIELD, "Passwords do not match")
        if not uid.isdecimal():
            raise field_error(NON_FIELD, "Invalid UID")
        try:
            user = await registration.reset_password(token, chosen.new_password)
        except LinkInvalid as error:
            raise field_error(NON_FIELD, EXPIRED) from error
        except WeakPassword as error:
            raise field_error("new_password", error.detail) from error
        if user.id != int(uid):
            raise field_error(NON_FIELD, EXPIRED)
        return {"detail": "Your Password has been successfully reset."}


def _no_token() -> str:
    """A random string in the format of a token."""
    return secrets.token_urlsafe(24)


async def _activate(registration: Registration, uid: str, token: str) -> dict[str, str]:
    if not uid.isdecimal():
        raise DrfError({"error": "Invalid UID"})
    try:
        user = await registration.activate(token)
    except LinkInvalid as error:
        if await registration.has_activated(token):
            return {"message": "Account already activated."}
        raise DrfError({"error": EXPIRED}) from error
    if user.id != int(uid):
        raise DrfError({"error": EXPIRED})
    return {"message": "Account successfully activated."}
