"""The sink of events: stores them with their deliveries and jobs in the transaction of the change.

Without an endpoint that wants an event, this is one statement that writes nothing.
"""

import secrets
from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.events import EventData, register_sink
from videoflix.platform.queue import enqueue_many
from videoflix.webhooks.repository import WebhookEventRepository
from videoflix.webhooks.schemas import DeliverWebhooks


def new_event_id() -> str:
    """Return the unique ID of an event, which receivers use to recognize repeated deliveries."""
    return f"msg_{secrets.token_hex(16)}"


@register_sink
async def store_events(session: AsyncSession, events: Sequence[EventData]) -> None:
    await session.flush()
    rows = [
        {
            "public_id": new_event_id(),
            "type": event.type,
            "subject": event.subject,
            "data": msgspec.to_builtins(event),
        }
        for event in events
    ]
    endpoints = await WebhookEventRepository(session=session).store(rows)
    await enqueue_many(session, [DeliverWebhooks(endpoint_id=one) for one in endpoints])
