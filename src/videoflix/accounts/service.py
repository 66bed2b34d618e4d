"""What may happen to accounts."""

import secrets
import unicodedata
from collections.abc import Awaitable, Callable

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.passwords import NOBODY, hash_password, is_outdated, matches, weakness
from videoflix.accounts.repository import UserRepository
from videoflix.accounts.schemas import ProfileChange
from videoflix.platform.db import violated
from videoflix.platform.identity import Role
from videoflix.platform.problems import BadInput, Conflict, InvalidInput, SignInNeeded


class CredentialsRefused(SignInNeeded):
    """E-mail address and password do not belong together."""


class AddressUnconfirmed(CredentialsRefused):
    """Confirm your e-mail address first: a mail says how."""


class SwitchedOff(CredentialsRefused):
    """This account is switched off."""


# What signing in may answer.
REFUSALS = (CredentialsRefused, AddressUnconfirmed, SwitchedOff)


class EmailTaken(Conflict):
    """Another account already uses this e-mail address."""


class PasswordWeak(InvalidInput):
    """This password would be guessed at once."""


class PasswordWrong(BadInput):
    """This is not your password."""


class LastAdmin(Conflict):
    """Somebody has to stay administrator: make another one first."""


Farewell = Callable[[AsyncSession, int], Awaitable[None]]
# What other domains have to settle with a person before the account goes.
_farewells: list[Farewell] = []


def before_closing(settle: Farewell) -> Farewell:
    """Call this with a person's id before their account is deleted, in the same transaction."""
    _farewells.append(settle)
    return settle


class Accounts:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.users = UserRepository(session=session)

    async def addresses_of(self, role: Role) -> set[str]:
        """The e-mail addresses of everybody with this role, in small letters."""
        return await self.users.addresses_of(role)

    async def close(self, user_id: int) -> None:
        """Settle what is open with a person and delete them with all they own."""
        await self.users.hold(user_id, to_delete=True)
        for settle in _farewells:
            await settle(self.session, user_id)
        await self.users.delete(user_id)

    async def create_user(
        self,
        *,
        email: str,
        password: str,
        first_name: str = "",
        last_name: str = "",
        language: str = "en",
        role: Role = Role.VIEWER,
    ) -> User:
        """Enter a person who may sign in at once. Raises EmailTaken or PasswordWeak."""
        user = await self.enter(
            email=email,
            password=password,
            first_name=first_name,
            last_name=last_name,
            language=language,
            role=role,
            confirmed=True,
        )
        if user is None:
            raise EmailTaken(f"{email} has an account already.")
        return user

    async def enter(
        self,
        *,
        email: str,
        password: str,
        first_name: str = "",
        last_name: str = "",
        language: str = "en",
        role: Role = Role.VIEWER,
        confirmed: bool,
    ) -> User | None:
        """Enter a person, or None when the address is taken; both take the same time.

        Raises PasswordWeak.
        """
        refuse_weak(password, normalized(email))
        return await self.users.enter(
            email=normalized(email),
            first_name=first_name,
            last_name=last_name,
            language=language,
            password_hash=await hash_password(password),
            role=role,
            confirmed=confirmed,
        )

    async def enter_guest(self) -> User:
        """Somebody who tries the site: the address is nobody's (RFC 2606), no password fits."""
        user = await self.users.enter(
            email=f"guest-{secrets.token_hex(8)}@guest.invalid",
            first_name="Guest",
            last_name="",
            language="en",
            password_hash="!",  # noqa: S106 - no hash, so nothing matches it
            role=Role.VIEWER,
            confirmed=True,
            guest=True,
        )
        if user is None:  # once in 2^64
            raise EmailTaken
        return user

    async def change(self, user_id: int, change: ProfileChange) -> User:
        """Change what a person says about themselves."""
        user = await self.person(user_id)
        for name, value in msgspec.structs.asdict(change).items():
            if value is not msgspec.UNSET:
                setattr(user, name, value)
        return user

    async def proven(self, user_id: int, password: str) -> User:
        """The person, who typed the password once more. Raises PasswordWrong."""
        user = await self.person(user_id)
        if not await matches(user.password_hash, password):
            raise PasswordWrong
        return user

    async def keep_an_admin(self, leaving: User) -> None:
        """Call before somebody stops being an administrator. Raises LastAdmin."""
        if leaving.role.administers and await self.users.active_admins() == [leaving.id]:
            raise LastAdmin

    async def by_email(self, email: str) -> User | None:
        return await self.users.by_email(normalized(email))

    async def confirm(self, user: User) -> None:
        """The person has the address; once is enough."""
        if user.confirmed_at is None:
            user.confirmed_at = await self.users.database_time()

    async def set_email(self, user: User, email: str) -> None:
        """Give a person another address. Raises EmailTaken."""
        try:
            async with self.users.session.begin_nested():
                user.email = normalized(email)
        except SQLAlchemyError as error:
            if violated(error) != "uq_user_account_email":
                raise
            raise EmailTaken from error

    async def set_password(self, user: User, password: str) -> None:
        """Raises PasswordWeak."""
        refuse_weak(password, user.email)
        user.password_hash = await hash_password(password)

    async def authenticate(self, email: str, password: str) -> User:
        """The active, confirmed person these credentials belong to. Raises CredentialsRefused.

        Takes the same time whether or not the address is known; only who knows the password hears
        what else is in the way.
        """
        user = await self.by_email(email)
        known = await matches(user.password_hash if user else NOBODY, password)
        if user is None or not known:
            raise CredentialsRefused
        if not user.is_active:
            raise SwitchedOff
        if user.confirmed_at is None:
            raise AddressUnconfirmed
        if is_outdated(user.password_hash):
            user.password_hash = await hash_password(password)
        return user

    async def people(self, user_ids: set[int]) -> dict[int, User]:
        """Those of these people who have an account."""
        found = await self.users.get_many(User.id.in_(user_ids))
        return {user.id: user for user in found}

    async def person(self, user_id: int) -> User:
        """The account behind a token. Raises SignInNeeded when it is gone or switched off."""
        user = await self.users.get_one_or_none(id=user_id)
        if user is None or not user.is_active:
            raise SignInNeeded
        return user


async def hash_secret(secret: str) -> str:
    """The PHC string of what else people prove themselves with, such as a PIN."""
    return await hash_password(secret)


async def knows_secret(stored: str, secret: str) -> bool:
    """Whether this secret made the stored hash."""
    return await matches(stored, secret)


def refuse_weak(password: str, email: str) -> None:
    """Raises PasswordWeak."""
    if reason := weakness(password, email):
        raise PasswordWeak(reason, errors=[{"field": "password", "message": reason}])


def normalized(email: str) -> str:
    """The address as it is stored: one spelling for what looks the same (Unicode NFKC)."""
    return unicodedata.normalize("NFKC", email).strip()
