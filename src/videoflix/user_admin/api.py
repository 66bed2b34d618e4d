"""HTTP API of user administration."""

from typing import Annotated

import msgspec
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_204_NO_CONTENT

from videoflix.accounts.problems import EmailTaken, LastAdmin, WeakPassword
from videoflix.platform.auth.identity import CurrentUser, Role, admins_only
from videoflix.platform.http.params import BIGINT_MAX, Id, Limit, Offset, Page, service
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.user_admin.schemas import UserAdminRead, UserAdminUpdate, UserCreate
from videoflix.user_admin.service import OwnerRequired, UserAdmin, UserNotFound

Search = Annotated[
    str,
    QueryParameter(
        max_length=100,
        pattern=r"^[^\x00]*$",
        description="Text contained in the e-mail address or name.",
    ),
]
OfRole = Annotated[Role | None, QueryParameter(description="Only users with this role.")]

UserIds = Annotated[
    list[Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]] | None,
    QueryParameter(max_items=100, description="Only these users: `ids=1&ids=2`."),
]


class UserController(Controller):
    path = "/users"
    tags = ("People",)
    guards = (admins_only,)
    dependencies = {"user_admin": service(UserAdmin)}

    @get(summary="List users", responses=problems(Unauthorized, Forbidden))
    async def list_people(
        self,
        user_admin: NamedDependency[UserAdmin],
        search: Search = "",
        role: OfRole = None,
        ids: UserIds = None,
        limit: Limit = 20,
        offset: Offset = 0,
    ) -> Page[UserAdminRead]:
        """List accounts, newest first."""
        found, total = await user_admin.list_page(
            LimitOffset(limit, offset), search=search, role=role, ids=ids
        )
        return Page([UserAdminRead.of(user) for user in found], total, limit, offset)

    @post(
        summary="Add user",
        responses=problems(Unauthorized, Forbidden, OwnerRequired, EmailTaken, WeakPassword),
    )
    async def add_person(
        self,
        user: CurrentUser,
        user_admin: NamedDependency[UserAdmin],
        data: JSONBody[UserCreate],
    ) -> UserAdminRead:
        """Add a user who can sign in at once; without a password an invitation is mailed."""
        return UserAdminRead.of(await user_admin.add(data, by=user.user_id))

    @get(
        "/{user_id:int}",
        summary="Get a user",
        responses=problems(Unauthorized, Forbidden, UserNotFound),
    )
    async def show_person(
        self, user_admin: NamedDependency[UserAdmin], user_id: FromPath[Id]
    ) -> UserAdminRead:
        """Get an account."""
        return UserAdminRead.of(await user_admin.get(user_id))

    @patch(
        "/{user_id:int}",
        summary="Update a user",
        responses=problems(Unauthorized, Forbidden, OwnerRequired, UserNotFound, LastAdmin),
    )
    async def change_person(
        self,
        user: CurrentUser,
        user_admin: NamedDependency[UserAdmin],
        user_id: FromPath[Id],
        data: JSONBody[UserAdminUpdate],
    ) -> UserAdminRead:
        """Update name, contact, language or role; changing the role signs the user out."""
        return UserAdminRead.of(await user_admin.change(user_id, data, by=user.user_id))

    @post(
        "/{user_id:int}/password-link",
        summary="Mail a password link",
        status_code=HTTP_204_NO_CONTENT,
        responses=problems(Unauthorized, Forbidden, OwnerRequired, UserNotFound),
    )
    async def mail_password_link(
        self,
        user: CurrentUser,
        user_admin: NamedDependency[UserAdmin],
        user_id: FromPath[Id],
    ) -> None:
        """Mail the user a link to choose a new password; the present one stays until then."""
        await user_admin.mail_password_link(user_id, by=user.user_id)

    @post(
        "/{user_id:int}/deactivate",
        summary="Deactivate a user",
        status_code=HTTP_200_OK,
        responses=problems(Unauthorized, Forbidden, OwnerRequired, UserNotFound, LastAdmin),
    )
    async def deactivate_person(
        self,
        user: CurrentUser,
        user_admin: NamedDependency[UserAdmin],
        user_id: FromPath[Id],
    ) -> UserAdminRead:
        """Deactivate an account; it is signed out everywhere within a second."""
        return UserAdminRead.of(await user_admin.deactivate(user_id, by=user.user_id))

    @post(
        "/{user_id:int}/activate",
        summary="Activate a user",
        status_code=HTTP_200_OK,
        responses=problems(Unauthorized, Forbidden, OwnerRequired, UserNotFound),
    )
    async def activate_person(
        self,
        user: CurrentUser,
        user_admin: NamedDependency[UserAdmin],
        user_id: FromPath[Id],
    ) -> UserAdminRead:
        """Activate an account and mark its address as confirmed."""
        return UserAdminRead.of(await user_admin.activate(user_id, by=user.user_id))
