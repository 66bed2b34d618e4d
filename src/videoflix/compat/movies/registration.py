"""Registration on the path of the older backend; served whatever DIALECTS lists."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency

from videoflix.accounts.problems import WeakPassword
from videoflix.accounts.schemas import Name, Password
from videoflix.compat.drf.errors import field_error
from videoflix.compat.drf.parsing import Email, read
from videoflix.platform.http.params import service
from videoflix.registration.api import limit_mail
from videoflix.registration.schemas import RegistrationCreate
from videoflix.registration.service import Registration
from videoflix.settings import settings


class RegistrationForm(msgspec.Struct):
    email: Email
    password: Password
    first_name: Name = ""
    last_name: Name = ""


class RegisterController(Controller):
    path = "/api/v1/users/register"
    dependencies = {"registration": service(Registration)}

    @post(opt={"canonical": "POST /api/v1/auth/register"})
    async def register(
        self, request: Request[Any, Any, Any], registration: NamedDependency[Registration]
    ) -> Response[dict[str, Any]]:
        """Register; the address must be confirmed unless ACTIVATION_REQUIRED is off."""
        new = await read(request, RegistrationForm)
        await limit_mail(request, new.email)
        try:
            made = await registration.register(RegistrationCreate(**msgspec.structs.asdict(new)))
        except WeakPassword as error:
            raise field_error("password", error.detail) from error
        if made.is_known and settings.dialects_reveal_accounts:
            # No error, to prevent enumeration: the owner of the address gets a mail.
            taken = {"email": ["user with this email already exists."]}
            return Response(taken, status_code=HTTPStatus.BAD_REQUEST)
        body = {
            "id": made.user_id,
            "username": None,
            "first_name": new.first_name,
            "last_name": new.last_name,
            "email": made.email,
        }
        return Response(body, status_code=HTTPStatus.CREATED)
