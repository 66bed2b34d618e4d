"""What may happen to accounts."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.addresses import email_key, normalized
from videoflix.accounts.models import User
from videoflix.accounts.passwords import (
    DUMMY_HASH,
    NO_PASSWORD,
    HashingOverloaded,
    hash_password,
    is_outdated,
    password_problem,
    sign_in_admission,
    verify,
)
from videoflix.accounts.problems import (
    AccountDisabled,
    EmailTaken,
    EmailUnconfirmed,
    InvalidCredentials,
    LastAdmin,
    WeakPassword,
    WrongPassword,
)
from videoflix.accounts.repository import UserRepository
from videoflix.accounts.schemas import UserUpdate
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction, transaction_time, violated
from videoflix.platform.problems import Unauthorized
from videoflix.platform.rate_limit.bucket import AttemptLimit, TooManyAttempts
from videoflix.platform.server.client_address import current_client

# What signing in may answer.
CREDENTIAL_PROBLEMS = (InvalidCredentials, EmailUnconfirmed, AccountDisabled, HashingOverloaded)
# Guesses at the password of somebody who is signed in: from one address, and from everywhere.
REAUTHENTICATIONS = AttemptLimit("reauthenticate", burst=6, seconds=60)
REAUTHENTICATIONS_EVERYWHERE = AttemptLimit("reauthenticate-everywhere", burst=30, seconds=60)


AccountDeletionHook = Callable[[AsyncSession, int], Awaitable[None]]
# What other domains have to settle with a person before the account goes.
_deletion_hooks: list[AccountDeletionHook] = []

PendingHash = Callable[[AsyncSession, int], Awaitable[str | None]]
# Who knows the hash of the password that a person asked for, whose address is not confirmed yet.
_pending_hashes: list[PendingHash] = []


def on_account_deletion(settle: AccountDeletionHook) -> AccountDeletionHook:
    """Call this with a person's id before their account is deleted, in the same transaction."""
    _deletion_hooks.append(settle)
    return settle


def register_pending_password_check(find: PendingHash) -> PendingHash:
    """Ask this for the password of an unconfirmed person: who knows it hears what is missing."""
    _pending_hashes.append(find)
    return find


def sign_in_turn() -> AbstractAsyncContextManager[None]:
    """Wait for this sign-in's turn, without a connection. Raises HashingOverloaded."""
    return sign_in_admission.place()


