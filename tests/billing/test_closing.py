"""Closing a month is fast, goes on where it was interrupted, and holds up nobody."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from factories import InvoiceFactory, create
from queue_helpers import execute, rows
from videoflix.billing.jobs import close
from videoflix.billing.models import InvoiceStatus
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import BatchFailed

MANY = 2000
FIRST = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)
MEMBERS = """
with plan as (
    insert into plan (name, price, currency, period, billing, streams, profiles,
                      is_offered, created_at, updated_at)
    values ('Flat', 700, 'EUR', 'month', 'flat', 2, 5, true, now(), now()) returning id
), member as (
    insert into user_account
        (email, email_key, password_hash, first_name, last_name, phone, address, role,
         is_active, is_guest, language, created_at, updated_at)
    select 'm' || n || '@example.org', 'm' || n || '@example.org', '', '', '', '', '', 'viewer',
           true, false, 'en',
           now(), now()
    from generate_series(1, :count) as n returning id
), membership as (
    insert into membership (user_id, plan_id, starts_at, created_at, updated_at)
    select member.id, plan.id, '2026-01-05', now(), now() from member, plan returning id, plan_id
)
insert into membership_term (membership_id, plan_id, from_at, created_at, updated_at)
select id, plan_id, '2026-01-05', now(), now() from membership
"""
REFUSE = """
create function refuse_one() returns trigger language plpgsql as $$
begin
    if new.source like 'flat:7:%' then raise exception 'not this one'; end if;
    return new;
end $$;
create trigger refuse_one before insert on invoice_line for each row execute function refuse_one()
"""


async def add_members(count: int) -> None:
    await execute(MEMBERS, count=count)


async def assert_exact(count: int) -> None:
    """Every member was charged once, invoices have numbers without a gap, and sums are right."""
    lines = await rows("select count(*) as n, count(distinct source) as d from invoice_line")
    assert lines == [{"n": count, "d": count}]
    invoices = await rows("select number, amount from invoice order by number")
    assert [row["number"] for row in invoices] == [f"2026-{n:06}" for n in range(1, count + 1)]
    assert {row["amount"] for row in invoices} == {700}
    (reminded,) = await rows("select count(*) as n from mail")
    assert reminded["n"] == count


async def test_nothing_is_due_for_thousands_of_members(committed: None) -> None:
    await add_members(MANY)
    began = time.perf_counter()
    assert await close(FIRST) == MANY
    charging = time.perf_counter() - began
    await assert_exact(MANY)

    began = time.perf_counter()
    assert await close(FIRST) == 0
    again = time.perf_counter() - began
    print(f"{MANY} charged and reminded in {charging:.2f} s, nothing due in {again:.3f} s")
    assert again < charging / 20


async def test_a_closing_that_was_interrupted_goes_on(committed: None) -> None:
    await add_members(600)
    rounds = 0
    while rounds < 100:
        rounds += 1
        try:
            async with asyncio.timeout(0.15 * rounds):
                await close(FIRST)
            break
        except TimeoutError:
            continue
    assert rounds > 1, "it was never interrupted"
    await assert_exact(600)


async def test_a_charge_that_fails_holds_up_nobody(committed: None) -> None:
    await add_members(30)
    for statement in REFUSE.split(";\ncreate trigger"):
        await execute(statement if "function refuse_one() returns" in statement
                      else f"create trigger{statement}")  # fmt: skip
    with pytest.raises(BatchFailed, match="1 failed, 29 succeeded"):
        await close(FIRST)
    (mails,) = await rows("select count(*) as n from mail")
    assert mails["n"] == 29, "the others are reminded, too"
    await execute("drop trigger refuse_one on invoice_line")
    await execute("drop function refuse_one()")
    assert await close(FIRST) == 1
    await assert_exact(30)


async def test_workers_that_close_at_once_charge_once(committed: None) -> None:
    await add_members(450)
    written = await asyncio.gather(*[close(FIRST) for _ in range(3)])
    assert sum(written) == 450
    await assert_exact(450)


async def test_a_closed_invoice_of_the_month_is_passed_over(committed: None) -> None:
    """Together with members who have none: each is charged in the first month that can grow."""
    await add_members(3)
    async with transaction() as session:
        invoice = await create(session, InvoiceFactory, user_id=2, number="2026-000001")
        invoice.status, invoice.voided_at = InvoiceStatus.VOID, datetime.now(UTC)
    await execute("insert into invoice_number (year, last) values (2026, 1)")
    assert await close(FIRST) == 3
    found = await rows("select user_id, period::text, amount from invoice order by user_id, period")
    assert [tuple(row.values()) for row in found] == [
        (1, "2026-01-01", 700),
        (2, "2026-01-01", 0),
        (2, "2026-02-01", 700),
        (3, "2026-01-01", 700),
    ]
