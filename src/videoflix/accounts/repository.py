"""Queries on the accounts."""

from collections.abc import Sequence
from datetime import timedelta

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from videoflix.accounts.addresses import email_key
from videoflix.accounts.models import HAS_DJANGO_HASH, User
from videoflix.accounts.passwords import NO_PASSWORD
from videoflix.platform.auth.identity import ADMINISTRATORS, Role


class UserRepository(SQLAlchemyAsyncRepository[User]):
    model_type = User

    async def by_email(self, email: str) -> User | None:
        return await self.get_one_or_none(User.email_key == email_key(email))

    async def next_id(self) -> int:
        """Return an ID that was never used, from the sequence."""
        found = await self.session.scalars(
            text("select nextval(pg_get_serial_sequence('user_account', 'id'))")
        )
        return int(found.one())

    async def insert(
        self,
        *,
        user_id: int | None = None,
        email: str,
        first_name: str,
        last_name: str,
        language: str,
        password_hash: str,
        role: Role,
        confirmed: bool,
        guest: bool = False,
    ) -> User | None:
        """Insert an account; return None if the address is taken (unique index, no race)."""
        found: User | None = await self.session.scalar(
            insert(User)
            .values(
                **({} if user_id is None else {"id": user_id}),
                email=email,
                email_key=email_key(email),
                first_name=first_name,
                last_name=last_name,
                phone="",
                address="",
                language=language,
                password_hash=password_hash,
                role=role,
                is_active=True,
                is_guest=guest,
                confirmed_at=func.now() if confirmed else literal(None),
            )
            .on_conflict_do_nothing()
            .returning(User)
        )
        return found

    async def lock(self, user_id: int, *, to_delete: bool = False) -> bool:
        """Lock the account's row against concurrent changes and sign-ins; False if it is missing.

        To prevent deadlocks, lock it before any row that belongs to the account.
        """
        held = select(User.id).where(User.id == user_id)
        return bool(await self.session.scalar(held.with_for_update(key_share=not to_delete)))

    async def locked(self, user_id: int, *, shared: bool = False) -> User | None:
        """Lock and reload an account until the transaction ends.

        `shared` takes a share lock, which admits concurrent sign-ins and blocks changes.
        """
        found: User | None = await self.session.scalar(
            select(User)
            .where(User.id == user_id)
            .with_for_update(read=shared, key_share=not shared)
            .execution_options(populate_existing=True)
        )
        return found

    async def upgrade_hash(self, user_id: int, old: str, new: str) -> None:
        """Replace an outdated hash, unless the password was changed concurrently."""
        await self.session.execute(
            update(User)
            .where(User.id == user_id, User.password_hash == old)
            .values(password_hash=new)
        )

    async def imported_hash(self) -> str | None:
        """The password hash of an account imported from an older backend, if one still has one."""
        found: str | None = await self.session.scalar(
            select(User.password_hash).where(text(HAS_DJANGO_HASH)).order_by(User.id).limit(1)
        )
        return found

    async def delete_unconfirmed(self, email: str, *, but: int) -> None:
        """Delete an unconfirmed registration, so that the address's owner can use it.

        Such an account has no password and no data.
        """
        await self.session.execute(
            delete(User).where(
                User.email_key == email_key(email),
                User.id != but,
                User.confirmed_at.is_(None),
                User.password_hash == NO_PASSWORD,
                User.role == Role.VIEWER,
            )
        )

    async def active_admins(self) -> list[int]:
        """Return the IDs of active administrators, locked, so that two cannot demote each other."""
        found = await self.session.scalars(
            select(User.id)
            .where(User.role.in_(ADMINISTRATORS), User.is_active.is_(True))
            .order_by(User.id)
            .with_for_update()
        )
        return list(found)

    async def list_page(
        self, page: LimitOffset, *, search: str, role: Role | None, ids: Sequence[int] | None
    ) -> tuple[list[User], int]:
        """Return a page of accounts matching the search text, newest first, and the total."""
        conditions: list[ColumnElement[bool]] = [] if ids is None else [User.id.in_(ids)]
        if search:
            held = User.email + " " + User.first_name + " " + User.last_name
            conditions.append(
                or_(
                    func.strpos(func.lower(held), func.lower(search)) > 0,
                    User.email_key.contains(email_key(search), autoescape=True),
                )
            )
        if role is not None:
            conditions.append(User.role == role)
        found, total = await self.get_many_and_count(*conditions, page, order_by=("id", True))
        return list(found), total

    async def guests(self, *, older_than: timedelta) -> list[int]:
        found = await self.session.scalars(
            select(User.id)
            .where(User.is_guest.is_(True), User.created_at < func.now() - older_than)
            .order_by(User.id)
        )
        return list(found)

    async def remove_guest(self, user_id: int) -> None:
        """Delete the account if it is a guest."""
        await self.session.execute(delete(User).where(User.id == user_id, User.is_guest.is_(True)))
