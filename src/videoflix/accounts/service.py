"""What may happen to accounts."""

import unicodedata

from advanced_alchemy.exceptions import IntegrityError
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
        user = User(
            email=unicodedata.normalize("NFKC", email).strip(),
            name=name,
            password_hash=await hash_password(password),
            role=role,
        )
        try:
            return await self.users.add(user)
        except IntegrityError as error:
            if violated(error) != "uq_user_account_email":
                raise
            raise EmailTaken(f"{email} has an account already.") from error

    async def authenticate(self, email: str, password: str) -> User:
        """The active person these credentials belong to. Raises CredentialsRefused.

        Takes the same time whether or not the address is known.
        """
        user = await self.users.by_email(unicodedata.normalize("NFKC", email).strip())
        known = await matches(user.password_hash if user else NOBODY, password)
        if user is None or not known or not user.is_active:
            raise CredentialsRefused
        return user

    async def person(self, user_id: int) -> User:
        """The account behind a token. Raises SignInNeeded when it is gone or switched off."""
        user = await self.users.get_one_or_none(id=user_id)
        if user is None or not user.is_active:
            raise SignInNeeded
        return user
