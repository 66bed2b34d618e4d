"""Deliver events: each at least once, those of one object in order, and repeated while they fail.

One job at a time works for an endpoint, so that a slow endpoint occupies one slot of a worker.
"""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.late_import import late
from videoflix.platform.mail import MailRequest, queue_mails
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.queue import cancel_pending, enqueue
from videoflix.setting_types import networks
from videoflix.settings import settings
from videoflix.webhooks.models import (
    DeliveryState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from videoflix.webhooks.repository import WebhookDeliveryRepository, WebhookEndpointRepository
from videoflix.webhooks.schemas import DeliverWebhooks, EventBody, Outcome, SignedRequest
from videoflix.webhooks.signing import SecretUnreadable, decrypt, sign

logger = logging.getLogger(__name__)

# Deliveries, each of another object, that are sent at the same time.
BATCH = 8
# After this time a job makes room for others, and another one continues.
ROUND_SECONDS = 30.0
# Retries after 5, 20, 80 … seconds, up to six hours, with 20 % jitter, for three days.
FIRST_BACKOFF, FACTOR, MAX_BACKOFF = 5.0, 4.0, 6 * 3600.0
GIVE_UP_AFTER = timedelta(days=3)
OVERDUE = timedelta(minutes=5)
ENCRYPTED_OTHERWISE = (
    "The secret was encrypted with another SECRET_KEY. Add it to PREVIOUS_SECRET_KEYS, or rotate"
    " the endpoint's secret; then enable the endpoint again."
)


class Deliveries:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.endpoints = WebhookEndpointRepository(session=session)
        self.deliveries = WebhookDeliveryRepository(session=session)

    async def due(self, endpoint_id: int) -> list[SignedRequest]:
        """Sign what is due; nothing if the endpoint is disabled."""
        endpoint = await self.endpoints.get_one_or_none(id=endpoint_id)
        if endpoint is None or not endpoint.is_enabled or endpoint.url is None:
            return []
        found = await self.deliveries.due(endpoint_id, BATCH)
        if not found:
            return []
        try:
            keys = _secrets(endpoint, await transaction_time(self.session))
        except SecretUnreadable:
            await self._disable(endpoint, ENCRYPTED_OTHERWISE)
            return []
        return [_signed(endpoint.url, keys, delivery, event) for delivery, event in found]

    async def record(self, endpoint_id: int, outcomes: Sequence[Outcome]) -> bool:
        """Record attempts; return whether any succeeded. Disables an endpoint that is gone."""
        endpoint = await self.endpoints.locked(endpoint_id)
        if endpoint is None:
            return False
        now = await transaction_time(self.session)
        known = await self.deliveries.locked_many([one.delivery_id for one in outcomes])
        for outcome in outcomes:
            delivery = known.get(outcome.delivery_id)
            if delivery is not None and delivery.attempts == outcome.attempt - 1:
                _record(delivery, outcome, now)
        succeeded = any(map(is_success, outcomes))
        if succeeded:
            endpoint.failing_since = None
        else:
            endpoint.failing_since = endpoint.failing_since or now
        await self._disable_if_gone(endpoint, outcomes, now)
        return succeeded

    async def plan_next(self, endpoint_id: int) -> None:
        """Enqueue the next job of an endpoint, instead of those that wait for this one to end."""
        await cancel_pending(self.session, [DeliverWebhooks], endpoint_id=endpoint_id)
        endpoint = await self.endpoints.get_one_or_none(id=endpoint_id)
        if endpoint is None or not endpoint.is_enabled:
            return
        due_at = await self.deliveries.next_due(endpoint_id)
        if due_at is not None:
            await enqueue(self.session, DeliverWebhooks(endpoint_id=endpoint_id), at=due_at)

    async def resume_overdue(self) -> int:
        """Enqueue jobs for endpoints whose job failed; return how many."""
        endpoints = await self.deliveries.overdue_endpoints(OVERDUE)
        for endpoint_id in endpoints:
            await enqueue(self.session, DeliverWebhooks(endpoint_id=endpoint_id))
        return len(endpoints)

    async def _disable_if_gone(
        self, endpoint: WebhookEndpoint, outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        if any(one.status == HTTPStatus.GONE for one in outcomes):
            reason = "The endpoint responded with status 410 (gone)."
        elif endpoint.failing_since and endpoint.failing_since <= now - GIVE_UP_AFTER:
            reason = "All deliveries of the last three days failed."
        else:
            return
        await self._disable(endpoint, reason)

    async def _disable(self, endpoint: WebhookEndpoint, reason: str) -> None:
        """Disable an endpoint, and report it to the administrators."""
        endpoint.is_enabled, endpoint.disabled_reason = False, reason
        logger.warning("webhook endpoint %d disabled: %s", endpoint.id, reason)
        values = {
            "url": f"{settings.site_url}/admin/webhooks",
            "endpoint": endpoint.url or "",
            "reason": reason,
        }
        mails = [
            MailRequest(email, "webhook-disabled", language, values | {"name": name})
            for email, language, name in await self.endpoints.administrators()
        ]
        await queue_mails(self.session, mails)


async def deliver(endpoint_id: int) -> None:
    """Send what is due at an endpoint until nothing is, nothing succeeds, or the time is over."""
    async with transaction() as session:
        requests = await Deliveries(session).due(endpoint_id)
    if not requests:
        return
    allowed = networks(settings.webhook_allowed_networks, "WEBHOOK_ALLOWED_NETWORKS")
    end = time.monotonic() + ROUND_SECONDS
    open_sender = late("videoflix.webhooks.sender:open_sender")  # loads httpx
    async with open_sender(allowed) as sender:
        while requests:
            outcomes = await asyncio.gather(*map(sender.send, requests))
            async with transaction() as session:
                succeeded = await Deliveries(session).record(endpoint_id, outcomes)
                if not succeeded or time.monotonic() > end:
                    return
                requests = await Deliveries(session).due(endpoint_id)


def is_success(outcome: Outcome) -> bool:
    """Any 2xx status, as the specification says; redirects are failures."""
    return outcome.status is not None and outcome.status // 100 == HTTPStatus.OK // 100


def backoff(attempts: int) -> timedelta:
    """The pause after this many failed attempts, with jitter."""
    seconds = min(FIRST_BACKOFF * FACTOR ** min(attempts - 1, 20), MAX_BACKOFF)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - jitter


def _record(delivery: WebhookDelivery, outcome: Outcome, now: datetime) -> None:
    delivery.attempts += 1
    delivery.attempted_at, delivery.duration_ms = now, outcome.duration_ms
    delivery.response_status = outcome.status
    delivery.response_excerpt = outcome.excerpt or None
    delivery.error = outcome.error[:200] or None
    if is_success(outcome):
        delivery.state = DeliveryState.DELIVERED
    elif delivery.created_at <= now - GIVE_UP_AFTER:
        delivery.state = DeliveryState.FAILED
    else:
        delivery.due_at = now + backoff(delivery.attempts)


def _secrets(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """The secrets that sign now: after a rotation, the previous one as well."""
    stored = [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_until and endpoint.previous_until > now:
        stored.append(endpoint.previous_secret)
    return [decrypt(one) for one in stored]


def _signed(
    url: str, keys: Sequence[str], delivery: WebhookDelivery, event: WebhookEvent
) -> SignedRequest:
    body = msgspec.json.encode(EventBody.of(event))
    timestamp = int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": event.public_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(keys, event.public_id, timestamp, body),
    }
    return SignedRequest(delivery.id, delivery.attempts + 1, url, headers, body)
