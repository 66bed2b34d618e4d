"""Monthly closing: flat charges and invoice mails."""

import logging
from datetime import datetime

from videoflix.billing.schemas import CloseMonth
from videoflix.billing.service import Invoices
from videoflix.platform.postgres.session import transaction, transaction_time
from videoflix.platform.queue import BatchFailed, complete_job, handles, in_batches

logger = logging.getLogger(__name__)

# Batch sizes; they bound how long row locks are held.
CHARGED_AT_ONCE, REMINDED_AT_ONCE = 200, 50


@handles(CloseMonth)
async def close_month(job: CloseMonth) -> None:
    async with transaction() as session:
        now = await transaction_time(session)
    written = await close(now)
    async with complete_job():
        logger.info("closed the month: %d lines", written)


async def close(now: datetime) -> int:
    """Charge the flat prices of past months, and mail outstanding invoices.

    Idempotent, and resumes after an interruption. A failure for one member does not stop others:
    they are processed before BatchFailed is raised. Returns the number of lines written.
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
