"""SQL of webhooks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import delete, func, literal, or_, select, text, update
from sqlalchemy.orm import aliased

from videoflix.accounts.models import User
from videoflix.platform.auth.identity import ADMINISTRATORS
from videoflix.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent

# Stores events and their deliveries in one statement, and nothing if no endpoint wants them.
STORE = text("""
with given as (
    select * from jsonb_to_recordset(cast(:events as jsonb))
        as event (number int, public_id text, type text, subject text, data jsonb)
), wanted as (
    select given.*, endpoint.id as endpoint_id, endpoint.url
    from given join webhook_endpoint endpoint
      on endpoint.is_enabled and (endpoint.events = '{}' or given.type = any(endpoint.events))
     and (endpoint.listens_until is null or endpoint.listens_until > now())
), stored as (
    insert into webhook_event (public_id, type, subject, data, created_at, updated_at)
    select public_id, type, subject, data, now(), now() from (
        select distinct on (number) * from wanted order by number) as event
    order by number
    returning id, public_id
), queued as (
    insert into webhook_delivery (endpoint_id, event_id, subject, state, is_replay, due_at,
                                  attempts, created_at, updated_at)
    select endpoint_id, stored.id, subject, 'pending', false, now(), 0, now(), now()
    from wanted join stored using (public_id) where url is not null order by stored.id
    returning endpoint_id
)
select distinct endpoint_id from queued order by endpoint_id
""")
# The first pending delivery of each object, unless it waits for its next attempt.
DUE = text("""
select delivery.id from webhook_delivery delivery
where delivery.endpoint_id = :endpoint_id and delivery.state = 'pending' and due_at <= now()
  and not exists (
    select from webhook_delivery earlier
    where earlier.endpoint_id = :endpoint_id and earlier.state = 'pending'
      and earlier.subject = delivery.subject and earlier.id < delivery.id)
order by delivery.id limit :count
""")
REPLAY_SPAN = text("""
insert into webhook_delivery (endpoint_id, event_id, subject, state, is_replay, due_at, attempts,
                              created_at, updated_at)
select endpoint.id, event.id, event.subject, 'pending', true, now(), 0, now(), now()
from webhook_endpoint endpoint
join webhook_event event on event.created_at >= :since and event.created_at < :until
 and (endpoint.events = '{}' or event.type = any(endpoint.events))
