"""Audit log: immutable events, written in the transaction of the change."""

from datetime import timedelta

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.models import SecurityEvent
from videoflix.audit.repository import SecurityEventRepository
from videoflix.audit.schemas import EventKind, SecurityEventRead
from videoflix.platform.server.client_address import current_client

FAMILIAR = timedelta(days=90)
# Key in the info of a session that has recorded an event.
RECORDED = "audit_recorded"


class Audit:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.events = SecurityEventRepository(session=session)

    async def record(
        self, kind: EventKind, user_id: int | None, *, by: int | None = None, detail: str = ""
    ) -> None:
        """Record an event in the session's transaction, with the request's address and device."""
        address, device = current_client()
        self.session.info[RECORDED] = True
        self.session.add(
            SecurityEvent(
                kind=kind.value,
                user_id=user_id,
                actor_id=by,
                address=address,
                device=device,
                detail=detail[:200],
            )
        )

    async def record_change(self, detail: str, *, by: int) -> None:
        """Record a change by staff, unless the transaction has recorded a more specific event."""
        if not self.session.info.get(RECORDED):
            await self.record(EventKind.STAFF_CHANGE, None, by=by, detail=detail)

    async def activity(
        self, page: LimitOffset, *, user_id: int | None = None, kind: EventKind | None = None
    ) -> tuple[list[SecurityEventRead], int]:
        """Return a page of events, newest first, and the total."""
        found, total = await self.events.newest(page, user_id=user_id, kind=kind)
        return [
            SecurityEventRead(
                id=event.id,
                at=event.created_at,
                kind=event.kind,
                user_id=event.user_id,
                actor_id=event.actor_id,
                address=event.address,
                device=event.device,
                detail=event.detail,
            )
            for event in found
        ], total

    async def is_familiar(self, user_id: int, address: str) -> bool:
        """Return whether the user signed in from this address within FAMILIAR."""
        return await self.events.has_event_from(user_id, EventKind.SIGNED_IN, address, FAMILIAR)
