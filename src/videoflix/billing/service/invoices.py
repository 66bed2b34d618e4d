"""Invoices: one per member and month; every stream and period is charged exactly once."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.accounts.models import User
from videoflix.accounts.service import Accounts, on_account_deletion
from videoflix.billing import events
from videoflix.billing.models import Invoice, InvoiceLine, InvoiceStatus
from videoflix.billing.periods import months_before, start_of
from videoflix.billing.problems import (
    ChargeNotDeletable,
    InvoiceClosed,
    InvoiceInOtherCurrency,
    InvoiceNotDeletable,
    InvoiceNotFound,
    LineNotFound,
)
from videoflix.billing.repository import (
    InvoiceLineRepository,
    InvoiceRepository,
    numbered,
)
from videoflix.billing.schemas import (
    FlatPrice,
    InvoiceCreate,
    InvoiceLineCreate,
    InvoiceLineUpdate,
    StreamUsage,
    first_day,
)
from videoflix.memberships.models import Billing
from videoflix.memberships.schemas import Currency
from videoflix.memberships.service import Memberships, UserNotFound
from videoflix.platform.events import emit
from videoflix.platform.mail import MailRequest, queue_mails
from videoflix.platform.postgres.session import transaction_time
from videoflix.settings import settings

HOUR = timedelta(hours=1)
# Past months to close, which catches up after a missed run.
CLOSED_AGAIN = 2


class Invoices:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.accounts = Accounts(session)
        self.memberships = Memberships(session)
        self.invoices = InvoiceRepository(session=session)
        self.lines = InvoiceLineRepository(session=session)

    async def list_page(
        self,
        page: LimitOffset,
        *,
        user_id: int | None,
        status: InvoiceStatus | None = None,
        month: str | None = None,
    ) -> tuple[list[Invoice], int]:
        """List the invoices of a user or of all, newest month first, with the total."""
        period = first_day(month) if month else None
        return await self.invoices.list_page(page, user_id=user_id, status=status, period=period)

    async def invoice(
        self, invoice_id: int, owner_id: int | None
    ) -> tuple[Invoice, list[InvoiceLine]]:
        """Get an invoice with its lines; with `owner_id`, only if it is theirs.

        Raises InvoiceNotFound.
        """
        conditions = [Invoice.id == invoice_id]
        if owner_id is not None:
            conditions.append(Invoice.user_id == owner_id)
        found = await self.invoices.get_one_or_none(*conditions)
        if found is None:
            raise InvoiceNotFound
        return found, await self.lines.for_invoice(invoice_id)

    async def add(self, new: InvoiceCreate) -> Invoice:
        """Get or create a member's invoice of a month.

        Raises UserNotFound or InvoiceInOtherCurrency.
        """
        user = await self.member(new.user_id)
        await self.accounts.users.lock(user.id)
        currency = new.currency or await self._usual_currency(user.id)
        invoice = await self.invoices.open(user, first_day(new.month), currency)
        if new.currency not in (None, invoice.currency):
            raise InvoiceInOtherCurrency
        return invoice

    async def line(self, line_id: int) -> InvoiceLine:
        """Get a line. Raises LineNotFound."""
        found = await self.lines.get_one_or_none(id=line_id)
        if found is None:
            raise LineNotFound
        return found

    async def lines_of(self, invoice_ids: Sequence[int] | None = None) -> list[InvoiceLine]:
        """List the lines of these invoices, or of all."""
        return await self.lines.for_invoices(invoice_ids)

    async def add_line(self, invoice_id: int, new: InvoiceLineCreate) -> InvoiceLine:
        """Add a manual line. Raises InvoiceNotFound or InvoiceClosed."""
        invoice = await self.open_invoice(invoice_id)
        line = InvoiceLine(invoice_id=invoice.id, description=new.description, amount=new.amount)
        return await self.lines.add(line)

    async def change_line(
        self, invoice_id: int, line_id: int, change: InvoiceLineUpdate
    ) -> InvoiceLine:
        """Update a line. Raises InvoiceNotFound, LineNotFound or InvoiceClosed."""
        line = await self._line(invoice_id, line_id)
        for name, value in msgspec.structs.asdict(change).items():
            if value is not msgspec.UNSET:
                setattr(line, name, value)
        await self.session.flush()
        return line

    async def remove_line(self, invoice_id: int, line_id: int) -> None:
        """Delete a manual line.

        Raises InvoiceNotFound, LineNotFound, InvoiceClosed or ChargeNotDeletable.
        """
        line = await self._line(invoice_id, line_id)
        if line.source is not None:
            raise ChargeNotDeletable
        await self.lines.delete(line_id)

    async def pay(self, invoice_id: int) -> Invoice:
        """Mark an invoice as paid. Raises InvoiceNotFound or InvoiceClosed."""
        invoice = await self.open_invoice(invoice_id)
        now = await transaction_time(self.session)
        invoice.status, invoice.paid_at = InvoiceStatus.PAID, now
        await self._closed(invoice)
        return invoice

    async def void(self, invoice_id: int) -> Invoice:
        """Void an invoice, paid or not. Raises InvoiceNotFound or InvoiceClosed."""
        invoice = await self.invoices.locked(invoice_id)
        if invoice is None:
            raise InvoiceNotFound
        if invoice.status is InvoiceStatus.VOID:
            raise InvoiceClosed
        now = await transaction_time(self.session)
        invoice.status, invoice.voided_at = InvoiceStatus.VOID, now
        await self._closed(invoice)
        return invoice

    async def _closed(self, invoice: Invoice) -> None:
        await self.session.flush()
        await emit(self.session, events.InvoiceClosed.of(invoice))

    async def remove(self, invoice_id: int) -> None:
        """Delete the newest invoice of a year; its number is assigned again.

        Raises InvoiceNotFound or InvoiceNotDeletable.
        """
        seen, _ = await self.invoice(invoice_id, None)
        # Lock order: the counter first, as when an invoice is created.
        last = await self.invoices.last_number(seen.period.year)
        invoice = await self.invoices.locked(invoice_id)
        if invoice is None:
            raise InvoiceNotFound
        is_newest = invoice.number == numbered(invoice.period.year, last)
        is_open = invoice.status is InvoiceStatus.OUTSTANDING
        if not (is_newest and is_open) or await self.lines.are_charged(invoice_id):
            raise InvoiceNotDeletable
        await self.invoices.delete_newest(invoice)

    async def charge_stream(self, watched: StreamUsage) -> bool:
        """Charge an ended stream by its plan; idempotent. Returns whether it was charged now."""
        if watched.plan_id is None:
            return False
        plan = await self.memberships.plan(watched.plan_id)
        lasted = max(timedelta(), watched.ended_at - watched.begun_at)
        amounts = {
            Billing.FLAT: 0,
            Billing.PER_STREAM: plan.price,
            Billing.PER_HOUR: -(-plan.price * lasted // HOUR),
        }
        if plan.billing is Billing.FLAT:
            return False
        month = watched.ended_at.astimezone(settings.time_zone).date().replace(day=1)
        return await self._charge(
            await self.member(watched.user_id),
            month,
            plan.currency,
            f"{watched.title}, {watched.begun_at.astimezone(settings.time_zone):%Y-%m-%d %H:%M}",
            amounts[plan.billing],
            f"stream:{watched.lease_id}",
        )

    async def charge_now(self, user_id: int, new: InvoiceLineCreate, source: str) -> InvoiceLine:
        """Add a charge to the current month's invoice. Raises UserNotFound."""
        user = await self.member(user_id)
        await self.accounts.users.lock(user.id)
        now = await transaction_time(self.session)
        month = now.astimezone(settings.time_zone).date().replace(day=1)
        invoice = await self._open_invoice(user, month, await self._usual_currency(user.id))
        return await self.lines.add(
            InvoiceLine(
                invoice_id=invoice.id,
                description=new.description,
                amount=new.amount,
                source=source,
            )
        )

    async def due(self, now: datetime, user_id: int | None = None) -> list[FlatPrice]:
        """List uncharged periods that started in the past CLOSED_AGAIN months.

        With a user, only theirs, and including the current month.
        """
        this_month = now.astimezone(settings.time_zone).date().replace(day=1)
        months = [months_before(this_month, back) for back in range(CLOSED_AGAIN, 0, -1)]
        if user_id is not None:
            months.append(this_month)
        found = []
        for month in months:
            end = min(start_of(months_before(month, -1), settings.time_zone), now)
            begin = start_of(month, settings.time_zone)
            for agreed in await self.invoices.flat_terms(month, begin, end, user_id):
                if agreed.costs_in(month, settings.time_zone, now):
                    found.append(agreed.price_of(month))
        return found

    async def charge_flat(self, due: FlatPrice) -> bool:
        """Charge a period; idempotent. Returns whether it was charged now."""
        return await self._charge(
            await self.member(due.user_id),
            due.month,
            due.currency,
            due.description,
            due.price,
            due.source,
        )

    async def charge_many(self, dues: Sequence[FlatPrice]) -> int:
        """Charge periods of many members in a few statements; return how many were charged now.

        Lock order: members by id, the year's counter, invoices.
        """
        users = await self.invoices.lock_members({due.user_id for due in dues})
        charged = await self.lines.charged({due.source for due in dues})
        left = [due for due in dues if due.source not in charged and due.user_id in users]
        invoices = await self.invoices.open_many(users, left)
        fitting = {
            due.source: invoice.id
            for due in left
            if (invoice := invoices[due.user_id, due.month]).currency == due.currency
            and invoice.status is InvoiceStatus.OUTSTANDING
        }
        written = await self.lines.charge_many(
            [(fitting[due.source], due) for due in left if due.source in fitting]
        )
        for due in left:  # the month's invoice is closed, or in another currency
            if due.source not in fitting:
                written += await self.charge_flat(due)
        return written

    async def outstanding(self, now: datetime) -> list[int]:
        """Invoices of the previous month that are to be mailed."""
        this_month = now.astimezone(settings.time_zone).date().replace(day=1)
        return await self.invoices.outstanding(months_before(this_month, 1))

    async def remind(self, invoice_id: int) -> bool:
        """Mail an outstanding invoice to its owner, once; return whether it was mailed now."""
        return bool(await self.remind_many([invoice_id]))

    async def remind_many(self, invoice_ids: Sequence[int]) -> int:
        """Mail outstanding invoices to their owners, once; return how many were mailed now."""
        owed = await self.invoices.to_remind_of(invoice_ids)
        now = await transaction_time(self.session)
        mails = []
        for invoice, user in owed:
            invoice.reminded_at = now
            values = {
                "name": user.name,
                "url": f"{settings.site_url}/api/v1/invoices/{invoice.id}.pdf",
                "number": invoice.number,
                "amount": format_amount(invoice.amount, invoice.currency),
            }
            mails.append(MailRequest(user.email, "invoice", user.language, values))
        await queue_mails(self.session, mails)
        return len(owed)

    async def _charge(
        self, user: User, month: date, currency: str, description: str, amount: int, source: str
    ) -> bool:
        """Charge on the member's first open invoice from this month on."""
        await self.accounts.users.lock(user.id)
        if await self.lines.is_charged(source):
            return False
        invoice = await self._open_invoice(user, month, currency)
        return await self.lines.charge(invoice.id, description, amount, source)

    async def _open_invoice(self, user: User, month: date, currency: str) -> Invoice:
        """Get or create the member's first open invoice in this currency from this month on."""
        while True:
            invoice = await self.invoices.open(user, month, currency)
            is_open = invoice.status is InvoiceStatus.OUTSTANDING
            if is_open and invoice.currency == currency:
                return invoice
            month = months_before(month, -1)

    async def open_invoice(self, invoice_id: int) -> Invoice:
        """Lock an invoice that can change. Raises InvoiceNotFound or InvoiceClosed."""
        invoice = await self.invoices.locked(invoice_id)
        if invoice is None:
            raise InvoiceNotFound
        if invoice.status is not InvoiceStatus.OUTSTANDING:
            raise InvoiceClosed
        return invoice

    async def _line(self, invoice_id: int, line_id: int) -> InvoiceLine:
        invoice = await self.open_invoice(invoice_id)
        line = await self.lines.get_one_or_none(id=line_id, invoice_id=invoice.id)
        if line is None:
            raise LineNotFound
        return line

    async def _usual_currency(self, user_id: int) -> str:
        membership = await self.memberships.for_user(user_id)
        return membership.plan.currency if membership else Currency.EUR

    async def member(self, user_id: int) -> User:
        """Raises UserNotFound."""
        user = await self.accounts.users.get_one_or_none(id=user_id)
        if user is None:
            raise UserNotFound
        return user


def format_amount(amount: int, currency: str) -> str:
    """Format an amount in minor units."""
    return f"{amount} {currency}" if currency == "JPY" else f"{amount / 100:.2f} {currency}"


@on_account_deletion
async def charge_started_periods(session: AsyncSession, user_id: int) -> None:
    """Charge started periods before an account is deleted."""
    invoices = Invoices(session)
    for due in await invoices.due(await transaction_time(session), user_id):
        await invoices.charge_flat(due)
