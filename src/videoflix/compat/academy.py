"""The dialect `academy`: HTTP-only cookies, one playlist a resolution, watchlist and history."""

from typing import Any

import msgspec
from litestar import Controller, Request, post
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK

from videoflix.accounts.service import Accounts
from videoflix.compat.bodies import Email, read_fields, sent
from videoflix.compat.dialect import Dialect
from videoflix.compat.drf import Refusal
from videoflix.platform.client import client_address
from videoflix.platform.throttle import Limit
from videoflix.platform.web import service

# This route tells who has an account: that is what it is for, but not to whom asks many times.
ASKED = Limit("academy-who-has-an-account", burst=20, seconds=15)


class Address(msgspec.Struct):
    email: Email


class EntranceController(Controller):
    path = "/api"
    dependencies = {"accounts": service(Accounts)}

    @post("/users/check-login-register", status_code=HTTP_200_OK, opt={"canonical": ""})
    async def check_address(
        self, request: Request[Any, Any, Any], accounts: NamedDependency[Accounts]
    ) -> dict[str, bool]:
        await ASKED.spend(client_address(request))
        fields = await sent(request)
        if not fields.get("email"):
            raise Refusal({"detail": "Email is required"})
        known = await accounts.by_email(read_fields(fields, Address).email) is not None
        return {"shouldLogin": known, "shouldRegister": not known}


ACADEMY = Dialect("academy", (EntranceController,))
