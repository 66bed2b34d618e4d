"""The dialect `authemail`: the accounts of django-rest-authemail, and `/api/videos/` with files."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from videoflix.accounts.problems import (
    AccountDisabled,
    EmailUnconfirmed,
    InvalidCredentials,
    WrongPassword,
)
from videoflix.accounts.schemas import Name, Password, Typed
from videoflix.accounts.service import Accounts
from videoflix.compat.basic_auth import interactive_only, token_needed
from videoflix.compat.categories import CategoryController
from videoflix.compat.dialect import Dialect
from videoflix.compat.drf.errors import REQUIRED, DrfError, field_error
from videoflix.compat.drf.parsing import Email, read
from videoflix.compat.videos import RootController, VideosController
from videoflix.platform.auth.csrf import ensure_no_cross_site_link
from videoflix.platform.http.params import service
from videoflix.platform.server.client_address import device_of
from videoflix.profiles.service import ensure_no_child
from videoflix.registration.api import limit_mail
from videoflix.registration.schemas import RegistrationCreate
from videoflix.registration.service import LinkInvalid, Registration
from videoflix.sessions.api.login import authenticated
from videoflix.sessions.schemas import Credentials
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings

CURRENT = "current_password"
TAKEN = {"detail": "Email address already taken."}
UNVERIFIED = {"detail": "Unable to verify user."}
VERIFIED = {"success": "Email address verified."}
NOT_LOGGED_IN = "Unable to login with provided credentials."
WHY_NOT = {
    EmailUnconfirmed: "User account not verified.",
    AccountDisabled: "User account not active.",
}

Code = Annotated[str, msgspec.Meta(max_length=200)]


class RegistrationForm(msgspec.Struct):
    email: Email
    password: Password
    first_name: Name = ""
    last_name: Name = ""


class EmailForm(msgspec.Struct):
    email: Email


class PasswordChangeForm(msgspec.Struct):
    password: Password
    current_password: Typed | None = None


class EmailChangeForm(msgspec.Struct):
    email: Email
    current_password: Typed | None = None


class PasswordResetForm(msgspec.Struct):
    code: Code
    password: Password


def paths(name: str) -> list[str]:
    """A path with and without the format suffix of Django REST framework."""
    return [f"/{name}", f"/{name}.json"]


class RegistrationController(Controller):
    """Registration, activation and password reset."""

    path = "/api/accounts"
    dependencies = {"registration": service(Registration)}

    @post(paths("signup"), opt={"canonical": "POST /api/v1/auth/register"})
    async def sign_up(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> Response[dict[str, str]]:
        """Register; takes effect when the mailed link is opened."""
        sent = await read(request, RegistrationForm)
        await limit_mail(request, sent.email)
        new = RegistrationCreate(sent.email, sent.password, sent.first_name, sent.last_name)
        made = await registration.register(new)
        if made.is_known and settings.dialects_reveal_accounts:
            # No error, to prevent enumeration: the owner of the address gets a mail.
            return Response(TAKEN, status_code=HTTPStatus.BAD_REQUEST)
        body = {"email": made.email, "first_name": made.first_name, "last_name": made.last_name}
        return Response(body, status_code=HTTP_201_CREATED)

    @get(paths("signup/verify"), opt={"canonical": "POST /api/v1/auth/activate"})
    async def verify_sign_up(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        try:
            await registration.activate(_code(request))
        except LinkInvalid as error:
            raise DrfError(UNVERIFIED) from error
        return VERIFIED

    @post(
        paths("password/reset"),
        status_code=HTTP_201_CREATED,
        opt={"canonical": "POST /api/v1/auth/password/forgot"},
    )
    async def ask_for_reset(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        """Request a password reset; the response does not reveal whether the account exists."""
        email = (await read(request, EmailForm)).email
        await limit_mail(request, email)
        await registration.request_password_reset(email)
        return {"email": email}

    @get(
        paths("password/reset/verify"),
        opt={"canonical": "POST /api/v1/auth/password/reset"},
    )
    async def verify_reset(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        if not await registration.may_reset(_code(request)):
            raise DrfError(UNVERIFIED)
        return VERIFIED

    @post(
        paths("password/reset/verified"),
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/password/reset"},
    )
    async def reset_password(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        chosen = await read(request, PasswordResetForm)
        try:
            await registration.reset_password(chosen.code, chosen.password)
        except LinkInvalid as error:
            raise DrfError(UNVERIFIED) from error
        return {"success": "Password reset."}

    @get(paths("email/change/verify"), opt={"canonical": "POST /api/v1/auth/email/confirm"})
    async def verify_email(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        try:
            await registration.confirm_email(_code(request))
        except LinkInvalid as error:
            raise DrfError(UNVERIFIED) from error
        return {"success": "Email address changed."}


class UserController(Controller):
    """Sign-in, sign-out and the own account."""

    path = "/api/accounts"
    dependencies = {
        "accounts": service(Accounts),
        "sessions": service(Sessions),
        "registration": service(Registration),
    }

    @post(paths("login"), status_code=HTTP_200_OK, opt={"canonical": "POST /api/v1/auth/token"})
    async def log_in(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        sessions: NamedDependency[Sessions],
    ) -> dict[str, str]:
        typed = await read(request, Credentials)
        try:
            user = await authenticated(request, accounts, sessions, typed)
        except InvalidCredentials as error:
            text = WHY_NOT.get(type(error), NOT_LOGGED_IN)
            raise DrfError({"detail": text}, HTTPStatus.UNAUTHORIZED) from error
        opened = await sessions.open_by_token(user, device_of(request))
        return {"token": opened.token}

    @get(paths("logout"), guards=[interactive_only], opt={"canonical": "POST /api/v1/auth/logout"})
    async def log_out(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> dict[str, str]:
        """Revoke all tokens of the user (older backends had one); other sign-ins stay.

        A link somewhere may ask for this too, with the visitor's cookie: not here.
        """
        ensure_no_cross_site_link(request)
        await sessions.sign_out_by_token(request.user.user_id, request.user.sign_in_id)
        return {"success": "User logged out."}

    @post(
        paths("password/change"),
        status_code=HTTP_200_OK,
        guards=[interactive_only],
        opt={"canonical": "POST /api/v1/auth/password/change"},
    )
    async def change_password(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        """Change the password; needs `current_password` unless DIALECTS_TRUST_SIGN_IN is set.

        The requesting sign-in stays, as in the older backend; all others end.
        """
        chosen = await read(request, PasswordChangeForm)
        user_id, stays = request.user.user_id, request.user.sign_in_id
        if chosen.current_password is not None:
            current = chosen.current_password
            with _named_wrong():
                await registration.change_password(user_id, current, chosen.password, stays=stays)
        elif settings.dialects_trust_sign_in:
            await ensure_no_child(request.user)
            await registration.replace_password(user_id, chosen.password, stays=stays)
        else:
            raise field_error(CURRENT, REQUIRED)
        return {"success": "Password changed."}

    @post(
        paths("email/change"),
        guards=[interactive_only],
        opt={"canonical": "POST /api/v1/auth/email/change"},
    )
    async def change_email(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        registration: NamedDependency[Registration],
    ) -> dict[str, str]:
        """Change the e-mail address; needs `current_password` like the change of the password."""
        chosen = await read(request, EmailChangeForm)
        await limit_mail(request, chosen.email)
        user_id = request.user.user_id
        if chosen.current_password is not None:
            with _named_wrong():
                await registration.change_email(user_id, chosen.current_password, chosen.email)
        elif settings.dialects_trust_sign_in:
            await ensure_no_child(request.user)
            await registration.request_email_change(user_id, chosen.email)
        else:
            raise field_error(CURRENT, REQUIRED)
        if settings.dialects_reveal_accounts and await accounts.by_email(chosen.email):
            raise DrfError(TAKEN)
        return {"email": chosen.email}

    @get(paths("users/me"), guards=[token_needed], opt={"canonical": "GET /api/v1/me"})
    async def show_me(
        self, request: Request[Any, Any, Any], accounts: NamedDependency[Accounts]
    ) -> dict[str, Any]:
        user = await accounts.get_active(request.user.user_id)
        return {
            "id": user.id,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
        }


@contextmanager
def _named_wrong() -> Iterator[None]:
    """Convert a wrong password to an error of its field."""
    try:
        yield
    except WrongPassword as error:
        raise field_error(CURRENT, "This is not your password.") from error


def _code(request: Request[Any, Any, Any]) -> str:
    return request.query_params.get("code", "")


AUTHEMAIL = Dialect(
    "authemail",
    (RegistrationController, UserController, CategoryController, VideosController, RootController),
)
