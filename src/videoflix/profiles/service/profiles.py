"""Profiles: who shares an account, which profile acts, and what it may do.

The acting profile is the one in X-Profile, or the default profile. It may manage the account if it
is an adult's (without an age limit) and unlocked. A key (from `unlock`, by PIN) of an adult profile
or the account's password additionally allows changing PINs, age limits and locked profiles. A
profile without a PIN can be used by anyone with access to the session, including children: adults
who share a device with them should set a PIN.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import ClassVar

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.service import Accounts, hash_secret, verify_secret
from videoflix.memberships.service import Memberships
from videoflix.platform.auth.identity import Identity, register_account_check
from videoflix.platform.auth.tokens import InvalidToken, Purpose, sign, verify
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction, violated
from videoflix.platform.problems import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from videoflix.platform.rate_limit.bucket import AttemptLimit
from videoflix.profiles.models import Profile
from videoflix.profiles.repository import ProfileRepository
from videoflix.profiles.schemas import (
    ALL_AGES,
    ProfileCreate,
    ProfileKey,
    ProfileUpdate,
    Viewer,
)

PROFILES_MAX = 5
KEY_LIFETIME = timedelta(days=1)
FIRST_NAME = "Me"
# Limits brute-force attacks on four-digit PINs.
PINS = AttemptLimit("profile-pin", burst=5, seconds=60)
TOPIC = "profiles:"


class ProfileNotFound(NotFound):
    """You have no such profile."""


class ProfileLocked(Forbidden):
    """This profile is locked: unlock it with its PIN and send the key as X-Profile."""


class WrongPin(BadRequest):
    """Wrong PIN."""

    slug: ClassVar[str] = "pin-wrong"


class PasswordRequired(Forbidden):
    """This requires the account's password, or an adult profile unlocked with its PIN."""

    slug: ClassVar[str] = "password-needed"


class TooManyProfiles(Conflict):
    """You have reached the maximum number of profiles."""


class NameTaken(Conflict):
    """You already have a profile with this name."""


class FirstProfileNotDeletable(Conflict):
    """The first profile cannot be deleted."""

    slug: ClassVar[str] = "first-profile-stays"


# Problems of all routes that need a viewer.
VIEWER_PROBLEMS = (Unauthorized, ProfileNotFound, ProfileLocked)


