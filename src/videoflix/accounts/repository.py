"""All SQL of the accounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from videoflix.accounts.models import User
from videoflix.platform.identity import ADMINISTRATORS, Role


class UserRepository(SQLAlchemyAsyncRepository[User]):
    """People with an account."""

    model_type = User

    async def by_email(self, email: str) -> User | None:
        return await self.get_one_or_none(func.lower(User.email) == email.lower())

    async def enter(
        self,
        *,
        email: str,
        first_name: str,
        last_name: str,
        language: str,
        password_hash: str,
        role: Role,
        confirmed: bool,
        guest: bool = False,
    ) -> User | None:
        """A new person, or None when somebody has the address: the index decides, in one step."""
        found: User | None = await self.session.scalar(
            insert(User)
            .values(
                email=email,
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

    async def hold(self, user_id: int, *, to_delete: bool = False) -> bool:
        """Wait for others who decide something about this person, and keep them waiting.

        Before any lock on what belongs to the person: then nobody waits in a circle. False when
        there is no such person.
        """
        held = select(User.id).where(User.id == user_id)
        return bool(await self.session.scalar(held.with_for_update(key_share=not to_delete)))

    async def addresses_of(self, role: Role) -> set[str]:
        """The e-mail addresses of everybody with this role, in small letters."""
        found = await self.session.scalars(select(func.lower(User.email)).where(User.role == role))
        return set(found)

    async def active_admins(self) -> list[int]:
        """Ids of those who may administer, locked: two can then not take each other's role."""
        found = await self.session.scalars(
            select(User.id)
            .where(User.role.in_(ADMINISTRATORS), User.is_active.is_(True))
            .order_by(User.id)
            .with_for_update()
        )
        return list(found)

    async def listed(
        self, page: LimitOffset, *, search: str, role: Role | None, ids: Sequence[int] | None
    ) -> tuple[list[User], int]:
        """People whose address or name holds the words, newest first; and how many there are."""
        conditions: list[ColumnElement[bool]] = [] if ids is None else [User.id.in_(ids)]
        if search:
            held = User.email + " " + User.first_name + " " + User.last_name
            conditions.append(func.lower(held).contains(search.lower(), autoescape=True))
        if role is not None:
            conditions.append(User.role == role)
        found, total = await self.get_many_and_count(*conditions, page, order_by=("id", True))
        return list(found), total

    async def guests(self, *, older_than: timedelta) -> list[int]:
        found = await self.session.scalars(
            select(User.id).where(
                User.is_guest.is_(True), User.created_at < func.now() - older_than
            )
        )
        return list(found)

    async def remove_guest(self, user_id: int) -> None:
        """Forget a person, if it is a guest."""
        await self.session.execute(delete(User).where(User.id == user_id, User.is_guest.is_(True)))

    async def database_time(self) -> datetime:
        """What time it is for every process."""
        now: datetime = (await self.session.scalars(select(func.now()))).one()
        return now
