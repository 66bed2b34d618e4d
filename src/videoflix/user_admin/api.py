"""The people of an installation over HTTP, for its administrators."""

from typing import Annotated, Any

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Request, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from videoflix.accounts.service import EmailTaken, LastAdmin, PasswordWeak
from videoflix.platform.auth.identity import Role, admins_only
from videoflix.platform.http.params import BIGINT_MAX, Id, Limit, Offset, Page, service
from videoflix.platform.problems import Forbidden, SignInNeeded, problems
from videoflix.user_admin.schemas import Account, NewPerson, PersonChange
from videoflix.user_admin.service import Directory, OwnersOnly, PersonNotFound

Search = Annotated[
    str,
    QueryParameter(
        max_length=100,
        pattern=r"^[^\x00]*$",
        description="Words the address or the name has to hold.",
    ),
]
OfRole = Annotated[Role | None, QueryParameter(description="Only people of this role.")]

Numbered = Annotated[
    list[Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]] | None,
    QueryParameter(max_items=100, description="Only these people: `ids=1&ids=2`."),
]


class UserController(Controller):
    path = "/users"
    tags = ("People",)
    guards = (admins_only,)
    dependencies = {"directory": service(Directory)}

    @get(summary="List people", responses=problems(SignInNeeded, Forbidden))
    async def list_people(
        self,
        directory: NamedDependency[Directory],
        search: Search = "",
        role: OfRole = None,
        ids: Numbered = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[Account]:
        """List accounts, newest first."""
        found, total = await directory.people(
            LimitOffset(limit, offset), search=search, role=role, ids=ids
        )
        return Page([Account.of(user) for user in found], total, limit, offset)

    @post(
        summary="Enter somebody",
        responses=problems(SignInNeeded, Forbidden, OwnersOnly, EmailTaken, PasswordWeak),
    )
    async def add_person(
        self,
        request: Request[Any, Any, Any],
        directory: NamedDependency[Directory],
        data: JSONBody[NewPerson],
    ) -> Account:
        """Enter somebody who may sign in at once; without a password a mail invites them."""
        return Account.of(await directory.add(data, by=request.user.user_id))

    @get(
        "/{user_id:int}",
        summary="Show somebody",
        responses=problems(SignInNeeded, Forbidden, PersonNotFound),
    )
    async def show_person(
        self, directory: NamedDependency[Directory], user_id: FromPath[Id]
    ) -> Account:
        """Show an account."""
        return Account.of(await directory.person(user_id))

    @patch(
        "/{user_id:int}",
        summary="Change somebody",
        responses=problems(SignInNeeded, Forbidden, OwnersOnly, PersonNotFound, LastAdmin),
    )
    async def change_person(
        self,
        request: Request[Any, Any, Any],
        directory: NamedDependency[Directory],
        user_id: FromPath[Id],
        data: JSONBody[PersonChange],
    ) -> Account:
        """Change names, contact, language or role; with another role one has to sign in again."""
        return Account.of(await directory.change(user_id, data, by=request.user.user_id))

    @post(
        "/{user_id:int}/deactivate",
        summary="Switch an account off",
        status_code=HTTP_200_OK,
        responses=problems(SignInNeeded, Forbidden, OwnersOnly, PersonNotFound, LastAdmin),
    )
    async def deactivate_person(
        self,
        request: Request[Any, Any, Any],
        directory: NamedDependency[Directory],
        user_id: FromPath[Id],
    ) -> Account:
        """Switch an account off: signed out everywhere within a second."""
        return Account.of(await directory.deactivate(user_id, by=request.user.user_id))

    @post(
        "/{user_id:int}/activate",
        summary="Switch an account on",
        status_code=HTTP_200_OK,
        responses=problems(SignInNeeded, Forbidden, OwnersOnly, PersonNotFound),
    )
    async def activate_person(
        self,
        request: Request[Any, Any, Any],
        directory: NamedDependency[Directory],
        user_id: FromPath[Id],
    ) -> Account:
        """Switch an account on; its address counts as confirmed."""
        return Account.of(await directory.activate(user_id, by=request.user.user_id))
