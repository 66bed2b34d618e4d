"""SQL of invoices and their lines."""

from collections.abc import Sequence
from datetime import date, datetime

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, exists, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from videoflix.accounts.models import User
from videoflix.billing.events import InvoiceCreated
from videoflix.billing.models import Invoice, InvoiceLine, InvoiceStatus, invoice_number
from videoflix.billing.schemas import FlatPrice, FlatTerm
from videoflix.memberships.models import Billing, Membership, MembershipTerm, Plan
from videoflix.platform.events import emit


def _is_owed() -> list[ColumnElement[bool]]:
    return [
        Invoice.status == InvoiceStatus.OUTSTANDING,
        Invoice.amount > 0,
        Invoice.reminded_at.is_(None),
    ]


def numbered(year: int, count: int) -> str:
    return f"{year}-{count:06}"


def _new_invoice(user: User, period: date, number: int, currency: str) -> Invoice:
    owner = f"{user.name} <{user.email}>" if user.name else user.email
    return Invoice(
        user_id=user.id,
        owner=owner[:300],
        period=period,
        number=numbered(period.year, number),
        currency=currency,
        status=InvoiceStatus.OUTSTANDING,
    )


class InvoiceRepository(SQLAlchemyAsyncRepository[Invoice]):
    """Invoices; lists are ordered from the newest month."""

    model_type = Invoice

    async def list_page(
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

    async def of_period(self, period: date, before: int, count: int) -> Sequence[Invoice]:
        """Invoices of a month with ids below `before`, newest first (keyset pagination)."""
        found = await self.session.scalars(
            select(Invoice)
            .where(Invoice.period == period, Invoice.id < before)
            .order_by(Invoice.id.desc())
            .limit(count)
        )
        return found.all()

    async def locked(self, invoice_id: int) -> Invoice | None:
        found: Invoice | None = await self.session.scalar(
            select(Invoice)
            .where(Invoice.id == invoice_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def of_month(self, user_id: int, period: date) -> Invoice | None:
        """Lock a member's invoice of a month, if it exists."""
        found: Invoice | None = await self.session.scalar(
            select(Invoice)
            .where(
                Invoice.user_id == user_id,
                Invoice.period == period,
                Invoice.is_withdrawn.is_(False),
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return found

    async def open(self, user: User, period: date, currency: str) -> Invoice:
        """Get or create a member's invoice of a month; safe under concurrency.

        The year's counter stays locked until the transaction ends, so numbers have no gaps.
        """
        last = await self.last_number(period.year)
        if existing := await self.of_month(user.id, period):
            return existing
        await self._count_to(last + 1, period.year)
        invoice = await self.add(_new_invoice(user, period, last + 1, currency))
        await emit(self.session, InvoiceCreated.of(invoice))
        return invoice

    async def lock_members(self, user_ids: set[int]) -> dict[int, User]:
        """Lock users in the order of their ids, as `lock` of the accounts does."""
        found = await self.session.scalars(
            select(User)
            .where(User.id.in_(user_ids))
            .order_by(User.id)
            .with_for_update(key_share=True)
        )
        return {user.id: user for user in found}

    async def open_many(
        self, users: dict[int, User], dues: Sequence[FlatPrice]
    ) -> dict[tuple[int, date], Invoice]:
        """Get or create the invoices of these members and months."""
        wanted = {(due.user_id, due.month): due.currency for due in reversed(dues)}
        numbers = {
            year: await self.last_number(year) for year in sorted({due.month.year for due in dues})
        }
        found = await self.session.scalars(
            select(Invoice)
            .where(
                tuple_(Invoice.user_id, Invoice.period).in_(list(wanted)),
                Invoice.is_withdrawn.is_(False),
            )
            .order_by(Invoice.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        invoices = {(invoice.user_id or 0, invoice.period): invoice for invoice in found}
        made = []
        for key in dict.fromkeys((due.user_id, due.month) for due in dues):
            if key not in invoices:
                user_id, month = key
                numbers[month.year] += 1
                new = _new_invoice(users[user_id], month, numbers[month.year], wanted[key])
                invoices[key] = new
                made.append(new)
        for year, last in numbers.items():
            await self._count_to(last, year)
        self.session.add_all(made)
        await self.session.flush()
        await emit(self.session, *map(InvoiceCreated.of, made))
        return invoices

    async def last_number(self, year: int) -> int:
        """Lock the counter of a year and return the last number; 0 if there is none."""
        counter = insert(invoice_number).values(year=year, last=0)
        await self.session.execute(counter.on_conflict_do_nothing())
        statement = select(invoice_number.c.last).where(invoice_number.c.year == year)
        last: int = (await self.session.scalars(statement.with_for_update())).one()
        return last

    async def delete_newest(self, invoice: Invoice) -> None:
        """Delete the newest invoice of a year and decrement the counter, which must be locked."""
        await self._count_to((await self.last_number(invoice.period.year)) - 1, invoice.period.year)
        await self.delete(invoice.id)

    async def _count_to(self, number: int, year: int) -> None:
        at_year = invoice_number.update().where(invoice_number.c.year == year)
        await self.session.execute(at_year.values(last=number))

    async def outstanding(self, period: date) -> list[int]:
        """Outstanding invoices of a month that were not mailed yet."""
        found = await self.session.scalars(
            select(Invoice.id)
            .where(Invoice.period == period, *_is_owed(), Invoice.user_id.is_not(None))
            .order_by(Invoice.id)
        )
        return list(found)

    async def to_remind_of(self, invoice_ids: Sequence[int]) -> list[tuple[Invoice, User]]:
        """Lock those of the invoices that are still outstanding; return them with their owners."""
        rows = await self.session.execute(
            select(Invoice, User)
            .join(User, User.id == Invoice.user_id)
            .where(Invoice.id.in_(invoice_ids), *_is_owed())
            .order_by(Invoice.id)
            .with_for_update(of=Invoice)
        )
        return [(row[0], row[1]) for row in rows]

    async def flat_terms(
        self, month: date, begin: datetime, end: datetime, user_id: int | None = None
    ) -> list[FlatTerm]:
        """Terms with a flat price in this span, of active users.

        Terms already charged for the month are omitted.
        """
        source = func.concat("flat:", MembershipTerm.id, f":{month:%Y-%m}")
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
                ~exists().where(InvoiceLine.source == source),
            )
            .order_by(Membership.user_id, MembershipTerm.id)
        )
        if user_id is not None:
            statement = statement.where(Membership.user_id == user_id)
        return [FlatTerm(*row) for row in await self.session.execute(statement)]


class InvoiceLineRepository(SQLAlchemyAsyncRepository[InvoiceLine]):
    """Lines of invoices, in order of creation."""

    model_type = InvoiceLine

    async def for_invoice(self, invoice_id: int) -> list[InvoiceLine]:
        found = await self.session.scalars(
            select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id).order_by(InvoiceLine.id)
        )
        return list(found)

    async def for_invoices(self, invoice_ids: Sequence[int] | None) -> list[InvoiceLine]:
        statement = select(InvoiceLine).order_by(InvoiceLine.id)
        if invoice_ids is not None:
            statement = statement.where(InvoiceLine.invoice_id.in_(invoice_ids))
        return list(await self.session.scalars(statement))

    async def is_charged(self, source: str) -> bool:
        return await self.exists(source=source)

    async def charged(self, sources: set[str]) -> set[str]:
        """Filter the sources that are already charged."""
        found = await self.session.scalars(
            select(InvoiceLine.source).where(InvoiceLine.source.in_(sources))
        )
        return set(filter(None, found))

    async def charge_many(self, dues: Sequence[tuple[int, FlatPrice]]) -> int:
        """Insert charges unless their source exists; return how many were inserted."""
        if not dues:
            return 0
        lines = [
            {
                "invoice_id": invoice_id,
                "description": due.description[:255],
                "amount": due.price,
                "source": due.source,
                "created_at": func.now(),
                "updated_at": func.now(),
            }
            for invoice_id, due in dues
        ]
        added = await self.session.scalars(
            insert(InvoiceLine).values(lines).on_conflict_do_nothing().returning(InvoiceLine.id)
        )
        return len(list(added))

    async def are_charged(self, invoice_id: int) -> bool:
        """Whether the invoice has an automatic charge."""
        return await self.exists(
            InvoiceLine.invoice_id == invoice_id, InvoiceLine.source.is_not(None)
        )

    async def charge(self, invoice_id: int, description: str, amount: int, source: str) -> bool:
        """Insert a charge; False if its source is already charged."""
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
