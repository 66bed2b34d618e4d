"""All SQL of the accounts."""

from datetime import datetime

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert

from videoflix.accounts.models import User
from videoflix.platform.identity import Role


class UserRepository(SQLAlchemyAsyncRepository[User]):
    """People with an account."""

    model_type = User

    async def by_email(self, email: str) -> User | None:
        return await self.get_one_or_none(func.lower(User.email) == email.lower())

    async def enter(
        self,
        *,
        email: str,
        name: str,
        language: str,
        password_hash: str,
        role: Role,
        confirmed: bool,
    ) -> User | None:
        """A new person, or None when somebody has the address: the index decides, in one step."""
        found: User | None = await self.session.scalar(
            insert(User)
            .values(
                email=email,
                name=name,
                language=language,
                password_hash=password_hash,
                role=role,
                is_active=True,
                confirmed_at=func.now() if confirmed else literal(None),
            )
            .on_conflict_do_nothing()
            .returning(User)
        )
        return found

    async def database_time(self) -> datetime:
        """What time it is for every process."""
        now: datetime = (await self.session.scalars(select(func.now()))).one()
        return now
