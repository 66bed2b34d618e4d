"""Corrections of open invoices by administrators; money that is closed stays closed."""

from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.billing.models import InvoiceLine
from videoflix.billing.problems import (
    AmountBelowCharges,
    InvoiceHasCharges,
    MonthTaken,
    NumberOfOtherYear,
)
from videoflix.billing.repository import numbered
from videoflix.billing.service.invoices import Invoices


class Corrections:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.service = Invoices(session)
        self.invoices = self.service.invoices
        self.lines = self.service.lines

    async def describe(self, invoice_id: int, description: str) -> None:
        """Raises InvoiceNotFound or InvoiceClosed."""
        (await self.service.open_invoice(invoice_id)).description = description

    async def reassign(self, invoice_id: int, user_id: int) -> None:
        """Give an invoice to another member.

        Raises InvoiceNotFound, InvoiceClosed, UserNotFound, InvoiceHasCharges or MonthTaken.
        """
        user = await self.service.member(user_id)
        invoice = await self.service.open_invoice(invoice_id)
        if invoice.user_id == user_id:
            return
        if await self.lines.are_charged(invoice_id):
            raise InvoiceHasCharges
        if await self.invoices.of_month(user_id, invoice.period):
            raise MonthTaken
        invoice.user_id = user.id
        invoice.owner = (f"{user.name} <{user.email}>" if user.name else user.email)[:300]
        await self.session.flush()

    async def redate(self, invoice_id: int, day: date) -> None:
        """Change the date, and the month with it.

        Raises InvoiceNotFound, InvoiceClosed, NumberOfOtherYear or MonthTaken.
        """
        invoice = await self.service.open_invoice(invoice_id)
        period = day.replace(day=1)
        if period != invoice.period:
            if period.year != invoice.period.year:
                raise NumberOfOtherYear
            if invoice.user_id and await self.invoices.of_month(invoice.user_id, period):
                raise MonthTaken
        invoice.period, invoice.issued_on = period, day
        await self.session.flush()

    async def set_amount(self, invoice_id: int, amount: int, description: str) -> None:
        """Add a line up to this amount, or lower the manual lines, from the last one.

        Raises InvoiceNotFound, InvoiceClosed or AmountBelowCharges.
        """
        await self.service.open_invoice(invoice_id)
        lines = await self.lines.for_invoice(invoice_id)
        excess = sum(line.amount for line in lines) - amount
        if excess < 0:
            await self.lines.add(
                InvoiceLine(invoice_id=invoice_id, description=description, amount=-excess)
            )
        for line in reversed([line for line in lines if line.source is None]):
            cut = max(0, min(line.amount, excess))
            line.amount -= cut
            excess -= cut
        if excess > 0:
            raise AmountBelowCharges
        await self.session.flush()

    async def move_line(self, line: InvoiceLine, invoice_id: int) -> None:
        """Put a line on another open invoice.

        Raises InvoiceNotFound, InvoiceClosed or InvoiceHasCharges.
        """
        if line.source is not None:
            raise InvoiceHasCharges
        for locked in sorted({line.invoice_id, invoice_id}):
            await self.service.open_invoice(locked)
        line.invoice_id = invoice_id
        await self.session.flush()

    async def withdraw(self, invoice_id: int) -> None:
        """Delete an open invoice with its lines.

        One with charges, or with a later number, is voided and kept, so that nothing is charged
        twice and the numbers have no gap. Raises InvoiceNotFound or InvoiceClosed.
        """
        seen, _ = await self.service.invoice(invoice_id, None)
        last = await self.invoices.last_number(seen.period.year)
        invoice = await self.service.open_invoice(invoice_id)
        is_newest = invoice.number == numbered(invoice.period.year, last)
        if is_newest and not await self.lines.are_charged(invoice_id):
            await self.invoices.delete_newest(invoice)
            return
        invoice.is_withdrawn = True
        await self.service.void(invoice_id)
