"""Endpoints and deliveries, as administrators manage them."""

import base64
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from factories import WebhookDeliveryFactory, WebhookEndpointFactory, WebhookEventFactory, create
from videoflix.webhooks.models import DeliveryState

WEBHOOKS = "/api/v1/webhooks"
ENDPOINTS = f"{WEBHOOKS}/endpoints"
URL = "https://receiver.example/hook"


async def add_endpoint(admin: httpx.AsyncClient, url: str = URL, **fields: Any) -> tuple[int, str]:
    """Create an endpoint; return its ID and secret."""
    answer = await admin.post(ENDPOINTS, json={"url": url} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["endpoint"]["id"], answer.json()["secret"]


async def test_endpoint_is_managed(admin: httpx.AsyncClient, session: AsyncSession) -> None:
    number, secret = await add_endpoint(admin, events=["video.ready"], description="CRM")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    (shown,) = (await admin.get(ENDPOINTS)).json()
    assert (shown["url"], shown["events"], shown["is_enabled"]) == (URL, ["video.ready"], True)
    assert "secret" not in shown
    changed = await admin.patch(f"{ENDPOINTS}/{number}", json={"is_enabled": False, "events": []})
    assert (changed.json()["is_enabled"], changed.json()["events"]) == (False, [])
    assert (await admin.get(f"{ENDPOINTS}/{number}")).json()["description"] == "CRM"
    stored = (await session.scalars(text("select secret from webhook_endpoint"))).one()
    assert secret not in stored
    assert secret.removeprefix("whsec_") not in stored
    rotated = (await admin.post(f"{ENDPOINTS}/{number}/rotate-secret")).json()
    assert rotated["secret"] != secret
    assert rotated["endpoint"]["previous_secret_until"] is not None
    assert (await admin.delete(f"{ENDPOINTS}/{number}")).status_code == 204
    assert (await admin.get(f"{ENDPOINTS}/{number}")).status_code == 404
    audit = (await admin.get("/api/v1/audit?kind=staff-change")).json()
    assert audit["total"] == 4
    assert "Create a webhook endpoint: POST /webhooks/endpoints" in audit["items"][-1]["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ftp://receiver.example/"},
        {"url": "https://user:password@receiver.example/"},
        {"url": "https://receiver.example:99999/"},
        {"url": URL, "events": ["video.unknown"]},
        {"url": URL, "secret": "x"},
    ],
)
async def test_invalid_endpoints_are_refused(
    admin: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    assert (await admin.post(ENDPOINTS, json=fields)).status_code == 400


async def test_number_of_endpoints_is_limited(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    for _ in range(50):
        await create(session, WebhookEndpointFactory, events=[])
    await session.commit()
    answer = await admin.post(ENDPOINTS, json={"url": URL})
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "/problems/too-many-webhook-endpoints",
    )


async def test_event_types_have_examples(admin: httpx.AsyncClient) -> None:
    types = {one["type"]: one for one in (await admin.get(f"{WEBHOOKS}/event-types")).json()}
    assert {"video.created", "track.ready", "invoice.closed", "user.deleted"} <= set(types)
    example = types["video.ready"]["example"]
    assert (example["type"], example["data"]["title"]) == ("video.ready", "Triangles")


async def test_deliveries_are_listed_by_keyset(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    endpoint = await create(session, WebhookEndpointFactory, events=[])
    event = await create(session, WebhookEventFactory)
    for number in range(5):
        state = DeliveryState.FAILED if number == 2 else DeliveryState.DELIVERED
        await create(
            session,
            WebhookDeliveryFactory,
            endpoint_id=endpoint.id,
            event_id=event.id,
            state=state,
        )
    await session.commit()
    path = f"{ENDPOINTS}/{endpoint.id}/deliveries"
    seen, before = [], ""
    while True:
        page = (await admin.get(f"{path}?limit=2{before}")).json()
        seen += [one["id"] for one in page["items"]]
        if page["next_before"] is None:
            break
        before = f"&before={page['next_before']}"
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5
    (failed,) = (await admin.get(f"{path}?state=failed")).json()["items"]
    assert failed["event_id"] == event.public_id
    assert (await admin.get(f"{WEBHOOKS}/deliveries/{failed['id']}")).json() == failed
    assert (await admin.get(f"{path}?state=lost")).status_code == 400
    assert (await admin.get(f"{ENDPOINTS}/99/deliveries")).status_code == 404


async def test_disabled_endpoint_gets_nothing(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    number, _ = await add_endpoint(admin)
    await admin.patch(f"{ENDPOINTS}/{number}", json={"is_enabled": False})
    (video,) = await add_films(session, {"title": "Film"})
    assert (await admin.delete(f"/api/v1/videos/{video}")).status_code == 204
    assert (await admin.post(f"{ENDPOINTS}/{number}/test")).status_code == 409
    replay = await admin.post(
        f"{ENDPOINTS}/{number}/replay", json={"since": "2026-01-01T00:00:00Z"}
    )
    assert replay.status_code == 409
    assert (await session.scalars(text("select count(*) from webhook_event"))).one() == 0


async def test_change_event_and_job_are_written_together(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    number, _ = await add_endpoint(admin, events=["video.deleted"])
    first, second = await add_films(session, {"title": "First"}, {"title": "Second"})
    answer = await admin.post("/api/v1/videos/bulk", json={"action": "delete", "ids": [first, 99]})
    assert answer.status_code == 404
    assert (await session.scalars(text("select count(*) from webhook_event"))).one() == 0
    await admin.post("/api/v1/videos/bulk", json={"action": "delete", "ids": [first, second]})
    events = (
        await session.execute(text("select type, subject from webhook_event order by id"))
    ).all()
    assert [tuple(one) for one in events] == [
        ("video.deleted", f"video:{first}"),
        ("video.deleted", f"video:{second}"),
    ]
    jobs = await session.scalars(
        text("select args from procrastinate_jobs where task_name = 'webhooks.deliver'")
    )
    assert jobs.all() == [{"endpoint_id": number}]


async def test_openapi_describes_the_requests(client: httpx.AsyncClient, app: Any) -> None:
    webhooks = app.openapi_schema.to_schema()["webhooks"]
    body = webhooks["video.failed"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"]["type"] == {"const": "video.failed"}
    assert body["schema"]["properties"]["data"]["required"] == [
        "video_id",
        "title",
        "code",
        "reason",
    ]
    assert body["examples"]["video.failed"]["value"]["data"]["code"] == "no-video"