class Accounts:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.users = UserRepository(session=session)

    async def delete(self, user_id: int) -> None:
        """Settle what is open with a person and delete them with all they own."""
        await self.users.lock(user_id, to_delete=True)
        for settle in _deletion_hooks:
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
        """Add a person who may sign in at once. Raises EmailTaken or WeakPassword."""
        ensure_strong(password, email)
        return await self.create(
            email=email,
            password_hash=await hash_password(password),
            first_name=first_name,
            last_name=last_name,
            language=language,
            role=role,
        )

    async def create(
        self,
        *,
        email: str,
        password_hash: str = NO_PASSWORD,
        first_name: str = "",
        last_name: str = "",
        language: str = "en",
        role: Role = Role.VIEWER,
    ) -> User:
        """Add a person whose address counts as confirmed. Raises EmailTaken.

        A registration that nobody confirmed is taken over: it proves nothing.
        """
        user = await self.users.insert(
            email=normalized(email),
            first_name=first_name,
            last_name=last_name,
            language=language,
            password_hash=password_hash,
            role=role,
            confirmed=True,
        )
        if user is not None:
            return user
        known = await self.users.by_email(email)
        user = await self.users.locked(known.id) if known else None
        if user is None or user.confirmed_at is not None:
            raise EmailTaken(f"{email} has an account already.")
        user.email, user.password_hash, user.role = normalized(email), password_hash, role
        user.first_name, user.last_name, user.language = first_name, last_name, language
        user.is_active = True
        user.auth_version += 1
        await self.confirm(user)
        return user

    async def create_unconfirmed(self, email: str) -> tuple[int, User]:
        """Keep an address for who confirms it: the account has no password and no names yet.

        Returns an account number that was never used before, whether the address is new or not,
        and the account that has the address.
        """
        number = await self.users.next_id()
        user = await self.users.insert(
            user_id=number,
            email=normalized(email),
            first_name="",
            last_name="",
            language="en",
            password_hash=NO_PASSWORD,
            role=Role.VIEWER,
            confirmed=False,
        ) or await self.users.by_email(email)
        if user is None:  # deleted at this very moment
            raise EmailTaken
        return number, user

    async def create_guest(self) -> User:
        """Somebody who tries the site: the address is nobody's (RFC 2606), no password fits."""
        user = await self.users.insert(
            email=f"guest-{secrets.token_hex(8)}@guest.invalid",
            first_name="Guest",
            last_name="",
            language="en",
            password_hash=NO_PASSWORD,
            role=Role.VIEWER,
            confirmed=True,
            guest=True,
        )
        if user is None:  # once in 2^64
            raise EmailTaken
        return user

    async def change(self, user_id: int, change: UserUpdate) -> User:
        """Change what a person says about themselves."""
        user = await self.get_active(user_id)
        for name, value in msgspec.structs.asdict(change).items():
            if value is not msgspec.UNSET:
                setattr(user, name, value)
        return user

    async def reauthenticate(self, user_id: int, password: str) -> User:
        """The person, who typed the password once more, as it was then; see `unchanged`.

        Call it before the session holds a connection. Raises WrongPassword or TooManyAttempts.
        """
        address, _ = current_client()
        async with transaction() as session:
            wait = await REAUTHENTICATIONS.try_acquire(session, str(user_id), address)
            wait = wait or await REAUTHENTICATIONS_EVERYWHERE.try_acquire(session, str(user_id))
            user = await Accounts(session).get_active(user_id)
        if wait:
            raise TooManyAttempts(wait)
        if not await verify(user.password_hash, password):
            raise WrongPassword
        async with transaction() as session:
            await REAUTHENTICATIONS.reset(session, str(user_id), address)
            await REAUTHENTICATIONS_EVERYWHERE.reset(session, str(user_id))
        return user

    async def lock_unchanged(self, known: User) -> User:
        """Lock a person for a change that was decided about `known`.

        Raises Unauthorized when the account is gone or another password, role or sign-out came
        between.
        """
        user = await self.users.locked(known.id)
        if user is None or not user.is_active or user.auth_version != known.auth_version:
            raise Unauthorized
        return user

    async def verify_password(self, user_id: int, password: str) -> User:
        """The person, who typed the password once more, locked. Raises like the two above."""
        return await self.lock_unchanged(await self.reauthenticate(user_id, password))

    async def lock_for_sign_in(self, known: User) -> User:
        """Lock a person for a sign-in that was decided about `known`: a change waits, or wins.

        Raises InvalidCredentials when something came between.
        """
        user = await self.users.locked(known.id, shared=True)
        if user is None or not user.is_active or user.auth_version != known.auth_version:
            raise InvalidCredentials
        return user

    async def ensure_admin_remains(self, leaving: User) -> None:
        """Call before somebody stops being an administrator. Raises LastAdmin."""
        if leaving.role.administers and await self.users.active_admins() == [leaving.id]:
            raise LastAdmin

    async def by_email(self, email: str) -> User | None:
        return await self.users.by_email(email)

    async def confirm(self, user: User) -> None:
        """The person has the address; once is enough."""
        if user.confirmed_at is None:
            user.confirmed_at = await transaction_time(self.session)

    async def set_email(self, user: User, email: str) -> None:
        """Give a person another address, also one that somebody else never confirmed.

        Raises EmailTaken.
        """
        await self.users.delete_unconfirmed(email, but=user.id)
        try:
            async with self.users.session.begin_nested():
                user.email = normalized(email)
        except SQLAlchemyError as error:
            if violated(error) != "uq_user_account_email_key":
                raise
            raise EmailTaken from error

    def set_password(self, user: User, password_hash: str) -> None:
        """Give a locked person another password; sign-ins that are under way are refused."""
        user.password_hash = password_hash
        user.auth_version += 1

    async def authenticate(self, email: str, password: str) -> User:
        """The active, confirmed person these credentials belong to. Raises InvalidCredentials.

        Takes the same time whether or not the address is known; only who knows the password hears
        what else is in the way. No connection is held while the password is hashed, so what is
        decided with the answer takes `admitted`.
        """
        async with transaction() as session:
            user = await Accounts(session).by_email(email)
            stored = await _password_of(session, user) if user else DUMMY_HASH
        known = await verify(stored, password)
        if user is None or not known:
            raise InvalidCredentials
        if not user.is_active:
            raise AccountDisabled
        if user.confirmed_at is None:
            raise EmailUnconfirmed
        if is_outdated(stored):
            renewed = await hash_password(password)
            async with transaction() as session:
                await UserRepository(session=session).upgrade_hash(user.id, stored, renewed)
        return user

    async def get_many(self, user_ids: set[int]) -> dict[int, User]:
        """Those of these people who have an account."""
        found = await self.users.get_many(User.id.in_(user_ids))
        return {user.id: user for user in found}

    async def get_active(self, user_id: int) -> User:
        """The account behind a token. Raises Unauthorized when it is gone or switched off."""
        user = await self.users.get_one_or_none(id=user_id)
        if user is None or not user.is_active:
            raise Unauthorized
        return user


async def _password_of(session: AsyncSession, user: User) -> str:
    """The hash that a sign-in is checked against."""
    if user.password_hash != NO_PASSWORD or user.confirmed_at is not None:
        return user.password_hash
    for find in _pending_hashes:
        if pending := await find(session, user.id):
            return pending
    return NO_PASSWORD


async def hash_secret(secret: str) -> str:
    """The PHC string of what else people prove themselves with, such as a PIN."""
    return await hash_password(secret)


async def verify_secret(stored: str, secret: str) -> bool:
    """Whether this secret made the stored hash."""
    return await verify(stored, secret)


def ensure_strong(password: str, email: str) -> None:
    """Raises WeakPassword."""
    if reason := password_problem(password, normalized(email)):
        raise WeakPassword(reason, errors=[{"field": "password", "message": reason}])


def account_key(email: str) -> str:
    """Equal for all spellings of one account's address; what limits are counted by."""
    return email_key(email)
