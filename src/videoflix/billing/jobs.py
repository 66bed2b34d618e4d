"""Closing a month."""

import logging
from datetime import datetime

from videoflix.billing.schemas import CloseMonth
from videoflix.billing.service import Invoices
from videoflix.platform.db import transaction
from videoflix.platform.queue import completing, each_apart, every, handles

logger = logging.getLogger(__name__)

every("10 0 1 * *", CloseMonth())


@handles(CloseMonth)
async def close_month(job: CloseMonth) -> None:
    async with transaction() as session:
        now = await Invoices(session).invoices.database_time()
    written = await close(now)
    async with completing():
        logger.info("closed the month: %d lines", written)


async def close(now: datetime) -> int:
    """Charge flat prices of the months before, and remind of what is outstanding.

    Running twice changes nothing, and one member's trouble is nobody else's. How many lines
    were written.
    """
    async with transaction() as session:
        due = await Invoices(session).due(now)
    written = await each_apart(due, lambda session, one: Invoices(session).charge_flat(one))
    async with transaction() as session:
        owed = await Invoices(session).owed(now)
    await each_apart(owed, lambda session, one: Invoices(session).remind(one))
    return written
