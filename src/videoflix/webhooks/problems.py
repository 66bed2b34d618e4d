"""Problems of webhooks."""

from videoflix.platform.problems import Conflict, InvalidInput, NotFound


class WebhookEndpointNotFound(NotFound):
    """The webhook endpoint doesn't exist."""


class WebhookDeliveryNotFound(NotFound):
    """The delivery doesn't exist. Deliveries are deleted after `WEBHOOK_LOG_DAYS`."""


class WebhookEndpointInvalid(InvalidInput):
    """The URL or the list of events of the webhook endpoint is invalid."""


class TooManyWebhookEndpoints(Conflict):
    """There are as many webhook endpoints as are allowed. Delete one first."""


class WebhookEndpointDisabled(Conflict):
    """The webhook endpoint is disabled. Enable it first."""
