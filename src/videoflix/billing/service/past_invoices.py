"""Invoices that another system issued: kept as they were, in the books of this one."""

from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.billing.models import InvoiceLine, InvoiceStatus
from videoflix.billing.periods import months_before
from videoflix.billing.schemas import PastInvoice
from videoflix.billing.service.corrections import Corrections
from videoflix.billing.service.invoices import Invoices
from videoflix.memberships.schemas import Currency

DESCRIPTION_MAX = 255


class PastInvoices:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.service = Invoices(session)

    async def add(self, past: PastInvoice) -> int:
        """Add an invoice with its lines and status; return its ID.

        A member has one invoice of a month: one more is put into the nearest earlier month that
        is free, and keeps its date. Raises UserNotFound.
        """
        user = await self.service.member(past.user_id)
        await self.service.accounts.users.lock(user.id)
        period = await self._free_month(user.id, past.issued_on.replace(day=1))
        invoice = await self.service.invoices.open(user, period, Currency.EUR)
        invoice.description = past.description[:DESCRIPTION_MAX]
        invoice.issued_on = past.issued_on
        for line in past.lines:
            await self.service.lines.add(
                InvoiceLine(
                    invoice_id=invoice.id,
                    description=line.description[:DESCRIPTION_MAX],
                    amount=line.amount,
                )
            )
        await self._set_amount(invoice.id, past)
        if past.status is InvoiceStatus.PAID:
            await self.service.pay(invoice.id)
        elif past.status is InvoiceStatus.VOID:
            await self.service.void(invoice.id)
        return invoice.id

    async def _set_amount(self, invoice_id: int, past: PastInvoice) -> None:
        """The amount that was billed counts, whatever became of its lines afterwards."""
        corrections = Corrections(self.session)
        text = past.description[:DESCRIPTION_MAX] or "Carried over"
        await corrections.set_amount(invoice_id, past.amount, text)

    async def _free_month(self, user_id: int, period: date) -> date:
        while await self.service.invoices.of_month(user_id, period):
            period = months_before(period, 1)
        return period
