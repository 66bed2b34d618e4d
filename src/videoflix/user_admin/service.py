"""User administration; every change is recorded in the audit log."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts, ensure_strong, hash_secret
from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.platform.auth.identity import Role
from videoflix.platform.problems import Forbidden, NotFound
from videoflix.registration.service import Registration
from videoflix.sessions.service.sessions import Sessions
from videoflix.user_admin.schemas import UserAdminUpdate, UserCreate


class UserNotFound(NotFound):
    """There is no user with this ID."""

    slug: ClassVar[str] = "person-not-found"


class OwnerRequired(Forbidden):
    """Only an owner may add owners or change an owner's account."""

    slug: ClassVar[str] = "owners-only"


class UserAdmin:
    """`by` is the ID of the acting administrator, None for CLI commands."""

    def __init__(self, session: AsyncSession) -> None:
        self.accounts = Accounts(session)
        self.audit = Audit(session)
        self.registration = Registration(session)
        self.sessions = Sessions(session)

    async def list_page(
        self,
        page: LimitOffset,
        *,
        search: str = "",
        role: Role | None = None,
        ids: Sequence[int] | None = None,
    ) -> tuple[list[User], int]:
        """Return a page of accounts matching the search text, newest first, and the total."""
        return await self.accounts.users.list_page(page, search=search, role=role, ids=ids)

    async def get(self, user_id: int) -> User:
        """Return an account. Raises UserNotFound."""
        user = await self.accounts.users.get_one_or_none(id=user_id)
        if user is None:
            raise UserNotFound
        return user

    async def add(self, new: UserCreate, *, by: int | None) -> User:
        """Add a user who can sign in at once; without a password, a mailed link sets one.

        Call it before the session holds a connection. Raises EmailTaken, WeakPassword or
        OwnerRequired.
        """
        chosen = {}
        if new.password is not None:
            ensure_strong(new.password, new.email)
            chosen["password_hash"] = await hash_secret(new.password)
        await self._ensure_outranked_by(by, new.role)
        user = await self.accounts.create(
            email=new.email,
            first_name=new.first_name,
            last_name=new.last_name,
            language=new.language,
            role=new.role,
            **chosen,
        )
        if new.password is None:
            await self.registration.require_new_link(user)
        await self.audit.record(EventKind.CREATED, user.id, by=by, detail=new.role)
        return user

    async def change(self, user_id: int, change: UserAdminUpdate, *, by: int | None) -> User:
        """Update an account. Raises UserNotFound, LastAdmin or OwnerRequired.

        Changing the role ends all sessions, because tokens contain the role.
        """
        loses_role = change.role is not msgspec.UNSET and not change.role.administers
        user = await self._locked(user_id, leaving=loses_role)
        before = user.role
        after = before if change.role is msgspec.UNSET else change.role
        await self._ensure_outranked_by(by, before, after)
        for name, value in msgspec.structs.asdict(change).items():
            if value is not msgspec.UNSET:
                setattr(user, name, value)
        if after is not before:
            await self.sessions.end_all(user.id)
            if user.confirmed_at is None:
                await self.registration.require_new_link(user)
            detail = f"{before} to {user.role}"
            await self.audit.record(EventKind.ROLE_CHANGED, user.id, by=by, detail=detail)
        return user

    async def change_email(self, user_id: int, email: str, *, by: int | None) -> User:
        """Set a user's address, marked as confirmed, and end their sessions.

        Raises UserNotFound, OwnerRequired or EmailTaken.
        """
        user = await self._locked(user_id)
        await self._ensure_outranked_by(by, user.role)
        await self.accounts.set_email(user, email)
        await self.registration.revoke_links(user.id)
        await self.sessions.end_all(user.id)
        await self.audit.record(EventKind.EMAIL_CHANGED, user.id, by=by)
        return user

    async def set_password(self, user_id: int, password: str, *, by: int | None) -> User:
        """Set a user's password, confirm the address, and end their sessions.

        Raises UserNotFound, OwnerRequired or WeakPassword.
        """
        user = await self.get(user_id)
        ensure_strong(password, user.email)
        password_hash = await hash_secret(password)
        user = await self._locked(user_id)
        await self._ensure_outranked_by(by, user.role)
        self.accounts.set_password(user, password_hash)
        await self.accounts.confirm(user)
        await self.registration.revoke_links(user.id)
        await self.sessions.end_all(user.id)
        await self.audit.record(EventKind.PASSWORD_RESET, user.id, by=by)
        return user

    async def mail_password_link(self, user_id: int, *, by: int | None) -> None:
        """Mail a user the link to choose a new password; the present one stays until then.

        Raises UserNotFound or OwnerRequired.
        """
        user = await self.get(user_id)
        await self._ensure_outranked_by(by, user.role)
        await self.registration.request_password_reset(user.email)

    async def deactivate(self, user_id: int, *, by: int | None) -> User:
        """Deactivate an account, end its sessions and revoke its mailed links.

        Raises UserNotFound, LastAdmin or OwnerRequired.
        """
        user = await self._locked(user_id, leaving=True)
        await self._ensure_outranked_by(by, user.role)
        if user.is_active:
            user.is_active = False
            await self.sessions.end_all(user.id)
            await self.registration.revoke_links(user.id)
            await self.audit.record(EventKind.DEACTIVATED, user.id, by=by)
        return user

    async def activate(self, user_id: int, *, by: int | None) -> User:
        """Activate an account and mark its address as confirmed.

        An unconfirmed registration may be someone else's, so the address gets a link to choose a
        new password. Raises UserNotFound or OwnerRequired.
        """
        user = await self._locked(user_id)
        await self._ensure_outranked_by(by, user.role)
        if not user.is_active or user.confirmed_at is None:
            user.is_active = True
            if user.confirmed_at is None:
                await self.accounts.confirm(user)
                await self.registration.require_new_link(user)
            await self.audit.record(EventKind.ACTIVATED, user.id, by=by)
        return user

    async def _locked(self, user_id: int, *, leaving: bool = False) -> User:
        """Lock an account; if an administrator is `leaving`, lock all administrators first.

        Raises UserNotFound or LastAdmin.
        """
        user = await self.get(user_id)
        if leaving and user.is_active:
            await self.accounts.ensure_admin_remains(user)
        locked = await self.accounts.users.locked(user_id)
        if locked is None:
            raise UserNotFound
        return locked

    async def _ensure_outranked_by(self, by: int | None, *roles: Role) -> None:
        """Require an owner, or the CLI, for changes that involve owners. Raises OwnerRequired."""
        if by is not None and Role.OWNER in roles:
            actor = await self.accounts.get_active(by)
            if actor.role is not Role.OWNER:
                raise OwnerRequired
