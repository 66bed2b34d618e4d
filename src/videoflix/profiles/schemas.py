"""Schemas of profiles."""

from typing import Annotated, Self

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.accounts.schemas import Language, Typed
from videoflix.platform.auth.identity import Identity, Role
from videoflix.platform.http.params import VISIBLE
from videoflix.profiles import models

ProfileName = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=50, pattern=rf"^[^\x00\r\n]*{VISIBLE}[^\x00\r\n]*(?!\n)$"
    ),
]
Avatar = Annotated[str, msgspec.Meta(max_length=50, pattern=r"^[^\x00\r\n]*(?!\n)$")]
AgeRating = Annotated[int, msgspec.Meta(ge=0, le=21)]
Pin = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4,8}(?!\n)$")]


class Viewer(msgspec.Struct, frozen=True):
    """The viewer of a request: determines visible videos and the lists in use.

    `profile_id` is 0 while the default profile does not exist. `max_age` is the highest visible age
    rating, `member` whether there is a current membership, and `max_height` the plan's limit on the
    resolution in lines.
    """

    user_id: int
    profile_id: int
    role: Role
    max_age: int
    member: bool
    max_height: int | None = None

    @property
    def is_editor(self) -> bool:
        return self.role is not Role.VIEWER

    @property
    def cache_key(self) -> str:
        """Equal for all viewers who see the same videos."""
        return "all" if self.is_editor else f"{self.max_age}{'m' if self.member else 'g'}"


# Above every age rating.
ALL_AGES = 99


# Anonymous viewers see what guests see.
ANONYMOUS = Viewer(0, 0, Role.VIEWER, ALL_AGES, member=False)


def unrestricted_viewer(identity: Identity) -> Viewer:
    """Return a viewer without a profile and age limit."""
    return Viewer(identity.user_id, 0, identity.role, ALL_AGES, member=True)


class ProfileRead(msgspec.Struct):
    """A profile; a `locked` one has to be unlocked with its PIN."""

    id: int
    name: str
    avatar: str
    language: str
    max_age_rating: int | None
    locked: bool
    is_first: bool

    @classmethod
    def of(cls, profile: models.Profile) -> Self:
        return cls(
            id=profile.id,
            name=profile.name,
            avatar=profile.avatar,
            language=profile.language,
            max_age_rating=profile.max_age_rating,
            locked=profile.pin_hash is not None,
            is_first=profile.is_first,
        )


class ProfileCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new profile; a child's profile has to send the account's password."""

    name: ProfileName
    avatar: Avatar = ""
    language: Language = "en"
    max_age_rating: AgeRating | None = None
    pin: Pin | None = None
    password: Typed | UnsetType = UNSET


class ProfileUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to a profile; omitted fields are unchanged, `null` removes a PIN or age limit.

    Changing a locked profile, a PIN or an age limit requires the account's password, or the key of
    an adult profile as X-Profile.
    """

    name: ProfileName | UnsetType = UNSET
    avatar: Avatar | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    max_age_rating: AgeRating | UnsetType | None = UNSET
    pin: Pin | UnsetType | None = UNSET
    password: Typed | UnsetType = UNSET


class ProfileRemoval(msgspec.Struct, forbid_unknown_fields=True):
    """The account's password, if deleting the profile requires it."""

    password: Typed | UnsetType = UNSET


class PinEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The PIN of a locked profile."""

    pin: Annotated[str, msgspec.Meta(max_length=8)]


class ProfileKey(msgspec.Struct):
    """A key to send as X-Profile, valid for the session, for a day at most."""

    key: str
    expires_in: int
