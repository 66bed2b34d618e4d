"""Wire types of webhooks, and payloads of their jobs."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.platform.http.params import BIGINT_MAX, VISIBLE, Moment, ensure_plausible
from videoflix.platform.queue import Job, schedule
from videoflix.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent

Url = Annotated[
    str, msgspec.Meta(min_length=10, max_length=2000, pattern=rf"^https?://{VISIBLE}+(?!\n)$")
]
Description = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00\r\n]*(?!\n)$")]
EventName = Annotated[str, msgspec.Meta(max_length=50, pattern=r"^[a-z_]+\.[a-z_]+(?!\n)$")]
EventNames = Annotated[list[EventName], msgspec.Meta(max_length=50)]


class WebhookEndpointCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A URL to send events to; without `events`, it receives all of them."""

    url: Url
    events: EventNames = []
    description: Description = ""


class WebhookEndpointUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes of an endpoint. Enabling it resumes its pending deliveries."""

    url: Url | UnsetType = UNSET
    events: EventNames | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


class WebhookEndpointRead(msgspec.Struct):
    """An endpoint. An empty list of `events` stands for all.

    `disabled_reason` says why it was disabled automatically; `failing_since` is the time of the
    first failure after the last success.
    """

    id: int
    url: str
    events: list[str]
    description: str
    is_enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> Self:
        return cls(
            id=endpoint.id,
            url=endpoint.url or "",
            events=endpoint.events,
            description=endpoint.description,
            is_enabled=endpoint.is_enabled,
            disabled_reason=endpoint.disabled_reason,
            failing_since=endpoint.failing_since,
            previous_secret_until=endpoint.previous_until,
            created_at=endpoint.created_at,
        )


class WebhookEndpointCreated(msgspec.Struct):
    """A new endpoint, or a new secret of one; the secret is shown only once."""

    secret: str
    endpoint: WebhookEndpointRead


class WebhookDeliveryRead(msgspec.Struct):
    """An event for an endpoint, and the result of the latest attempt.

    `response_status` is null if no response arrived; `error` says why. `next_attempt_at` is null
    unless the delivery is pending.
    """

    id: int
    endpoint_id: int
    event_id: str
    type: str
    subject: str
    state: DeliveryState
    is_replay: bool
    attempts: int
    attempted_at: datetime | None
    next_attempt_at: datetime | None
    duration_ms: int | None
    response_status: int | None
    response_excerpt: str | None
    error: str | None
    created_at: datetime

    @classmethod
    def of(cls, delivery: WebhookDelivery, event: WebhookEvent) -> Self:
        is_pending = delivery.state is DeliveryState.PENDING
        return cls(
            id=delivery.id,
            endpoint_id=delivery.endpoint_id,
            event_id=event.public_id,
            type=event.type,
            subject=event.subject,
            state=delivery.state,
            is_replay=delivery.is_replay,
            attempts=delivery.attempts,
            attempted_at=delivery.attempted_at,
            next_attempt_at=delivery.due_at if is_pending else None,
            duration_ms=delivery.duration_ms,
            response_status=delivery.response_status,
            response_excerpt=delivery.response_excerpt,
            error=delivery.error,
            created_at=delivery.created_at,
        )


class WebhookDeliveryPage(msgspec.Struct):
    """Deliveries, newest first; pass `next_before` as `before` to get the next page."""

    items: list[WebhookDeliveryRead]
    next_before: int | None


class ReplayRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A time span whose events are sent again; `until` defaults to now."""

    since: Moment
    until: Moment | None = None

    def __post_init__(self) -> None:
        ensure_plausible(self.since, self.until)


class ReplayCount(msgspec.Struct):
    """How many deliveries were queued."""

    queued: int


class EventTypeRead(msgspec.Struct):
    """A type of event, with an example of its body."""

    type: str
    description: str
    example: dict[str, Any]


class EventBody(msgspec.Struct):
    """The body of a webhook; `id` equals the header `webhook-id`, also in repeated deliveries."""

    id: str
    type: str
    timestamp: datetime
    data: dict[str, Any]

    @classmethod
    def of(cls, event: WebhookEvent) -> Self:
        return cls(event.public_id, event.type, event.created_at, event.data)


class SignedRequest(msgspec.Struct, frozen=True):
    """What one attempt of a delivery sends."""

    delivery_id: int
    attempt: int
    url: str
    headers: dict[str, str]
    body: bytes


class Outcome(msgspec.Struct, frozen=True):
    """What an attempt met with; without a status, `error` is a sentence for operators."""

    delivery_id: int
    attempt: int
    status: int | None
    excerpt: str
    error: str
    duration_ms: int


class DeliverWebhooks(Job):
    """Send what is due at an endpoint: one job at a time, so that objects stay in order."""

    name: ClassVar = "webhooks.deliver"
    subject: ClassVar = "endpoint_id"
    deadline: ClassVar = 120.0
    endpoint_id: Annotated[int, msgspec.Meta(le=BIGINT_MAX)]

    @property
    def lock(self) -> str:
        return f"webhooks:{self.endpoint_id}"


class ResumeWebhooks(Job):
    """Queue deliveries that are overdue because their job failed."""

    name: ClassVar = "webhooks.resume"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("*/10 * * * *", ResumeWebhooks())
