"""HTTP API of the user's own account."""

from litestar import Controller, get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody

from videoflix.accounts.schemas import UserRead, UserUpdate
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import CurrentUser, adults_only, signed_in
from videoflix.platform.http.params import service
from videoflix.platform.problems import Forbidden, Unauthorized, problems


class MeController(Controller):
    path = "/me"
    tags = ("Accounts",)
    guards = (signed_in,)
    dependencies = {"accounts": service(Accounts)}

    @get(summary="Get your account", responses=problems(Unauthorized))
    async def show_me(self, user: CurrentUser, accounts: NamedDependency[Accounts]) -> UserRead:
        """Get the account that is signed in."""
        return UserRead.of(await accounts.get_active(user.user_id))

    @patch(
        summary="Update your account",
        guards=[adults_only],
        responses=problems(Unauthorized, Forbidden),
    )
    async def change_me(
        self,
        user: CurrentUser,
        accounts: NamedDependency[Accounts],
        data: JSONBody[UserUpdate],
    ) -> UserRead:
        """Update your name, phone, address or language; omitted fields are unchanged.

        Not available to children's profiles.
        """
        return UserRead.of(await accounts.change(user.user_id, data))
