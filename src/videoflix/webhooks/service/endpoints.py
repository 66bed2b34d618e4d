"""Endpoints of webhooks, and what administrators do with them and their deliveries."""

from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.events import event_types
from videoflix.platform.postgres.session import transaction_time
from videoflix.platform.queue import enqueue
from videoflix.webhooks.events import WebhookTest
from videoflix.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from videoflix.webhooks.problems import (
    TooManyWebhookEndpoints,
    WebhookDeliveryNotFound,
    WebhookEndpointDisabled,
    WebhookEndpointInvalid,
    WebhookEndpointNotFound,
)
from videoflix.webhooks.repository import (
    WebhookDeliveryRepository,
    WebhookEndpointRepository,
    WebhookEventRepository,
)
from videoflix.webhooks.schemas import (
    DeliverWebhooks,
    EventBody,
    EventTypeRead,
    ReplayRequest,
    WebhookDeliveryPage,
    WebhookDeliveryRead,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
)
from videoflix.webhooks.service.sink import new_event_id
from videoflix.webhooks.signing import encrypt, new_secret

ENDPOINTS_MAX = 50
REPLAYED_MAX = 10_000
# How long the previous secret also signs after a rotation.
ROTATION = timedelta(hours=24)


class WebhookEndpoints:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.endpoints = WebhookEndpointRepository(session=session)
        self.events = WebhookEventRepository(session=session)
        self.deliveries = WebhookDeliveryRepository(session=session)

    async def all(self) -> list[WebhookEndpoint]:
        return list(await self.endpoints.all())

    async def get(self, endpoint_id: int) -> WebhookEndpoint:
        """Get and lock an endpoint. Raises WebhookEndpointNotFound."""
        endpoint = await self.endpoints.locked(endpoint_id)
        if endpoint is None:
            raise WebhookEndpointNotFound
        return endpoint

    async def create(self, new: WebhookEndpointCreate) -> tuple[WebhookEndpoint, str]:
        """Add an endpoint; return it with its secret.

        Raises WebhookEndpointInvalid or TooManyWebhookEndpoints.
        """
        _check_url(new.url)
        if len(await self.endpoints.all()) >= ENDPOINTS_MAX:
            raise TooManyWebhookEndpoints(f"At most {ENDPOINTS_MAX} endpoints are allowed.")
        secret = new_secret()
        endpoint = await self.endpoints.add(
            WebhookEndpoint(
                url=new.url,
                events=_known(new.events),
                description=new.description,
                secret=encrypt(secret),
            )
        )
        return endpoint, secret

    async def change(self, endpoint_id: int, change: WebhookEndpointUpdate) -> WebhookEndpoint:
        """Update an endpoint; if it is enabled again, pending deliveries resume at once.

        Raises WebhookEndpointNotFound or WebhookEndpointInvalid.
        """
        endpoint = await self.get(endpoint_id)
        if change.url is not msgspec.UNSET:
            _check_url(change.url)
            endpoint.url = change.url
        if change.events is not msgspec.UNSET:
            endpoint.events = _known(change.events)
        if change.description is not msgspec.UNSET:
            endpoint.description = change.description
        if change.is_enabled is not msgspec.UNSET:
            if change.is_enabled and not endpoint.is_enabled:
                await self._resume(endpoint)
            endpoint.is_enabled = change.is_enabled
        await self.session.flush()
        return endpoint

    async def _resume(self, endpoint: WebhookEndpoint) -> None:
        endpoint.disabled_reason = endpoint.failing_since = None
        await self.deliveries.make_due(endpoint.id)
        await enqueue(self.session, DeliverWebhooks(endpoint_id=endpoint.id))

    async def remove(self, endpoint_id: int) -> None:
        """Delete an endpoint with its deliveries. Raises WebhookEndpointNotFound."""
        await self.session.delete(await self.get(endpoint_id))
        await self.session.flush()

    async def rotate_secret(self, endpoint_id: int) -> tuple[WebhookEndpoint, str]:
        """Replace the secret; the previous one also signs for ROTATION.

        Raises WebhookEndpointNotFound.
        """
        endpoint = await self.get(endpoint_id)
        secret = new_secret()
        endpoint.previous_secret, endpoint.secret = endpoint.secret, encrypt(secret)
        endpoint.previous_until = await transaction_time(self.session) + ROTATION
        await self.session.flush()
        return endpoint, secret

    async def send_test(self, endpoint_id: int) -> WebhookDeliveryRead:
        """Queue a test event. Raises WebhookEndpointNotFound or WebhookEndpointDisabled."""
        endpoint = await self._enabled(endpoint_id)
        test = WebhookTest(endpoint_id=endpoint_id)
        event = await self.events.add(
            WebhookEvent(
                public_id=new_event_id(),
                type=test.type,
                subject=test.subject,
                data=msgspec.to_builtins(test),
            )
        )
        return await self._queue(endpoint, event)

    async def page(
        self, endpoint_id: int, state: DeliveryState | None, before: int | None, limit: int
    ) -> WebhookDeliveryPage:
        """List the deliveries of an endpoint. Raises WebhookEndpointNotFound."""
        if not await self.endpoints.exists(id=endpoint_id):
            raise WebhookEndpointNotFound
        found = await self.deliveries.page(endpoint_id, state, before, limit + 1)
        items = [WebhookDeliveryRead.of(*one) for one in found[:limit]]
        return WebhookDeliveryPage(items, items[-1].id if len(found) > limit else None)

    async def delivery(self, delivery_id: int) -> WebhookDeliveryRead:
        """Get a delivery. Raises WebhookDeliveryNotFound."""
        return WebhookDeliveryRead.of(*await self._delivery(delivery_id))

    async def replay(self, delivery_id: int) -> WebhookDeliveryRead:
        """Queue the event of a delivery again, for the same endpoint and with the same ID.

        Raises WebhookDeliveryNotFound or WebhookEndpointDisabled.
        """
        delivery, event = await self._delivery(delivery_id)
        endpoint = await self._enabled(delivery.endpoint_id)
        return await self._queue(endpoint, event, is_replay=True)

    async def replay_span(self, endpoint_id: int, request: ReplayRequest) -> int:
        """Queue the events of a time span again; return how many, at most REPLAYED_MAX.

        Raises WebhookEndpointNotFound or WebhookEndpointDisabled.
        """
        await self._enabled(endpoint_id)
        until = request.until or await transaction_time(self.session)
        queued = await self.deliveries.replay_span(endpoint_id, request.since, until, REPLAYED_MAX)
        if queued:
            await enqueue(self.session, DeliverWebhooks(endpoint_id=endpoint_id))
        return queued

    async def _delivery(self, delivery_id: int) -> tuple[WebhookDelivery, WebhookEvent]:
        found = await self.deliveries.with_event(delivery_id)
        if found is None:
            raise WebhookDeliveryNotFound
        return found

    async def _enabled(self, endpoint_id: int) -> WebhookEndpoint:
        endpoint = await self.get(endpoint_id)
        if not endpoint.is_enabled:
            raise WebhookEndpointDisabled
        return endpoint

    async def _queue(
        self, endpoint: WebhookEndpoint, event: WebhookEvent, *, is_replay: bool = False
    ) -> WebhookDeliveryRead:
        delivery = await self.deliveries.add(
            WebhookDelivery(
                endpoint_id=endpoint.id,
                event_id=event.id,
                subject=event.subject,
                is_replay=is_replay,
                due_at=await transaction_time(self.session),
            )
        )
        await enqueue(self.session, DeliverWebhooks(endpoint_id=endpoint.id))
        return WebhookDeliveryRead.of(delivery, event)


