"""Retention of sign-ins and guests."""

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.retention import retention
from videoflix.sessions.service.sessions import Sessions


@retention("guests", kept="a day")
async def delete_guests(session: AsyncSession) -> int:
    return await Sessions(session).delete_guests()


@retention("expired sign-ins", kept="30 days after they ended")
async def delete_sign_ins(session: AsyncSession) -> int:
    return await Sessions(session).sign_ins.delete_expired()
