"""Import of memberships and invoices."""

from collections.abc import Sequence
from datetime import date, datetime, time

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.billing.models import InvoiceStatus
from videoflix.billing.schemas import InvoiceLineCreate, PastInvoice
from videoflix.billing.service.past_invoices import PastInvoices
from videoflix.importers.repository import ImportRepository
from videoflix.importers.schemas import (
    Kind,
    OldInvoice,
    OldInvoiceLine,
    OldMembership,
)
from videoflix.importers.service.context import ImportContext
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import (
    AlreadyMember,
    InvalidDateRange,
    Memberships,
    UserNotFound,
)
from videoflix.settings import settings

# Streams were counted on memberships there, not on plans, and cost their invoice lines only.
PLAN = "Imported memberships"
STREAMS_MAX = 100
AMOUNT_MAX = 100_000_000
CANCELLED = "CANC"
STATUSES = {
    "OUT": InvoiceStatus.OUTSTANDING,
    "PAID": InvoiceStatus.PAID,
    "VOID": InvoiceStatus.VOID,
}

NOT_IMPORTED = "belongs to an account that was not imported"
ALREADY_MEMBER = "is of an account that has a membership here already"
DATES_REVERSED = "ends before it starts"
NO_STREAM = "had no stream left, and got one"
UNKNOWN_STATUS = "has an unknown status"
IMPOSSIBLE_AMOUNT = "has an amount that is negative or too large"


class Money:
    def __init__(self, session: AsyncSession, context: ImportContext) -> None:
        self.session = session
        self.context = context

    async def add_memberships(self, memberships: Sequence[OldMembership]) -> None:
        new = await self.context.unknown(self.session, Kind.MEMBERSHIP, memberships)
        plan_id = await self._plan() if new else 0
        for old in new:
            await self._add_membership(old, plan_id)

    async def add_invoices(
        self, invoices: Sequence[OldInvoice], lines: dict[int, list[OldInvoiceLine]]
    ) -> None:
        """Add invoices with their lines; their amounts are what was billed."""
        for old in await self.context.unknown(self.session, Kind.INVOICE, invoices):
            await self._add_invoice(old, lines.get(old.id, []))

    async def _add_membership(self, old: OldMembership, plan_id: int) -> None:
        report = self.context.reports[Kind.MEMBERSHIP]
        service = Memberships(self.session)
        user_id = self.context.ids[Kind.USER].get(old.user)
        if user_id is None:
            report.leave_out(NOT_IMPORTED, old.id)
            return
        if old.credits < 1:
            report.note(NO_STREAM, old.id)
        new = MembershipCreate(
            user_id=user_id,
            plan_id=plan_id,
            starts_at=_midnight(old.start_date),
            ends_at=_midnight(old.end_date) if old.end_date else None,
            streams_override=min(max(old.credits, 1), STREAMS_MAX),
        )
        try:
            made = await service.add(new)
        except UserNotFound:
            report.leave_out(NOT_IMPORTED, old.id)
            return
        except AlreadyMember:
            report.leave_out(ALREADY_MEMBER, old.id)
            return
        except InvalidDateRange:
            report.leave_out(DATES_REVERSED, f"{old.id}: {old.start_date} to {old.end_date}")
            return
        if old.state == CANCELLED:
            await service.cancel(made.id)
        await self.context.added(self.session, Kind.MEMBERSHIP, {old.id: made.id})

    async def _plan(self) -> int:
        found = await ImportRepository(self.session).plan_id(PLAN)
        if found is not None:
            return found
        new = PlanCreate(name=PLAN, price=0, currency=Currency.EUR, streams=1, is_offered=False)
        return (await Memberships(self.session).add_plan(new)).id

    async def _add_invoice(self, old: OldInvoice, lines: list[OldInvoiceLine]) -> None:
        report = self.context.reports[Kind.INVOICE]
        user_id = self.context.ids[Kind.USER].get(old.user)
        if user_id is None:
            report.leave_out(NOT_IMPORTED, old.id)
            return
        status = STATUSES.get(old.status)
        if status is None:
            report.leave_out(UNKNOWN_STATUS, f"{old.id}: {old.status[:20]}")
            return
        if any(not 0 <= amount <= AMOUNT_MAX for amount in (old.amount, *_amounts(lines))):
            report.leave_out(IMPOSSIBLE_AMOUNT, old.id)
            return
        past = PastInvoice(
            user_id=user_id,
            issued_on=old.date,
            status=status,
            description=_line(old.description),
            amount=old.amount,
            lines=[InvoiceLineCreate(_line(line.description), line.amount) for line in lines],
        )
        try:
            new_id = await PastInvoices(self.session).add(past)
        except UserNotFound:
            report.leave_out(NOT_IMPORTED, old.id)
            return
        await self.context.added(self.session, Kind.INVOICE, {old.id: new_id})
        self.context.reports[Kind.INVOICE_LINE].added += len(lines)


def _amounts(lines: list[OldInvoiceLine]) -> list[int]:
    return [line.amount for line in lines]


def _midnight(day: date) -> datetime:
    """The start of a day; there, memberships had ended at the start of their last day."""
    return datetime.combine(day, time(), settings.time_zone)


def _line(text: str | None) -> str:
    return " ".join((text or "").replace("\x00", " ").split())
