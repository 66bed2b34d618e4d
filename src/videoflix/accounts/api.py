"""Accounts over HTTP."""

from typing import Any

from litestar import Controller, Request, get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody

from videoflix.accounts.schemas import Person, ProfileChange
from videoflix.accounts.service import Accounts
from videoflix.platform.identity import signed_in
from videoflix.platform.problems import SignInNeeded, problems
from videoflix.platform.web import service


class MeController(Controller):
    path = "/me"
    tags = ("Accounts",)
    guards = (signed_in,)
    dependencies = {"accounts": service(Accounts)}

    @get(summary="Show who is signed in", responses=problems(SignInNeeded))
    async def show_me(
        self, request: Request[Any, Any, Any], accounts: NamedDependency[Accounts]
    ) -> Person:
        """Show who is signed in."""
        return Person.of(await accounts.person(request.user.user_id))

    @patch(summary="Change your profile", responses=problems(SignInNeeded))
    async def change_me(
        self,
        request: Request[Any, Any, Any],
        accounts: NamedDependency[Accounts],
        data: JSONBody[ProfileChange],
    ) -> Person:
        """Change your names, phone, address or language; what is left out stays."""
        return Person.of(await accounts.change(request.user.user_id, data))
