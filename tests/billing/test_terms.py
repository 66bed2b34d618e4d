"""Flat prices: every period that began is charged once, as it was agreed at the time."""

from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from conftest import PASSWORD
from videoflix.billing.jobs import close

PLANS = "/api/v1/plans"
MEMBERSHIPS = "/api/v1/memberships"


async def make_plan(admin: httpx.AsyncClient, name: str, **fields: object) -> int:
    body = {"name": name, "price": 1000, "currency": "EUR", "streams": 2} | fields
    made = await admin.post(PLANS, json=body)
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


async def join(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, plan: int, **fields: object
) -> str:
    number = (await viewer.get("/api/v1/me")).json()["id"]
    made = await admin.post(MEMBERSHIPS, json={"user_id": number, "plan_id": plan} | fields)
    assert made.status_code == 201, made.text
    return f"{MEMBERSHIPS}/{made.json()['id']}"


async def agreed_since(session: AsyncSession, moment: str) -> None:
    """As if the last change of a membership had been made then."""
    await session.execute(
        text(
            "update membership_term set until_at = cast(:at as timestamptz)"
            " where until_at is not null"
        ),
        {"at": datetime.fromisoformat(moment)},
    )
    await session.execute(
        text(
            "update membership_term set from_at = cast(:at as timestamptz) where until_at is null"
            " and (select count(*) from membership_term) > 1"
        ),
        {"at": datetime.fromisoformat(moment)},
    )
    await session.commit()


async def charged(session: AsyncSession, until: datetime) -> list[tuple[str, int]]:
    """What the closings of all months up to this one charge: month and amount."""
    month = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    while month <= until:
        await close(month)
        year, number = divmod(month.year * 12 + month.month, 12)
        month = month.replace(year=year, month=number + 1)
    rows = await session.execute(
        text(
            "select to_char(period, 'YYYY-MM') as month, line.amount from invoice_line as line"
            " join invoice on invoice.id = invoice_id order by period, line.id"
        )
    )
    return [(row.month, row.amount) for row in rows]


