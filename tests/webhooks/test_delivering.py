"""Deliveries to a real receiver, verified by the published library."""

import json
from typing import Any

import httpx
import pytest
from litestar import Litestar
from standardwebhooks import Webhook, WebhookVerificationError

from queue_helpers import execute, make_due, rows, run_jobs
from videoflix.accounts.service import Accounts
from videoflix.platform.events import emit
from videoflix.platform.postgres.session import transaction
from videoflix.playback.events import StreamEnded, StreamStarted
from videoflix.webhooks import sender
from videoflix.webhooks.service import delivering
from videoflix.worker import queue
from webhooks.receiver import Receiver
from webhooks.test_api import ENDPOINTS, WEBHOOKS, add_endpoint

NOW: Any = "2026-05-04T20:15:00Z"


async def start(*streams: int) -> None:
    events = [
        StreamStarted(stream_id=one, user_id=1, video_id=1, started_at=NOW) for one in streams
    ]
    async with transaction() as session:
        await emit(session, *events)


async def end(*streams: int) -> None:
    events = [
        StreamEnded(stream_id=one, user_id=1, started_at=NOW, ended_at=NOW) for one in streams
    ]
    async with transaction() as session:
        await emit(session, *events)


async def work() -> None:
    async with queue.open_async():
        await run_jobs(queue_name="default", concurrency=4)


async def retry_now() -> None:
    """As if the pauses between attempts were over."""
    await execute("update webhook_delivery set due_at = now() where state = 'pending'")
    await make_due()
    await work()


async def deliveries(manager: httpx.AsyncClient, endpoint: int) -> list[dict[str, Any]]:
    found = (await manager.get(f"{ENDPOINTS}/{endpoint}/deliveries?limit=100")).json()["items"]
    return list(reversed(found))


async def test_events_are_signed(manager: httpx.AsyncClient, receiver: Receiver) -> None:
    number, secret = await add_endpoint(manager, receiver.url)
    await manager.post(f"{ENDPOINTS}/{number}/test")
    await start(5)
    await work()
    test, event = sorted(receiver.verified(secret), key=lambda one: one["type"], reverse=True)
    assert (test["type"], test["data"]) == ("webhook.test", {"endpoint_id": number})
    assert (event["type"], event["data"]["stream_id"]) == ("stream.started", 5)
    headers, body = receiver.requests[0]
    assert headers["webhook-id"] == json.loads(body)["id"]
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    seen = await deliveries(manager, number)
    assert [(one["state"], one["response_status"], one["attempts"]) for one in seen] == [
        ("delivered", 204, 1)
    ] * 2


async def test_both_secrets_sign_after_a_rotation(
    manager: httpx.AsyncClient, receiver: Receiver
) -> None:
    number, old = await add_endpoint(manager, receiver.url)
    new = (await manager.post(f"{ENDPOINTS}/{number}/rotate-secret")).json()["secret"]
    await start(1)
    await work()
    assert receiver.verified(old) == receiver.verified(new)
    await execute("update webhook_endpoint set previous_until = now() - interval '1 s'")
    receiver.requests.clear()
    await start(2)
    await work()
    assert len(receiver.verified(new)) == 1
    with pytest.raises(WebhookVerificationError):
        receiver.verified(old)


async def test_failures_are_retried_in_order_per_object(
    manager: httpx.AsyncClient, receiver: Receiver
) -> None:
    number, _ = await add_endpoint(manager, receiver.url)
    receiver.statuses, receiver.body = [500, 204], b"over\0loaded"
    await start(1)
    await end(1)
    await work()
    first, second = await deliveries(manager, number)
    assert (first["state"], first["attempts"], first["response_status"]) == ("pending", 1, 500)
    assert first["response_excerpt"] == "over\ufffdloaded"
    assert second["attempts"] == 0, "it waits for the earlier event of its object"
    await start(2)  # another object does not wait
    await work()
    assert receiver.by_object("stream_id")[2] == ["stream.started"]
    await retry_now()
    assert receiver.by_object("stream_id")[1] == [
        "stream.started",
        "stream.started",
        "stream.ended",
    ]
    ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert ids[0] == ids[2], "a repeated delivery has the same ID"


def test_backoff_grows_up_to_six_hours() -> None:
    pauses = [delivering.backoff(attempt).total_seconds() for attempt in range(1, 12)]
    for pause, usual in zip(pauses, [5, 20, 80, 320, 1280, 5120, 20480, 21600], strict=False):
        assert 0.8 * usual <= pause <= 1.2 * usual
    assert max(pauses) <= 6 * 3600 * 1.2


async def test_redirects_are_not_followed(manager: httpx.AsyncClient, receiver: Receiver) -> None:
    number, _ = await add_endpoint(manager, receiver.url)
    receiver.statuses, receiver.headers = [307], {"location": receiver.url}
    await start(1)
    await work()
    (delivery,) = await deliveries(manager, number)
    assert (delivery["state"], delivery["response_status"]) == ("pending", 307)
    assert len(receiver.requests) == 1


async def test_huge_response_is_not_read(manager: httpx.AsyncClient, receiver: Receiver) -> None:
    number, _ = await add_endpoint(manager, receiver.url)
    receiver.statuses, receiver.body = [200], b"x" * 50_000_000
    await start(1)
    await work()
    (delivery,) = await deliveries(manager, number)
    assert (delivery["state"], delivery["response_excerpt"]) == ("delivered", "x" * 500)


