"""Closing a month."""

import logging
from datetime import datetime

from videoflix.billing.schemas import CloseMonth
from videoflix.billing.service import Invoices
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.queue import SomeFailed, completing, every, handles, in_batches

logger = logging.getLogger(__name__)

# Few enough that nobody waits long for a lock on what is charged meanwhile.
CHARGED_AT_ONCE, REMINDED_AT_ONCE = 200, 50

every("10 0 1 * *", CloseMonth())


@handles(CloseMonth)
async def close_month(job: CloseMonth) -> None:
    async with transaction() as session:
        now = await transaction_time(session)
    written = await close(now)
    async with completing():
        logger.info("closed the month: %d lines", written)


async def close(now: datetime) -> int:
    """Charge flat prices of the months before, and remind of what is outstanding.

    Running twice changes nothing; what was done before an interruption is not done again. One
    member's trouble is nobody else's: everybody else is charged and reminded before SomeFailed is
    raised. How many lines were written.
    """
    async with transaction() as session:
        due = await Invoices(session).due(now)
    failures: list[SomeFailed] = []
    written = 0
    try:
        written = await in_batches(
            due,
            CHARGED_AT_ONCE,
            lambda session, some: Invoices(session).charge_together(some),
            lambda session, one: Invoices(session).charge_flat(one),
        )
    except SomeFailed as error:
        failures.append(error)
    async with transaction() as session:
        owed = await Invoices(session).owed(now)
    try:
        await in_batches(
            owed,
            REMINDED_AT_ONCE,
            lambda session, some: Invoices(session).remind_together(some),
            lambda session, one: Invoices(session).remind(one),
        )
    except SomeFailed as error:
        failures.append(error)
    if failures:
        raise SomeFailed("; ".join(map(str, failures)))
    return written