def event_catalogue() -> list[EventTypeRead]:
    """List the types of events, each with an example of its body."""
    return [
        EventTypeRead(name, kind.__doc__ or "", example_of(name))
        for name, kind in sorted(event_types.items())
    ]


def example_of(name: str) -> dict[str, object]:
    """Return an example of the body of an event."""
    body = EventBody(
        "msg_0f7a1c2e4b6d8091a3c5e7f902143658",
        name,
        msgspec.convert("2026-05-04T20:15:00Z", EventBody.__annotations__["timestamp"]),
        event_types[name].example,
    )
    example: dict[str, object] = msgspec.to_builtins(body)
    return example


def _known(names: list[str]) -> list[str]:
    """Raises WebhookEndpointInvalid for a type of event that does not exist."""
    if unknown := sorted(set(names) - set(event_types)):
        raise WebhookEndpointInvalid(f"There are no events named {', '.join(unknown)}.")
    return sorted(set(names))


def _check_url(url: str) -> None:
    """Raises WebhookEndpointInvalid. Addresses are checked when connecting."""
    try:
        parts = urlsplit(url)
        is_valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise WebhookEndpointInvalid("This is not a valid URL.")
    if parts.username is not None or parts.password is not None:
        raise WebhookEndpointInvalid("The URL must not contain a user name or a password.")
