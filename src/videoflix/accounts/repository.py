"""All SQL of the accounts."""

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import func

from videoflix.accounts.models import User


class UserRepository(SQLAlchemyAsyncRepository[User]):
    """People with an account."""

    model_type = User

    async def by_email(self, email: str) -> User | None:
        return await self.get_one_or_none(func.lower(User.email) == email.lower())
