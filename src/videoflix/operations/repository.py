"""Queries of operations."""

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.mail import Mail


class DatabaseRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def ping(self) -> None:
        await self.session.execute(text("select 1"))


class MailRepository(SQLAlchemyAsyncRepository[Mail]):
    """Mails of this installation."""

    model_type = Mail

    async def list_page(self, page: LimitOffset) -> tuple[list[Mail], int]:
        return await self.get_many_and_count(page, order_by=[("id", True)])
