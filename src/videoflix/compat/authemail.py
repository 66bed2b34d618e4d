"""The dialect `authemail`: the accounts of django-rest-authemail, and `/api/videos/` with files."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from videoflix.accounts.schemas import Name, Password
from videoflix.accounts.service import (
    Accounts,
    AddressUnconfirmed,
    CredentialsRefused,
    SwitchedOff,
)
from videoflix.compat.bodies import Email, read
from videoflix.compat.categories import CategoryController
from videoflix.compat.dialect import Dialect
from videoflix.compat.drf import Refusal
from videoflix.compat.entrance import in_person, token_needed
from videoflix.compat.videos import RootController, VideosController
from videoflix.platform.client import device_of
from videoflix.platform.cross_site import refuse_foreign_page
from videoflix.platform.web import service
from videoflix.registration.api import limit_mail
from videoflix.registration.schemas import NewAccount
from videoflix.registration.service import LinkSpent, Registration
from videoflix.sessions.api.entrance import authenticated
from videoflix.sessions.schemas import Credentials
from videoflix.sessions.service.sign_ins import Sessions

TAKEN = {"detail": "Email address already taken."}
UNVERIFIED = {"detail": "Unable to verify user."}
VERIFIED = {"success": "Email address verified."}
NOT_LOGGED_IN = "Unable to login with provided credentials."
WHY_NOT = {
    AddressUnconfirmed: "User account not verified.",
    SwitchedOff: "User account not active.",
}

Code = Annotated[str, msgspec.Meta(max_length=200)]


class Registrant(msgspec.Struct):
    email: Email
    password: Password
    first_name: Name = ""
    last_name: Name = ""


class Address(msgspec.Struct):
    email: Email


class NewPassword(msgspec.Struct):
    password: Password


class PasswordByCode(msgspec.Struct):
    code: Code
    password: Password


def paths(name: str) -> list[str]:
    """A path, and the same with the suffix that these backends take for the answer's format."""
    return [f"/{name}", f"/{name}.json"]


class LetterController(Controller):
    """Registering, and what mailed codes lead to."""

    path = "/api/accounts"
    dependencies = {"registration": service(Registration)}

    @post(paths("signup"), opt={"canonical": "POST /api/v1/auth/register"})
    async def sign_up(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> Response[dict[str, str]]:
        """Until the address is confirmed this may be said again, with another password."""
        sent = await read(request, Registrant)
        await limit_mail(request, sent.email)
        new = NewAccount(sent.email, sent.password, sent.first_name, sent.last_name)
        user = await registration.register(new) or await registration.register_again(new)
        if user is None:  # not raised: the person who has the address gets their mail
            return Response(TAKEN, status_code=HTTPStatus.BAD_REQUEST)
        body = {"email": user.email, "first_name": user.first_name, "last_name": user.last_name}
        return Response(body, status_code=HTTP_201_CREATED)

    @get(paths("signup/verify"), opt={"canonical": "POST /api/v1/auth/activate"})
    async def verify_sign_up(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        try:
            await registration.activate(_code(request))
        except LinkSpent as error:
            raise Refusal(UNVERIFIED) from error
        return VERIFIED

    @post(
        paths("password/reset"),
        status_code=HTTP_201_CREATED,
        opt={"canonical": "POST /api/v1/auth/password/forgot"},
    )
    async def ask_for_reset(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        """The same for everybody: who has an account is not told here."""
        email = (await read(request, Address)).email
        await limit_mail(request, email)
        await registration.forgot(email)
        return {"email": email}

    @get(
        paths("password/reset/verify"),
        opt={"canonical": "POST /api/v1/auth/password/reset"},
    )
    async def verify_reset(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        if not await registration.may_reset(_code(request)):
            raise Refusal(UNVERIFIED)
        return VERIFIED

    @post(
        paths("password/reset/verified"),
        status_code=HTTP_200_OK,
        opt={"canonical": "POST /api/v1/auth/password/reset"},
    )
    async def reset_password(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        chosen = await read(request, PasswordByCode)
        try:
            await registration.reset(chosen.code, chosen.password)
        except LinkSpent as error:
            raise Refusal(UNVERIFIED) from error
        return {"success": "Password reset."}

    @get(paths("email/change/verify"), opt={"canonical": "POST /api/v1/auth/email/confirm"})
    async def verify_email(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        try:
            await registration.confirm_email(_code(request))
        except LinkSpent as error:
            raise Refusal(UNVERIFIED) from error
        return {"success": "Email address changed."}


class PersonController(Controller):
    """Signing in and out, and what people change about themselves."""

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
        except CredentialsRefused as error:
            text = WHY_NOT.get(type(error), NOT_LOGGED_IN)
            raise Refusal({"detail": text}, HTTPStatus.UNAUTHORIZED) from error
        opened = await sessions.open_by_token(user, device_of(request))
        return {"token": opened.token}

    @get(paths("logout"), guards=[in_person], opt={"canonical": "POST /api/v1/auth/logout"})
    async def log_out(
        self, request: Request[Any, Any, Any], sessions: NamedDependency[Sessions]
    ) -> dict[str, str]:
        """All tokens of this person end, as there was only one; other sign-ins stay.

        A link on another site's page may ask for this too, with a cookie: not here.
        """
        refuse_foreign_page(request)
        await sessions.sign_out_by_token(request.user.user_id, request.user.sign_in_id)
        return {"success": "User logged out."}

    @post(
        paths("password/change"),
        status_code=HTTP_200_OK,
        guards=[in_person],
        opt={"canonical": "POST /api/v1/auth/password/change"},
    )
    async def change_password(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> dict[str, str]:
        chosen = await read(request, NewPassword)
        await registration.replace_password(request.user.user_id, chosen.password)
        return {"success": "Password changed."}

    @post(
        paths("email/change"),
        guards=[in_person],
        opt={"canonical": "POST /api/v1/auth/email/change"},
    )
    async def change_email(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        registration: NamedDependency[Registration],
    ) -> dict[str, str]:
        email = (await read(request, Address)).email
        await limit_mail(request, email)
        if await accounts.by_email(email):
            raise Refusal(TAKEN)
        await registration.ask_for_email(request.user.user_id, email)
        return {"email": email}

    @get(paths("users/me"), guards=[token_needed], opt={"canonical": "GET /api/v1/me"})
    async def show_me(
        self, request: Request[Any, Any, Any], accounts: NamedDependency[Accounts]
    ) -> dict[str, Any]:
        user = await accounts.person(request.user.user_id)
        return {
            "id": user.id,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
        }


def _code(request: Request[Any, Any, Any]) -> str:
    return request.query_params.get("code", "")


AUTHEMAIL = Dialect(
    "authemail",
    (LetterController, PersonController, CategoryController, VideosController, RootController),
)
