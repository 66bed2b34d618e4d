"""The dialect `streaming`, row by row: invoices, lines, checking in and out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD, http_client
from queue_helpers import rows
from videoflix.accounts.service import Accounts
from videoflix.compat.streaming import access
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.platform.postgres.session import transaction
from videoflix.settings import read_settings, settings

KEY = "a key that only the proxy in front knows"
INVOICES = "/invoice/invoices/"
LINES = "/invoice/invoice_lines/"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def vouching(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that trusts a proxy."""
    trusting = msgspec.structs.replace(settings, streaming_dialect_trusted_proxy_key=KEY)
    monkeypatch.setattr(access, "settings", trusting)


@pytest.fixture
async def proxied(
    app: Litestar, session: AsyncSession, vouching: None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that never says who it is, behind the proxy."""
    async with http_client(app, {"X-Videoflix-Proxy-Key": KEY}) as client:
        yield client


async def add_member(
    session: AsyncSession,
    email: str = "m@example.org",
    streams: int = 2,
    **membership: Any,
) -> int:
    user = await Accounts(session).create_user(email=email, password=PASSWORD)
    memberships = Memberships(session)
    plan = await memberships.add_plan(
        PlanCreate(name=f"Plan of {email}", price=100, currency=Currency.EUR, streams=streams)
    )
    await memberships.add(MembershipCreate(user_id=user.id, plan_id=plan.id, **membership))
    await session.commit()
    return user.id


async def add_person(session: AsyncSession) -> int:
    user = await Accounts(session).create_user(email="p@example.org", password=PASSWORD)
    await session.commit()
    return user.id


# ── who may ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("vouching")
@pytest.mark.parametrize("path", [INVOICES, LINES, f"{INVOICES}1/", "/checkin/", "/checkout/"])
async def test_only_the_proxy_and_admins_are_answered(
    app: Litestar, viewer: httpx.AsyncClient, admin: httpx.AsyncClient, path: str
) -> None:
    method = "POST" if path.startswith("/check") else "GET"
    for headers in ({}, {"X-Videoflix-Proxy-Key": ""}, {"X-Videoflix-Proxy-Key": KEY[:-1]}):
        async with http_client(app, headers) as stranger:
            assert (await stranger.request(method, path)).status_code == 401
    assert (await viewer.request(method, path)).status_code == 403
    assert (await admin.request(method, path)).status_code in {200, 400, 404}


async def test_without_a_key_nobody_is_vouched_for(client: httpx.AsyncClient) -> None:
    for key in ("", "None", KEY):
        answer = await client.get(INVOICES, headers={"X-Videoflix-Proxy-Key": key})
        assert answer.status_code == 401


def test_short_keys_are_refused_at_start() -> None:
    with pytest.raises(SystemExit, match="STREAMING_DIALECT_TRUSTED_PROXY_KEY is wrong"):
        read_settings({"STREAMING_DIALECT_TRUSTED_PROXY_KEY": "short"})


# ── invoices ──────────────────────────────────────────────────────────────────────────────────


async def test_invoices_are_made_listed_and_read(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    user = await add_person(session)
    body = {"user": user, "status": "OUT", "amount": 15, "description": "Fifteen", "extra": 1}
    made = await proxied.post(INVOICES, json=body)
    assert made.status_code == 201
    invoice = made.json()
    assert invoice == {
        "id": invoice["id"],
        "user": user,
        "date": TODAY.isoformat(),
        "status": "OUT",
        "description": "Fifteen",
        "amount": 15,
        "invoice_lines": invoice["invoice_lines"],
    }
    assert (await proxied.get(INVOICES)).json() == [invoice]
    shown = (await proxied.get(f"{INVOICES}{invoice['id']}/")).json()
    (line,) = shown.pop("invoice_lines")
    assert shown.items() <= invoice.items()
    assert line == {
        "id": invoice["invoice_lines"][0],
        "invoice": invoice["id"],
        "amount": 15,
        "description": "Fifteen",
    }


async def test_a_month_has_one_invoice(proxied: httpx.AsyncClient, session: AsyncSession) -> None:
    body = {"user": await add_person(session), "status": "OUT"}
    first = (await proxied.post(INVOICES, data=body)).json()
    again = (await proxied.post(INVOICES, json=body)).json()
    assert again["id"] == first["id"]
    last_year = body | {"date": f"{TODAY.year - 1}-{TODAY:%m}-01"}
    other = (await proxied.post(INVOICES, json=last_year)).json()
    assert other["id"] != first["id"], "the month of another year is another month"
    assert other["date"] == last_year["date"]


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"user": None}, {"user": ["This field is required."]}),
        ({"user": 77}, {"user": ['Invalid pk "77" - object does not exist.']}),
        ({"status": None}, {"status": ["This field is required."]}),
        ({"status": "X"}, {"status": ['"X" is not a valid choice.']}),
        ({"amount": -1}, {"amount": ["Ensure this value is greater than or equal to 0."]}),
        ({"amount": "x"}, {"amount": ["A valid integer is required."]}),
    ],
    ids=str,
)
async def test_invoices_that_are_refused(
    proxied: httpx.AsyncClient, session: AsyncSession, change: dict[str, Any], body: object
) -> None:
    given = {"user": await add_person(session), "status": "OUT"} | change
    sent = {name: value for name, value in given.items() if value is not None}
    answer = await proxied.post(INVOICES, json=sent)
    assert (answer.status_code, answer.json()) == (400, body)


@pytest.mark.parametrize("number", ["77", "x", "0", "9" * 30])
async def test_invoices_that_are_not_there(proxied: httpx.AsyncClient, number: str) -> None:
    shown = await proxied.get(f"{INVOICES}{number}/")
    assert (shown.status_code, shown.json()) == (404, "Invoice does not exist")
    for method in ("PUT", "PATCH", "DELETE"):
        body = {"user": 1, "status": "OUT"}
        answer = await proxied.request(method, f"{INVOICES}{number}/", json=body)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
        line = await proxied.request(method, f"{LINES}{number}/", json={"invoice": 1})
        assert (line.status_code, line.json()) == (404, {"detail": "Not found."})
    line = await proxied.get(f"{LINES}{number}/")
    assert (line.status_code, line.json()) == (404, {"detail": "Not found."})


async def test_invoices_are_changed_and_deleted(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    user = await add_person(session)
    made = (await proxied.post(INVOICES, json={"user": user, "status": "OUT", "amount": 4})).json()
    path = f"{INVOICES}{made['id']}/"
    partial = await proxied.put(path, json={"status": "OUT"})
    assert (partial.status_code, partial.json()) == (400, {"user": ["This field is required."]})
    other = await proxied.patch(path, json={"user": user + 1})
    text = f'Invalid pk "{user + 1}" - object does not exist.'
    assert (other.status_code, other.json()) == (400, {"user": [text]})
    paid = await proxied.put(path, json={"user": user, "status": "PAID"})
    assert (paid.status_code, paid.json()) == (200, made | {"status": "PAID"})
    back = await proxied.patch(path, json={"status": "OUT"})
    assert back.status_code == 409
    assert list(back.json()) == ["detail"]
    assert (await proxied.patch(path, json={"status": "VOID"})).json()["status"] == "VOID"
    assert (await proxied.delete(path)).status_code == 409, "closed money stays closed"
    newer = {"user": await add_member(session), "status": "OUT"}
    newest = f"{INVOICES}{(await proxied.post(INVOICES, json=newer)).json()['id']}/"
    gone = await proxied.delete(newest)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await proxied.get(newest)).status_code == 404


async def test_open_invoices_are_corrected(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    user, other = await add_person(session), await add_member(session)
    body = {"user": user, "status": "OUT", "date": f"{TODAY.year}-03-04", "description": ""}
    made = (await proxied.post(INVOICES, json=body | {"amount": 4})).json()
    assert made.items() >= body.items()
    path = f"{INVOICES}{made['id']}/"
    for change in (
        {"amount": 9},
        {"amount": 2},
        {"amount": 0},
        {"description": "By hand"},
        {"date": f"{TODAY.year}-03-31"},
        {"date": f"{TODAY.year}-05-06"},
        {"user": other},
    ):
        changed = await proxied.patch(path, json=change)
        assert changed.status_code == 200, changed.text
        assert changed.json().items() >= change.items()
    whole = {"user": user, "status": "OUT", "date": f"{TODAY.year}-03-05", "description": "Again"}
    put = await proxied.put(path, json=whole | {"amount": 7})
    assert (put.status_code, put.json()["amount"]) == (200, 7)
    assert put.json().items() >= whole.items()


async def test_corrections_that_are_refused(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    user, other = await add_person(session), await add_member(session)
    march, others = [
        (await proxied.post(INVOICES, json={"user": who, "status": "OUT", "date": day})).json()
        for who, day in ((user, f"{TODAY.year}-03-01"), (other, f"{TODAY.year}-03-02"))
    ]
    path = f"{INVOICES}{march['id']}/"
    await proxied.post(
        INVOICES, json={"user": user, "status": "OUT", "date": f"{TODAY.year}-06-01"}
    )
    for change, why in (
        ({"user": other}, "has an invoice of that month"),
        ({"date": f"{TODAY.year}-06-09"}, "has an invoice of that month"),
        ({"date": f"{TODAY.year - 1}-03-01"}, "belongs to its year"),
    ):
        refused = await proxied.patch(path, json=change)
        assert (refused.status_code, list(refused.json())) == (409, ["detail"])
        assert why in refused.json()["detail"]
    assert (await proxied.get(path)).json()["date"] == march["date"]
    await proxied.patch(path, json={"status": "PAID"})
    for change in ({"amount": 3}, {"description": "x"}, {"date": f"{TODAY.year}-03-09"}):
        assert (await proxied.patch(path, json=change)).status_code == 409
    assert others["user"] == other


async def test_deleted_invoices_leave_no_gap_between_numbers(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    user = await add_person(session)
    body = {"user": user, "status": "OUT", "date": f"{TODAY.year}-03-01", "amount": 5}
    first = (await proxied.post(INVOICES, json=body)).json()["id"]
    await proxied.post(INVOICES, json=body | {"date": f"{TODAY.year}-04-01"})
    assert (await proxied.delete(f"{INVOICES}{first}/")).status_code == 204
    assert (await proxied.get(f"{INVOICES}{first}/")).status_code == 404
    assert first not in [found["id"] for found in (await proxied.get(INVOICES)).json()]
    kept = await session.execute(text("select status, number from invoice order by number"))
    assert [status for status, _ in kept] == ["void", "outstanding"]
    again = (await proxied.post(INVOICES, json=body)).json()
    assert again["id"] != first


async def test_links(proxied: httpx.AsyncClient) -> None:
    assert (await proxied.get("/invoice/")).json() == {
        "invoice_lines": f"http://test{LINES}",
        "invoices": f"http://test{INVOICES}",
    }


async def test_changes_are_in_the_audit(
    proxied: httpx.AsyncClient, admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    body = {"user": await add_person(session), "status": "OUT"}
    made = (await proxied.post(INVOICES, json=body)).json()["id"]
    await admin.patch(f"{INVOICES}{made}/", json={"status": "PAID"})
    found = (await admin.get("/api/v1/audit?kind=staff-change")).json()["items"]
    boss = (await admin.get("/api/v1/me")).json()["id"]
    assert [(event["detail"], event["actor_id"]) for event in found] == [
        (f"Change an invoice: PATCH {INVOICES}{made}", boss),
        ("Open an invoice: POST /invoice/invoices", None),
    ]


# ── lines ─────────────────────────────────────────────────────────────────────────────────────


async def test_lines_and_the_sum_they_make(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    user = await add_person(session)
    invoice = (await proxied.post(INVOICES, json={"user": user, "status": "OUT"})).json()["id"]

    async def amount() -> int:
        found: int = (await proxied.get(f"{INVOICES}{invoice}/")).json()["amount"]
        return found

    body = {"invoice": invoice, "amount": 3, "description": "Three"}
    made = await proxied.post(LINES, json=body)
    assert (made.status_code, made.json()) == (201, {"id": made.json()["id"], **body})
    free = await proxied.post(LINES, data={"invoice": str(invoice)})
    assert (free.status_code, free.json()["amount"]) == (201, 0)
    assert await amount() == 3
    path = f"{LINES}{made.json()['id']}/"
    assert (await proxied.get(path)).json() == made.json()
    assert (await proxied.get(LINES)).json() == [made.json(), free.json()]
    assert len((await proxied.get(f"{LINES}?invoice={invoice}")).json()) == 2
    assert (await proxied.get(f"{LINES}?invoice=77")).json() == []
    assert (await proxied.get(f"{LINES}?invoice=x")).status_code == 400, "once a server error"
    put = await proxied.put(path, json=body | {"amount": 10})
    assert (put.status_code, put.json()["amount"]) == (200, 10)
    assert await amount() == 10, "once it stayed what it was"
    assert (await proxied.patch(path, json={"description": "Ten"})).json()["description"] == "Ten"
    assert free.json()["description"] == "", "empty as it was sent"
    april = {"user": user, "status": "OUT", "date": f"{TODAY.year}-04-01"}
    other = (await proxied.post(INVOICES, json=april)).json()["id"]
    moved = await proxied.patch(path, json={"invoice": other})
    assert (moved.json()["id"], moved.json()["invoice"]) == (made.json()["id"], other)
    assert await amount() == 0
    assert (await proxied.get(f"{INVOICES}{other}/")).json()["amount"] == 10
    nowhere = await proxied.patch(path, json={"invoice": 999_999})
    assert nowhere.json() == {"invoice": ['Invalid pk "999999" - object does not exist.']}
    await proxied.patch(path, json={"invoice": invoice})
    assert (await proxied.delete(path)).status_code == 204
    assert await amount() == 0


async def test_lines_that_are_refused(proxied: httpx.AsyncClient, session: AsyncSession) -> None:
    missing = await proxied.post(LINES, json={})
    assert (missing.status_code, missing.json()) == (400, {"invoice": ["This field is required."]})
    unknown = await proxied.post(LINES, json={"invoice": 77})
    text = 'Invalid pk "77" - object does not exist.'
    assert (unknown.status_code, unknown.json()) == (400, {"invoice": [text]})
    user = await add_person(session)
    paid = (await proxied.post(INVOICES, json={"user": user, "status": "PAID"})).json()
    assert (await proxied.post(LINES, json={"invoice": paid["id"]})).status_code == 409


# ── checking in and out ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("slash", ["", "/"])
async def test_checking_in_and_out(
    proxied: httpx.AsyncClient, session: AsyncSession, slash: str
) -> None:
    user = await add_member(session)
    first = await proxied.post(f"/checkin{slash}", json={"id": user})
    assert first.status_code == 200
    assert list(first.json()) == ["invoice_id", "invoice_line_id"]
    second = await proxied.post(f"/checkin{slash}", data={"id": str(user)})
    assert second.json()["invoice_id"] == first.json()["invoice_id"]
    invoice = (await proxied.get(f"{INVOICES}{first.json()['invoice_id']}/")).json()
    assert (invoice["status"], invoice["amount"], invoice["user"]) == ("OUT", 2, user)
    assert invoice["description"] == f"Invoice for month number {TODAY.month}"
    assert [line["description"] for line in invoice["invoice_lines"]] == ["Check-in"] * 2
    assert invoice["invoice_lines"][0]["id"] == first.json()["invoice_line_id"]
    out = await proxied.post(f"/checkout{slash}", json={"id": user})
    assert out.status_code == 200
    line = (await proxied.get(f"{LINES}{out.json()['invoice_line_id']}/")).json()
    assert (line["description"], line["amount"]) == ("Check-out", 1)
    assert line["invoice"] == first.json()["invoice_id"]


async def test_check_outs_give_back_what_was_taken_and_no_more(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    """Once, a check-out without a stream raised the credit beyond the plan's."""
    user = {"id": await add_member(session, streams=2)}
    for _ in range(2):
        assert (await proxied.post("/checkin/", json=user)).status_code == 200
    refused = await proxied.post("/checkin/", json=user)
    assert (refused.status_code, refused.json()) == (400, {"id": ["User membership invalid"]})
    for _ in range(2):
        assert (await proxied.post("/checkout/", json=user)).status_code == 200
    third = await proxied.post("/checkout/", json=user)
    assert (third.status_code, third.json()) == (400, ["User membership invalid"])
    again = [(await proxied.post("/checkin/", json=user)).status_code for _ in range(3)]
    assert again == [200, 200, 400]


async def test_check_out_without_an_invoice(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    answer = await proxied.post("/checkout/", json={"id": await add_member(session)})
    assert (answer.status_code, answer.json()) == (400, ["User membership invalid"])


@pytest.mark.parametrize("path", ["/checkin/", "/checkout/"])
@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "This field is required."),
        ({"id": 0}, "Ensure this value is greater than or equal to 1."),
        ({"id": "x"}, "A valid integer is required."),
        ({"id": 77}, "User id does not exist"),
    ],
    ids=str,
)
async def test_ids_that_are_refused(
    proxied: httpx.AsyncClient, path: str, sent: dict[str, Any], sentence: str
) -> None:
    answer = await proxied.post(path, json=sent)
    assert (answer.status_code, answer.json()) == (400, {"id": [sentence]})


