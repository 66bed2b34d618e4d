"""The event that tries an endpoint."""

from typing import ClassVar

from videoflix.platform.events import EventData


class WebhookTest(EventData):
    """An administrator tries an endpoint; sent to that endpoint only, whatever its filter."""

    type: ClassVar = "webhook.test"
    object: ClassVar = "endpoint"
    example: ClassVar = {"endpoint_id": 1}
    endpoint_id: int
