"""Closing a month."""

import logging
from datetime import datetime

from videoflix.billing.schemas import CloseMonth
from videoflix.billing.service import Invoices
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.queue import BatchFailed, complete_job, handles, in_batches

logger = logging.getLogger(__name__)

# Few enough that nobody waits long for a lock on what is charged meanwhile.
CHARGED_AT_ONCE, REMINDED_AT_ONCE = 200, 50


@handles(CloseMonth)
async def close_month(job: CloseMonth) -> None:
    async with transaction() as session:
        now = await transaction_time(session)
    written = await close(now)
    async with complete_job():
        logger.info("closed the month: %d lines", written)


async def close(now: datetime) -> int:
    """Charge flat prices of the months before, and remind of what is outstanding.

    Running twice changes nothing; what was done before an interruption is not done again. One
    member's trouble is nobody else's: everybody else is charged and reminded before BatchFailed is
    raised. How many lines were written.
    """
    async with transaction() as session:
        due = await Invoices(session).due(now)
    failures: list[BatchFailed] = []
    written = 0
    try:
        written = await in_batches(
            due,
            CHARGED_AT_ONCE,
            lambda session, some: Invoices(session).charge_many(some),
            lambda session, one: Invoices(session).charge_flat(one),
        )
    except BatchFailed as error:
        failures.append(error)
    async with transaction() as session:
        owed = await Invoices(session).outstanding(now)
    try:
        await in_batches(
            owed,
            REMINDED_AT_ONCE,
            lambda session, some: Invoices(session).remind_many(some),
            lambda session, one: Invoices(session).remind(one),
        )
    except BatchFailed as error:
        failures.append(error)
    if failures:
        raise BatchFailed("; ".join(map(str, failures)))
    return written