async def test_slow_endpoint_times_out(
    manager: httpx.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _ = await add_endpoint(manager, receiver.url)
    monkeypatch.setattr(sender, "TOTAL_SECONDS", 0.2)
    receiver.pause = 0.5
    await start(*range(20))
    await work()
    first, *others = await deliveries(manager, number)
    assert "No complete response" in first["error"]
    assert [one["attempts"] for one in others].count(0) == 12, "one round, no more"
    assert receiver.most_busy <= delivering.BATCH


async def test_addresses_are_checked_when_connecting(
    manager: httpx.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # loopback is not allowed
    number, _ = await add_endpoint(manager, receiver.url)
    other, _ = await add_endpoint(manager, "http://127.0.0.1:1/")
    await start(1)
    await work()
    for endpoint in (number, other):
        (delivery,) = await deliveries(manager, endpoint)
        assert "not public" in delivery["error"]
    assert receiver.requests == []


async def test_endpoint_that_is_gone_is_disabled(
    manager: httpx.AsyncClient, receiver: Receiver
) -> None:
    number, _ = await add_endpoint(manager, receiver.url)
    receiver.statuses = [410, 204]
    await start(1)
    await work()
    endpoint = (await manager.get(f"{ENDPOINTS}/{number}")).json()
    assert endpoint["is_enabled"] is False
    assert "410" in endpoint["disabled_reason"]
    (mail,) = await rows("select recipient, subject, text from mail")
    assert mail["recipient"] == "admin@example.org"
    assert receiver.url in mail["text"]
    await start(2)
    await retry_now()
    assert len(receiver.requests) == 1
    await manager.patch(f"{ENDPOINTS}/{number}", json={"is_enabled": True})
    await work()
    assert receiver.by_object("stream_id") == {1: ["stream.started"] * 2}


async def test_endpoint_that_fails_for_three_days_is_disabled(
    manager: httpx.AsyncClient, receiver: Receiver
) -> None:
    number, _ = await add_endpoint(manager, receiver.url)
    receiver.statuses = [500]
    await start(1)
    await work()
    await execute("update webhook_endpoint set failing_since = now() - interval '73 h'")
    await execute("update webhook_delivery set created_at = now() - interval '73 h'")
    await retry_now()
    (delivery,) = await deliveries(manager, number)
    assert delivery["state"] == "failed"
    endpoint = (await manager.get(f"{ENDPOINTS}/{number}")).json()
    assert "three days" in endpoint["disabled_reason"]
    assert len(await rows("select id from mail")) == 1


async def test_replay(manager: httpx.AsyncClient, receiver: Receiver) -> None:
    number, secret = await add_endpoint(manager, receiver.url)
    await start(1, 2)
    await work()
    first, _ = await deliveries(manager, number)
    again = await manager.post(f"{WEBHOOKS}/deliveries/{first['id']}/replay")
    assert again.json()["is_replay"] is True
    await work()
    assert receiver.by_object("stream_id") == {1: ["stream.started"] * 2, 2: ["stream.started"]}
    span = {"since": "2026-01-01T00:00:00Z"}
    answer = await manager.post(f"{ENDPOINTS}/{number}/replay", json=span)
    assert (answer.status_code, answer.json()) == (202, {"queued": 2})
    await work()
    events = receiver.verified(secret)
    assert len(events) == 5
    assert len({event["id"] for event in events}) == 2


async def test_secret_of_another_key_disables_the_endpoint(
    manager: httpx.AsyncClient, receiver: Receiver
) -> None:
    number, _ = await add_endpoint(manager, receiver.url)
    await execute("update webhook_endpoint set secret = 'gAAAAA'")
    await start(1)
    await work()
    endpoint = (await manager.get(f"{ENDPOINTS}/{number}")).json()
    assert "PREVIOUS_SECRET_KEYS" in endpoint["disabled_reason"]
    assert receiver.requests == []


async def test_lost_job_is_replaced(manager: httpx.AsyncClient, receiver: Receiver) -> None:
    await add_endpoint(manager, receiver.url)
    await start(1)
    await execute("delete from procrastinate_jobs")
    await execute("update webhook_delivery set due_at = now() - interval '6 minutes'")
    async with queue.open_async():
        async with transaction() as session:
            await delivering.Deliveries(session).resume_overdue()
        await run_jobs(queue_name="default")
    assert len(receiver.requests) == 1


async def test_hundreds_of_events_through_outages(
    manager: httpx.AsyncClient, receiver: Receiver
) -> None:
    """Every third response is an error: each arrives at least once, in order per object."""
    number, secret = await add_endpoint(manager, receiver.url)
    receiver.statuses = [*[204, 204, 503] * 60, 204]
    streams = range(1, 101)
    await start(*streams)
    await end(*streams)
    await work()
    for _ in range(6):
        await retry_now()
    assert {one["state"] for one in await deliveries(manager, number)} == {"delivered"}
    arrived = receiver.by_object("stream_id")
    assert set(arrived) == set(streams)
    for types in arrived.values():
        assert types == sorted(types, reverse=True), "all of the start before the end"
        assert set(types) == {"stream.started", "stream.ended"}
    assert len({event["id"] for event in receiver.verified(secret)}) == 200
    waiting = (
        "select id from procrastinate_jobs where task_name = 'webhooks.deliver' and status = 'todo'"
    )
    assert await rows(waiting) == []


async def test_account_is_reported(
    app: Litestar, manager: httpx.AsyncClient, receiver: Receiver
) -> None:
    await add_endpoint(manager, receiver.url, events=["user.created", "user.deleted"])
    async with transaction() as session:
        user = await Accounts(session).create(email="new@example.org")
    async with transaction() as session:
        await Accounts(session).delete(user.id)
    await work()
    assert receiver.by_object("user_id") == {user.id: ["user.created", "user.deleted"]}
    assert b"new@example.org" not in b"".join(body for _, body in receiver.requests)
    assert json.loads(receiver.requests[0][1])["data"] == {"user_id": user.id, "role": "viewer"}
