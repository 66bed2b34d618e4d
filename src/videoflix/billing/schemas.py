"""Wire types of invoices, and payloads of jobs."""

import calendar
from datetime import date, datetime
from typing import Annotated, ClassVar, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType

from videoflix.billing import models
from videoflix.billing.models import InvoiceStatus
from videoflix.billing.periods import begin_within
from videoflix.memberships.models import Period
from videoflix.memberships.schemas import Currency
from videoflix.platform.http.params import BIGINT_MAX, VISIBLE
from videoflix.platform.queue import Job, schedule

Amount = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
Description = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=255, pattern=rf"^[^\x00\r\n]*{VISIBLE}[^\x00\r\n]*(?!\n)$"
    ),
]
# `$` alone would accept a trailing newline.
MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])(?!\n)$"
Month = Annotated[str, msgspec.Meta(pattern=MONTH)]
Id = Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]


class InvoiceRead(msgspec.Struct):
    """An invoice; `amount` is in minor units of the currency, `month` such as 2026-11."""

    id: int
    number: str
    user_id: int | None
    owner: str
    month: str
    currency: str
    status: InvoiceStatus
    amount: int
    paid_at: datetime | None
    voided_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, invoice: models.Invoice) -> Self:
        return cls(
            id=invoice.id,
            number=invoice.number,
            user_id=invoice.user_id,
            owner=invoice.owner,
            month=f"{invoice.period:%Y-%m}",
            currency=invoice.currency,
            status=invoice.status,
            amount=invoice.amount,
            paid_at=invoice.paid_at,
            voided_at=invoice.voided_at,
            created_at=invoice.created_at,
        )


class InvoiceLineRead(msgspec.Struct):
    """A line of an invoice; `amount` is in minor units."""

    id: int
    description: str
    amount: int
    created_at: datetime


class InvoiceWithLines(msgspec.Struct):
    """An invoice with its lines."""

    invoice: InvoiceRead
    lines: list[InvoiceLineRead]


class InvoiceCreate(msgspec.Struct, forbid_unknown_fields=True):
    """An invoice to create; one per member and month, by default in the plan's currency."""

    user_id: Id
    month: Month
    currency: Currency | None = None


class InvoiceUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """The new status of an invoice; a paid one can still be voided."""

    status: Literal["paid", "void"]


class InvoiceLineCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A charge; `amount` is in minor units."""

    description: Description
    amount: Amount


class PastInvoice(msgspec.Struct):
    """An invoice of another system; `amount` is what it billed, in minor units."""

    user_id: int
    issued_on: date
    status: InvoiceStatus
    description: str
    amount: int
    lines: list[InvoiceLineCreate]


class Charge(msgspec.Struct):
    """What an Idempotency-Key is bound to: the invoice and the charge."""

    invoice_id: int
    line: InvoiceLineCreate


class InvoiceLineUpdate(msgspec.Struct, forbid_unknown_fields=True):
    """Changes to a line; omitted fields stay unchanged."""

    description: Description | UnsetType = UNSET
    amount: Amount | UnsetType = UNSET


class StreamUsage(msgspec.Struct, frozen=True):
    """A stream that has ended, and the plan it is charged by."""

    lease_id: int
    user_id: int
    plan_id: int | None
    title: str
    begun_at: datetime
    ended_at: datetime


class FlatPrice(NamedTuple):
    """A period that has started, and its price in minor units."""

    term_id: int
    user_id: int
    month: date
    description: str
    price: int
    currency: str

    @property
    def source(self) -> str:
        """Unique source of the line, which prevents charging twice."""
        return f"flat:{self.term_id}:{self.month:%Y-%m}"


class FlatTerm(NamedTuple):
    """A membership term with a flat price."""

    term_id: int
    user_id: int
    from_at: datetime
    until_at: datetime | None
    plan: str
    price: int
    currency: str
    period: Period

    def costs_in(self, month: date, zone: ZoneInfo, now: datetime) -> bool:
        """Whether a period starts in this month, and has started by now."""
        every = 12 if self.period is Period.YEAR else 1
        begun = begin_within(month, self.from_at, every, zone)
        if begun is None or begun > now:
            return False
        return self.until_at is None or begun < self.until_at

    def price_of(self, month: date) -> FlatPrice:
        words = f"{self.plan}, {calendar.month_name[month.month]} {month.year}"
        return FlatPrice(self.term_id, self.user_id, month, words, self.price, self.currency)


class InvoiceDocument(NamedTuple):
    """The texts of an invoice."""

    site: str
    number: str
    month: str
    owner: str
    status: str
    total: str
    created_at: datetime
    lines: list[tuple[str, str]]


class CloseMonth(Job):
    """Charge flat prices, and mail outstanding invoices."""

    name: ClassVar = "billing.close_month"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True
    deadline: ClassVar = 3600.0


schedule("10 0 1 * *", CloseMonth())


def first_day(month: str) -> date:
    """First day of a month such as 2026-11."""
    year, _, number = month.partition("-")
    return date(int(year), int(number), 1)
