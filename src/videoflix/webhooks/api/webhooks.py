"""HTTP API of webhook endpoints and deliveries, for administrators."""

from typing import Annotated

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED

from videoflix.platform.auth.identity import admins_only
from videoflix.platform.http.params import BIGINT_MAX, Id, Limit, names_of, one_of, service
from videoflix.platform.problems import Forbidden, InvalidInput, Unauthorized, problems
from videoflix.webhooks.models import DeliveryState
from videoflix.webhooks.problems import (
    TooManyWebhookEndpoints,
    WebhookDeliveryNotFound,
    WebhookEndpointDisabled,
    WebhookEndpointInvalid,
    WebhookEndpointNotFound,
)
from videoflix.webhooks.schemas import (
    EventTypeRead,
    ReplayCount,
    ReplayRequest,
    WebhookDeliveryPage,
    WebhookDeliveryRead,
    WebhookEndpointCreate,
    WebhookEndpointCreated,
    WebhookEndpointRead,
    WebhookEndpointUpdate,
)
from videoflix.webhooks.service.endpoints import WebhookEndpoints, event_catalogue

STAFF = (Unauthorized, Forbidden)
State = Annotated[
    str | None,
    QueryParameter(
        name="state",
        description="Only deliveries in this state.",
        schema_extra=names_of(DeliveryState),
    ),
]
Before = Annotated[
    int | None,
    QueryParameter(ge=1, le=BIGINT_MAX, description="Only older ones: `next_before` of a page."),
]


