"""Use cases of webhooks. Importing it registers the sink of events."""

from videoflix.webhooks.service.endpoints import WebhookEndpoints
from videoflix.webhooks.service.sink import new_event_id, store_events

__all__ = ["WebhookEndpoints", "new_event_id", "store_events"]
