"""All SQL of the invoices."""

from collections.abc import Sequence
from datetime import date, datetime

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert

from videoflix.accounts.models import User
from videoflix.billing.models import Invoice, InvoiceLine, InvoiceStatus, invoice_number
from videoflix.billing.schemas import Agreed
from videoflix.memberships.models import Billing, Membership, MembershipTerm, Plan


def _is_owed() -> list[ColumnElement[bool]]:
    return [
        Invoice.status == InvoiceStatus.OUTSTANDING,
        Invoice.amount > 0,
        Invoice.reminded_at.is_(None),
    ]


def numbered(year: int, count: int) -> str:
    return f"{year}-{count:06}"


class InvoiceRepository(SQLAlchemyAsyncRepository[Invoice]):
    """Invoices, the newest month first."""

    model_type = Invoice

    async def listed(
        self,
        page: LimitOffset,
        *,
        user_id: int | None,
        status: InvoiceStatus | None = None,
        period: date | None = None,
    ) -> tuple[list[Invoice], int]:
        wanted = {Invoice.user_id: user_id, Invoice.status: status, Invoice.period: period}
        conditions = [column == value for column, value in wanted.items() if value is not None]
        found, total = await self.get_many_and_count(
            *conditions, page, order_by=[("period", True), ("id", True)]
        )
        return list(found), total

    async def locked(self, invoice_id: int) -> Invoice | None:
        found: Invoice | None = await self.session.scalar(
            select(Invoice)
            .where(Invoice.id == invoice_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def of_month(self, user_id: int, period: date) -> Invoice | None:
        """A member's invoice of a month, held against other writers."""
        found: Invoice | None = await self.session.scalar(
            select(Invoice)
            .where(Invoice.user_id == user_id, Invoice.period == period)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def open(self, user: User, period: date, currency: str) -> Invoice:
        """A member's invoice of a month, made now if there is none; races make one.

        The year's counter stays locked until the transaction ends, so numbers have no gaps.
        """
        last = await self.last_number(period.year)
        if existing := await self.of_month(user.id, period):
            return existing
        await self._count_to(last + 1, period.year)
        owner = f"{user.name} <{user.email}>" if user.name else user.email
        return await self.add(
            Invoice(
                user_id=user.id,
                owner=owner[:300],
                period=period,
                number=numbered(period.year, last + 1),
                currency=currency,
            )
        )

    async def last_number(self, year: int) -> int:
        """The last number of a year, held until the transaction ends; 0 before the first one."""
        counter = insert(invoice_number).values(year=year, last=0)
        await self.session.execute(counter.on_conflict_do_nothing())
        held = select(invoice_number.c.last).where(invoice_number.c.year == year)
        last: int = (await self.session.scalars(held.with_for_update())).one()
        return last

    async def take_back(self, invoice: Invoice) -> None:
        """Delete the newest invoice of a year, and its number; `last_number` is held."""
        await self._count_to((await self.last_number(invoice.period.year)) - 1, invoice.period.year)
        await self.delete(invoice.id)

    async def _count_to(self, number: int, year: int) -> None:
        at_year = invoice_number.update().where(invoice_number.c.year == year)
        await self.session.execute(at_year.values(last=number))

    async def outstanding(self, period: date) -> list[int]:
        """What is owed for a month and its owners were not reminded of."""
        found = await self.session.scalars(
            select(Invoice.id)
            .where(Invoice.period == period, *_is_owed(), Invoice.user_id.is_not(None))
            .order_by(Invoice.id)
        )
        return list(found)

    async def to_remind_of(self, invoice_id: int) -> tuple[Invoice, User] | None:
        """An invoice that is still owed, held, and whose it is."""
        row = (
            await self.session.execute(
                select(Invoice, User)
                .join(User, User.id == Invoice.user_id)
                .where(Invoice.id == invoice_id, *_is_owed())
                .with_for_update(of=Invoice)
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    async def agreed_flat(
        self, begin: datetime, end: datetime, user_id: int | None = None
    ) -> list[Agreed]:
        """Flat prices that were agreed in this span with people who may sign in."""
        until = func.least(MembershipTerm.until_at, Membership.ends_at)
        statement = (
            select(
                MembershipTerm.id,
                Membership.user_id,
                MembershipTerm.from_at,
                until,
                Plan.name,
                Plan.price,
                Plan.currency,
                Plan.period,
            )
            .join(Membership, Membership.id == MembershipTerm.membership_id)
            .join(Plan, Plan.id == MembershipTerm.plan_id)
            .join(User, User.id == Membership.user_id)
            .where(
                Plan.billing == Billing.FLAT,
                Plan.price > 0,
                User.is_active.is_(True),
                MembershipTerm.from_at <= end,
                func.coalesce(until, end) > begin,
            )
            .order_by(Membership.user_id, MembershipTerm.id)
        )
        if user_id is not None:
            statement = statement.where(Membership.user_id == user_id)
        return [Agreed(*row) for row in await self.session.execute(statement)]

    async def database_time(self) -> datetime:
        """What time it is for every process."""
        now: datetime = (await self.session.scalars(select(func.now()))).one()
        return now


class InvoiceLineRepository(SQLAlchemyAsyncRepository[InvoiceLine]):
    """Lines of invoices, in their order."""

    model_type = InvoiceLine

    async def of(self, invoice_id: int) -> list[InvoiceLine]:
        found = await self.session.scalars(
            select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id).order_by(InvoiceLine.id)
        )
        return list(found)

    async def of_many(self, invoice_ids: Sequence[int] | None) -> list[InvoiceLine]:
        statement = select(InvoiceLine).order_by(InvoiceLine.id)
        if invoice_ids is not None:
            statement = statement.where(InvoiceLine.invoice_id.in_(invoice_ids))
        return list(await self.session.scalars(statement))

    async def is_charged(self, source: str) -> bool:
        return await self.exists(source=source)

    async def are_charged(self, invoice_id: int) -> bool:
        """Whether a line was written for a stream or a month, not by hand."""
        return await self.exists(
            InvoiceLine.invoice_id == invoice_id, InvoiceLine.source.is_not(None)
        )

    async def charge(self, invoice_id: int, description: str, amount: int, source: str) -> bool:
        """Charge something once; False when it was charged before."""
        added = await self.session.scalar(
            insert(InvoiceLine)
            .values(
                invoice_id=invoice_id,
                description=description[:255],
                amount=amount,
                source=source,
                created_at=func.now(),
                updated_at=func.now(),
            )
            .on_conflict_do_nothing()
            .returning(InvoiceLine.id)
        )
        return added is not None
