"""Registration, activation and password reset."""

import secrets
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from videoflix.accounts.problems import WeakPassword
from videoflix.accounts.schemas import Typed
from videoflix.accounts.service import ensure_strong
from videoflix.compat.drf.parsing import Email, read
from videoflix.compat.netiflex.errors import error_body, error_item
from videoflix.platform.http.params import service
from videoflix.registration.api import limit_mail
from videoflix.registration.schemas import RegistrationCreate
from videoflix.registration.service import LinkInvalid, Registration
from videoflix.settings import settings

TOO_SHORT = (
    f"This password is too short. It must contain at least {settings.password_min} characters."
)
BAD_LINK = "Invalid user ID or token"
SPENT = "Invalid or expired token"


class RegistrationForm(msgspec.Struct):
    password: Typed
    confirm_password: Typed
    email: Email = ""


class EmailForm(msgspec.Struct):
    email: Email


class LinkForm(msgspec.Struct):
    uid: str
    token: str


class PasswordForm(LinkForm):
    new_password: Typed
    confirm_new_password: Typed


class RegistrationController(Controller):
    """Registration, activation and password reset."""

    path = "/"
    dependencies = {"registration": service(Registration)}

    @post("/register", opt={"canonical": "POST /api/v1/auth/register"})
    async def register(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> Response[dict[str, Any]]:
        """Register; the `token` is a placeholder and cannot be used to sign in."""
        new = await read(request, RegistrationForm)
        if not new.email:
            raise error_body("email", "Email address is required")
        if new.password != new.confirm_password:
            raise error_body("password", "Passwords must match")
        if weak := _weaknesses(new.password, new.email):
            raise error_body("password", *weak)
        await limit_mail(request, new.email)
        try:
            made = await registration.register(RegistrationCreate(new.email, new.password))
        except WeakPassword as error:
            raise error_body("password", error.detail) from error
        if made.is_known and settings.dialects_reveal_accounts:
            # No error, to prevent enumeration: the owner of the address gets a mail.
            taken = error_item("email", "This Email already exists")
            return Response(taken, status_code=HTTPStatus.BAD_REQUEST)
        body = {"token": secrets.token_hex(20), "email": made.email}
        return Response(body, status_code=HTTP_201_CREATED)

    @post(
        "/activate-account",
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/activate"},
    )
    async def activate(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        link = await read(request, LinkForm)
        if not link.uid.isdecimal():
            raise error_body("token", BAD_LINK)
        try:
            user = await registration.activate(link.token)
        except LinkInvalid as error:
            if await registration.has_activated(link.token):
                text = "This account is already active. You can log in!"
                raise error_body("account", text) from error
            raise error_body("token", SPENT) from error
        if user.id != int(link.uid):
            raise error_body("token", BAD_LINK)
        return {"message": "Account successfully activated!"}

    @post(
        "/reset-password",
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/password/forgot"},
    )
    async def ask_for_reset(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        """Request a password reset; the response does not reveal whether the account exists."""
        email = (await read(request, EmailForm)).email
        await limit_mail(request, email)
        await registration.request_password_reset(email)
        return {"message": "Password reset link sent to your email!"}

    @post(
        "/new-password",
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/password/reset"},
    )
    async def reset_password(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        chosen = await read(request, PasswordForm)
        if not chosen.uid.isdecimal():
            raise error_body("token", BAD_LINK)
        if not await registration.may_reset(chosen.token):
            raise error_body("token", SPENT)
        if chosen.new_password != chosen.confirm_new_password:
            raise error_body("password", "Passwords must match")
        _refuse_short(chosen.new_password)
        try:
            user = await registration.reset_password(chosen.token, chosen.new_password)
        except LinkInvalid as error:
            raise error_body("token", SPENT) from error
        except WeakPassword as error:
            raise error_body("password", error.detail) from error
        if user.id != int(chosen.uid):
            raise error_body("token", BAD_LINK)
        return {"message": "Password successfully reset!"}


def _weaknesses(password: str, email: str) -> list[str]:
    """All that is wrong with a password at once, in the words of the older backend."""
    found = [TOO_SHORT] if len(password) < settings.password_min else []
    try:
        ensure_strong(password, email)
    except WeakPassword as error:
        found.append(error.detail)
    if password.isdigit():
        found.append("This password is entirely numeric.")
    return found


def _refuse_short(password: str) -> None:
    if len(password) < settings.password_min:
        raise error_body("password", TOO_SHORT)