class Profiles:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.memberships = Memberships(session)
        self.profiles = ProfileRepository(session=session)

    async def for_user(self, user_id: int) -> list[Profile]:
        """Return a user's profiles, creating the default profile if missing."""
        await self.first(user_id)
        return await self.profiles.for_user(user_id)

    async def first(self, user_id: int) -> Profile:
        user = await self.accounts.get_active(user_id)
        name = user.first_name[:50].strip() or FIRST_NAME
        return await self.profiles.first_of(user_id, name, user.language)

    async def first_of_many(self, user_ids: Sequence[int]) -> dict[int, int]:
        """Return the ID of each account's default profile, creating missing ones."""
        return await self.profiles.first_of_many(user_ids, FIRST_NAME)

    async def add(self, identity: Identity, new: ProfileCreate) -> Profile:
        """Add a profile. Raises PasswordRequired, WrongPassword, TooManyProfiles or NameTaken."""
        user_id = identity.user_id
        if not await self._verify_password(identity, new.password):
            await ensure_no_child(identity)
        pin_hash = await hash_secret(new.pin) if new.pin else None
        await self.profiles.lock_account(user_id)
        allowed = await self.memberships.profiles_allowed(user_id) or PROFILES_MAX
        if len(await self.for_user(user_id)) >= allowed:
            raise TooManyProfiles(f"Your account can have {allowed} profiles.")
        profile = Profile(
            user_id=user_id,
            name=new.name,
            avatar=new.avatar,
            language=new.language,
            max_age_rating=new.max_age_rating,
            pin_hash=pin_hash,
        )
        async with self._unique_names():
            self.session.add(profile)
        return profile

    async def change(self, identity: Identity, profile_id: int, change: ProfileUpdate) -> Profile:
        """Update a profile. Raises ProfileNotFound or like `add`."""
        fields = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET and name != "password"
        }
        proven = await self._verify_password(identity, change.password)
        if "pin" in fields:
            fields["pin_hash"] = await hash_secret(change.pin) if change.pin else None
            del fields["pin"]
        await self.profiles.lock_account(identity.user_id)
        profile = await self._owned(identity.user_id, profile_id)
        if not proven:
            if profile.pin_hash or {"pin_hash", "max_age_rating"} & fields.keys():
                raise PasswordRequired
            await self._ensure_may_edit(identity, profile)
        async with self._unique_names():
            for name, value in fields.items():
                setattr(profile, name, value)
        await publish(self.session, f"{TOPIC}{identity.user_id}")
        return profile

    async def remove(
        self, identity: Identity, profile_id: int, password: str | msgspec.UnsetType = msgspec.UNSET
    ) -> None:
        """Delete a profile with its lists and votes.

        Raises ProfileNotFound, FirstProfileNotDeletable, PasswordRequired or WrongPassword.
        """
        proven = await self._verify_password(identity, password)
        await self.profiles.lock_account(identity.user_id)
        profile = await self._owned(identity.user_id, profile_id)
        if not proven:
            if profile.pin_hash:
                raise PasswordRequired
            await self._ensure_no_child(identity)
        if profile.is_first:
            raise FirstProfileNotDeletable
        await self.profiles.delete(profile.id)
        await publish(self.session, f"{TOPIC}{identity.user_id}")

    async def unlock(self, identity: Identity, profile_id: int, pin: str) -> ProfileKey:
        """Issue a key for a locked profile. Raises ProfileNotFound, WrongPin or TooManyAttempts.

        Call it before the session holds a connection.
        """
        who = (str(identity.user_id), str(profile_id))
        await PINS.acquire(*who)
        async with transaction() as session:
            profile = await Profiles(session)._owned(identity.user_id, profile_id)
        if profile.pin_hash and not await verify_secret(profile.pin_hash, pin):
            raise WrongPin
        await PINS.reset(self.session, *who)
        key = sign(
            Purpose.PROFILE,
            identity.user_id,
            KEY_LIFETIME,
            profile=profile.id,
            sid=identity.sign_in_id,
            pin=_fingerprint(profile.pin_hash),
        )
        return ProfileKey(key, int(KEY_LIFETIME.total_seconds()))

    async def _verify_password(self, identity: Identity, password: str | msgspec.UnsetType) -> bool:
        """Return whether the request has the account's password, or the key of an adult profile.

        Call it before the session holds a connection. Raises WrongPassword or TooManyAttempts.
        """
        if password is not msgspec.UNSET:
            await self.accounts.reauthenticate(identity.user_id, password)
            return True
        named, pin = _named(identity)
        if not pin:
            return False
        async with transaction() as session:
            profile = await Profiles(session)._owned(identity.user_id, named or 0)
        return profile.max_age_rating is None and pin == _fingerprint(profile.pin_hash)

    async def _ensure_may_edit(self, identity: Identity, profile: Profile) -> None:
        """Allow changes of the acting profile, and of others by adults. Raises PasswordRequired."""
        acting = await self._acting(identity)
        if acting.profile_id != profile.id and acting.max_age < ALL_AGES:
            raise PasswordRequired

    async def _ensure_no_child(self, identity: Identity) -> None:
        """Raises PasswordRequired unless the acting profile is an adult's and unlocked."""
        if (await self._acting(identity)).max_age < ALL_AGES:
            raise PasswordRequired

    async def _acting(self, identity: Identity) -> Viewer:
        """Return the viewer. Raises PasswordRequired for a locked profile."""
        try:
            return await self.viewer(identity)
        except ProfileLocked as error:
            raise PasswordRequired from error

    async def viewer(self, identity: Identity) -> Viewer:
        """Return the viewer. Raises Unauthorized, ProfileNotFound or ProfileLocked."""
        wanted, pin = _named(identity)
        viewer = await self._viewer(identity.user_id, wanted, pin=pin)
        return msgspec.structs.replace(viewer, role=identity.role)

    async def viewer_by_link(self, user_id: int, profile_id: int) -> Viewer:
        """Return the viewer of a signed URL, with their current role and limits.

        Raises Unauthorized or ProfileNotFound.
        """
        return await self._viewer(user_id, profile_id or None, pin=None)

    async def _viewer(self, user_id: int, wanted: int | None, *, pin: str | None) -> Viewer:
        """`pin` is the PIN fingerprint of a key, "" without a key; None skips the check."""
        found = await self.profiles.owner_and_profile(user_id, wanted)
        if found is None:
            raise Unauthorized
        user, profile, member, max_height = found
        if wanted is not None and profile is None:
            raise ProfileNotFound
        if profile and profile.pin_hash and pin not in {None, _fingerprint(profile.pin_hash)}:
            raise ProfileLocked
        limit = profile.max_age_rating if profile else None
        return Viewer(
            user_id=user.id,
            profile_id=profile.id if profile else 0,
            role=user.role,
            max_age=ALL_AGES if limit is None else limit,
            member=member,
            max_height=max_height,
        )

    async def viewer_for_write(self, identity: Identity) -> Viewer:
        """Return the viewer, creating the default profile if missing."""
        viewer = await self.viewer(identity)
        if viewer.profile_id:
            return viewer
        first = await self.first(identity.user_id)
        await publish(self.session, f"{TOPIC}{identity.user_id}")
        return msgspec.structs.replace(viewer, profile_id=first.id)

    async def _owned(self, user_id: int, profile_id: int) -> Profile:
        profile = await self.profiles.get_one_or_none(
            Profile.id == profile_id, Profile.user_id == user_id
        )
        if profile is None:
            raise ProfileNotFound
        return profile

    @asynccontextmanager
    async def _unique_names(self) -> AsyncGenerator[None]:
        """Translate a violation of the unique constraint on names to NameTaken."""
        try:
            async with self.session.begin_nested():
                yield
        except SQLAlchemyError as error:
            if violated(error) == "uq_profile_user_id":
                raise NameTaken from error
            raise


@register_account_check
async def ensure_no_child(identity: Identity) -> None:
    """Raises PasswordRequired unless the acting profile is an adult's; uses its own transaction."""
    async with transaction() as session:
        await Profiles(session)._ensure_no_child(identity)


def _named(identity: Identity) -> tuple[int | None, str]:
    """Parse X-Profile: the profile ID, and the PIN fingerprint of a key. Raises ProfileNotFound."""
    named = identity.profile
    if not named:
        return None, ""
    if named.isascii() and named.isdigit() and len(named) < 19:
        return int(named), ""
    try:
        claims = verify(Purpose.PROFILE, named)
        if (int(claims["sub"]), claims["sid"]) != (identity.user_id, identity.sign_in_id):
            raise ProfileNotFound
        return int(claims["profile"]), str(claims["pin"])
    except (InvalidToken, KeyError, ValueError) as error:
        raise ProfileNotFound from error


def _fingerprint(pin_hash: str | None) -> str:
    """Return a fingerprint of the PIN, which invalidates keys when the PIN changes."""
    return hashlib.sha256(pin_hash.encode()).hexdigest()[:16] if pin_hash else ""
