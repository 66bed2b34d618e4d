"""Retention of security events."""

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.repository import SecurityEventRepository
from videoflix.platform.retention import retention


@retention("security events", kept="a year")
async def delete_expired_events(session: AsyncSession) -> int:
    return await SecurityEventRepository(session=session).delete_expired()
