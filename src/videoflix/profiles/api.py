"""HTTP API of profiles."""

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK
from msgspec import UNSET

from videoflix.accounts.problems import WrongPassword
from videoflix.platform.auth.identity import CurrentUser, signed_in
from videoflix.platform.http.openapi import OptionalBody
from videoflix.platform.http.params import Id, service
from videoflix.platform.problems import Unauthorized, problems
from videoflix.platform.rate_limit.bucket import TooManyAttempts
from videoflix.profiles.schemas import (
    PinEntry,
    ProfileCreate,
    ProfileKey,
    ProfileRead,
    ProfileRemoval,
    ProfileUpdate,
)
from videoflix.profiles.service.profiles import (
    FirstProfileNotDeletable,
    NameTaken,
    PasswordRequired,
    ProfileNotFound,
    Profiles,
    TooManyProfiles,
    WrongPin,
)


class ProfileController(Controller):
    path = "/me/profiles"
    tags = ("Profiles",)
    guards = (signed_in,)
    dependencies = {"profiles": service(Profiles)}

    @get(summary="List your profiles", responses=problems(Unauthorized))
    async def list_profiles(
        self, user: CurrentUser, profiles: NamedDependency[Profiles]
    ) -> list[ProfileRead]:
        """List the profiles of your account, the default profile first."""
        return [ProfileRead.of(found) for found in await profiles.for_user(user.user_id)]

    @post(
        summary="Add a profile",
        responses=problems(
            Unauthorized,
            PasswordRequired,
            WrongPassword,
            TooManyAttempts,
            TooManyProfiles,
            NameTaken,
        ),
    )
    async def add_profile(
        self,
        user: CurrentUser,
        profiles: NamedDependency[Profiles],
        data: JSONBody[ProfileCreate],
    ) -> ProfileRead:
        """Add a profile with its own lists; select it by sending its ID as X-Profile."""
        return ProfileRead.of(await profiles.add(user, data))

    @patch(
        "/{profile_id:int}",
        summary="Update a profile",
        responses=problems(
            Unauthorized,
            ProfileNotFound,
            PasswordRequired,
            WrongPassword,
            TooManyAttempts,
            NameTaken,
        ),
    )
    async def change_profile(
        self,
        user: CurrentUser,
        profiles: NamedDependency[Profiles],
        profile_id: FromPath[Id],
        data: JSONBody[ProfileUpdate],
    ) -> ProfileRead:
        """Update a profile; changing its PIN or age limit requires the account's password."""
        return ProfileRead.of(await profiles.change(user, profile_id, data))

    @delete(
        "/{profile_id:int}",
        summary="Delete a profile",
        operation_class=OptionalBody,
        responses=problems(
            Unauthorized,
            ProfileNotFound,
            PasswordRequired,
            WrongPassword,
            TooManyAttempts,
            FirstProfileNotDeletable,
        ),
    )
    async def delete_profile(
        self,
        user: CurrentUser,
        profiles: NamedDependency[Profiles],
        profile_id: FromPath[Id],
        data: JSONBody[ProfileRemoval | None] = None,
    ) -> None:
        """Delete a profile with its lists; a locked one requires the account's password."""
        password = UNSET if data is None else data.password
        await profiles.remove(user, profile_id, password)

    @post(
        "/{profile_id:int}/unlock",
        summary="Unlock a profile",
        status_code=HTTP_200_OK,
        responses=problems(Unauthorized, ProfileNotFound, WrongPin, TooManyAttempts),
    )
    async def unlock_profile(
        self,
        user: CurrentUser,
        profiles: NamedDependency[Profiles],
        profile_id: FromPath[Id],
        data: JSONBody[PinEntry],
    ) -> ProfileKey:
        """Exchange the PIN for a key to send as X-Profile."""
        return await profiles.unlock(user, profile_id, data.pin)
