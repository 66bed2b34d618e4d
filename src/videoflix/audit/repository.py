"""Queries on security events."""

from datetime import timedelta

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, select

from videoflix.audit.models import SecurityEvent

# A trigger on the table prevents earlier deletion.
RETENTION = timedelta(days=365)


class SecurityEventRepository(SQLAlchemyAsyncRepository[SecurityEvent]):
    """Security events, newest first."""

    model_type = SecurityEvent

    async def newest(
        self, page: LimitOffset, *, user_id: int | None, kind: str | None
    ) -> tuple[list[SecurityEvent], int]:
        """Return a page of events, optionally of one account or kind, and the total."""
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
        """Return whether the account has such an event from this address within `within`."""
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
        """Delete events older than RETENTION; return their number."""
        found = await self.session.scalars(
            delete(SecurityEvent)
            .where(SecurityEvent.created_at < func.now() - RETENTION)
            .returning(SecurityEvent.id)
        )
        return len(found.all())
