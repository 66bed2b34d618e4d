"""Events about invoices."""

from datetime import date
from typing import ClassVar, Self

from videoflix.billing.models import Invoice, InvoiceStatus
from videoflix.platform.events import EventData


class InvoiceCreated(EventData):
    """A member's invoice for a month was opened; charges are added until it is closed.

    `period` is the first day of the month, `amount` is in minor units.
    """

    type: ClassVar = "invoice.created"
    object: ClassVar = "invoice"
    example: ClassVar = {
        "invoice_id": 9,
        "user_id": 7,
        "number": "2026-000009",
        "period": "2026-05-01",
        "currency": "EUR",
        "amount": 0,
        "status": "outstanding",
    }
    invoice_id: int
    user_id: int | None
    number: str
    period: date
    currency: str
    amount: int
    status: InvoiceStatus

    @classmethod
    def of(cls, invoice: Invoice) -> Self:
        return cls(
            invoice_id=invoice.id,
            user_id=invoice.user_id,
            number=invoice.number,
            period=invoice.period,
            currency=invoice.currency,
            amount=invoice.amount,
            status=invoice.status,
        )


class InvoiceClosed(InvoiceCreated):
    """An invoice was paid or voided; it does not change any more."""

    type: ClassVar = "invoice.closed"
    example: ClassVar = InvoiceCreated.example | {"amount": 799, "status": "paid"}
