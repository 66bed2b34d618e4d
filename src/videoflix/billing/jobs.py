"""Closing a month."""

import logging

from videoflix.billing.schemas import CloseMonth
from videoflix.billing.service import Invoices
from videoflix.platform.queue import completing, every, handles

logger = logging.getLogger(__name__)

every("10 0 1 * *", CloseMonth())


@handles(CloseMonth)
async def close_month(job: CloseMonth) -> None:
    async with completing() as session:
        invoices = Invoices(session)
        written = await invoices.close_month(await invoices.invoices.database_time())
    logger.info("closed the month: %d lines", written)
