"""Accounts: creation, authentication, changes and deletion."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts import django_passwords
from videoflix.accounts.addresses import email_key, normalized
from videoflix.accounts.events import UserCreated, UserDeleted
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
from videoflix.platform.events import emit
from videoflix.platform.postgres.session import transaction, transaction_time, violated
from videoflix.platform.problems import Unauthorized
from videoflix.platform.rate_limit.bucket import AttemptLimit, TooManyAttempts
from videoflix.platform.server.client_address import current_client

# Problems of signing in.
CREDENTIAL_PROBLEMS = (InvalidCredentials, EmailUnconfirmed, AccountDisabled, HashingOverloaded)
# Limits on password checks of signed-in users: per client address, and in total.
REAUTHENTICATIONS = AttemptLimit("reauthenticate", burst=6, seconds=60)
REAUTHENTICATIONS_EVERYWHERE = AttemptLimit("reauthenticate-everywhere", burst=30, seconds=60)


AccountDeletionHook = Callable[[AsyncSession, int], Awaitable[None]]
# Cleanup of other domains before an account is deleted.
_deletion_hooks: list[AccountDeletionHook] = []

PendingHash = Callable[[AsyncSession, int], Awaitable[str | None]]
# Lookups of the password hash of a pending registration.
_pending_hashes: list[PendingHash] = []


def on_account_deletion(hook: AccountDeletionHook) -> AccountDeletionHook:
    """Register a hook that is called with a user ID before deletion, in the same transaction."""
    _deletion_hooks.append(hook)
    return hook


def register_pending_password_check(find: PendingHash) -> PendingHash:
    """Register a lookup of the password hash of an unconfirmed account.

    With the right password, signing in reports that the address is unconfirmed.
    """
    _pending_hashes.append(find)
    return find


def sign_in_turn() -> AbstractAsyncContextManager[None]:
    """Wait for admission of a sign-in, without a connection. Raises HashingOverloaded."""
    return sign_in_admission.place()


class Accounts:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.users = UserRepository(session=session)

    async def delete(self, user_id: int) -> None:
        """Run the deletion hooks, then delete the account with all its data."""
        await self.users.lock(user_id, to_delete=True)
        for hook in _deletion_hooks:
            await hook(self.session, user_id)
        user = await self.users.delete(user_id)
        if user.confirmed_at is not None and not user.is_guest:
            await emit(self.session, UserDeleted.of(user))

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
        """Create an account that can sign in at once. Raises EmailTaken or WeakPassword."""
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
        """Create an account with a confirmed address. Raises EmailTaken.

        An unconfirmed registration of the address is taken over.
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
            await emit(self.session, UserCreated.of(user))
            return user
        known = await self.users.by_email(email)
        user = await self.users.locked(known.id) if known else None
        if user is None or user.confirmed_at is not None:
            raise EmailTaken(f"{email} already has an account.")
        user.email, user.password_hash, user.role = normalized(email), password_hash, role
        user.first_name, user.last_name, user.language = first_name, last_name, language
        user.is_active = True
        user.auth_version += 1
        await self.confirm(user)
        return user

    async def create_unconfirmed(self, email: str) -> tuple[int, User]:
        """Create an unconfirmed account without password and name, if the address is new.

        Return an account ID that was never used, whether or not the address is new, and the
        account with this address.
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
        if user is None:  # deleted concurrently
            raise EmailTaken
        return number, user

    async def create_guest(self) -> User:
        """Create a guest account with a reserved address (RFC 2606) and no password."""
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
        if user is None:  # a collision of 64 random bits
            raise EmailTaken
        return user

    async def change(self, user_id: int, change: UserUpdate) -> User:
        """Update a user's own data."""
        user = await self.get_active(user_id)
        for name, value in msgspec.structs.asdict(change).items():
            if value is not msgspec.UNSET:
                setattr(user, name, value)
        return user

    async def reauthenticate(self, user_id: int, password: str) -> User:
        """Verify a signed-in user's password; pass the result to `lock_unchanged` before changes.

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
        """Lock an account for a change that was authorized with `known`.

        Raises Unauthorized if the account was deleted, deactivated, or its `auth_version` changed.
        """
        user = await self.users.locked(known.id)
        if user is None or not user.is_active or user.auth_version != known.auth_version:
            raise Unauthorized
        return user

    async def verify_password(self, user_id: int, password: str) -> User:
        """Reauthenticate a user and lock the account. Raises like the two methods above."""
        return await self.lock_unchanged(await self.reauthenticate(user_id, password))

    async def lock_for_sign_in(self, known: User) -> User:
        """Lock an account for a sign-in that was verified with `known`, blocking changes.

        Raises InvalidCredentials if the account changed in the meantime.
        """
        user = await self.users.locked(known.id, shared=True)
        if user is None or not user.is_active or user.auth_version != known.auth_version:
            raise InvalidCredentials
        return user

    async def ensure_admin_remains(self, leaving: User) -> None:
        """Call before an administrator is demoted or deactivated. Raises LastAdmin."""
        if leaving.role.administers and await self.users.active_admins() == [leaving.id]:
            raise LastAdmin

    async def by_email(self, email: str) -> User | None:
        return await self.users.by_email(email)

    async def confirm(self, user: User) -> None:
        """Mark the address as confirmed."""
        if user.confirmed_at is None:
            user.confirmed_at = await transaction_time(self.session)
            await emit(self.session, UserCreated.of(user))

    async def set_email(self, user: User, email: str) -> None:
        """Change the address, taking over an unconfirmed registration of it. Raises EmailTaken."""
        await self.users.delete_unconfirmed(email, but=user.id)
        try:
            async with self.users.session.begin_nested():
                user.email = normalized(email)
        except SQLAlchemyError as error:
            if violated(error) != "uq_user_account_email_key":
                raise
            raise EmailTaken from error

    def set_password(self, user: User, password_hash: str) -> None:
        """Set the password of a locked account, which invalidates sign-ins in progress."""
        user.password_hash = password_hash
        user.auth_version += 1

    async def authenticate(self, email: str, password: str) -> User:
        """Return the active, confirmed account with these credentials. Raises InvalidCredentials.

        Takes the same time whether or not the address is known. Other reasons for refusal are
        revealed only with the right password. No connection is held during hashing, so lock the
        account with `lock_for_sign_in` before acting on the result.
        """
        async with transaction() as session:
            user = await Accounts(session).by_email(email)
            stored = await _password_of(session, user) if user else DUMMY_HASH
            imported = await UserRepository(session=session).imported_hash()
        known = await verify(stored, password, imported)
        if user is None or not known:
            raise InvalidCredentials
        if not user.is_active:
            raise AccountDisabled
        if user.confirmed_at is None:
            raise EmailUnconfirmed
        if is_outdated(stored):
            new_hash = await hash_password(password)
            async with transaction() as session:
                await UserRepository(session=session).upgrade_hash(user.id, stored, new_hash)
        return user

    async def get_many(self, user_ids: set[int]) -> dict[int, User]:
        """Return the existing accounts by ID."""
        found = await self.users.get_many(User.id.in_(user_ids))
        return {user.id: user for user in found}

    async def get_active(self, user_id: int) -> User:
        """Return an active account. Raises Unauthorized if it was deleted or deactivated."""
        user = await self.users.get_one_or_none(id=user_id)
        if user is None or not user.is_active:
            raise Unauthorized
        return user


def imported_password(encoded: str) -> str:
    """Return what to store for a password that Django hashed.

    If it cannot be verified, that of an account without a password, as for an empty one.
    """
    return django_passwords.imported(encoded) or NO_PASSWORD


async def _password_of(session: AsyncSession, user: User) -> str:
    """Return the hash to verify a sign-in with."""
    if user.password_hash != NO_PASSWORD or user.confirmed_at is not None:
        return user.password_hash
    for find in _pending_hashes:
        if pending := await find(session, user.id):
            return pending
    return NO_PASSWORD


async def hash_secret(secret: str) -> str:
    """Hash another secret, such as a PIN; return the PHC string."""
    return await hash_password(secret)


async def verify_secret(stored: str, secret: str) -> bool:
    """Return whether the secret matches the stored hash."""
    return await verify(stored, secret)


def ensure_strong(password: str, email: str) -> None:
    """Raises WeakPassword."""
    if reason := password_problem(password, normalized(email)):
        raise WeakPassword(reason, errors=[{"field": "password", "message": reason}])


def account_key(email: str) -> str:
    """Return the rate-limit key of an address, equal for all its spellings."""
    return email_key(email)
