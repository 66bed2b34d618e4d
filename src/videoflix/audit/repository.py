"""All SQL of the audit."""

from datetime import timedelta

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, select

from videoflix.audit.models import SecurityEvent

# The trigger on the table refuses to delete anything younger.
RETENTION = timedelta(days=365)


class SecurityEventRepository(SQLAlchemyAsyncRepository[SecurityEvent]):
    """Security events, the newest first."""

    model_type = SecurityEvent

    async def newest(
        self, page: LimitOffset, *, user_id: int | None, kind: str | None
    ) -> tuple[list[SecurityEvent], int]:
        """Those about a person or of a kind, or all; and how many there are."""
        conditions = []
        if user_id is not None:
            conditions.append(SecurityEvent.user_id == user_id)
        if kind is not None:
            conditions.append(SecurityEvent.kind == kind)
        found, total = await self.get_many_and_count(*conditions, page, order_by=("id", True))
        return list(found), total

    async def has_event_from(
        self, user_id: int, kind: str, address: str, within: timedelta
    ) -> bool:
        """Whether such an event happened to a person from this address lately."""
        found = await self.session.scalar(
            select(SecurityEvent.id)
            .where(
                SecurityEvent.user_id == user_id,
                SecurityEvent.kind == kind,
                SecurityEvent.address == address,
                SecurityEvent.created_at > func.now() - within,
            )
            .limit(1)
        )
        return found is not None

    async def delete_expired(self) -> int:
        """Delete what is too old; how many there were."""
        found = await self.session.scalars(
            delete(SecurityEvent)
            .where(SecurityEvent.created_at < func.now() - RETENTION)
            .returning(SecurityEvent.id)
        )
        return len(found.all())