class WebhookController(Controller):
    path = "/webhooks"
    tags = ("Webhooks",)
    guards = (admins_only,)
    dependencies = {"webhooks": service(WebhookEndpoints)}

    @get("/event-types", summary="List types of webhook events", responses=problems(*STAFF))
    async def list_event_types(self) -> list[EventTypeRead]:
        """List the events that endpoints can receive, each with an example."""
        return event_catalogue()

    @get("/endpoints", summary="List webhook endpoints", responses=problems(*STAFF))
    async def list_endpoints(
        self, webhooks: NamedDependency[WebhookEndpoints]
    ) -> list[WebhookEndpointRead]:
        """List all endpoints, oldest first."""
        return [WebhookEndpointRead.of(one) for one in await webhooks.all()]

    @post(
        "/endpoints",
        summary="Create a webhook endpoint",
        responses=problems(*STAFF, WebhookEndpointInvalid, TooManyWebhookEndpoints),
    )
    async def create_endpoint(
        self,
        webhooks: NamedDependency[WebhookEndpoints],
        data: JSONBody[WebhookEndpointCreate],
    ) -> WebhookEndpointCreated:
        """Send events to a URL, signed with a secret that is shown only in this response."""
        endpoint, secret = await webhooks.create(data)
        return WebhookEndpointCreated(secret, WebhookEndpointRead.of(endpoint))

    @get(
        "/endpoints/{endpoint_id:int}",
        summary="Get a webhook endpoint",
        responses=problems(*STAFF, WebhookEndpointNotFound),
    )
    async def show_endpoint(
        self, webhooks: NamedDependency[WebhookEndpoints], endpoint_id: FromPath[Id]
    ) -> WebhookEndpointRead:
        """Get an endpoint, without its secret."""
        return WebhookEndpointRead.of(await webhooks.get(endpoint_id))

    @patch(
        "/endpoints/{endpoint_id:int}",
        summary="Change a webhook endpoint",
        responses=problems(*STAFF, WebhookEndpointNotFound, WebhookEndpointInvalid),
    )
    async def change_endpoint(
        self,
        webhooks: NamedDependency[WebhookEndpoints],
        endpoint_id: FromPath[Id],
        data: JSONBody[WebhookEndpointUpdate],
    ) -> WebhookEndpointRead:
        """Change an endpoint. When it is enabled again, pending deliveries resume at once."""
        return WebhookEndpointRead.of(await webhooks.change(endpoint_id, data))

    @delete(
        "/endpoints/{endpoint_id:int}",
        summary="Delete a webhook endpoint",
        responses=problems(*STAFF, WebhookEndpointNotFound),
    )
    async def delete_endpoint(
        self, webhooks: NamedDependency[WebhookEndpoints], endpoint_id: FromPath[Id]
    ) -> None:
        """Delete an endpoint with its deliveries, also the pending ones."""
        await webhooks.remove(endpoint_id)

    @post(
        "/endpoints/{endpoint_id:int}/rotate-secret",
        summary="Rotate the secret of a webhook endpoint",
        status_code=HTTP_200_OK,
        responses=problems(*STAFF, WebhookEndpointNotFound),
    )
    async def rotate_secret(
        self, webhooks: NamedDependency[WebhookEndpoints], endpoint_id: FromPath[Id]
    ) -> WebhookEndpointCreated:
        """Create a new secret; for 24 hours, deliveries are also signed with the previous one."""
        endpoint, secret = await webhooks.rotate_secret(endpoint_id)
        return WebhookEndpointCreated(secret, WebhookEndpointRead.of(endpoint))

    @post(
        "/endpoints/{endpoint_id:int}/test",
        summary="Send a test event to a webhook endpoint",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(*STAFF, WebhookEndpointNotFound, WebhookEndpointDisabled),
    )
    async def send_test(
        self, webhooks: NamedDependency[WebhookEndpoints], endpoint_id: FromPath[Id]
    ) -> WebhookDeliveryRead:
        """Queue the event `webhook.test` for this endpoint, whatever its filter."""
        return await webhooks.send_test(endpoint_id)

    @get(
        "/endpoints/{endpoint_id:int}/deliveries",
        summary="List deliveries to a webhook endpoint",
        responses=problems(*STAFF, WebhookEndpointNotFound, InvalidInput),
    )
    async def list_deliveries(
        self,
        webhooks: NamedDependency[WebhookEndpoints],
        endpoint_id: FromPath[Id],
        in_state: State = None,
        before: Before = None,
        limit: Limit = 20,
    ) -> WebhookDeliveryPage:
        """List deliveries, newest first, each with the result of its latest attempt."""
        wanted = one_of(DeliveryState, "state", in_state)
        return await webhooks.page(endpoint_id, wanted, before, limit)

    @post(
        "/endpoints/{endpoint_id:int}/replay",
        summary="Replay the events of a time span",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(*STAFF, WebhookEndpointNotFound, WebhookEndpointDisabled),
    )
    async def replay_span(
        self,
        webhooks: NamedDependency[WebhookEndpoints],
        endpoint_id: FromPath[Id],
        data: JSONBody[ReplayRequest],
    ) -> ReplayCount:
        """Send stored events again that this endpoint's filter admits, at most 10 000."""
        return ReplayCount(await webhooks.replay_span(endpoint_id, data))

    @get(
        "/deliveries/{delivery_id:int}",
        summary="Get a delivery of a webhook",
        responses=problems(*STAFF, WebhookDeliveryNotFound),
    )
    async def show_delivery(
        self, webhooks: NamedDependency[WebhookEndpoints], delivery_id: FromPath[Id]
    ) -> WebhookDeliveryRead:
        """Get a delivery with the result of its latest attempt."""
        return await webhooks.delivery(delivery_id)

    @post(
        "/deliveries/{delivery_id:int}/replay",
        summary="Replay a delivery of a webhook",
        status_code=HTTP_202_ACCEPTED,
        responses=problems(*STAFF, WebhookDeliveryNotFound, WebhookEndpointDisabled),
    )
    async def replay_delivery(
        self, webhooks: NamedDependency[WebhookEndpoints], delivery_id: FromPath[Id]
    ) -> WebhookDeliveryRead:
        """Send an event again to the same endpoint; its ID stays the same."""
        return await webhooks.replay(delivery_id)