async def test_a_year_is_charged_once(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    plan = await make_plan(admin, "Year", period="year", price=12000)
    await join(
        admin, viewer, plan, starts_at="2026-02-15T00:00:00Z", ends_at="2027-02-15T00:00:00Z"
    )
    assert await charged(session, datetime(2027, 6, 1, 1, tzinfo=UTC)) == [("2026-02", 12000)]


async def test_a_month_across_two_calendar_months_is_one(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    plan = await make_plan(admin, "Month")
    await join(
        admin, viewer, plan, starts_at="2026-11-15T00:00:00Z", ends_at="2026-12-15T00:00:00Z"
    )
    assert await charged(session, datetime(2027, 3, 1, 1, tzinfo=UTC)) == [("2026-11", 1000)]


async def test_what_was_cancelled_before_it_began_costs_nothing(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    plan = await make_plan(admin, "Month")
    path = await join(admin, viewer, plan, starts_at="2100-01-28T00:00:00Z")
    assert (await admin.post(f"{path}/cancel")).status_code == 200
    assert await close(datetime(2100, 3, 1, 1, tzinfo=UTC)) == 0


async def test_another_plan_is_charged_from_when_it_was_agreed(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    month, year = (
        await make_plan(admin, "M"),
        await make_plan(admin, "Y", period="year", price=9000),
    )
    path = await join(admin, viewer, month, starts_at="2026-01-05T00:00:00Z")
    assert (await admin.patch(path, json={"plan_id": year})).status_code == 200
    await agreed_since(session, "2026-03-21T12:00:00+00:00")
    assert await charged(session, datetime(2026, 8, 1, 1, tzinfo=UTC)) == [
        ("2026-01", 1000),
        ("2026-02", 1000),
        ("2026-03", 1000),
        ("2026-03", 9000),
    ]


async def test_change_to_a_plan_by_the_hour_still_charges_the_months_before(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    month = await make_plan(admin, "M")
    hours = await make_plan(admin, "H", billing="per_hour")
    path = await join(admin, viewer, month, starts_at="2026-01-05T00:00:00Z")
    await admin.patch(path, json={"plan_id": hours})
    await agreed_since(session, "2026-02-21T12:00:00+00:00")
    assert await charged(session, datetime(2026, 5, 1, 1, tzinfo=UTC)) == [
        ("2026-01", 1000),
        ("2026-02", 1000),
    ]


async def test_pause_is_not_charged(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    plan = await make_plan(admin, "M")
    path = await join(admin, viewer, plan, starts_at="2026-01-05T00:00:00Z")
    cancelled = (await admin.patch(path, json={"cancelled": True})).json()["cancelled_at"]
    again = await admin.patch(path, json={"cancelled": True})
    assert again.json()["cancelled_at"] == cancelled, "it was cancelled when it was"
    await agreed_since(session, "2026-01-20T00:00:00+00:00")
    back = await admin.patch(path, json={"cancelled": False})
    assert back.json()["standing"] == "active"
    await session.execute(
        text("update membership_term set from_at = '2026-04-10' where until_at is null")
    )
    await session.commit()
    assert [month for month, _ in await charged(session, datetime(2026, 6, 1, 1, tzinfo=UTC))] == [
        "2026-01",
        "2026-04",
        "2026-05",
    ]


async def test_who_is_switched_off_is_not_charged(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    plan = await make_plan(admin, "M")
    await join(admin, viewer, plan, starts_at="2026-01-05T00:00:00Z")
    number = (await viewer.get("/api/v1/me")).json()["id"]
    assert (await admin.post(f"/api/v1/users/{number}/deactivate")).status_code in {200, 204}
    assert await charged(session, datetime(2026, 3, 1, 1, tzinfo=UTC)) == []


async def test_closing_an_account_settles_what_is_open(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    plan = await make_plan(admin, "S", billing="per_stream", price=500)
    await join(admin, viewer, plan)
    (film,) = await add_films(session, {"title": "Film"})
    for device in ("TV", "Phone"):
        started = await viewer.post("/api/v1/streams", json={"video_id": film, "device": device})
        assert started.status_code == 201
    gone = await viewer.request("DELETE", "/api/v1/me", json={"password": PASSWORD})
    assert gone.status_code == 204, gone.text
    (invoice,) = (await admin.get("/api/v1/invoices")).json()["items"]
    assert (invoice["amount"], invoice["owner"]) == (1000, "former member")


async def test_closing_an_account_charges_the_period_that_began(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await join(admin, viewer, await make_plan(admin, "M"))
    await viewer.request("DELETE", "/api/v1/me", json={"password": PASSWORD})
    (invoice,) = (await admin.get("/api/v1/invoices")).json()["items"]
    assert invoice["amount"] == 1000


async def test_charge_that_fails_holds_up_nobody_else(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    """A closed door in the database for one member: the other is charged all the same."""
    plan = await make_plan(admin, "M")
    await join(admin, viewer, plan, starts_at="2026-01-05T00:00:00Z")
    await join(admin, admin, plan, starts_at="2026-01-05T00:00:00Z")
    number = (await viewer.get("/api/v1/me")).json()["id"]
    await session.execute(
        text(f"alter table invoice add constraint door check (user_id <> {int(number)}) not valid")
    )
    await session.commit()
    with pytest.raises(Exception, match="1 failed, 1 succeeded"):
        await close(datetime(2026, 2, 1, 1, tzinfo=UTC))
    assert (await admin.get("/api/v1/invoices")).json()["total"] == 1


async def test_amounts_may_be_larger_than_four_bytes(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    number = (await viewer.get("/api/v1/me")).json()["id"]
    made = (
        await admin.post("/api/v1/invoices", json={"user_id": number, "month": "2026-05"})
    ).json()
    for _ in range(25):
        line = {"description": "much", "amount": 100_000_000}
        added = await admin.post(f"/api/v1/invoices/{made['id']}/lines", json=line)
        assert added.status_code == 201
    shown = (await admin.get(f"/api/v1/invoices/{made['id']}")).json()
    assert shown["invoice"]["amount"] == 2_500_000_000


@pytest.mark.parametrize(
    "moment", ["2027-03-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
async def test_times_without_zone_or_reason_are_refused(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, moment: str
) -> None:
    plan = await make_plan(admin, "M")
    number = (await viewer.get("/api/v1/me")).json()["id"]
    body = {"user_id": number, "plan_id": plan, "ends_at": moment}
    assert (await admin.post(MEMBERSHIPS, json=body)).status_code == 400
    path = await join(admin, viewer, plan)
    assert (await admin.patch(path, json={"starts_at": moment})).status_code == 400


async def test_plan_nobody_had_can_be_deleted(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    used, trial = await make_plan(admin, "Used"), await make_plan(admin, "Trial")
    path = await join(admin, viewer, used)
    kept = await admin.delete(f"{PLANS}/{used}")
    assert (kept.status_code, kept.json()["type"]) == (409, "/problems/plan-in-use")
    assert (await admin.delete(f"{PLANS}/{trial}")).status_code == 204
    assert (await admin.delete(f"{PLANS}/{trial}")).status_code == 404
    assert (await viewer.delete(path)).status_code == 403
    assert (await admin.delete(path)).status_code == 204
    assert (await admin.delete(path)).status_code == 404
    assert (await admin.delete(f"{PLANS}/{used}")).status_code == 204
    assert (await viewer.get("/api/v1/me/membership")).json()["streams"] is None


async def test_charge_cannot_be_deleted_and_come_back(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await join(admin, viewer, await make_plan(admin, "M"), starts_at="2026-01-05T00:00:00Z")
    await close(datetime(2026, 2, 1, 1, tzinfo=UTC))
    (invoice,) = (await admin.get("/api/v1/invoices")).json()["items"]
    path = f"/api/v1/invoices/{invoice['id']}"
    (line,) = (await admin.get(path)).json()["lines"]
    kept = await admin.delete(f"{path}/lines/{line['id']}")
    assert (kept.status_code, kept.json()["type"]) == (409, "/problems/charge-kept")
    assert (await admin.patch(f"{path}/lines/{line['id']}", json={"amount": 0})).status_code == 200
    assert await close(datetime(2026, 2, 1, 1, tzinfo=UTC)) == 0
    assert (await admin.get(path)).json()["invoice"]["amount"] == 0
