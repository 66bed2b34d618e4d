"""Tables of the invoices. Triggers of migration 0016 enforce their rules."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.accounts.models import User
from videoflix.platform.postgres.session import Record


class InvoiceStatus(StrEnum):
    """Outstanding invoices accept lines; paid and void ones are final."""

    OUTSTANDING = "outstanding"
    PAID = "paid"
    VOID = "void"


class Invoice(Record):
    """A member's invoice for a calendar month (`period` is its first day).

    `amount` is the sum of the lines in minor units, maintained by a trigger. `number` has no gaps
    within a year. `owner` is the member's name and e-mail address, kept after account deletion.
    `description` and `issued_on` are what an older client sent; null for ours. A withdrawn one is
    void, and hidden from older clients.
    """

    __tablename__ = "invoice"

    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id, ondelete="SET NULL"))
    owner: Mapped[str] = mapped_column(String(300))
    period: Mapped[date]
    number: Mapped[str] = mapped_column(String(20), unique=True)
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[InvoiceStatus] = mapped_column(default=InvoiceStatus.OUTSTANDING)
    amount: Mapped[int] = mapped_column(BigInteger, default=0)
    paid_at: Mapped[datetime | None] = mapped_column(default=None)
    voided_at: Mapped[datetime | None] = mapped_column(default=None)
    reminded_at: Mapped[datetime | None] = mapped_column(default=None)
    description: Mapped[str | None] = mapped_column(String(255), default=None)
    issued_on: Mapped[date | None] = mapped_column(default=None)
    is_withdrawn: Mapped[bool] = mapped_column(server_default=sql("false"), default=False)

    __table_args__ = (
        Index(
            "uq_invoice_user_id",
            "user_id",
            "period",
            unique=True,
            postgresql_where=sql("not is_withdrawn"),
        ),
        Index("ix_invoice_period", "period", "id"),
        CheckConstraint("amount >= 0", name="ck_invoice_amount"),
        CheckConstraint("extract(day from period) = 1", name="ck_invoice_period"),
    )


class InvoiceLine(Record):
    """A charge; a unique `source` (a stream, a month) prevents charging twice."""

    __tablename__ = "invoice_line"

    invoice_id: Mapped[int] = mapped_column(ForeignKey(Invoice.id, ondelete="CASCADE"), index=True)
    description: Mapped[str] = mapped_column(String(255))
    amount: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str | None] = mapped_column(String(60), unique=True, default=None)

    __table_args__ = (CheckConstraint("amount >= 0", name="ck_invoice_line_amount"),)


# The last invoice number of each year; its row is locked while a number is assigned.
invoice_number = Table(
    "invoice_number",
    Record.metadata,
    Column("year", SmallInteger, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)