@pytest.mark.parametrize("path", ["/checkin/", "/checkout/"])
async def test_memberships_that_are_refused(
    proxied: httpx.AsyncClient, session: AsyncSession, path: str
) -> None:
    nobody = {"id": await add_person(session)}
    none = await proxied.post(path, json=nobody)
    assert (none.status_code, none.json()) == (400, {"id": ["User membership does not exist"]})
    now = datetime.now(UTC)
    day = timedelta(days=1)
    ended = await add_member(session, "e@example.org", starts_at=now - 2 * day, ends_at=now - day)
    future = await add_member(session, "f@example.org", starts_at=now + day)
    cancelled = await add_member(session, "c@example.org")
    await session.execute(
        text("update membership set cancelled_at = now() where user_id = :user"),
        {"user": cancelled},
    )
    await session.commit()
    assert (await proxied.post(path, json=nobody)).json() == none.json(), "with plans, too"
    for member in (ended, future, cancelled):
        answer = await proxied.post(path, json={"id": member})
        assert (answer.status_code, answer.json()) == (400, {"id": ["User membership invalid"]})


async def test_last_years_invoice_is_left_alone(
    proxied: httpx.AsyncClient, session: AsyncSession
) -> None:
    user = await add_member(session)
    day = date(TODAY.year - 1, TODAY.month, 1).isoformat()
    old = await proxied.post(INVOICES, json={"user": user, "status": "OUT", "date": day})
    new = await proxied.post("/checkin/", json={"id": user})
    assert new.json()["invoice_id"] != old.json()["id"]


async def test_check_ins_are_streams_of_their_person(
    proxied: httpx.AsyncClient, admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    user = await add_member(session)
    await proxied.post("/checkin/", json={"id": user})
    (stream,) = (await admin.get("/api/v1/streams/everybody")).json()
    assert (stream["user_id"], stream["video_id"], stream["title"]) == (user, None, "Check-in")
    await session.execute(text("update stream_lease set seen_at = now() - interval '2 minutes'"))
    await session.commit()
    assert (await admin.get("/api/v1/streams/everybody")).json() == [], "nobody counts for ever"


async def test_check_ins_at_once_do_not_pass_the_limit(
    app: Litestar, committed: None, vouching: None
) -> None:
    """Once, two requests with one credit both passed."""
    async with transaction() as session:
        user = await add_member(session, streams=1)
    async with http_client(app, {"X-Videoflix-Proxy-Key": KEY}) as client:
        answers = await asyncio.gather(
            *(client.post("/checkin/", json={"id": user}) for _ in range(5))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    assert len(await rows("select id from invoice_line")) == 1
