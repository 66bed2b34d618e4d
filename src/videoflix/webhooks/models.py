"""Tables of webhooks: endpoints, events, and their deliveries."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record


class DeliveryState(StrEnum):
    """Whether a delivery waits for its next attempt, succeeded, or was given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookEndpoint(Record):
    """A URL that events are sent to.

    `events` lists the types it receives; empty: all. `secret` and `previous_secret` are encrypted;
    the previous one also signs until `previous_until`. `disabled_reason` says why an endpoint was
    disabled automatically. `failing_since` is the first failure after the last success. Without a
    URL, events are only stored, until `listens_until`: for `videoflix webhooks listen`.
    """

    __tablename__ = "webhook_endpoint"

    url: Mapped[str | None] = mapped_column(String(2000))
    description: Mapped[str] = mapped_column(String(200))
    events: Mapped[list[str]] = mapped_column(ARRAY(String(50)))
    is_enabled: Mapped[bool] = mapped_column(default=True)
    disabled_reason: Mapped[str | None] = mapped_column(String(300), default=None)
    secret: Mapped[str]
    previous_secret: Mapped[str | None] = mapped_column(default=None)
    previous_until: Mapped[datetime | None] = mapped_column(default=None)
    failing_since: Mapped[datetime | None] = mapped_column(default=None)
    listens_until: Mapped[datetime | None] = mapped_column(default=None)


class WebhookEvent(Record):
    """An event that at least one endpoint wanted; `public_id` is the header `webhook-id`."""

    __tablename__ = "webhook_event"

    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    type: Mapped[str] = mapped_column(String(50))
    subject: Mapped[str] = mapped_column(String(80))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (Index("ix_webhook_event_created_at", "created_at"),)


class WebhookDelivery(Record):
    """An event for an endpoint, and what its last attempt met with.

    Deliveries of one `subject` at one endpoint are sent in the order of their IDs.
    """

    __tablename__ = "webhook_delivery"

    endpoint_id: Mapped[int] = mapped_column(ForeignKey(WebhookEndpoint.id, ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey(WebhookEvent.id, ondelete="CASCADE"), index=True
    )
    subject: Mapped[str] = mapped_column(String(80))
    state: Mapped[DeliveryState] = mapped_column(default=DeliveryState.PENDING)
    is_replay: Mapped[bool] = mapped_column(default=False)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    attempted_at: Mapped[datetime | None] = mapped_column(default=None)
    duration_ms: Mapped[int | None] = mapped_column(default=None)
    response_status: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    response_excerpt: Mapped[str | None] = mapped_column(String(1000), default=None)
    error: Mapped[str | None] = mapped_column(String(200), default=None)

    __table_args__ = (
        Index("ix_webhook_delivery_endpoint_id", "endpoint_id", "id"),
        Index(
            "ix_webhook_delivery_pending",
            "endpoint_id",
            "subject",
            "id",
            postgresql_where=text("state = 'pending'"),
        ),
    )
