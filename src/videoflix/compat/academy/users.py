"""The own account."""

from typing import Any

from litestar import Controller, Request, delete, get, patch, put
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_405_METHOD_NOT_ALLOWED

from videoflix.accounts.models import User
from videoflix.accounts.schemas import UserUpdate
from videoflix.accounts.service import Accounts
from videoflix.compat.dialect import NONE
from videoflix.compat.drf.errors import DrfError
from videoflix.compat.drf.parsing import read
from videoflix.platform.auth.identity import CurrentUser, signed_in
from videoflix.platform.http.params import service

SHOW = {"canonical": "GET /api/v1/me"}
CHANGE = {"canonical": "PATCH /api/v1/me"}


class UserController(Controller):
    """The account of the requesting user; the path accepts `me` or their own id."""

    path = "/api/user"
    guards = (signed_in,)
    dependencies = {"accounts": service(Accounts)}

    @get(opt=SHOW)
    async def list_me(
        self, user: CurrentUser, accounts: NamedDependency[Accounts]
    ) -> list[dict[str, Any]]:
        return [_serialize(await accounts.get_active(user.user_id))]

    @get("/{whoever:str}", opt=SHOW)
    async def show_me(
        self, user: CurrentUser, accounts: NamedDependency[Accounts]
    ) -> dict[str, Any]:
        return _serialize(await accounts.get_active(user.user_id))

    @put("/{whoever:str}", opt=CHANGE)
    async def put_me(
        self, request: Request[Any, Any, Any], accounts: NamedDependency[Accounts]
    ) -> dict[str, Any]:
        return await _change(request, accounts)

    @patch("/{whoever:str}", opt=CHANGE)
    async def change_me(
        self, request: Request[Any, Any, Any], accounts: NamedDependency[Accounts]
    ) -> dict[str, Any]:
        return await _change(request, accounts)

    @delete("/{whoever:str}", opt={"canonical": NONE})
    async def keep_me(self) -> None:
        """Refused: deleting an account requires the password, which older clients do not send."""
        body = {"detail": "Deleting account is not allowed."}
        raise DrfError(body, HTTP_405_METHOD_NOT_ALLOWED, {"Allow": "GET, PUT, PATCH"})


async def _change(request: Request[Any, Any, Any], accounts: Accounts) -> dict[str, Any]:
    return _serialize(await accounts.change(request.user.user_id, await read(request, UserUpdate)))


def _serialize(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "address": user.address or None,
        "phone": user.phone or None,
    }
