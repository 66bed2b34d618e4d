"""What may happen to accounts."""

import unicodedata

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.passwords import NOBODY, hash_password, matches
from videoflix.accounts.repository import UserRepository
from videoflix.platform.db import violated
from videoflix.platform.identity import Role
from videoflix.platform.problems import Conflict, SignInNeeded


class CredentialsRefused(SignInNeeded):
    """E-mail address and password do not belong together."""


class EmailTaken(Conflict):
    """Another account already uses this e-mail address."""


class Accounts:
    def __init__(self, session: AsyncSession) -> None:
        self.users = UserRepository(session=session)

    async def create_user(
        self, *, email: str, password: str, name: str = "", role: Role = Role.VIEWER
    ) -> User:
        """Enter a person who may sign in at once. Raises EmailTaken."""
        user = await self.enter(
            email=email, password=password, name=name, role=role, confirmed=True
        )
        if user is None:
            raise EmailTaken(f"{email} has an account already.")
        return user

    async def enter(
        self,
        *,
        email: str,
        password: str,
        name: str = "",
        language: str = "en",
        role: Role = Role.VIEWER,
        confirmed: bool,
    ) -> User | None:
        """Enter a person, or None when the address is taken; both take the same time."""
        return await self.users.enter(
            email=normalized(email),
            name=name,
            language=language,
            password_hash=await hash_password(password),
            role=role,
            confirmed=confirmed,
        )

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
        user.password_hash = await hash_password(password)

    async def knows_password(self, user: User, password: str) -> bool:
        return await matches(user.password_hash, password)

    async def authenticate(self, email: str, password: str) -> User:
        """The active, confirmed person these credentials belong to. Raises CredentialsRefused.

        Takes the same time whether or not the address is known.
        """
        user = await self.by_email(email)
        known = await matches(user.password_hash if user else NOBODY, password)
        if user is None or not known or not user.is_active or user.confirmed_at is None:
            raise CredentialsRefused
        return user

    async def person(self, user_id: int) -> User:
        """The account behind a token. Raises SignInNeeded when it is gone or switched off."""
        user = await self.users.get_one_or_none(id=user_id)
        if user is None or not user.is_active:
            raise SignInNeeded
        return user


def normalized(email: str) -> str:
    """The address as it is stored: one spelling for what looks the same (Unicode NFKC)."""
    return unicodedata.normalize("NFKC", email).strip()
