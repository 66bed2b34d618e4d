"""A month's invoices as CSV, read in batches: memory does not grow with the month."""

from collections.abc import AsyncGenerator
from datetime import date

from videoflix.billing.repository import InvoiceRepository
from videoflix.billing.spreadsheet import BYTE_ORDER_MARK, HEAD, as_csv, as_rows
from videoflix.platform.http.params import BIGINT_MAX
from videoflix.platform.postgres.session import transaction

BATCH = 1000


async def month_csv(period: date) -> AsyncGenerator[bytes]:
    """Yield the file's header, then its invoices, newest first. Each batch is a transaction."""
    yield BYTE_ORDER_MARK.encode() + as_csv([HEAD])
    before = BIGINT_MAX
    while True:
        async with transaction() as session:
            invoices = await InvoiceRepository(session=session).of_period(period, before, BATCH)
            rows = as_rows(invoices)
        if rows:
            yield as_csv(rows)
        if len(rows) < BATCH:
            return
        before = invoices[-1].id
