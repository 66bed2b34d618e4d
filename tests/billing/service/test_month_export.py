"""A month's invoices as CSV, batch by batch."""

from datetime import date

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from factories import InvoiceFactory, create
from videoflix.billing.service import month_export

MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
async def test_batches_hold_every_invoice_once(
    session: AsyncSession,
    admin: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    monkeypatch.setattr(month_export, "BATCH", 2)
    for number in range(count):
        await create(session, InvoiceFactory, number=f"2026-{number:06}", period=MAY)
    await create(session, InvoiceFactory, number="2026-000099", period=JUNE)
    await session.commit()
    answer = await admin.get("/api/v1/invoices/export?month=2026-05")
    head, *lines = answer.content.decode("utf-8-sig").splitlines()
    assert head == "number,month,owner,status,currency,amount"
    assert [line.split(",")[0] for line in lines] == [
        f"2026-{number:06}" for number in reversed(range(count))
    ]


async def test_a_month_must_exist(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/api/v1/invoices/export?month=2026-13")).status_code == 400
