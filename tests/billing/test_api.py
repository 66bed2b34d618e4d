"""Invoices: right by themselves, whoever writes, and charged exactly once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from anyio import CapacityLimiter
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from catalog.factories import add_films
from conftest import PASSWORD, http_client
from queue_helpers import rows
from videoflix.accounts.service import Accounts
from videoflix.billing import api
from videoflix.billing.jobs import close
from videoflix.billing.periods import months_before
from videoflix.billing.schemas import InvoiceCreate, StreamUsage
from videoflix.billing.service import Invoices, format_amount
from videoflix.billing.service import invoices as service
from videoflix.memberships.models import Billing
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.platform.postgres.session import alchemy, transaction
from videoflix.playback.jobs import close_all_expired
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings

INVOICES = "/api/v1/invoices"
MINE = "/api/v1/me/invoices"


async def number_of(client: httpx.AsyncClient) -> int:
    return int((await client.get("/api/v1/me")).json()["id"])


async def make_member(
    session: AsyncSession,
    user_id: int,
    billing: Billing,
    *,
    price: int = 300,
    starts_at: datetime | None = None,
) -> None:
    memberships = Memberships(session)
    plan = await memberships.add_plan(
        PlanCreate(
            name=f"{billing} {user_id}",
            price=price,
            currency=Currency.EUR,
            streams=5,
            billing=billing,
        )
    )
    await memberships.add(MembershipCreate(user_id=user_id, plan_id=plan.id, starts_at=starts_at))
    await session.commit()


async def watch(client: httpx.AsyncClient, session: AsyncSession, hours: float = 0) -> int:
    """Start and stop a stream that took so long; the id of its lease."""
    (film,) = await add_films(session, {"title": "Film"})
    lease = (await client.post("/api/v1/streams", json={"video_id": film})).json()["id"]
    await session.execute(
        text("update stream_lease set created_at = created_at - :h * interval '1 h' where id = :i"),
        {"h": hours, "i": lease},
    )
    await session.commit()
    await client.delete(f"/api/v1/streams/{lease}")
    return int(lease)


async def test_stream_is_charged_once_however_it_ends(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await make_member(session, await number_of(viewer), Billing.PER_STREAM)
    lease = await watch(viewer, session)
    await viewer.delete(f"/api/v1/streams/{lease}")
    await close_all_expired()
    (invoice,) = (await viewer.get(MINE)).json()["items"]
    assert (invoice["amount"], invoice["status"], invoice["currency"]) == (
        300,
        "outstanding",
        "EUR",
    )
    assert invoice["number"] == f"{datetime.now(UTC).year}-000001"
    shown = (await viewer.get(f"{INVOICES}/{invoice['id']}")).json()
    assert [line["amount"] for line in shown["lines"]] == [300]
    assert shown["lines"][0]["description"].startswith("Film, ")
    await watch(viewer, session)
    assert (await viewer.get(MINE)).json()["items"][0]["amount"] == 600


async def test_hours_are_charged_to_the_cent(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await make_member(session, await number_of(viewer), Billing.PER_HOUR)
    await watch(viewer, session, hours=1.5)
    assert (await viewer.get(MINE)).json()["items"][0]["amount"] == 450


async def test_silent_stream_is_charged_until_it_fell_silent(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await make_member(session, await number_of(viewer), Billing.PER_HOUR, price=3600)
    (film,) = await add_films(session, {"title": "Film"})
    await viewer.post("/api/v1/streams", json={"video_id": film})
    await session.execute(
        text(
            "update stream_lease set created_at = now() - interval '2 h',"
            " seen_at = now() - interval '1 h' - interval '90 s'"
        )
    )
    assert await close_all_expired() == 1
    assert await close_all_expired() == 0
    await session.commit()
    assert (await viewer.get(MINE)).json()["items"][0]["amount"] == 3600


async def test_flat_plan_charges_months_and_no_streams(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    start = datetime(2026, 1, 15, tzinfo=UTC)
    await make_member(session, await number_of(viewer), Billing.FLAT, starts_at=start)
    await watch(viewer, session)
    assert (await viewer.get(MINE)).json()["total"] == 0
    for _ in range(2):  # again changes nothing
        await close(datetime(2026, 2, 1, 0, 10, tzinfo=UTC))
        await close(datetime(2026, 3, 1, 0, 10, tzinfo=UTC))
    await session.commit()
    items = (await viewer.get(MINE)).json()["items"]
    assert [(item["month"], item["amount"]) for item in items] == [
        ("2026-02", 300),
        ("2026-01", 300),
    ]
    mails = await session.scalars(text("select subject from mail order by id"))
    assert list(mails) == ["Your invoice 2026-000001", "Your invoice 2026-000002"]


async def test_closing_that_was_missed_is_caught_up_with(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    start = datetime(2025, 11, 3, tzinfo=UTC)
    await make_member(session, await number_of(viewer), Billing.FLAT, starts_at=start)
    assert await close(datetime(2026, 1, 9, tzinfo=UTC)) == 2
    await session.commit()
    items = (await viewer.get(MINE)).json()["items"]
    assert [(item["month"], item["number"]) for item in items] == [
        ("2025-12", "2025-000002"),
        ("2025-11", "2025-000001"),
    ]


@pytest.mark.parametrize(
    ("zone", "ended", "month"),
    [
        ("UTC", "2026-12-31T23:59:59Z", "2026-12"),
        ("Europe/Berlin", "2026-12-31T23:30:00Z", "2027-01"),
        ("America/New_York", "2027-01-01T03:00:00Z", "2026-12"),
        ("Europe/Berlin", "2026-03-31T21:59:00Z", "2026-03"),  # summer time has begun
        ("Europe/Berlin", "2026-03-31T22:01:00Z", "2026-04"),
        ("UTC", "2028-02-29T12:00:00Z", "2028-02"),
    ],
)
async def test_month_is_that_of_the_installation(
    viewer: httpx.AsyncClient,
    session: AsyncSession,
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
    ended: str,
    month: str,
) -> None:
    number = await number_of(viewer)
    await make_member(session, number, Billing.PER_STREAM)
    there = msgspec.structs.replace(settings, time_zone=ZoneInfo(zone))
    monkeypatch.setattr(service, "settings", there)
    at = datetime.fromisoformat(ended)
    (plan,) = await session.scalars(text("select id from plan"))
    watched = StreamUsage(7, number, plan, "Film", at, at)
    assert await Invoices(session).charge_stream(watched)
    assert not await Invoices(session).charge_stream(watched)
    await session.commit()
    assert [one["month"] for one in (await viewer.get(MINE)).json()["items"]] == [month]


async def open_invoice(admin: httpx.AsyncClient, user_id: int, month: str = "2026-05") -> str:
    made = await admin.post(INVOICES, json={"user_id": user_id, "month": month})
    assert made.status_code == 201, made.text
    return f"{INVOICES}/{made.json()['id']}"


async def test_amount_is_the_sum_of_lines_kept_by_the_database(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    path = await open_invoice(admin, await number_of(viewer))
    first = (await admin.post(f"{path}/lines", json={"description": "a", "amount": 150})).json()
    second = (await admin.post(f"{path}/lines", json={"description": "b", "amount": 50})).json()
    await admin.patch(f"{path}/lines/{first['id']}", json={"amount": 100})
    await admin.delete(f"{path}/lines/{second['id']}")
    assert (await admin.get(path)).json()["invoice"]["amount"] == 100
    await session.execute(text("update invoice set amount = 999999"))
    await session.commit()
    assert (await admin.get(path)).json()["invoice"]["amount"] == 100


async def test_repeated_charge_is_one_line(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    number = await number_of(viewer)
    path, other = await open_invoice(admin, number), await open_invoice(admin, number, "2026-06")
    body, key = {"description": "a", "amount": 150}, {"Idempotency-Key": "k1"}
    answers = [await admin.post(f"{path}/lines", json=body, headers=key) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert (await admin.get(path)).json()["invoice"]["amount"] == 150
    elsewhere = await admin.post(f"{other}/lines", json=body, headers=key)
    assert (elsewhere.status_code, elsewhere.json()["type"]) == (422, "/problems/key-reused")


async def test_paid_invoice_does_not_change_down_in_the_database(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    path = await open_invoice(admin, await number_of(viewer))
    line = (await admin.post(f"{path}/lines", json={"description": "a", "amount": 150})).json()
    assert (await admin.post(f"{path}/pay")).json()["status"] == "paid"
    for refused in (
        await admin.post(f"{path}/pay"),
        await admin.post(f"{path}/lines", json={"description": "b", "amount": 1}),
        await admin.patch(f"{path}/lines/{line['id']}", json={"amount": 1}),
        await admin.delete(f"{path}/lines/{line['id']}"),
    ):
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/invoice-closed")
    for statement in (
        "update invoice_line set amount = 0",
        "delete from invoice_line",
        "insert into invoice_line (invoice_id, description, amount, created_at, updated_at)"
        " select id, 'x', 1, now(), now() from invoice",
        "update invoice set status = 'outstanding'",
        "update invoice set period = period + interval '1 month'",
        "delete from invoice",
    ):
        with pytest.raises(SQLAlchemyError, match="paid or void"):
            async with session.begin_nested():
                await session.execute(text(statement))
    assert (await admin.post(f"{path}/void")).json()["status"] == "void"
    assert (await admin.post(f"{path}/void")).status_code == 409


async def test_what_comes_after_paying_is_charged_on_the_next_invoice(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    number = await number_of(viewer)
    await make_member(session, number, Billing.PER_STREAM)
    await watch(viewer, session)
    (first,) = (await viewer.get(MINE)).json()["items"]
    await admin.post(f"{INVOICES}/{first['id']}/pay")
    await watch(viewer, session)
    items = (await viewer.get(MINE)).json()["items"]
    assert [item["amount"] for item in items] == [300, 300]
    this_month = datetime.now(UTC).date().replace(day=1)
    assert items[0]["month"] == f"{months_before(this_month, -1):%Y-%m}"


async def test_members_read_their_own_only(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    path = await open_invoice(admin, await number_of(viewer))
    assert (await viewer.get(path)).status_code == 200
    for denied in (path, f"{path}/pdf"):
        assert (await editor.get(denied)).status_code == 404
    assert (await viewer.get(INVOICES)).status_code == 403
    assert (await viewer.post(f"{path}/pay")).status_code == 403
    listed = (await admin.get(f"{INVOICES}?month=2026-05&status=outstanding")).json()
    assert listed["total"] == 1
    assert (await admin.get(f"{INVOICES}?status=lost")).status_code == 400


async def test_invoice_is_a_pdf_and_a_month_a_csv(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    path = await open_invoice(admin, await number_of(viewer))
    for amount in range(60):  # more than a page
        body = {"description": f"Straße № {amount} 🎬", "amount": amount}
        await admin.post(f"{path}/lines", json=body)
    pdf = await viewer.get(f"{path}/pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    by_name = await viewer.get(f"{path}.pdf")
    assert by_name.headers["content-type"] == "application/pdf"
    assert (await viewer.get(f"{path}.exe")).status_code == 400
    assert (await admin.get(f"{INVOICES}/999.pdf")).status_code == 404
    exported = await admin.get(f"{INVOICES}/export?month=2026-05")
    assert exported.content.startswith(b"\xef\xbb\xbf"), "Excel reads UTF-8 by this mark"
    assert exported.content.decode("utf-8-sig").splitlines() == [
        "number,month,owner,status,currency,amount",
        "2026-000001,2026-05,Viewer <viewer@example.org>,outstanding,EUR,1770",
    ]


async def test_closed_account_leaves_invoices_without_its_name(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    path = await open_invoice(admin, await number_of(viewer))
    await admin.post(f"{path}/pay")
    await viewer.request("DELETE", "/api/v1/me", json={"password": PASSWORD})
    left = (await admin.get(path)).json()["invoice"]
    assert (left["user_id"], left["owner"], left["status"]) == (None, "former member", "paid")


@pytest.mark.parametrize(
    "body",
    [
        {"description": "a", "amount": -1},
        {"description": "a", "amount": 1.5},
        {"description": "", "amount": 1},
        {"description": "a"},
    ],
)
async def test_bad_lines_are_refused(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, body: dict[str, object]
) -> None:
    path = await open_invoice(admin, await number_of(viewer))
    assert (await admin.post(f"{path}/lines", json=body)).status_code == 400


async def test_bad_invoices_are_refused(admin: httpx.AsyncClient) -> None:
    unknown = await admin.post(INVOICES, json={"user_id": 999999, "month": "2026-05"})
    assert unknown.json()["type"] == "/problems/person-unknown"
    assert (await admin.post(INVOICES, json={"user_id": 1, "month": "2026-13"})).status_code == 400
    assert (await admin.post(f"{INVOICES}/999/pay")).status_code == 404


async def test_newest_invoice_of_a_year_can_be_deleted_and_leaves_no_gap(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    number = await number_of(viewer)
    may = await open_invoice(admin, number)
    june = (await admin.post(INVOICES, json={"user_id": number, "month": "2026-06"})).json()
    await admin.post(f"{INVOICES}/{june['id']}/lines", json={"description": "x", "amount": 5})
    assert june["number"] == "2026-000002"
    kept = await admin.delete(may)
    assert (kept.status_code, kept.json()["type"]) == (409, "/problems/invoice-kept")
    assert (await viewer.delete(f"{INVOICES}/{june['id']}")).status_code == 403
    assert (await admin.delete(f"{INVOICES}/{june['id']}")).status_code == 204
    assert (await admin.get(f"{INVOICES}/{june['id']}")).status_code == 404
    july = (await admin.post(INVOICES, json={"user_id": number, "month": "2026-07"})).json()
    assert july["number"] == "2026-000002"
    paid = await admin.patch(f"{INVOICES}/{july['id']}", json={"status": "paid"})
    assert paid.json()["status"] == "paid"
    assert (await admin.delete(f"{INVOICES}/{july['id']}")).status_code == 409
    again = await admin.patch(f"{INVOICES}/{july['id']}", json={"status": "paid"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/invoice-closed")
    void = await admin.patch(f"{INVOICES}/{july['id']}", json={"status": "void"})
    assert void.json()["status"] == "void"
    wrong = await admin.patch(f"{INVOICES}/{july['id']}", json={"status": "outstanding"})
    assert wrong.status_code == 400


async def test_charged_invoice_cannot_be_deleted(
    session: AsyncSession, admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    await make_member(session, await number_of(viewer), Billing.PER_STREAM)
    await watch(viewer, session)
    (invoice,) = (await viewer.get(MINE)).json()["items"]
    assert (await admin.delete(f"{INVOICES}/{invoice['id']}")).status_code == 409


async def test_racing_charges_make_one_invoice_without_gaps(committed: None, app: Litestar) -> None:
    async with transaction() as session:
        people = [
            (await Accounts(session).create_user(email=f"{n}@a.org", password=PASSWORD)).id
            for n in range(4)
        ]
    async with transaction() as session:
        await make_member(session, people[0], Billing.PER_STREAM)
    (plan,) = await rows("select id from plan")
    at = datetime(2026, 6, 5, tzinfo=UTC)

    async def charge(lease: int) -> bool:
        watched = StreamUsage(lease // 3, people[lease % 4], plan["id"], "Film", at, at)
        async with transaction() as session:
            return await Invoices(session).charge_stream(watched)

    charged = await asyncio.gather(*[charge(lease) for lease in range(36)])
    assert sum(charged) == len(await rows("select id from invoice_line")) == 12
    numbers = await rows("select number from invoice order by 1")
    assert [row["number"] for row in numbers] == [
        f"2026-{n:06}" for n in range(1, len(numbers) + 1)
    ]
    wrong = "select id from invoice where amount <> (select sum(amount) from invoice_line as line"
    assert await rows(f"{wrong} where line.invoice_id = invoice.id)") == []


async def test_two_workers_close_the_same_month_once(committed: None) -> None:
    async with transaction() as session:
        user = await Accounts(session).create_user(email="m@a.org", password=PASSWORD)
    async with transaction() as session:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        await make_member(session, user.id, Billing.FLAT, starts_at=start)

    first_of_month = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)
    assert sorted(await asyncio.gather(close(first_of_month), close(first_of_month))) == [0, 1]
    assert len(await rows("select id from mail where subject like 'Your invoice%'")) == 1


def test_amounts_have_the_decimals_of_their_currency() -> None:
    assert (format_amount(1299, "EUR"), format_amount(500, "JPY")) == ("12.99 EUR", "500 JPY")


@asynccontextmanager
async def as_somebody(limiter: CapacityLimiter) -> AsyncIterator[None]:
    """Holds one token, for a borrower of its own."""
    who = object()
    await limiter.acquire_on_behalf_of(who)
    try:
        yield
    finally:
        limiter.release_on_behalf_of(who)


async def test_no_connection_is_held_while_a_file_is_printed(
    app: Litestar, committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a pool of one connection others are answered while invoices are rendered."""
    async with transaction() as session:
        member = await Accounts(session).create_user(email="m@example.org", password=PASSWORD)
        pair = await Sessions(session).open(member)
        invoice = await Invoices(session).add(
            InvoiceCreate(user_id=member.id, month="2026-11", currency=Currency.EUR)
        )
    engine = create_async_engine(
        settings.sqlalchemy_url, pool_size=1, max_overflow=0, pool_timeout=0.2
    )
    monkeypatch.setattr(
        alchemy, "session_maker", async_sessionmaker(engine, expire_on_commit=False)
    )
    try:
        async with http_client(app, {"Authorization": f"Bearer {pair.access}"}) as client:
            paths = [f"{INVOICES}/{invoice.id}/pdf", f"{INVOICES}/{invoice.id}.pdf"]
            async with AsyncExitStack() as printing:
                for _ in range(int(api._pdf_limiter.total_tokens)):  # all printers are busy
                    await printing.enter_async_context(as_somebody(api._pdf_limiter))
                waiting = [asyncio.create_task(client.get(path)) for path in paths]
                await asyncio.sleep(0.5)
                for _ in range(3):
                    assert (await client.get(MINE)).status_code == 200
                assert not any(task.done() for task in waiting)
            answers = await asyncio.gather(*waiting)
        assert [answer.status_code for answer in answers] == [200, 200]
    finally:
        await engine.dispose()