where endpoint.id = :endpoint_id order by event.id limit :count
returning id
""")


class WebhookEndpointRepository(SQLAlchemyAsyncRepository[WebhookEndpoint]):
    model_type = WebhookEndpoint

    async def all(self) -> Sequence[WebhookEndpoint]:
        """List the endpoints with a URL."""
        return await self.get_many(WebhookEndpoint.url.is_not(None), order_by=("id", False))

    async def locked(self, endpoint_id: int) -> WebhookEndpoint | None:
        """Lock an endpoint with a URL."""
        found: WebhookEndpoint | None = await self.session.scalar(
            select(WebhookEndpoint)
            .where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.url.is_not(None))
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        return found

    async def administrators(self) -> list[tuple[str, str, str]]:
        """List the address, language and name of each active administrator."""
        rows = await self.session.scalars(
            select(User)
            .where(User.role.in_(ADMINISTRATORS), User.is_active.is_(True))
            .order_by(User.id)
        )
        return [(user.email, user.language, user.name) for user in rows]

    async def keep_listening(self, endpoint_id: int, span: timedelta) -> None:
        await self.session.execute(
            update(WebhookEndpoint)
            .where(WebhookEndpoint.id == endpoint_id)
            .values(listens_until=func.now() + span)
        )

    async def delete_stale_listeners(self) -> int:
        """Delete listeners whose process ended without deleting them."""
        gone = await self.session.scalars(
            delete(WebhookEndpoint)
            .where(WebhookEndpoint.listens_until < func.now())
            .returning(WebhookEndpoint.id)
        )
        return len(gone.all())


class WebhookEventRepository(SQLAlchemyAsyncRepository[WebhookEvent]):
    model_type = WebhookEvent

    async def store(self, events: Sequence[dict[str, Any]]) -> list[int]:
        """Store the events that endpoints want; return the endpoints to deliver to."""
        numbered = [event | {"number": number} for number, event in enumerate(events)]
        encoded = msgspec.json.encode(numbered).decode()
        return list(await self.session.scalars(STORE, {"events": encoded}))

    async def recent(self, span: timedelta, known: Sequence[str]) -> Sequence[WebhookEvent]:
        """List the events of a span that are not known yet, oldest first."""
        found = await self.session.scalars(
            select(WebhookEvent)
            .where(
                WebhookEvent.created_at > func.now() - span,
                WebhookEvent.public_id.not_in(known),
            )
            .order_by(WebhookEvent.id)
        )
        return found.all()

    async def delete_older_than(self, days: int) -> int:
        gone = await self.session.scalars(
            delete(WebhookEvent)
            .where(WebhookEvent.created_at < func.now() - timedelta(days=days))
            .returning(WebhookEvent.id)
        )
        return len(gone.all())


class WebhookDeliveryRepository(SQLAlchemyAsyncRepository[WebhookDelivery]):
    model_type = WebhookDelivery

    async def due(self, endpoint_id: int, count: int) -> list[tuple[WebhookDelivery, WebhookEvent]]:
        """The deliveries to attempt now: at most one of each object."""
        ids = list(await self.session.scalars(DUE, {"endpoint_id": endpoint_id, "count": count}))
        rows = await self.session.execute(
            select(WebhookDelivery, WebhookEvent)
            .join(WebhookEvent, WebhookEvent.id == WebhookDelivery.event_id)
            .where(WebhookDelivery.id.in_(ids))
            .order_by(WebhookDelivery.id)
        )
        return [(row[0], row[1]) for row in rows]

    async def locked_many(self, ids: Sequence[int]) -> dict[int, WebhookDelivery]:
        found = await self.session.scalars(
            select(WebhookDelivery)
            .where(WebhookDelivery.id.in_(ids))
            .order_by(WebhookDelivery.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return {delivery.id: delivery for delivery in found}

    async def next_due(self, endpoint_id: int) -> datetime | None:
        """When the next attempt at an endpoint is due: of the first delivery of each object."""
        earlier = aliased(WebhookDelivery)
        is_blocked = (
            select(literal(1))
            .where(
                earlier.endpoint_id == endpoint_id,
                earlier.state == DeliveryState.PENDING,
                earlier.subject == WebhookDelivery.subject,
                earlier.id < WebhookDelivery.id,
            )
            .exists()
        )
        found: datetime | None = await self.session.scalar(
            select(func.min(WebhookDelivery.due_at)).where(
                WebhookDelivery.endpoint_id == endpoint_id,
                WebhookDelivery.state == DeliveryState.PENDING,
                ~is_blocked,
            )
        )
        return found

    async def overdue_endpoints(self, span: timedelta) -> list[int]:
        """List enabled endpoints with a delivery that is overdue by this span."""
        found = await self.session.scalars(
            select(WebhookDelivery.endpoint_id)
            .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
            .where(
                WebhookDelivery.state == DeliveryState.PENDING,
                WebhookDelivery.due_at < func.now() - span,
                WebhookEndpoint.is_enabled.is_(True),
            )
            .distinct()
            .order_by(WebhookDelivery.endpoint_id)
        )
        return list(found)

    async def make_due(self, endpoint_id: int) -> None:
        """Attempt the pending deliveries of an endpoint now, whatever their backoff."""
        await self.session.execute(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.endpoint_id == endpoint_id,
                WebhookDelivery.state == DeliveryState.PENDING,
            )
            .values(due_at=func.now())
        )

    async def page(
        self, endpoint_id: int, state: DeliveryState | None, before: int | None, count: int
    ) -> list[tuple[WebhookDelivery, WebhookEvent]]:
        """Deliveries with IDs below `before`, newest first (keyset pagination)."""
        rows = await self.session.execute(
            select(WebhookDelivery, WebhookEvent)
            .join(WebhookEvent, WebhookEvent.id == WebhookDelivery.event_id)
            .where(
                WebhookDelivery.endpoint_id == endpoint_id,
                or_(literal(before is None), WebhookDelivery.id < (before or 0)),
                or_(literal(state is None), WebhookDelivery.state == state),
            )
            .order_by(WebhookDelivery.id.desc())
            .limit(count)
        )
        return [(row[0], row[1]) for row in rows]

    async def with_event(self, delivery_id: int) -> tuple[WebhookDelivery, WebhookEvent] | None:
        row = (
            await self.session.execute(
                select(WebhookDelivery, WebhookEvent)
                .join(WebhookEvent, WebhookEvent.id == WebhookDelivery.event_id)
                .where(WebhookDelivery.id == delivery_id)
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    async def replay_span(
        self, endpoint_id: int, since: datetime, until: datetime, count: int
    ) -> int:
        """Queue the stored events of a span that the endpoint wants; return how many."""
        span = {"endpoint_id": endpoint_id, "since": since, "until": until, "count": count}
        return len((await self.session.scalars(REPLAY_SPAN, span)).all())
