"""What the domains report, in the transaction of each change."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from factories import PROCESSING
from videoflix.accounts.service import Accounts
from videoflix.catalog.service import Catalog
from videoflix.platform.events import event_types
from webhooks.test_api import add_endpoint


@pytest.fixture
async def endpoint(admin: httpx.AsyncClient) -> int:
    number, _ = await add_endpoint(admin)
    return number


async def reported(session: AsyncSession) -> list[tuple[str, dict[str, Any]]]:
    found = await session.execute(text("select type, data from webhook_event order by id"))
    return [(kind, data) for kind, data in found]


async def kinds(session: AsyncSession) -> list[str]:
    return [kind for kind, _ in await reported(session)]


async def test_nothing_is_written_without_an_endpoint(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    (video,) = await add_films(session, {"title": "Film"})
    await admin.delete(f"/api/v1/videos/{video}")
    assert await reported(session) == []


async def test_event_is_stored_once_for_several_endpoints(
    admin: httpx.AsyncClient, session: AsyncSession, endpoint: int
) -> None:
    await add_endpoint(admin, events=["video.deleted"])
    await add_endpoint(admin, events=["video.ready"])
    (video,) = await add_films(session, {"title": "Film"})
    await admin.delete(f"/api/v1/videos/{video}")
    assert await reported(session) == [("video.deleted", {"video_id": video, "title": "Film"})]
    count = text("select count(*) from webhook_delivery")
    assert (await session.scalars(count)).one() == 2


@pytest.mark.usefixtures("endpoint")
async def test_processing_of_a_video(session: AsyncSession) -> None:
    first, second = await add_films(
        session, {"title": "First", **PROCESSING}, {"title": "Second", **PROCESSING}
    )
    catalog = Catalog(session)
    await catalog.update_progress(first, 0.2, playable=True)
    await catalog.update_progress(first, 0.4, playable=True)
    await catalog.complete(first)
    await catalog.complete(second)
    await catalog.fail(second, "no-video", "The file has no video track.")
    await catalog.remove(first)
    assert await kinds(session) == [
        "video.playable",
        "video.ready",
        "video.playable",
        "video.ready",
        "video.failed",
        "video.deleted",
    ]
    (failed,) = [data for kind, data in await reported(session) if kind == "video.failed"]
    assert failed["reason"] == "The file has no video track."


@pytest.mark.usefixtures("endpoint")
async def test_members_and_their_invoices(admin: httpx.AsyncClient, session: AsyncSession) -> None:
    user = await Accounts(session).create(email="member@example.org")
    await session.commit()
    plan = {"name": "Basic", "price": 799, "currency": "EUR", "streams": 1}
    made = await admin.post("/api/v1/plans", json=plan)
    assert made.status_code == 201, made.text
    body = {"user_id": user.id, "plan_id": made.json()["id"]}
    membership = (await admin.post("/api/v1/memberships", json=body)).json()["id"]
    path = f"/api/v1/memberships/{membership}"
    assert (await admin.patch(path, json={"streams_override": 2})).status_code == 200
    assert (await admin.post(f"{path}/cancel")).is_success
    invoice = await admin.post("/api/v1/invoices", json={"user_id": user.id, "month": "2026-05"})
    assert invoice.status_code in {200, 201}, invoice.text
    number = invoice.json()["id"]
    again = await admin.post("/api/v1/invoices", json={"user_id": user.id, "month": "2026-05"})
    assert again.json()["id"] == number
    assert (await admin.post(f"/api/v1/invoices/{number}/pay")).is_success
    assert await kinds(session) == [
        "user.created",
        "membership.created",
        "membership.changed",
        "membership.ended",
        "invoice.created",
        "invoice.closed",
    ]
    *_, (_, closed) = await reported(session)
    assert (closed["invoice_id"], closed["status"]) == (number, "paid")


async def test_streams(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession, endpoint: int
) -> None:
    (video,) = await add_films(session, {"title": "Film"})
    stream = (await viewer.post("/api/v1/streams", json={"video_id": video})).json()["id"]
    assert (await viewer.delete(f"/api/v1/streams/{stream}")).status_code == 204
    assert (await viewer.delete(f"/api/v1/streams/{stream}")).status_code == 204
    (_, started), (_, ended) = await reported(session)
    assert (started["stream_id"], started["video_id"]) == (stream, video)
    assert ended["stream_id"] == stream


@pytest.mark.usefixtures("endpoint")
async def test_unconfirmed_accounts_and_guests_are_not_reported(session: AsyncSession) -> None:
    accounts = Accounts(session)
    _, unconfirmed = await accounts.create_unconfirmed("new@example.org")
    guest = await accounts.create_guest()
    assert await kinds(session) == []
    await accounts.confirm(unconfirmed)
    await accounts.confirm(unconfirmed)
    await accounts.delete(guest.id)
    await accounts.delete(unconfirmed.id)
    assert await kinds(session) == ["user.created", "user.deleted"]


@pytest.mark.parametrize("kind", sorted(event_types))
def test_examples_fit_their_events(kind: str) -> None:
    event = event_types[kind]
    assert set(event.example) == set(event.__struct_fields__)
    assert f"{event.object}_id" in event.example
