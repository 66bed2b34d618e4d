"""What can be wrong with a request about invoices."""

from typing import ClassVar

from videoflix.platform.problems import Conflict, NotFound


class InvoiceNotFound(NotFound):
    """There is no such invoice, or it is not yours."""


class LineNotFound(NotFound):
    """This invoice has no such line."""


class InvoiceClosed(Conflict):
    """A paid or void invoice does not change: charge the next month instead."""


class InvoiceNotDeletable(Conflict):
    """Only the newest invoice of a year, outstanding and without charges, goes: void it instead."""

    slug: ClassVar[str] = "invoice-kept"


class ChargeNotDeletable(Conflict):
    """This line says that something was charged, and would be charged again: make it 0 instead."""

    slug: ClassVar[str] = "charge-kept"


class InvoiceInOtherCurrency(Conflict):
    """This member's invoice of the month is in another currency."""
